/*
 * aws/promise: what the reply of an operation must have, by its name. A success whose body lacks it (empty,
 * null, a list, the page of a captive portal; a member or an element that is missing or of another type) is
 * no answer. A write may have taken effect or not, and a read shows nothing, not even that a row is absent.
 * Pure; any thread.
 */
#ifndef AWS_PROMISE_H
#define AWS_PROMISE_H

#include <jansson.h>

#include "base/error.h"

/* OK; or RETRY, "MalformedReply", and what is missing. `reply` NULL: the body is empty, or no JSON. An
 * operation that is not listed (NULL, too) promises an object. */
enum status aws_promise_check(const char *operation, json_t *reply, struct error *e);

#endif
