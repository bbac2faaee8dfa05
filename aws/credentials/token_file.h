/* aws/credentials/token_file: a token that somebody else writes into a file, and writes anew before it
 * expires (EKS Pod Identity, IAM roles for service accounts). */
#ifndef AWS_CREDENTIALS_TOKEN_FILE_H
#define AWS_CREDENTIALS_TOKEN_FILE_H

#include "base/error.h"

/* What is in the file now, without the newline at its end; the caller's: aws_credentials_wipe. FAILED if it
 * cannot be read, is empty, longer than LIMIT_TOKEN_FILE_BYTES, or holds a CR, LF or NUL: such a token would
 * put lines of its own into a request. Blocks as reading a file does. */
enum status aws_token_file_read(const char *path, char **token, struct error *e);

/* The same of a token from elsewhere. */
enum status aws_token_check(const char *token, struct error *e);

#endif
