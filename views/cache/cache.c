#include "views/cache/cache.h"

#include <stdlib.h>

#include <utlist.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/cache/internal.h"

static struct metrics_family requests_family = {
    .name = "winner_view_cache_requests_total",
    .help = "Lookups in the cache of the views, by how they ended.",
    .kind = METRICS_COUNTER,
    .labels = {"state"},
};
static struct metrics_family bytes_family = {
    .name = "winner_view_cache_bytes",
    .help = "What the cache of the views holds.",
    .kind = METRICS_GAUGE,
};
static struct metrics_family values_family = {
    .name = "winner_view_cache_entries",
    .help = "Values that the cache of the views holds.",
    .kind = METRICS_GAUGE,
};
static struct metrics_family removals_family = {
    .name = "winner_view_cache_removals_total",
    .help =
        "Values no longer served: to make room (evicted), too old even for when the store fails (expired), "
        "written anew by this process (dropped).",
    .kind = METRICS_COUNTER,
    .labels = {"reason"},
};

/* Looking up. */

/* Refreshes use at most half of the queue: the rest is for loads with waiters. */
static bool queue_refresh(struct cache *c, struct cache_entry *e, int64_t now_ms) {
    if (e->load || now_ms < e->paused_until_ms || c->n_queued >= LIMIT_LOADS_WAITING / 2)
        return false;
    cache_queue(c, e, now_ms);
    return true;
}

static bool is_marked(const struct cache *c, const struct cache_entry *e) {
    return e->value && e->value->refreshable && e->marks != atomic_load(&c->marks);
}

static bool needs_refresh(const struct cache *c, const struct cache_entry *e, enum cache_state state,
                          int64_t now_ms) {
    return state != CACHE_FRESH || (is_marked(c, e) && now_ms - e->load_ms >= c->options.refresh_ms);
}

/* Joins the load under way, or queues one. */
static enum cache_lookup wait_for_load(struct cache *c, struct cache_entry *e, int64_t now_ms,
                                       struct cache_waiter *waiter, size_t *loads) {
    struct cache_load *load = e->load;
    if (!load && c->n_queued >= LIMIT_LOADS_WAITING)
        return CACHE_OVERLOADED;
    if (!load) {
        load = cache_queue(c, e, now_ms);
        *loads = 1;
    }
    struct cache_waiter **list = load->outdated ? &load->next_waiters : &load->waiters;
    waiter->first = !*list && (*loads || load->outdated);
    waiter->since_ms = now_ms;
    DL_APPEND(*list, waiter);
    return CACHE_WAIT;
}

static enum cache_lookup look_up_entry(struct cache *c, struct cache_entry *e, bool fresh, int64_t now_ms,
                                       struct cache_waiter *waiter, struct cache_result *result,
                                       size_t *loads) {
    enum cache_state state;
    e->looked_up_ms = now_ms;
    if (cache_entry_serves(c, e, now_ms, &state) && !(fresh && state == CACHE_STALE)) {
        if (needs_refresh(c, e, state, now_ms))
            *loads = queue_refresh(c, e, now_ms);
    } else {
        state = CACHE_STALE_ON_ERROR;
        enum cache_lookup outcome = wait_for_load(c, e, now_ms, waiter, loads);
        if (outcome != CACHE_OVERLOADED || !cache_entry_serves_on_error(c, e, now_ms))
            return outcome;
    }
    cache_entry_touch(c, e);
    *result = (struct cache_result){cache_value_ref(e->value), state, now_ms - e->read_ms, NULL};
    return CACHE_HIT;
}

static enum cache_lookup look_up(struct cache *c, const void *key, size_t key_length, bool fresh,
                                 int64_t now_ms, struct cache_waiter *waiter, struct cache_result *result) {
    static const enum cache_count count_of[CACHE_STATES] = {
        CACHE_COUNT_HIT, CACHE_COUNT_STALE, CACHE_COUNT_ERROR, CACHE_COUNT_MISS, CACHE_COUNT_COLLAPSED};
    unsigned hash = (unsigned)hash_bytes(key, key_length);
    size_t loads = 0;

    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = cache_entry_find(c, key, key_length, hash);
    if (!e)
        e = cache_entry_add(c, key, key_length, hash);
    enum cache_lookup outcome = look_up_entry(c, e, fresh, now_ms, waiter, result, &loads);
    cache_entry_remove_if_empty(c, e);
    pthread_mutex_unlock(&c->lock);

    cache_announce(c, loads);
    if (outcome != CACHE_WAIT)
        metrics_add(c->counts[outcome == CACHE_HIT ? count_of[result->state] : CACHE_COUNT_ERROR], 1);
    return outcome;
}

enum cache_lookup cache_lookup(struct cache *c, const void *key, size_t key_length, int64_t now_ms,
                               struct cache_waiter *waiter, struct cache_result *result) {
    return look_up(c, key, key_length, false, now_ms, waiter, result);
}

enum cache_lookup cache_lookup_fresh(struct cache *c, const void *key, size_t key_length, int64_t now_ms,
                                     struct cache_waiter *waiter, struct cache_result *result) {
    return look_up(c, key, key_length, true, now_ms, waiter, result);
}

struct cache_value *cache_peek(struct cache *c, const void *key, size_t key_length, int64_t now_ms) {
    unsigned hash = (unsigned)hash_bytes(key, key_length);
    struct cache_value *value = NULL;
    enum cache_state state;
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = cache_entry_find(c, key, key_length, hash);
    if (e && cache_entry_serves(c, e, now_ms, &state) && state == CACHE_FRESH) {
        cache_entry_touch(c, e);
        value = cache_value_ref(e->value);
    }
    pthread_mutex_unlock(&c->lock);
    return value;
}

/* Drops and marks. */

void cache_drop(struct cache *c, const void *key, size_t key_length) {
    unsigned hash = (unsigned)hash_bytes(key, key_length);
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = cache_entry_find(c, key, key_length, hash);
    if (e) {
        if (e->value && !e->dropped)
            metrics_add(c->removals[CACHE_REMOVAL_DROPPED], 1);
        e->dropped = true;
        e->failing = false; /* the write succeeded: so may a load */
        e->paused_until_ms = 0;
        if (e->load && e->load->running)
            e->load->outdated = true;
        if (e->value && e->value->negative)
            cache_entry_clear(c, e);
        cache_entry_remove_if_empty(c, e);
        cache_publish_size(c);
    }
    pthread_mutex_unlock(&c->lock);
}

bool cache_is_empty(struct cache *c) {
    pthread_mutex_lock(&c->lock);
    bool is_empty = !c->entries;
    pthread_mutex_unlock(&c->lock);
    return is_empty;
}

void cache_mark(struct cache *c) {
    atomic_fetch_add(&c->marks, 1);
    if (!atomic_exchange(&c->marked, true) && c->on_work)
        c->on_work(c, 0);
}

bool cache_is_marked(struct cache *c) {
    return atomic_load(&c->marked);
}

void cache_refresh(struct cache *c, int64_t now_ms) {
    size_t loads = 0, seen = 0;
    bool again = false;
    atomic_store(&c->marked, false);
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = c->refreshables ? c->refreshables->refreshable_prev : NULL; /* used last */
    for (; e && seen < CACHE_REFRESH_KEYS; seen++) {
        if (is_marked(c, e) && now_ms - e->looked_up_ms <= c->options.stale_ms) {
            if (e->load || now_ms - e->load_ms < c->options.refresh_ms)
                again = true;
            else
                loads += queue_refresh(c, e, now_ms);
        }
        e = e == c->refreshables ? NULL : e->refreshable_prev;
    }
    pthread_mutex_unlock(&c->lock);
    if (again)
        atomic_store(&c->marked, true);
    cache_announce(c, loads);
}

struct cache *cache_new(const struct cache_options *options) {
    static const char *const states[CACHE_COUNTS] = {"hit", "stale", "miss", "coalesced", "error"};
    static const char *const reasons[CACHE_REMOVALS] = {"evicted", "expired", "dropped"};
    struct cache *c = mem_zalloc(sizeof *c);
    c->options = *options;
    if (!c->options.refresh_ms)
        c->options.refresh_ms = CACHE_REFRESH_MS;
    pthread_mutex_init(&c->lock, NULL);
    for (int i = 0; i < CACHE_COUNTS; i++)
        c->counts[i] = METRICS_SERIES(&requests_family, states[i]);
    for (int i = 0; i < CACHE_REMOVALS; i++)
        c->removals[i] = METRICS_SERIES(&removals_family, reasons[i]);
    c->bytes_gauge = METRICS_SERIES(&bytes_family, NULL);
    c->values_gauge = METRICS_SERIES(&values_family, NULL);
    cache_publish_size(c);
    return c;
}

void cache_free(struct cache *c) {
    if (!c)
        return;
    cache_end_queued(c);
    c->options.max_bytes = 0;
    cache_make_room(c, 0);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
