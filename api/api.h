/*
 * api: answers requests from the views, through a cache. It uses no HTTP library.
 *
 * A request is answered at once, or waits for a load: then `done` is called later, once, on a thread of
 * the cache: a loader, or its timekeeper if the load is late; or on the thread that calls api_free.
 * Every answer about the view reports up to when it is complete. With `maxLag` in its query, a request
 * gets the problem too-stale (412) instead of an answer that is more than that many milliseconds old, by the
 * clock, when it is given.
 *
 * Thread-safe. No function blocks, except api_free.
 */
#ifndef API_API_H
#define API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/answer.h"
#include "api/route.h"
#include "api/view.h"
#include "base/health.h"
#include "views/cache/cache.h"
#include "views/freshness.h"
#include "views/store.h"

struct api;
struct apply_sales; /* views/apply.h */

/* Answers from now on; requests for the view get view-not-ready until api_attach. Borrows freshness and
 * health, which must outlive it. Never NULL. */
struct api *api_new(const struct api_options *options, struct freshness *freshness, struct health *health);

/* Attaches the store, borrowed, which must have been reached and outlive the api, and its identity key.
 * Starts the loader threads. Call it once; requests may be under way. After a failure the api stays without a
 * view. */
enum status api_attach(struct api *api, struct store *store,
                       const uint8_t identity_key[STORE_IDENTITY_KEY_BYTES], struct error *e);

/* No request may arrive any more. Waits for running loads, at most LIMIT_LOAD_MS if the store keeps its
 * deadlines. Calls that still wait are done first, with a failure. */
void api_free(struct api *api);

/* Rows of these products and contributors were written. Ingest calls it after each batch, from any thread.
 * Cheap. */
void api_rows_changed(struct api *api, const char *const product_ids[], size_t n_products,
                      const char *const user_ids[], size_t n_users);

/* So much was sold. Ingest calls it after each batch, from any thread. Cheap: it is forgotten unless
 * somebody follows, and the view counts as caught up. */
void api_sold(struct api *api, const struct apply_sales *sales);

/* Whether somebody follows the sales. */
void api_follow_sales(struct api *api, bool follows);

/* Whether a view that is complete up to then counts as caught up with its stream. */
bool api_is_caught_up(const struct api *api, int64_t as_of_ms);

/* Now, by the clock that the answers' as-of times are of. */
int64_t api_now(const struct api *api);

/* The data of a `freshness` event of /live; the caller's. */
json_t *api_freshness(const struct api *api, int64_t as_of_ms);

/* The same of a `sale` event: the newest sale since the last call. NULL: nothing was sold. */
json_t *api_take_sale(struct api *api);

/* The same of a `progress` event, at CLOCK_BOOTTIME `now_ms`. NULL: the view is caught up, or gets no nearer.
 */
json_t *api_progress(const struct api *api, int64_t now_ms);

/* Which routes an address serves. */
enum api_routes {
    API_ALL,
    API_PUBLIC,     /* all but the probes and metrics */
    API_OPERATIONS, /* only those */
};

/* One request. Owned by the caller; it must not move until it is answered. */
struct api_call {
    /* set by the caller */
    const char *method;
    const char *target; /* raw; may be freed when api_handle returns */
    size_t target_length;
    enum api_routes routes;
    void (*done)(struct api_call *call);

    /* the answer */
    struct answer *answer;      /* a reference, the caller's */
    const struct route *route;  /* NULL: the path has none */
    bool live;                  /* the body is a stream: see api/live/live.h */
    enum period_kind live_kind; /* `live`: of which boards, ... */
    bool live_changes;          /* ... and whether the client gets their changes */
    bool cached;                /* the answer is from the cache: `state` and `age_ms` are valid */
    enum cache_state state;
    int64_t age_ms;

    /* private */
    struct api *api;
    unsigned max_lag_ms; /* 0: any */
    struct cache_waiter waiter;
};

/* True: answered. False: `done` is called, perhaps before this returns. `now_ms` is CLOCK_BOOTTIME. */
bool api_handle(struct api *api, struct api_call *call, int64_t now_ms);

/* Whether this target is a probe or metrics, which a listener answers even when it is full. */
bool api_is_operations(const char *target, size_t length);

#endif
