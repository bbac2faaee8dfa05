/*
 * problem: why a request was refused, as RFC 9457 has it. `code` is for programs; `type` refers to the
 * description of that code (components/x-problems of openapi.yaml).
 *
 * A problem is filled by value where it was found (it owns nothing) and becomes an answer once. `detail` is
 * a sentence for people with the remedy; `parameter`, `given` and `allowed` are for programs. Thread-safe.
 */
#ifndef API_PROBLEM_H
#define API_PROBLEM_H

#include <stdbool.h>

#include "api/answer.h"
#include "base/error.h"

enum problem_type {
    PROBLEM_INVALID_PARAMETER,
    PROBLEM_MALFORMED_REQUEST, /* a proxy may read its bytes in another way (server/http/framing.h) */
    PROBLEM_NOT_FOUND,
    PROBLEM_PERIOD_NOT_KEPT,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_VIEW_NOT_READY,
    PROBLEM_TOO_STALE,
    PROBLEM_STORE_UNAVAILABLE,
    PROBLEM_OVERLOADED,
    PROBLEM_CONTENT_TOO_LARGE,
    PROBLEM_URI_TOO_LONG,
    PROBLEM_HEADERS_TOO_LARGE,
};
enum { PROBLEM_TYPES = 12 };

struct problem {
    enum problem_type type;
    char detail[512];
    char parameter[64]; /* "": none; then `given` and `allowed` have no meaning */
    char given[256];    /* cut to fit */
    char allowed[256];
    const char *allow; /* the header; a static string, NULL: none */
};

/* Both return false, so that a check can end with `return problem_set(...)`. */
bool problem_set(struct problem *p, enum problem_type type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* invalid-parameter: "parameter 'limit' is not valid; allowed: 1 to 100" */
bool problem_set_parameter(struct problem *p, const char *parameter, const char *given, const char *allowed);

/* Says for programs which parameter a problem is about. */
void problem_name_parameter(struct problem *p, const char *parameter, const char *given, const char *allowed);

/* A new answer: problem+json, `no-store`, Retry-After where a retry helps. The cache does not keep it. */
struct answer *problem_answer(const struct problem *p);

#endif
