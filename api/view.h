/*
 * view: the state that handlers read (store, freshness, health), and two functions that make their answers.
 * Thread-safe; functions here do not block.
 */
#ifndef API_VIEW_H
#define API_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/answer.h"
#include "api/product_names.h"
#include "api/seal.h"
#include "base/health.h"
#include "views/cache/cache.h"
#include "views/freshness.h"
#include "views/rank_tables.h"
#include "views/store.h"

/* The options of the api, from the command line (server/options.h). */
struct api_options {
    bool full_identities; /* --identities full */
    int64_t index_allowance_ms;
    int64_t rank_units; /* for views/rank_tables.h; 0: ranks beyond LIMIT_RANKED are null */
    struct cache_options cache;
};

struct view {
    struct api_options options;
    struct freshness *freshness;
    struct health *health;
    struct store *store;             /* NULL until api_attach; no handler that reads it runs before */
    struct sealer *sealer;           /* the same */
    struct rank_tables *rank_tables; /* NULL until api_attach */
    struct product_names *product_names;
    struct view_shape shape; /* of the store */
    char order[32];          /* what decides the order of its rows: its kind and board partitions */
    char cache_control[64];  /* of answers that the cache keeps */
};

/* A read that begins now includes every event before this time (service clock). FRESHNESS_UNKNOWN: that time
 * is not known. Call it before the read. `from_index`: the as-of time is that of an index, which may lag
 * behind the rows. */
int64_t view_as_of(const struct view *view, bool from_index);

/* Now, as clients get it, by the clock that is never behind: for the period under way, and for expiry. */
int64_t view_now(const struct view *view);

/* A time of the service clock as clients get it. */
int64_t view_reported(const struct view *view, int64_t as_of_ms);

/* Sets the answer's as-of time. */
void view_set_as_of(const struct view *view, struct answer *answer, int64_t as_of_ms);

/* The same time as a JSON value. */
json_t *view_time(const struct view *view, int64_t as_of_ms);

/* How old an answer with this as-of time is at most; INT64_MAX: not known. */
int64_t view_age_ms(const struct view *view, int64_t as_of_ms);

/* True if the view is so current that a missing row is a 404. */
bool view_is_caught_up(const struct view *view, int64_t as_of_ms);

/* Makes an answer that the cache keeps. Takes over the reference to `json`. */
struct answer *view_answer(const struct view *view, json_t *json, int64_t as_of_ms);

/* The answer for rows that are not there: 404 if the view is caught up, else 503 view-not-ready. `what`: a
 * noun for people. */
struct answer *view_missing(const struct view *view, const char *what, int64_t as_of_ms);

#endif
