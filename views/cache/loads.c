/* The loads of the cache: queued, run by hand or by loaders.c, and ended, with what their waiters get. */
#include <stdlib.h>

#include <utlist.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/cache/internal.h"

struct cache_load *cache_queue(struct cache *c, struct cache_entry *e, int64_t now_ms) {
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

void cache_announce(struct cache *c, size_t loads) {
    if (loads && c->on_work)
        c->on_work(c, loads);
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
    if (!value && cache_entry_serves_on_error(c, e, now_ms)) {
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
        cache_entry_clear(c, e);
        return;
    }
    cache_entry_set(c, e, value, load->started_ms);
    e->marks = load->marks;
}

/* For the lookups made after a drop, while the load was running. */
static size_t queue_next_load(struct cache *c, struct cache_load *load, int64_t now_ms) {
    if (!load->next_waiters)
        return 0;
    cache_queue(c, load->entry, now_ms)->waiters = load->next_waiters;
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
        cache_entry_remove_if_empty(c, e);
        cache_make_room(c, now_ms);
        cache_publish_size(c);
    }
    pthread_mutex_unlock(&c->lock);
    call_waiters(c, &outcome, error);
    cache_announce(c, loads);
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
    cache_entry_remove_if_empty(c, e);
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
        if (e->dropped || !cache_entry_serves_on_error(c, e, now_ms))
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

void cache_end_queued(struct cache *c) {
    struct error error;
    error_set(&error, STATUS_RETRY, "stopping");
    while (give_up_overdue(c, &c->queued, INT64_MAX, &error))
        ;
}
