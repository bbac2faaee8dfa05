/* What the files of the cache share: entries.c keeps values, loads.c reads them, cache.c looks them up, and
 * the threads of loaders.c take and end the loads. Only loaders.c starts threads or reads a clock: tests run
 * loads by hand. */
#ifndef VIEWS_CACHE_INTERNAL_H
#define VIEWS_CACHE_INTERNAL_H

#include <pthread.h>

#include <uthash.h>

#include "base/metrics.h"
#include "views/cache/cache.h"

struct cache_entry {
    UT_hash_handle hh;
    struct cache_entry *prev, *next;                         /* in `used`, while there is a value */
    struct cache_entry *refreshable_prev, *refreshable_next; /* in `refreshables`, while the value is one */
    struct cache_value *value;
    bool dropped;            /* the value serves only if the store fails */
    bool failing;            /* the last load failed or takes too long */
    int64_t read_ms;         /* when the load of the value began to read */
    int64_t ttl_ms;          /* of the value, jitter taken off */
    int64_t looked_up_ms;    /* last */
    int64_t load_ms;         /* when a load was queued last */
    int64_t paused_until_ms; /* no background load before this, after one failed */
    uint64_t marks;          /* cache->marks when the load of the value began to read */
    struct cache_load *load; /* queued or running */
    size_t key_length;
    char key[];
};

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

/* entries.c, under the lock. An entry stays while it has a value or a load. */
struct cache_entry *cache_entry_find(struct cache *cache, const void *key, size_t key_length, unsigned hash);
struct cache_entry *cache_entry_add(struct cache *cache, const void *key, size_t key_length, unsigned hash);
void cache_entry_remove_if_empty(struct cache *cache, struct cache_entry *entry);
void cache_entry_set(struct cache *cache, struct cache_entry *entry, struct cache_value *value,
                     int64_t read_ms);
void cache_entry_clear(struct cache *cache, struct cache_entry *entry);

/* It was used: it is the last to be removed. */
void cache_entry_touch(struct cache *cache, struct cache_entry *entry);

/* Whether the value may be served without waiting for a load, and as what; or when the load failed. */
bool cache_entry_serves(const struct cache *cache, const struct cache_entry *entry, int64_t now_ms,
                        enum cache_state *state);
bool cache_entry_serves_on_error(const struct cache *cache, const struct cache_entry *entry, int64_t now_ms);

/* Removes the least recently used values until the rest fits, then up to CACHE_SWEEP that are too old. */
void cache_make_room(struct cache *cache, int64_t now_ms);
void cache_publish_size(struct cache *cache);

/* loads.c. Queues one, under the lock; then its caller announces it, outside of the lock. */
struct cache_load *cache_queue(struct cache *cache, struct cache_entry *entry, int64_t now_ms);
void cache_announce(struct cache *cache, size_t loads);

/* Fails all that are queued. */
void cache_end_queued(struct cache *cache);

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
