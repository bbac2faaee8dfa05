/*
 * cache: a read-through cache in front of the store: however many readers ask, the store is read once.
 *
 * Keys are bytes (a canonical request). Values are opaque, immutable and reference-counted. A lookup gets a
 * kept value at once or waits for a load, which runs on one of the cache's threads (cache_start). `now_ms` is
 * CLOCK_BOOTTIME everywhere. What holds:
 *
 * - Fresh: a value is served for `ttl_ms`, counted from when its load began to read.
 *
 * - Stale: for another `stale_ms` it is served at once, while one load refreshes it.
 *
 * - Stale on error: after that, lookups wait for a load. If the load fails, the old value is served, up to
 *   `stale_if_error_ms` beyond its ttl. Until a load succeeds, lookups then get the old value at once, and
 *   loads are retried in the background, CACHE_PAUSE_MS apart.
 *
 * - Soft time-out: a lookup that could be answered with an old value waits at most CACHE_SOFT_TIMEOUT_MS for
 *   a load (checked once in `refresh_ms`). Then the lookup treats the load as failed. The load continues.
 *   A dropped value is not served before the load itself has failed.
 *
 * - One load: all lookups of a key that wait share one load ("collapsed").
 *
 * - Negative: that something does not exist is kept for CACHE_NEGATIVE_MS at most. Errors are not kept.
 *
 * - Drop: a lookup after cache_drop(key) gets no value whose load began to read before the drop, except when
 *   the store fails. A lookup that was waiting already may get one.
 *
 * - Mark: after cache_mark, `refreshable` values are loaded again in the background even if they are fresh,
 *   each at most once in `refresh_ms`; the old value is served until the new one has been read.
 *
 * - Jitter: values that were read together do not expire together: up to `jitter_percent` is taken off each
 *   ttl. It is never added.
 *
 * - Bounded: keys and values take at most `max_bytes` (the least recently used are removed first), and at
 *   most LIMIT_LOADS_WAITING loads wait for a thread. A load that takes LIMIT_LOAD_MS has failed.
 *
 * Thread-safe. No call blocks for long. Callbacks run outside the lock, on the thread that made the call.
 */
#ifndef VIEWS_CACHE_CACHE_H
#define VIEWS_CACHE_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CACHE_NEGATIVE_MS 1000
#define CACHE_REFRESH_MS 200  /* `refresh_ms` where a read costs something */
#define CACHE_REFRESH_KEYS 64 /* values refreshed after one mark; the others at their next lookup */
#define CACHE_PAUSE_MS 1000   /* between loads that fail, while an old value is served */
#define CACHE_SOFT_TIMEOUT_MS 500
#define CACHE_SWEEP 8 /* values too old to be served that each load removes */

struct cache;

/* The first member of whatever is kept. */
struct cache_value {
    atomic_uint references;
    size_t bytes;                       /* memory that it takes, all included */
    bool keep;                          /* false: only for the lookups that wait for it */
    bool negative;                      /* true: the value means that the object does not exist */
    bool refreshable;                   /* cache_mark concerns it */
    void (*free)(struct cache_value *); /* may run under the cache's lock: takes no lock, does no I/O */
};

/* With one reference, the caller's. */
void cache_value_init(struct cache_value *value, void (*free_value)(struct cache_value *));
struct cache_value *cache_value_ref(struct cache_value *value);
void cache_value_unref(struct cache_value *value); /* NULL is fine */

struct cache_options {
    size_t max_bytes;
    int64_t ttl_ms;
    int64_t stale_ms;
    int64_t stale_if_error_ms;
    int64_t refresh_ms; /* between two refreshes of a marked value; 0: CACHE_REFRESH_MS */
    unsigned jitter_percent;
};

struct cache *cache_new(const struct cache_options *options);

/* Fails the loads that wait for a thread. The cache's threads must have been stopped. */
void cache_free(struct cache *cache);

/* Reads one key from the store, within `deadline_ms` (CLOCK_BOOTTIME), on a thread of the cache. Returns OK
 * and a value (the reference goes to the cache), or a failure and the error. `key` is followed by a NUL that
 * `key_length` does not count. */
typedef enum status cache_load_function(void *context, const char *key, size_t key_length,
                                        int64_t deadline_ms, struct cache_value **value, struct error *e);

/* Starts LIMIT_LOADERS threads that run loads, and one that keeps time (loads past their deadline, lookups
 * past their soft time-out, marked values). They sleep while there is nothing to do. FAILED if a thread
 * cannot be made; then none runs. */
enum status cache_start(struct cache *cache, cache_load_function *load, void *context, struct error *e);

/* Waits for the loads that run, which end by their deadline. Loads that wait for a thread stay queued. Does
 * nothing if the threads were not started. */
void cache_stop(struct cache *cache);

enum cache_state {
    CACHE_FRESH,          /* kept, within its ttl */
    CACHE_STALE,          /* kept, being refreshed */
    CACHE_STALE_ON_ERROR, /* kept, and the store fails or takes too long */
    CACHE_LOADED,         /* just read, for this lookup */
    CACHE_COLLAPSED,      /* just read, for an earlier lookup */
};
enum { CACHE_STATES = 5 };

struct cache_result {
    struct cache_value *value; /* a reference, the receiver's; NULL: the load failed */
    enum cache_state state;
    int64_t age_ms;            /* since its load began to read */
    const struct error *error; /* of the load, if there is no value; borrowed for the call */
};

/* Embedded in whatever waits. Stays where it is until `ready` was called, which happens exactly once. */
struct cache_waiter {
    void (*ready)(struct cache_waiter *waiter, const struct cache_result *result);
    bool first; /* private, and the rest */
    int64_t since_ms;
    struct cache_waiter *prev, *next;
};

enum cache_lookup {
    CACHE_HIT,       /* `result` is filled */
    CACHE_WAIT,      /* `waiter->ready` will be called */
    CACHE_OVERLOADED /* too many loads are waiting */
};

enum cache_lookup cache_lookup(struct cache *cache, const void *key, size_t key_length, int64_t now_ms,
                               struct cache_waiter *waiter, struct cache_result *result);

/* The same, for a caller that cannot use a stale value: waits for the load that refreshes it. Gives the old
 * value if the store fails or takes too long. */
enum cache_lookup cache_lookup_fresh(struct cache *cache, const void *key, size_t key_length, int64_t now_ms,
                                     struct cache_waiter *waiter, struct cache_result *result);

/* A fresh value that is kept, a reference of the caller's; NULL if there is none. It causes no load and is
 * not counted as a lookup. */
struct cache_value *cache_peek(struct cache *cache, const void *key, size_t key_length, int64_t now_ms);

/* The key's row was written. From any thread; cheap if the key is not in the cache. */
void cache_drop(struct cache *cache, const void *key, size_t key_length);

/* Whether there is nothing that cache_drop or cache_mark could concern. */
bool cache_is_empty(struct cache *cache);

/* Some row was written. From any thread; cheaper still: it sets a flag. */
void cache_mark(struct cache *cache);

#endif
