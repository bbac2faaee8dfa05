/*
 * route: the table of everything that a client can ask for.
 *
 * Every route has GET. HEAD, OPTIONS, and 405 with `Allow` for all other methods follow from that.
 * openapi.yaml describes the same paths; tests/integration/test_contract.py compares the two.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/answer.h"
#include "api/assets.h"
#include "api/cache_key.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/view.h"

#define ROUTE_ALLOW "GET, HEAD, OPTIONS"
#define ROUTE_PARAMETERS 7
#define ROUTE_MAX_LAG "maxLag" /* every route that is ROUTE_LOADED has it */

enum route_kind {
    ROUTE_ASSET,  /* the same bytes for the life of the process */
    ROUTE_MEMORY, /* answered at once from memory, anew each time */
    ROUTE_LIVE,   /* a stream (api/live/live.h) */
    ROUTE_LOADED, /* read from the store through the cache */
};

/* One read from the store. All borrowed. */
struct route_load {
    const struct view *view;
    struct cache *cache;                /* for route_peek */
    const char *parts[CACHE_KEY_PARTS]; /* of the key */
    int64_t deadline_ms;                /* CLOCK_BOOTTIME */
    int64_t as_of_ms;                   /* view_as_of from before the read: of the index, or of rows */
    int64_t row_as_of_ms;               /* of rows */
    int64_t now_ms;                     /* view_now from before the read */
    int64_t *answer_as_of_ms;           /* is `as_of_ms`: a load whose answer is of another time sets it */
    bool *is_lacking; /* is false: a load sets it whose answer says of a row that it is not there */
};

/* A new answer, never NULL. */
typedef struct answer *route_answer_function(const struct view *view);

/* Checks the request and makes its key, clear if what it names cannot exist; false with a problem. */
typedef bool route_prepare_function(const struct view *view, const struct request *request,
                                    struct cache_key *key, struct problem *p);

/* Reads what the key asks for and returns it as JSON. STATUS_NOT_FOUND: there are no such rows. Runs on a
 * loader thread and may block until the deadline. */
typedef enum status route_load_function(const struct route_load *load, json_t **json, struct error *e);

/* Whether this answer is read again in the background after a write. */
typedef bool route_refreshable_function(const struct route_load *load);

struct route {
    const char *template; /* segments; "{...}" stands for any that is not empty */
    enum route_kind kind;
    bool operations; /* a probe or metrics: for operators, not for the public */
    const char
        *parameters[ROUTE_PARAMETERS]; /* that the query may have; NULL after the last (test_route.c) */

    enum asset asset;              /* ROUTE_ASSET */
    route_answer_function *answer; /* ROUTE_MEMORY */

    /* ROUTE_LOADED */
    route_prepare_function *prepare;
    route_load_function *load;
    const char *missing; /* a noun, for the answer to STATUS_NOT_FOUND; NULL: not possible */
    bool from_index;     /* its as-of time is that of an index: see view_as_of */
    route_refreshable_function *is_refreshable; /* NULL: never */
};

/* The answer 200 to a request for this row that the cache has and that is fresh: a reference, the caller's;
 * NULL: none. */
struct answer *route_peek(const struct route_load *load, const char *template, const char *first);

extern const struct route route_table[];
extern const size_t route_count;

/* The route of this path, NULL if there is none. */
const struct route *route_find(const struct request *request);

/* The route with exactly this template, NULL if there is none. */
const struct route *route_named(const char *template);

#endif
