/*
 * request: the parts of a request target: path segments and query parameters, each percent-decoded exactly
 * once.
 *
 * The raw target is split first and decoded then, so that "%2F" in an id stays part of the id. Decoded text
 * is UTF-8 without NULs. Nothing is allocated; the texts are in the request itself, each with its NUL.
 *
 * Not thread-safe. A request takes about 17 KB: put it on the stack.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "api/problem.h"
#include "base/limits.h"

#define REQUEST_SEGMENTS 4

#define REQUEST_ITEM_END '\xff' /* UTF-8 has no such byte */
#define REQUEST_ITEMS_SIZE (LIMIT_URI_BYTES + 2)

struct request_parameter {
    const char *name;
    const char *value;
    const char *raw; /* the value before it was decoded; in the target, without a NUL */
    size_t raw_length;
};

struct request {
    size_t n_segments; /* REQUEST_SEGMENTS + 1: more than any route has */
    const char *segments[REQUEST_SEGMENTS];
    size_t n_parameters;
    struct request_parameter parameters[LIMIT_PARAMETERS];
    char text[2 * LIMIT_URI_BYTES + 8]; /* decoded text is never longer, but for its NUL */
};

/* Parses an origin-form or absolute-form target (RFC 9112, section 3.2). False, with a problem: too long, a
 * bad escape, "%00", not UTF-8, a parameter twice, more than LIMIT_PARAMETERS of them. */
bool request_parse(struct request *r, const char *target, size_t length, struct problem *p);

/* False, with a problem that names it, if the query has a parameter other than `names` (NULL after the last).
 */
bool request_allows(const struct request *r, const char *const names[], struct problem *p);

/* The value, NULL if the query does not have it. Borrowed. */
const char *request_parameter(const struct request *r, const char *name);

/* A whole number of 1 to `max` in plain digits; `fallback` if the query does not have it. */
bool request_count(const struct request *r, const char *name, unsigned fallback, unsigned max, unsigned *out,
                   struct problem *p);

/* A value that is a list: its items in their order, each followed by REQUEST_ITEM_END. The value, which the
 * query has, is split at its commas before the items are decoded, so that "%2C" is part of an item. False
 * with a problem: an item is empty, or there are more than `max`. */
bool request_items(const struct request *r, const char *name, unsigned max, char out[REQUEST_ITEMS_SIZE],
                   struct problem *p);

#endif
