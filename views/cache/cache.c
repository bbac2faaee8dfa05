#include "views/cache/entry.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/limits.h"
#include "base/mem.h"

/* ---- values ------------------------------------------------------------------------------------------- */

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

/* ---- loads (under the lock) --------------------------------------------------------------------------- */

static struct cache_load *queue_load(struct cache *c, struct cache_entry *e, int64_t now_ms) {
    struct cache_load *load = mem_zalloc(sizeof *load);
    load->key = mem_dup(e->key, e->key_length + 1);
    load->key_length = e->key_length;
    load->deadline_ms = now_ms + LIMIT_LOAD_MS;
    load->entry = e;
    e->load = load;
    e->tried_ms = now_ms;
    DL_APPEND(c->queued, load);
    c->n_queued++;
    return load;
}

static void free_load(struct cache_load *load) {
    free(load->key);
    free(load);
}

/* A refresh nobody waits for leaves room for the loads somebody does. */
static bool queue_refresh(struct cache *c, struct cache_entry *e, int64_t now_ms) {
    if (e->load || now_ms < e->paused_until_ms || c->n_queued >= LIMIT_LOADS_WAITING / 2)
        return false;
    queue_load(c, e, now_ms);
    return true;
}

static bool is_marked(const struct cache *c, const struct cache_entry *e) {
    return e->value && e->value->refreshable && e->marks != atomic_load(&c->marks);
}

static bool wants_refresh(const struct cache *c, const struct cache_entry *e, enum cache_state state,
                          int64_t now_ms) {
    return state != CACHE_FRESH || (is_marked(c, e) && now_ms - e->tried_ms >= c->options.refresh_ms);
}

/* Waiters to be told outside the lock, and what. Holds a reference to the value. */
struct verdict {
    struct cache_waiter *waiters;
    struct cache_result result;
    bool failed;
};

static void settle(struct cache *c, struct cache_entry *e, struct cache_waiter *waiters,
                   struct cache_value *value, int64_t born_ms, int64_t now_ms, struct verdict *out) {
    *out = (struct verdict){.waiters = waiters};
    if (value) {
        out->result.value = cache_value_ref(value);
        out->result.age_ms = now_ms - born_ms;
        return;
    }
    out->failed = true;
    if (cache_entry_serves_on_error(c, e, now_ms)) {
        e->failing = true;
        e->paused_until_ms = now_ms + CACHE_PAUSE_MS;
        out->result.value = cache_value_ref(e->value);
        out->result.age_ms = now_ms - e->born_ms;
    }
}

/* ---- telling (outside the lock) ----------------------------------------------------------------------- */

static void tell(struct cache *c, struct verdict *v, const struct error *error) {
    struct cache_waiter *waiter, *next;
    DL_FOREACH_SAFE(v->waiters, waiter, next) {
        struct cache_result result = v->result;
        if (result.value)
            cache_value_ref(result.value);
        else
            result.error = error;
        result.state = v->failed ? CACHE_STALE_ON_ERROR : waiter->first ? CACHE_LOADED : CACHE_COLLAPSED;
        metrics_add(c->counts[v->failed       ? CACHE_COUNT_ERROR
                              : waiter->first ? CACHE_COUNT_MISS
                                              : CACHE_COUNT_COLLAPSED],
                    1);
        waiter->ready(waiter, &result);
    }
    cache_value_unref(v->result.value);
}

static void tell_work(struct cache *c, size_t loads) {
    if (loads && c->work)
        c->work(c->work_context, loads);
}

/* ---- looking up --------------------------------------------------------------------------------------- */

/* Joins the load under way, or begins one. */
static enum cache_lookup wait_for_load(struct cache *c, struct cache_entry *e, int64_t now_ms,
                                       struct cache_waiter *waiter, size_t *loads) {
    struct cache_load *load = e->load;
    if (!load && c->n_queued >= LIMIT_LOADS_WAITING)
        return CACHE_OVERLOADED;
    if (!load) {
        load = queue_load(c, e, now_ms);
        *loads = 1;
    }
    struct cache_waiter **list = load->outdated ? &load->late : &load->waiters;
    waiter->first = !*list && (*loads || load->outdated);
    waiter->since_ms = now_ms;
    DL_APPEND(*list, waiter);
    return CACHE_WAIT;
}

static enum cache_lookup look_up(struct cache *c, struct cache_entry *e, bool anew, int64_t now_ms,
                                 struct cache_waiter *waiter, struct cache_result *result, size_t *loads) {
    enum cache_state state;
    e->used_ms = now_ms;
    if (cache_entry_serves_now(c, e, now_ms, &state) && !(anew && state == CACHE_STALE)) {
        if (wants_refresh(c, e, state, now_ms))
            *loads = queue_refresh(c, e, now_ms);
    } else {
        state = CACHE_STALE_ON_ERROR;
        enum cache_lookup outcome = wait_for_load(c, e, now_ms, waiter, loads);
        if (outcome != CACHE_OVERLOADED || !cache_entry_serves_on_error(c, e, now_ms))
            return outcome;
    }
    cache_entry_touch(c, e);
    *result = (struct cache_result){cache_value_ref(e->value), state, now_ms - e->born_ms, NULL};
    return CACHE_HIT;
}

static enum cache_lookup look_up_key(struct cache *c, const void *key, size_t key_length, bool anew,
                                     int64_t now_ms, struct cache_waiter *waiter,
                                     struct cache_result *result) {
    static const enum cache_count count_of[CACHE_STATES] = {
        CACHE_COUNT_HIT, CACHE_COUNT_STALE, CACHE_COUNT_ERROR, CACHE_COUNT_MISS, CACHE_COUNT_COLLAPSED};
    unsigned hash = (unsigned)hash_bytes(key, key_length);
    size_t loads = 0;

    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = cache_entry_find(c, key, key_length, hash);
    if (!e)
        e = cache_entry_add(c, key, key_length, hash);
    enum cache_lookup outcome = look_up(c, e, anew, now_ms, waiter, result, &loads);
    cache_entry_remove_if_empty(c, e);
    pthread_mutex_unlock(&c->lock);

    tell_work(c, loads);
    if (outcome != CACHE_WAIT)
        metrics_add(c->counts[outcome == CACHE_HIT ? count_of[result->state] : CACHE_COUNT_ERROR], 1);
    return outcome;
}

enum cache_lookup cache_lookup(struct cache *c, const void *key, size_t key_length, int64_t now_ms,
                               struct cache_waiter *waiter, struct cache_result *result) {
    return look_up_key(c, key, key_length, false, now_ms, waiter, result);
}

enum cache_lookup cache_lookup_fresh(struct cache *c, const void *key, size_t key_length, int64_t now_ms,
                                     struct cache_waiter *waiter, struct cache_result *result) {
    return look_up_key(c, key, key_length, true, now_ms, waiter, result);
}

/* ---- what has changed --------------------------------------------------------------------------------- */

void cache_drop(struct cache *c, const void *key, size_t key_length) {
    unsigned hash = (unsigned)hash_bytes(key, key_length);
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = cache_entry_find(c, key, key_length, hash);
    if (e) {
        if (e->value && !e->dropped)
            metrics_add(c->removals[CACHE_REMOVAL_DROPPED], 1);
        e->dropped = true;
        e->failing = false; /* what was said of the store then is old too */
        e->paused_until_ms = 0;
        if (e->load && e->load->running)
            e->load->outdated = true;
        if (e->value && e->value->negative)
            cache_entry_clear(c, e);
        cache_entry_remove_if_empty(c, e);
        cache_entry_show_size(c);
    }
    pthread_mutex_unlock(&c->lock);
}

void cache_mark(struct cache *c) {
    atomic_fetch_add(&c->marks, 1);
    if (!atomic_exchange(&c->marked, true) && c->work)
        c->work(c->work_context, 0);
}

bool cache_is_marked(struct cache *c) {
    return atomic_load(&c->marked);
}

void cache_refresh(struct cache *c, int64_t now_ms) {
    size_t loads = 0, seen = 0;
    bool again = false;
    atomic_store(&c->marked, false);
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e =
        c->refreshables ? c->refreshables->refreshable_prev : NULL; /* the last one used */
    for (; e && seen < CACHE_REFRESH_KEYS; seen++) {
        if (is_marked(c, e) && now_ms - e->used_ms <= c->options.stale_ms) {
            if (e->load || now_ms - e->tried_ms < c->options.refresh_ms)
                again = true;
            else
                loads += queue_refresh(c, e, now_ms);
        }
        e = e == c->refreshables ? NULL : e->refreshable_prev;
    }
    pthread_mutex_unlock(&c->lock);
    if (again)
        atomic_store(&c->marked, true);
    tell_work(c, loads);
}

/* ---- loading ------------------------------------------------------------------------------------------ */

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

/* What the load brought goes into its entry, unless that was written to in the meantime. */
static void keep_value(struct cache *c, struct cache_load *load, struct cache_value *value) {
    struct cache_entry *e = load->entry;
    if (!value)
        return;
    e->failing = false;
    e->paused_until_ms = 0;
    if (load->outdated)
        return;
    if (!value->keep) {
        cache_entry_clear(c, e);
        return;
    }
    cache_entry_set(c, e, value, load->started_ms);
    e->marks = load->marks;
}

/* Those who asked after the value was dropped get a load of their own. */
static size_t begin_late(struct cache *c, struct cache_load *load, int64_t now_ms) {
    if (!load->late)
        return 0;
    queue_load(c, load->entry, now_ms)->waiters = load->late;
    return 1;
}

void cache_finish(struct cache *c, struct cache_load *load, struct cache_value *value,
                  const struct error *error, int64_t now_ms) {
    struct verdict verdict = {0};
    size_t loads = 0;
    pthread_mutex_lock(&c->lock);
    struct cache_entry *e = load->entry;
    if (e) {
        DL_DELETE(c->running, load);
        e->load = NULL;
        keep_value(c, load, value);
        settle(c, e, load->waiters, value, load->started_ms, now_ms, &verdict);
        loads = begin_late(c, load, now_ms);
        cache_entry_remove_if_empty(c, e);
        cache_entry_make_room(c, now_ms);
        cache_entry_show_size(c);
    }
    pthread_mutex_unlock(&c->lock);
    tell(c, &verdict, error);
    tell_work(c, loads);
    cache_value_unref(value);
    free_load(load);
}

/* The entry forgets the load; one that runs is freed when it comes back. */
static void give_up(struct cache *c, struct cache_load *load, int64_t now_ms, struct verdict *verdict) {
    struct cache_entry *e = load->entry;
    DL_CONCAT(load->waiters, load->late);
    load->late = NULL;
    e->load = NULL;
    load->entry = NULL;
    settle(c, e, load->waiters, NULL, 0, now_ms, verdict);
    if (load->running) {
        DL_DELETE(c->running, load);
    } else {
        DL_DELETE(c->queued, load);
        c->n_queued--;
        free_load(load);
    }
    cache_entry_remove_if_empty(c, e);
}

static bool give_up_oldest(struct cache *c, struct cache_load **list, int64_t now_ms,
                           const struct error *error) {
    struct verdict verdict = {0};
    pthread_mutex_lock(&c->lock);
    bool overdue = *list && (*list)->deadline_ms <= now_ms;
    if (overdue)
        give_up(c, *list, now_ms, &verdict);
    pthread_mutex_unlock(&c->lock);
    tell(c, &verdict, error);
    return overdue;
}

/* The waiters who have waited long enough: they came first. */
static struct cache_waiter *split_impatient(struct cache_waiter **list, int64_t now_ms) {
    struct cache_waiter *impatient = NULL, *waiter, *next;
    DL_FOREACH_SAFE(*list, waiter, next) {
        if (now_ms - waiter->since_ms < CACHE_PATIENCE_MS)
            break;
        DL_DELETE(*list, waiter);
        DL_APPEND(impatient, waiter);
    }
    return impatient;
}

/* The load goes on; whoever else asks is given the old value at once. A value that was dropped is no such
 * thing: what we wrote ourselves is read back, unless the store fails. */
static bool disappoint(struct cache *c, struct cache_load *loads, int64_t now_ms, struct verdict *verdict) {
    struct cache_load *load;
    DL_FOREACH(loads, load) {
        struct cache_entry *e = load->entry;
        if (e->dropped || !cache_entry_serves_on_error(c, e, now_ms))
            continue;
        struct cache_waiter *impatient = split_impatient(&load->waiters, now_ms);
        if (impatient) {
            settle(c, e, impatient, NULL, 0, now_ms, verdict);
            return true;
        }
    }
    return false;
}

static bool disappoint_one(struct cache *c, int64_t now_ms) {
    struct verdict verdict = {0};
    pthread_mutex_lock(&c->lock);
    bool found = disappoint(c, c->running, now_ms, &verdict) || disappoint(c, c->queued, now_ms, &verdict);
    pthread_mutex_unlock(&c->lock);
    tell(c, &verdict, NULL);
    return found;
}

void cache_expire(struct cache *c, int64_t now_ms) {
    struct error error;
    error_set(&error, STATUS_RETRY, "the store did not answer within %d ms", LIMIT_LOAD_MS);
    while (give_up_oldest(c, &c->running, now_ms, &error))
        ;
    while (give_up_oldest(c, &c->queued, now_ms, &error))
        ;
    while (disappoint_one(c, now_ms))
        ;
}

bool cache_is_loading(struct cache *c) {
    pthread_mutex_lock(&c->lock);
    bool loading = c->queued || c->running;
    pthread_mutex_unlock(&c->lock);
    return loading;
}

/* ---- life --------------------------------------------------------------------------------------------- */

void cache_on_work(struct cache *c, void (*work)(void *, size_t), void *context) {
    c->work = work;
    c->work_context = context;
}

struct cache *cache_new(const struct cache_options *options) {
    struct cache *c = mem_zalloc(sizeof *c);
    c->options = *options;
    if (!c->options.refresh_ms)
        c->options.refresh_ms = CACHE_REFRESH_MS;
    pthread_mutex_init(&c->lock, NULL);
    cache_entry_find_series(c);
    return c;
}

int64_t cache_refresh_ms(const struct cache *c) {
    return c->options.refresh_ms;
}

void cache_free(struct cache *c) {
    if (!c)
        return;
    struct error error;
    error_set(&error, STATUS_RETRY, "stopping");
    while (give_up_oldest(c, &c->queued, INT64_MAX, &error))
        ;
    c->options.max_bytes = 0;
    cache_entry_make_room(c, 0);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
