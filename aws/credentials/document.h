/*
 * aws/credentials/document: the JSON object in which programs and endpoints hand out credentials. Pure.
 *
 * It has AccessKeyId and SecretAccessKey; a session token, by one of two names; Expiration (RFC 3339). What
 * is no such object is told without quoting any of it: it might hold a secret.
 */
#ifndef AWS_CREDENTIALS_DOCUMENT_H
#define AWS_CREDENTIALS_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct aws_credentials; /* aws/credentials/credentials.h */

struct aws_credentials_form {
    const char *token; /* the name of the session token */
    bool has_version;  /* "Version": 1 must be there */
    bool is_temporary; /* token and expiration must be there */
};

/* SDKs and Tools Reference Guide, "Process credential provider". */
extern const struct aws_credentials_form aws_credentials_form_process;
/* Amazon EC2 and ECS, "security credentials": what IMDS and container endpoints answer. */
extern const struct aws_credentials_form aws_credentials_form_endpoint;

/* One reference in `out`, with `source` for its source. FAILED if it is anything else; with the object's own
 * code and message if it has these instead (Code other than "Success"; or code). */
enum status aws_credentials_parse(const char *text, size_t length, const struct aws_credentials_form *form,
                                  const char *source, struct aws_credentials **out, struct error *e);

#endif
