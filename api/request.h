/*
 * request: a request target taken apart: path segments and query parameters, each percent-decoded exactly
 * once.
 *
 * The raw target is split first and decoded then, so that "%2F" within an id stays part of the id. What is
 * decoded is UTF-8 without NULs. No memory is allocated; texts lie in the request itself and are ended by a
 * NUL.
 *
 * Not thread-safe; each thread has its own (about 9 KB: on the stack).
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "api/problem.h"
#include "base/limits.h"

#define REQUEST_SEGMENTS 4
#define REQUEST_PARAMETERS 8

struct request_parameter {
    const char *name;
    const char *value;
};

struct request {
    size_t n_segments; /* one more than REQUEST_SEGMENTS: too many, no route has them */
    const char *segments[REQUEST_SEGMENTS];
    size_t n_parameters;
    struct request_parameter parameters[REQUEST_PARAMETERS];
    char
        text[2 * LIMIT_URI_BYTES + 8]; /* each segment and value is at most as long as it was, plus its NUL */
};

/* Takes an origin-form or absolute-form target (RFC 9112, section 3.2) apart. False, with a problem: too
 * long, a bad escape, "%00", not UTF-8, a parameter twice, more than REQUEST_PARAMETERS of them. */
bool request_parse(struct request *r, const char *target, size_t length, struct problem *p);

/* False, with a problem that names it, if there is a parameter other than these (NULL after the last). */
bool request_allows(const struct request *r, const char *const names[], struct problem *p);

/* The value, NULL if it was not given. Borrowed. */
const char *request_parameter(const struct request *r, const char *name);

/* A whole number of 1 to `max` in plain digits; `fallback` if it was not given. */
bool request_count(const struct request *r, const char *name, unsigned fallback, unsigned max, unsigned *out,
                   struct problem *p);

#endif
