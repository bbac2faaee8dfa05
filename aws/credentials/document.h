/*
 * aws/credentials/document: the JSON object in which programs and endpoints hand out credentials. Pure.
 *
 * It has AccessKeyId and SecretAccessKey; a session token, under one of two names; Expiration (RFC 3339).
 * Errors quote nothing of the text but the code and message of an error: the rest may hold a secret.
 */
#ifndef AWS_CREDENTIALS_DOCUMENT_H
#define AWS_CREDENTIALS_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct aws_credentials; /* aws/credentials/credentials.h */

struct aws_credentials_form {
    const char *token; /* the member with the session token */
    bool has_version;  /* "Version": 1 must be there */
    bool is_temporary; /* token and expiration must be there */
    enum status malformed;
};

/* SDKs and Tools Reference Guide, "Process credential provider". */
extern const struct aws_credentials_form aws_credentials_form_process;
/* Amazon EC2 and ECS, "security credentials": of IMDS and container endpoints. */
extern const struct aws_credentials_form aws_credentials_form_endpoint;

/* One reference in `out`, with `source` as its source. Else FAILED, with the code and message of the object
 * if it has those instead (Code other than "Success"; or code). Any other text is "MalformedReply": RETRY
 * from an endpoint (another server may have answered), FAILED from a program. */
enum status aws_credentials_parse(const char *text, size_t length, const struct aws_credentials_form *form,
                                  const char *source, struct aws_credentials **out, struct error *e);

#endif
