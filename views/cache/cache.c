#include "views/cache/cache.h"

#include <stdlib.h>
#include <string.h>

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

void cache_value_init(struct cache_value *value, void (*free_value)(struct cache_value *)) {
    memset(value, 0, sizeof *value);
    atomic_init(&value->references, 1);
    value->free = free_value;
}

struct cache_value *cache_value_ref(struct cache_value *value) {
    atomic_fetch_add_explicit(&value->references, 1, memory_order_relaxed);
    return value;
}

void cache_value_unref(struct cache_value *value) {
    if (value && atomic_fetch_sub_explicit(&value->references, 1, memory_order_acq_rel) == 1)
        value->free(value);
}

/* Entries, under the lock. */

static struct cache_entry *find_entry(struct cache *c, const void *key, size_t key_length, unsigned hash) {
    struct cache_entry *e;
    HASH_FIND_BYHASHVALUE(hh, c->entries, key, key_length, hash, e);
    return e;
}

static struct cache_entry *add_entry(struct cache *c, const void *key, size_t key_length, unsigned hash) {
    struct cache_entry *e = mem_zalloc(sizeof *e + key_length + 1);
    memcpy(e->key, key, key_length);
    e->key_length = key_length;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, c->entries, e->key, e->key_length, hash, e);
    return e;
}

static void remove_if_empty(struct cache *c, struct cache_entry *e) {
    if (e->value || e->load)
        return;
    HASH_DEL(c->entries, e);
    free(e);
}

static size_t bytes_of(const struct cache_entry *e) {
    return sizeof *e + e->key_length + 1 + e->value->bytes;
}

static void clear_value(struct cache *c, struct cache_entry *e) {
    if (!e->value)
        return;
    DL_DELETE(c->used, e);
    if (e->value->refreshable)
        DL_DELETE2(c->refreshables, e, refreshable_prev, refreshable_next);
    c->bytes -= bytes_of(e);
    c->n_values--;
    cache_value_unref(e->value);
    e->value = NULL;
}

static int64_t draw_ttl_ms(const struct cache *c, const struct cache_entry *e) {
    int64_t ttl_ms = c->options.ttl_ms;
    if (e->value->negative && ttl_ms > CACHE_NEGATIVE_MS)
        ttl_ms = CACHE_NEGATIVE_MS;
    int64_t jitter_ms = ttl_ms * c->options.jitter_percent / 100;
    uint64_t drawn[] = {(uintptr_t)e, (uint64_t)e->read_ms};
    return ttl_ms - (int64_t)(hash_bytes(drawn, sizeof drawn) % (uint64_t)(jitter_ms + 1));
}

static void set_value(struct cache *c, struct cache_entry *e, struct cache_value *value, int64_t read_ms) {
    clear_value(c, e);
    e->value = cache_value_ref(value);
    e->dropped = false;
    e->read_ms = read_ms;
    e->ttl_ms = draw_ttl_ms(c, e);
    c->bytes += bytes_of(e);
    c->n_values++;
    DL_APPEND(c->used, e);
    if (value->refreshable)
        DL_APPEND2(c->refreshables, e, refreshable_prev, refreshable_next);
}

/* To the end of its lists. The most looked up entry is there already: nothing to move. */
static void touch(struct cache *c, struct cache_entry *e) {
    if (c->used->prev != e) {
        DL_DELETE(c->used, e);
        DL_APPEND(c->used, e);
    }
    if (e->value->refreshable && c->refreshables->refreshable_prev != e) {
        DL_DELETE2(c->refreshables, e, refreshable_prev, refreshable_next);
        DL_APPEND2(c->refreshables, e, refreshable_prev, refreshable_next);
    }
}

static bool serves_on_error(const struct cache *c, const struct cache_entry *e, int64_t now_ms) {
    return e->value && !e->value->negative &&
           now_ms - e->read_ms < c->options.ttl_ms + c->options.stale_if_error_ms;
}

/* Whether the value may be served without waiting for a load, and as what. */
static bool serves_now(const struct cache *c, const struct cache_entry *e, int64_t now_ms,
                       enum cache_state *state) {
    if (!e->value)
        return false;
    int64_t age_ms = now_ms - e->read_ms;
    *state = CACHE_FRESH;
    if (!e->dropped && age_ms < e->ttl_ms)
        return true;
    *state = e->failing ? CACHE_STALE_ON_ERROR : CACHE_STALE;
    if (!e->dropped && !e->value->negative && age_ms < c->options.ttl_ms + c->options.stale_ms)
        return true;
    return e->failing && serves_on_error(c, e, now_ms);
}

/* At this age a value can no longer be served. */
static int64_t max_age_ms(const struct cache *c, const struct cache_entry *e) {
    const struct cache_options *o = &c->options;
    int64_t old_ms = o->stale_if_error_ms > o->stale_ms ? o->stale_if_error_ms : o->stale_ms;
    return e->value->negative ? e->ttl_ms : o->ttl_ms + old_ms;
}

/* Removes the least recently used values until the rest fits, then up to CACHE_SWEEP that are too old. */
static void make_room(struct cache *c, int64_t now_ms) {
    for (unsigned swept = 0; c->used;) {
        struct cache_entry *e = c->used;
        bool expired = now_ms - e->read_ms >= max_age_ms(c, e);
        if (c->bytes <= c->options.max_bytes && (!expired || swept++ == CACHE_SWEEP))
            break;
        clear_value(c, e);
        remove_if_empty(c, e);
        metrics_add(c->removals[expired ? CACHE_REMOVAL_EXPIRED : CACHE_REMOVAL_EVICTED], 1);
    }
}

static void publish_size(struct cache *c) {
    metrics_set(c->bytes_gauge, (int64_t)c->bytes);
    metrics_set(c->values_gauge, (int64_t)c->n_values);
}

/* Loads, under the lock. */

static struct cache_load *queue_load(struct cache *c, struct cache_entry *e, int64_t now_ms) {
    struct cache_load *load = mem_zalloc(sizeof *load);
    load->key = mem_dup(e->key, e->key_length + 1);
    load->key_length = e->key_length;
    load->deadline_ms = now_ms + LIMIT_LOAD_MS;
    load->entry = e;
    e->load = load;
    e->load_ms = now_ms;
    DL_APPEND(c->queued, load);
    c->n_queued++;
    return load;
}

static void free_load(struct cache_load *load) {
    free(load->key);
    free(load);
}

/* Refreshes use at most half of the queue: the rest is for loads with waiters. */
static bool queue_refresh(struct cache *c, struct cache_entry *e, int64_t now_ms) {
    if (e->load || now_ms < e->paused_until_ms || c->n_queued >= LIMIT_LOADS_WAITING / 2)
        return false;
    queue_load(c, e, now_ms);
    return true;
}

static bool is_marked(const struct cache *c, const struct cache_entry *e) {
    return e->value && e->value->refreshable && e->marks != atomic_load(&c->marks);
}

static bool needs_refresh(const struct cache *c, const struct cache_entry *e, enum cache_state state,
                          int64_t now_ms) {
    return state != CACHE_FRESH || (is_marked(c, e) && now_ms - e->load_ms >= c->options.refresh_ms);
}

/* Waiters to call outside the lock, and their result, with a reference to the value. */
struct outcome {
    struct cache_waiter *waiters;
    struct cache_result result;
    bool failed;
};

/* The outcome of a load that read `value`, or of one that failed (NULL). */
static struct outcome decide(struct cache *c, struct cache_entry *e, struct cache_waiter *waiters,
                             struct cache_value *value, int64_t read_ms, int64_t now_ms) {
    struct outcome out = {.waiters = waiters, .failed = !value};
    if (!value && serves_on_error(c, e, now_ms)) {
        e->failing = true;
        e->paused_until_ms = now_ms + CACHE_PAUSE_MS;
        value = e->value;
        read_ms = e->read_ms;
    }
    if (value) {
        out.result.value = cache_value_ref(value);
        out.result.age_ms = now_ms - read_ms;
    }
    return out;
}

/* Callbacks, outside the lock. */

static void call_waiters(struct cache *c, const struct outcome *outcome, const struct error *error) {
    struct cache_waiter *waiter, *next;
    DL_FOREACH_SAFE(outcome->waiters, waiter, next) {
        struct cache_result result = outcome->result;
        enum cache_count count = CACHE_COUNT_ERROR;
        result.state = CACHE_STALE_ON_ERROR;
        if (!outcome->failed) {
            result.state = waiter->first ? CACHE_LOADED : CACHE_COLLAPSED;
            count = waiter->first ? CACHE_COUNT_MISS : CACHE_COUNT_COLLAPSED;
        }
        if (result.value)
            cache_value_ref(result.value);
        else
            result.error = error;
        metrics_add(c->counts[count], 1);
        waiter->ready(waiter, &result);
    }
    cache_value_unref(outcome->result.value);
}

static void announce_loads(struct cache *c, size_t loads) {
    if (loads && c->on_work)
        c->on_work(c, loads);
}

/* Looking up. */

/* Joins the load under way, or queues one. */
static enum cache_lookup wait_for_load(struct cache *c, struct cache_entry *e, int64_t now_ms,
                                       struct cache_waiter *waiter, size_t *loads) {
    struct cache_load *load = e->load;
    if (!load && c->n_queued >= LIMIT_LOADS_WAITING)
        return CACHE_OVERLOADED;
    if (!load) {
        load = queue_load(c, e, now_ms);
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
    if (serves_now(c, e, now_ms, &state) && !(fresh && state == CACHE_STALE)) {
        if (needs_refresh(c, e, state, now_ms))
            *loads = queue_refresh(c, e, now_ms);
    } else {
        state = CACHE_STALE_ON_ERROR;
        enum cache_lookup outcome = wait_for_load(c, e, now_ms, waiter, loads);
        if (outcome != CACHE_OVERLOADED || !serves_on_error(c, e, now_ms))
            return outcome;
    }
    touch(c, e);
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
    struct cache_entry *e = find_entry(c, key, key_length, hash);
    if (!e)
        e = add_entry(c, key, key_length, hash);
    enum cache_lookup outcome = look_up_entry(c, e, fresh, now_ms, waiter, result, &loads);
    remove_if_empty(c, e);
    pthread_mutex_unlock(&c->lock);

    announce_loads(c, loads);
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
    struct cache_entry *e = find_entry(c, key, key_length, hash);
    if (e && serves_now(c, e, now_ms, &state) && state == CACHE_FRESH) {
        touch(c, e);
        value = cache_value_ref(e->value);
    }
    pthread_mutex_unlock(&c->lock);
    return value;
}

/* Drops and marks. */

void cache_drop(struct cache *c, const void *key, size_t key_length) {
    unsigned hash = (unsigned)hash_bytes(key, key_length);
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = find_entry(c, key, key_length, hash);
    if (e) {
        if (e->value && !e->dropped)
            metrics_add(c->removals[CACHE_REMOVAL_DROPPED], 1);
        e->dropped = true;
        e->failing = false; /* the write succeeded: so may a load */
        e->paused_until_ms = 0;
        if (e->load && e->load->running)
            e->load->outdated = true;
        if (e->value && e->value->negative)
            clear_value(c, e);
        remove_if_empty(c, e);
        publish_size(c);
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
    announce_loads(c, loads);
}

/* Running and ending loads. */

struct cache_load *cache_take(struct cache *c, int64_t now_ms) {
    pthread_mutex_lock(&c->lock);
    struct cache_load *load = c->queued;
    if (load) {
        DL_DELETE(c->queued, load);
        c->n_queued--;
        DL_APPEND(c->running, load);
        load->running = true;
        load->started_ms = now_ms;
        load->marks = atomic_load(&c->marks);
    }
    pthread_mutex_unlock(&c->lock);
    return load;
}

static void keep_value(struct cache *c, struct cache_load *load, struct cache_value *value) {
    struct cache_entry *e = load->entry;
    if (!value)
        return;
    e->failing = false;
    e->paused_until_ms = 0;
    if (load->outdated)
        return;
    if (!value->keep) {
        clear_value(c, e);
        return;
    }
    set_value(c, e, value, load->started_ms);
    e->marks = load->marks;
}

/* For the lookups made after a drop, while the load was running. */
static size_t queue_next_load(struct cache *c, struct cache_load *load, int64_t now_ms) {
    if (!load->next_waiters)
        return 0;
    queue_load(c, load->entry, now_ms)->waiters = load->next_waiters;
    return 1;
}

void cache_finish(struct cache *c, struct cache_load *load, struct cache_value *value,
                  const struct error *error, int64_t now_ms) {
    struct outcome outcome = {0};
    size_t loads = 0;
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = load->entry;
    if (e) {
        DL_DELETE(c->running, load);
        e->load = NULL;
        keep_value(c, load, value);
        outcome = decide(c, e, load->waiters, value, load->started_ms, now_ms);
        loads = queue_next_load(c, load, now_ms);
        remove_if_empty(c, e);
        make_room(c, now_ms);
        publish_size(c);
    }
    pthread_mutex_unlock(&c->lock);
    call_waiters(c, &outcome, error);
    announce_loads(c, loads);
    cache_value_unref(value);
    free_load(load);
}

/* The load has failed for all its waiters. If it is running, cache_finish frees it. */
static struct outcome give_up(struct cache *c, struct cache_load *load, int64_t now_ms) {
    struct cache_entry *e = load->entry;
    DL_CONCAT(load->waiters, load->next_waiters);
    load->next_waiters = NULL;
    e->load = NULL;
    load->entry = NULL;
    struct outcome outcome = decide(c, e, load->waiters, NULL, 0, now_ms);
    if (load->running) {
        DL_DELETE(c->running, load);
    } else {
        DL_DELETE(c->queued, load);
        c->n_queued--;
        free_load(load);
    }
    remove_if_empty(c, e);
    return outcome;
}

static bool give_up_overdue(struct cache *c, struct cache_load **list, int64_t now_ms,
                            const struct error *error) {
    struct outcome outcome = {0};
    pthread_mutex_lock(&c->lock);
    bool overdue = *list && (*list)->deadline_ms <= now_ms;
    if (overdue)
        outcome = give_up(c, *list, now_ms);
    pthread_mutex_unlock(&c->lock);
    call_waiters(c, &outcome, error);
    return overdue;
}

/* Takes the waiters past their soft time-out off the list: they are its first ones. */
static struct cache_waiter *take_timed_out(struct cache_waiter **list, int64_t now_ms) {
    struct cache_waiter *timed_out = NULL, *waiter, *next;
    DL_FOREACH_SAFE(*list, waiter, next) {
        if (now_ms - waiter->since_ms < CACHE_SOFT_TIMEOUT_MS)
            break;
        DL_DELETE(*list, waiter);
        DL_APPEND(timed_out, waiter);
    }
    return timed_out;
}

/* A dropped value is older than a write of this process, which its reader must see: it serves only when the
 * load itself has failed. */
static bool fail_waiters(struct cache *c, struct cache_load *loads, int64_t now_ms, struct outcome *outcome) {
    struct cache_load *load;
    DL_FOREACH(loads, load) {
        struct cache_entry *e = load->entry;
        if (e->dropped || !serves_on_error(c, e, now_ms))
            continue;
        struct cache_waiter *timed_out = take_timed_out(&load->waiters, now_ms);
        if (timed_out) {
            *outcome = decide(c, e, timed_out, NULL, 0, now_ms);
            return true;
        }
    }
    return false;
}

/* Of one load at a time: its waiters are called outside the lock. */
static bool fail_timed_out(struct cache *c, int64_t now_ms) {
    struct outcome outcome = {0};
    pthread_mutex_lock(&c->lock);
    bool found =
        fail_waiters(c, c->running, now_ms, &outcome) || fail_waiters(c, c->queued, now_ms, &outcome);
    pthread_mutex_unlock(&c->lock);
    call_waiters(c, &outcome, NULL);
    return found;
}

void cache_expire(struct cache *c, int64_t now_ms) {
    struct error error;
    error_set(&error, STATUS_RETRY, "the store did not answer within %d ms", LIMIT_LOAD_MS);
    while (give_up_overdue(c, &c->running, now_ms, &error))
        ;
    while (give_up_overdue(c, &c->queued, now_ms, &error))
        ;
    while (fail_timed_out(c, now_ms))
        ;
}

bool cache_is_loading(struct cache *c) {
    pthread_mutex_lock(&c->lock);
    bool loading = c->queued || c->running;
    pthread_mutex_unlock(&c->lock);
    return loading;
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
    publish_size(c);
    return c;
}

void cache_free(struct cache *c) {
    if (!c)
        return;
    struct error error;
    error_set(&error, STATUS_RETRY, "stopping");
    while (give_up_overdue(c, &c->queued, INT64_MAX, &error))
        ;
    c->options.max_bytes = 0;
    make_room(c, 0);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
