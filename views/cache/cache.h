/*
 * cache: what was read from the store, kept for a moment, so that many readers cost it one read.
 *
 * Keys are bytes (a canonical request); values are opaque, reference-counted and immutable. The cache starts
 * no thread and reads no clock: whoever owns it takes the loads out (cache_take), runs them and hands in
 * their results (cache_finish); views/cache/loaders.h does that with threads. `now_ms` is CLOCK_BOOTTIME
 * everywhere. It promises:
 *
 * - Fresh: a value is served as it is for `ttl_ms`, counted from when its load began to read.
 *
 * - Stale: then it is served at once for another `stale_ms`, while one load refreshes it.
 *
 * - On error: older than that, lookups wait for the load; if it fails, the old value is served, up to
 *   `stale_if_error_ms` beyond its ttl. From then on, until a load succeeds, it is served at once, and loads
 *   go on in the background, CACHE_PAUSE_MS apart.
 *
 * - Patience: a load that has not failed yet keeps nobody who could be given an old value waiting for longer
 *   than CACHE_PATIENCE_MS (and until the next cache_expire): then it counts as failed for them, and goes on.
 *   A dropped value is not given before the load has failed.
 *
 * - One load: however many look up a key, one load of it runs and all of them wait for it ("collapsed").
 *
 * - Brief: what is not there (`negative`) is kept for CACHE_NEGATIVE_MS at most. Errors are not kept.
 *
 * - Drop: after cache_drop(key) nobody who looks it up gets a value whose load began to read before; the old
 *   value stays only for "on error". Those who were waiting already may get it: they asked before.
 *
 * - Mark: after cache_mark, `refreshable` values are loaded again in the background, at most once in
 *   `refresh_ms`, though they be fresh; the old one is served until the new one is there.
 *
 * - Apart: values that were read together do not grow old together: `jitter_percent` of the ttl, at most, is
 *   taken off, so that none is served as fresh for longer than its ttl.
 *
 * - Bounded: values and keys take at most `max_bytes` (least recently used go first); loads waiting for a
 *   thread at most LIMIT_LOADS_WAITING; a load not back after LIMIT_LOAD_MS has failed for all who wait.
 *
 * Thread-safe. No call blocks for long; callbacks run outside the lock, on the thread that made the call.
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
#define CACHE_REFRESH_KEYS 64 /* values refreshed for one mark; the others when somebody asks for them */
#define CACHE_PAUSE_MS 1000   /* after a failed load, while there is an old value to serve */
#define CACHE_PATIENCE_MS 500 /* with a load, while there is one */
#define CACHE_SWEEP 8         /* values too old to be served that are let go with each load */

struct cache;

/* The first member of whatever is kept. Made with one reference. */
struct cache_value {
    atomic_uint references;
    size_t bytes;     /* what it costs, all included */
    bool keep;        /* false: for those who wait for it only */
    bool negative;    /* says that something is not there */
    bool refreshable; /* cache_mark concerns it */
    void (*free)(struct cache_value *);
};

void cache_value_init(struct cache_value *value, void (*free_value)(struct cache_value *));
struct cache_value *cache_value_ref(struct cache_value *value);
void cache_value_unref(struct cache_value *value); /* NULL is fine */

struct cache_options {
    size_t max_bytes;
    int64_t ttl_ms;
    int64_t stale_ms;
    int64_t stale_if_error_ms;
    int64_t refresh_ms; /* between two refreshes of one value that was marked; 0: CACHE_REFRESH_MS */
    unsigned jitter_percent;
};

struct cache *cache_new(const struct cache_options *options);
int64_t cache_refresh_ms(const struct cache *cache);
/* Ends every load that waits for a thread (its waiters are told); none may be running. */
void cache_free(struct cache *cache);

/* ---- looking up --------------------------------------------------------------------------------------- */

enum cache_state {
    CACHE_FRESH,          /* kept, within its ttl */
    CACHE_STALE,          /* kept, being refreshed */
    CACHE_STALE_ON_ERROR, /* kept, and the store fails, or takes too long */
    CACHE_LOADED,         /* just read, for this lookup */
    CACHE_COLLAPSED,      /* just read, for another lookup that came first */
};
enum { CACHE_STATES = 5 };

struct cache_result {
    struct cache_value *value; /* a reference, the receiver's; NULL: the load failed */
    enum cache_state state;
    int64_t age_ms;            /* since its load began to read */
    const struct error *error; /* without a value: why; borrowed for the call */
};

/* Embedded in whatever waits; must stay where it is until `ready` was called, which happens exactly once. */
struct cache_waiter {
    void (*ready)(struct cache_waiter *waiter, const struct cache_result *result);
    bool first; /* private, and the rest */
    int64_t since_ms;
    struct cache_waiter *prev, *next;
};

enum cache_lookup {
    CACHE_HIT,       /* `result` is filled */
    CACHE_WAIT,      /* `waiter` will be told */
    CACHE_OVERLOADED /* too many loads are waiting */
};

enum cache_lookup cache_lookup(struct cache *cache, const void *key, size_t key_length, int64_t now_ms,
                               struct cache_waiter *waiter, struct cache_result *result);

/* The same, for whoever cannot use a kept value that is not fresh: waits for the load that refreshes it.
 * Gives the old value if the store fails, or takes too long. */
enum cache_lookup cache_lookup_fresh(struct cache *cache, const void *key, size_t key_length, int64_t now_ms,
                                     struct cache_waiter *waiter, struct cache_result *result);

/* ---- what has changed --------------------------------------------------------------------------------- */

/* From any thread, as often as rows are written: cheap while nobody has asked for the key. */
void cache_drop(struct cache *cache, const void *key, size_t key_length);
/* Cheaper still: it is only noted. */
void cache_mark(struct cache *cache);

/* ---- loading (views/cache/loaders.h)
 * ------------------------------------------------------------------------ */

struct cache_load {
    char *key; /* followed by a NUL that `key_length` does not count */
    size_t key_length;
    int64_t deadline_ms; /* CLOCK_BOOTTIME */

    /* private */
    struct cache_entry *entry; /* NULL: given up, nobody wants its result any more */
    int64_t started_ms;
    uint64_t marks;
    bool running;
    bool outdated;
    struct cache_waiter *waiters; /* asked before the last drop */
    struct cache_waiter *late;    /* asked after it: they get the next load */
    struct cache_load *prev, *next;
};

/* The next load to run, NULL if there is none. Each one taken must be finished. */
struct cache_load *cache_take(struct cache *cache, int64_t now_ms);

/* Its result: a value (the reference goes to the cache) or an error. Tells whoever waits. */
void cache_finish(struct cache *cache, struct cache_load *load, struct cache_value *value,
                  const struct error *error, int64_t now_ms);

/* Gives up loads that are past their deadline, waiting or running, and tells whoever waits for them; tells
 * those whose patience with one is at its end. */
void cache_expire(struct cache *cache, int64_t now_ms);

/* After cache_mark: queues loads of those refreshable values that were asked for lately. */
void cache_refresh(struct cache *cache, int64_t now_ms);

/* Whether loads are queued or running; whether marks came since the last cache_refresh. */
bool cache_is_loading(struct cache *cache);
bool cache_is_marked(struct cache *cache);

/* Called, outside the lock, whenever a load was queued (`loads` more of them) or the first mark came (0). */
void cache_on_work(struct cache *cache, void (*work)(void *context, size_t loads), void *context);

#endif
