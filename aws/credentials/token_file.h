/* aws/credentials/token_file: a token that another program writes into a file, and replaces before it expires
 * (EKS Pod Identity, IAM roles for service accounts). */
#ifndef AWS_CREDENTIALS_TOKEN_FILE_H
#define AWS_CREDENTIALS_TOKEN_FILE_H

#include "base/error.h"

/* The present token, without white space around it; the caller frees it by aws_credentials_wipe. FAILED if
 * the file cannot be read, is longer than LIMIT_TOKEN_FILE_BYTES, or holds a NUL; INVALID if it is empty, or
 * cannot stand in a header (aws/header_value.h). Blocks on the file. */
enum status aws_token_file_read(const char *path, char **token, struct error *e);

#endif
