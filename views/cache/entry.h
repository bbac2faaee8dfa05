/*
 * cache_entry: what the cache keeps under one key, how long that serves, and what goes when there must be
 * room. For views/cache/cache.c only: everything here is called under the cache's lock, and never blocks.
 */
#ifndef VIEWS_CACHE_ENTRY_H
#define VIEWS_CACHE_ENTRY_H

#include <pthread.h>

#include "base/hash.h"
#include "base/metrics.h"
#include "views/cache/cache.h"

struct cache_entry {
    UT_hash_handle hh;
    struct cache_entry *prev, *next;                         /* in `used`, while there is a value */
    struct cache_entry *refreshable_prev, *refreshable_next; /* in `refreshables`, while the value is one */
    struct cache_value *value;
    bool dropped;            /* the value serves only if the store fails */
    bool failing;            /* the last load failed, or takes too long */
    int64_t born_ms;         /* when the load of the value began to read */
    int64_t ttl_ms;          /* of the value */
    int64_t used_ms;         /* looked up last */
    int64_t tried_ms;        /* loaded last, or tried to */
    int64_t paused_until_ms; /* after a failed load */
    uint64_t marks;          /* cache->marks when the load of the value began to read */
    struct cache_load *load; /* under way */
    size_t key_length;
    char key[];
};

enum cache_count {
    CACHE_COUNT_HIT,
    CACHE_COUNT_STALE,
    CACHE_COUNT_MISS,
    CACHE_COUNT_COLLAPSED,
    CACHE_COUNT_ERROR,
    CACHE_COUNTS
};
enum cache_removal { CACHE_REMOVAL_EVICTED, CACHE_REMOVAL_EXPIRED, CACHE_REMOVAL_DROPPED, CACHE_REMOVALS };

struct cache {
    struct cache_options options;
    void (*work)(void *, size_t);
    void *work_context;
    struct metrics_series *counts[CACHE_COUNTS];
    struct metrics_series *removals[CACHE_REMOVALS];
    struct metrics_series *bytes_gauge, *values_gauge;
    _Atomic uint64_t marks;
    atomic_bool marked; /* since the last cache_refresh */

    pthread_mutex_t lock; /* guards the rest; a leaf */
    struct cache_entry *entries;
    struct cache_entry *used; /* least recently used first */
    struct cache_entry *refreshables;
    size_t bytes, n_values;
    struct cache_load *queued, *running; /* oldest deadline first */
    size_t n_queued;
};

/* Finds the cache's series, once. */
void cache_entry_find_series(struct cache *c);

/* `hash` is that of hash_bytes. NULL: none. */
struct cache_entry *cache_entry_find(struct cache *c, const void *key, size_t key_length, unsigned hash);
struct cache_entry *cache_entry_add(struct cache *c, const void *key, size_t key_length, unsigned hash);

/* Takes a reference of its own to the value, which began to be read at `born_ms`. */
void cache_entry_set(struct cache *c, struct cache_entry *e, struct cache_value *value, int64_t born_ms);
/* Lets the value go, if there is one. */
void cache_entry_clear(struct cache *c, struct cache_entry *e);
/* Frees the entry if it has neither value nor load. */
void cache_entry_remove_if_empty(struct cache *c, struct cache_entry *e);
/* It was used. It has a value. */
void cache_entry_touch(struct cache *c, struct cache_entry *e);

/* Whether the value may be served without waiting for a load, and as what. */
bool cache_entry_serves_now(const struct cache *c, const struct cache_entry *e, int64_t now_ms,
                            enum cache_state *state);
/* Whether it may be served if a load fails. */
bool cache_entry_serves_on_error(const struct cache *c, const struct cache_entry *e, int64_t now_ms);

/* Frees the values that have not been used for longest until the rest fits; and of those too old for any use
 * CACHE_SWEEP more. Entries without a load under way are freed with their values. */
void cache_entry_make_room(struct cache *c, int64_t now_ms);
void cache_entry_show_size(struct cache *c);

#endif
