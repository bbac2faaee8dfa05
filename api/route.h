/*
 * route: everything that can be asked for, in one table. Handlers see no HTTP library.
 *
 * Every route has GET; that HEAD goes with it, that anything else is a 405 with `Allow`, and what OPTIONS
 * says follows from the table. openapi.yaml describes the same paths, and a test compares the two.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/answer.h"
#include "api/key.h"
#include "api/problem.h"
#include "api/request.h"

#define ROUTE_ALLOW "GET, HEAD, OPTIONS"
#define ROUTE_PARAMETERS 3

struct api;

enum route_kind {
    ROUTE_MEMORY, /* answered at once, from memory, anew each time */
    ROUTE_ASSET,  /* the same bytes for as long as the process lives */
    ROUTE_LOADED, /* read from the store, through the cache */
    ROUTE_LIVE,   /* a stream (api/live.h): `answer` has what comes before it */
};

struct route {
    const char *template; /* segments; "{...}" stands for any that is not empty */
    enum route_kind kind;
    bool operations;                          /* a probe, or metrics: for operators, not for the public */
    const char *parameters[ROUTE_PARAMETERS]; /* those the query may have, beside ROUTE_LOADED's maxLag */

    /* ROUTE_MEMORY, ROUTE_LIVE: a new answer. ROUTE_ASSET: a reference. Never NULL. */
    struct answer *(*answer)(struct api *api);

    /* ROUTE_LOADED: checks the request and makes its key; false with a problem. */
    bool (*prepare)(struct api *api, const struct request *request, struct key *key, struct problem *p);
    /* ROUTE_LOADED: reads what a key with this template says, on a loader thread; blocks. */
    enum status (*load)(struct api *api, const char *key, size_t key_length, int64_t deadline_ms,
                        struct answer **answer, struct error *e);
};

extern const struct route route_table[];
extern const size_t route_count;

/* The route of this path, NULL if there is none. */
const struct route *route_find(const struct request *request);

/* The route with exactly this template, NULL if there is none. */
const struct route *route_named(const char *template);

#endif
