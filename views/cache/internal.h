/* What cache.c and loaders.c share: the loads, and how the threads take and end them. cache.c starts no
 * thread and reads no clock: tests run loads by hand. */
#ifndef VIEWS_CACHE_INTERNAL_H
#define VIEWS_CACHE_INTERNAL_H

#include <pthread.h>

#include "base/metrics.h"
#include "views/cache/cache.h"

struct cache_load {
    char *key; /* followed by a NUL that `key_length` does not count */
    size_t key_length;
    int64_t deadline_ms; /* CLOCK_BOOTTIME */

    /* under the cache's lock */
    struct cache_entry *entry; /* NULL: given up, its result is thrown away */
    int64_t started_ms;
    uint64_t marks; /* cache->marks when it began to read */
    bool running;
    bool outdated;                     /* its key was dropped after it began to read */
    struct cache_waiter *waiters;      /* in the order of their lookups */
    struct cache_waiter *next_waiters; /* looked up after the drop: they get the next load */
    struct cache_load *prev, *next;
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
    struct metrics_series *counts[CACHE_COUNTS];
    struct metrics_series *removals[CACHE_REMOVALS];
    struct metrics_series *bytes_gauge, *values_gauge;

    /* Called, outside the lock, when loads were queued (so many) or the first mark was set (0). */
    void (*on_work)(struct cache *cache, size_t loads);
    struct loaders *loaders; /* loaders.c; NULL: not started */

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

/* The next load to run, NULL if there is none. Each one taken must be finished. */
struct cache_load *cache_take(struct cache *cache, int64_t now_ms);

/* Its result: a value (the reference goes to the cache) or an error. Calls the waiters. */
void cache_finish(struct cache *cache, struct cache_load *load, struct cache_value *value,
                  const struct error *error, int64_t now_ms);

/* Gives up the loads that are past their deadline, and ends the waits that are past the soft time-out. */
void cache_expire(struct cache *cache, int64_t now_ms);

/* After a mark: queues loads of the refreshable values that were looked up within `stale_ms`. */
void cache_refresh(struct cache *cache, int64_t now_ms);

/* Whether loads are queued or running; whether a mark was set since the last cache_refresh. */
bool cache_is_loading(struct cache *cache);
bool cache_is_marked(struct cache *cache);

#endif
