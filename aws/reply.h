/*
 * aws/reply: what came back from a service that speaks JSON (AWS JSON 1.0 and 1.1 protocols), as JSON or as
 * an error. Pure; any thread.
 */
#ifndef AWS_REPLY_H
#define AWS_REPLY_H

#include <jansson.h>

#include "base/error.h"

struct aws_exchange; /* aws/transport.h */

/*
 * Reads the answer of a finished exchange. `*reply` is its JSON, a new reference, on errors too; NULL if
 * there is none (an empty body is no error; `null` is JSON).
 *
 * If not OK, `e` has AWS's name for it without namespace and link (`__type`, `code`, or the header
 * x-amzn-ErrorType), or one of ours (aws/service_error.h), "" if there is none; AWS's message behind the
 * name; and the request id.
 */
enum status aws_reply_read(const struct aws_exchange *x, json_t **reply, struct error *e);

#endif
