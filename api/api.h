/*
 * api: the read side: answers requests from the views, through a cache, and knows nothing of any HTTP
 * library.
 *
 * A request is answered at once, or waits for a load: then `done` is called later, once, on a loader thread.
 * What is served is never wrong about its own age: every answer that speaks of the view says up to when it is
 * true. With `maxLag` in its query a request is answered by the problem too-stale instead of from a view that
 * is older than so many milliseconds, by the clock, when it is answered.
 *
 * Thread-safe. Nothing here blocks except api_free.
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/answer.h"
#include "api/route.h"
#include "base/health.h"
#include "views/cache/cache.h"
#include "views/freshness.h"
#include "views/store.h"

struct api;

struct api_options {
    bool full_identities; /* --identities full */
    int64_t caught_up_ms;
    int64_t index_allowance_ms;
    struct cache_options cache;
};

/* Answers from now on, but nothing from the view, which it does not have yet: that is view-not-ready. Borrows
 * freshness and health, which must outlive it. Never NULL. */
struct api *api_new(const struct api_options *options, struct freshness *freshness, struct health *health);

/* Gives it the view: the store, borrowed, to outlive it, which was reached, and its identity key. Starts the
 * loader threads. Once; requests may be on their way. On failure it goes on without. */
enum status api_attach(struct api *api, struct store *store,
                       const uint8_t identity_key[STORE_IDENTITY_KEY_BYTES], struct error *e);

/* No request may come any more. Waits for the loads under way, at most LIMIT_LOAD_MS if the store keeps its
 * deadlines; calls that still wait are done first, as failed. */
void api_free(struct api *api);

/* Rows of these products and contributors have been written: for ingest, after each batch, from any thread.
 * Cheap. */
void api_rows_changed(struct api *api, const char *const product_ids[], size_t n_products,
                      const char *const user_ids[], size_t n_users);

/* Which routes an address serves. */
enum api_routes {
    API_ALL,
    API_PUBLIC,     /* all but the probes and metrics */
    API_OPERATIONS, /* only those */
};

/* One request. Owned by the caller, and must stay where it is until it is answered. */
struct api_call {
    /* set by the caller */
    const char *method;
    const char *target; /* raw; not needed any more once api_handle has returned */
    size_t target_length;
    enum api_routes routes;
    void (*done)(struct api_call *call);

    /* the answer */
    struct answer *answer;     /* a reference, the caller's */
    const struct route *route; /* NULL: there is none */
    bool live;                 /* its body is a stream, and api/live.h has it */
    bool cached;               /* it came through the cache: `state` and `age_ms` count */
    enum cache_state state;
    int64_t age_ms;

    /* private */
    struct api *api;
    int64_t max_lag_ms; /* 0: any */
    struct cache_waiter waiter;
};

/* True: answered. False: `done` will be called (perhaps it was already). `now_ms` is CLOCK_BOOTTIME. */
bool api_handle(struct api *api, struct api_call *call, int64_t now_ms);

/* Whether this target is a probe or metrics; for a listener that is full but must answer those. */
bool api_is_operations(const char *target, size_t length);

#endif
