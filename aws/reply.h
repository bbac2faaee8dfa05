/*
 * aws/reply: reads the answer of a service that speaks JSON (AWS JSON 1.0 and 1.1 protocols), as JSON or as
 * an error. Pure; any thread.
 */
#ifndef AWS_REPLY_H
#define AWS_REPLY_H

#include <jansson.h>

#include "base/error.h"

struct aws_exchange; /* aws/transport.h */

/*
 * Reads the answer of a finished exchange. `*reply` is its JSON, a new reference, on errors too; NULL if
 * there is none. A success without what its operation promises (aws/promise.h) is no answer.
 *
 * If not OK, the code in `e` is the name of the error without namespace and link (`__type`, `code`, or the
 * header x-amzn-ErrorType; letters, digits and ". _ -"), or one of aws/service_error.h, or "". The message
 * has the name and the message of AWS. */
enum status aws_reply_read(const struct aws_exchange *x, json_t **reply, struct error *e);

/* Reads the error that a message of a stream brings: its name, and either its message or (NULL) a payload as
 * the body of an error's answer. Returns its status. */
enum status aws_reply_read_exception(const char *type, const void *payload, size_t length,
                                     const char *message, struct error *e);

#endif
