#include "ingest/prefetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/memory_budget.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "base/waker.h"

struct prefetch {
    struct source *source;
    struct source_shard shard;
    struct budget *budget;
    const struct fence *fence;
    pthread_t thread;

    /* used by the taker only */
    bool joined;
    struct source_reader *newest; /* the reader, or the one that will replace it */

    /* Item i is the taker's while taken <= i < filled, else the filling thread's. */
    struct prefetch_item items[PREFETCH_ITEMS];
    struct budget_claim claims[PREFETCH_ITEMS]; /* of the items' batches */
    _Atomic size_t filled, taken;
    atomic_bool finishing, finished, woken;
    atomic_bool stepwise;
    _Atomic int64_t pauses_until_ms;
    _Atomic unsigned generation;                 /* the number of rewinds; older items are void */
    _Atomic(struct source_reader *) replacement; /* of the reader; NULL: none */
    struct pulse pulse;                          /* beats when its loop turns */
    struct waker has_item, has_room;

    /* used by the filling thread only */
    struct source_reader *reader;
    unsigned reader_generation;
    struct source_batch got; /* the last read; the first `used` records are in batches */
    size_t used;
};

static bool is_finishing(const struct prefetch *p) {
    return atomic_load(&p->finishing);
}

static bool is_void(const struct prefetch *p) {
    return p->reader_generation != atomic_load(&p->generation);
}

static void turn(struct prefetch *p) {
    pulse_beat(&p->pulse, clock_boot_ms());
}

static void add_records(struct prefetch *p, struct prefetch_item *item) {
    while (p->used < p->got.n && !batch_is_full(&item->batch))
        batch_add(&item->batch, &p->got.records[p->used++]);
    item->batch.hash = source_hash(p->reader, p->used);
    item->batch.bytes_left = p->got.bytes_left;
    budget_set(p->budget, &p->claims[item - p->items], item->batch.bytes);
}

/* All of the last read is in batches. This one is as fresh as the read was, and the last if the read was. The
 * reader's memory is freed now, because the prefetch may wait for room next. */
static void finish_read(struct prefetch *p, struct prefetch_item *item) {
    if (p->got.as_of_ms >= 0)
        item->batch.as_of_ms = p->got.as_of_ms;
    if (p->got.loss)
        snprintf(item->loss, sizeof item->loss, "%s", p->got.loss);
    item->ended = p->got.ended;
    item->gone = p->got.gone;
    item->n_children = p->got.n_children < STORE_LEASE_PARENTS ? p->got.n_children : STORE_LEASE_PARENTS;
    if (item->n_children)
        memcpy(item->children, p->got.children, item->n_children * sizeof *item->children);
    item->more = p->got.more;
    item->no_room = p->got.no_room;
    p->got = (struct source_batch){.as_of_ms = -1};
    p->used = 0;
    source_forget(p->reader);
}

static void clear(struct prefetch *p, struct prefetch_item *item) {
    item->generation = p->reader_generation;
    item->status = STATUS_OK;
    item->ended = item->gone = item->no_room = false;
    item->more = true;
    item->loss[0] = '\0';
}

/* Reads once, unless records of the last read are left. */
static void fill(struct prefetch *p, struct prefetch_item *item) {
    clear(p, item);
    if (p->used == p->got.n) {
        turn(p);
        item->status = source_read(p->reader, clock_boot_ms() + LIMIT_READ_WAIT_MS, &p->got, &item->error);
        p->used = 0;
    }
    if (item->status) {
        p->got = (struct source_batch){.as_of_ms = -1};
        return;
    }
    add_records(p, item);
    if (p->used == p->got.n)
        finish_read(p, item);
}

/* After a failure, or the end, there is room once that item was given back. */
static bool has_room(const struct prefetch *p, const struct prefetch_item *last) {
    size_t filled = atomic_load(&p->filled) - atomic_load(&p->taken);
    bool one = atomic_load(&p->stepwise) || (last && (last->status || last->ended));
    return filled < (one ? 1 : PREFETCH_ITEMS);
}

/* What is read here after the rewind would be void. */
static void replace_reader(struct prefetch *p, struct source_reader *replacement) {
    source_close(p->reader);
    p->reader = replacement;
    p->reader_generation = atomic_load(&p->generation);
    p->got = (struct source_batch){.as_of_ms = -1};
    p->used = 0;
}

/* Whether the item that was filled last ends the shard for good. */
static bool is_at_end(const struct prefetch *p, const struct prefetch_item *last) {
    return last && last->ended && !is_void(p);
}

static bool must_wait(const struct prefetch *p, const struct prefetch_item *last) {
    return !has_room(p, last) || is_void(p) || clock_boot_ms() < atomic_load(&p->pauses_until_ms);
}

/* Until there is something to fill. False: nothing comes any more. */
static bool wait_for_room(struct prefetch *p, const struct prefetch_item *last) {
    struct source_reader *replacement = NULL;
    turn(p);
    while (!is_finishing(p) && must_wait(p, last)) {
        if (is_void(p) && (replacement = atomic_exchange(&p->replacement, NULL))) {
            replace_reader(p, replacement);
            continue;
        }
        int64_t now_ms = clock_boot_ms(), until_ms = atomic_load(&p->pauses_until_ms);
        bool is_paused = now_ms < until_ms && until_ms < now_ms + LIMIT_READ_WAIT_MS;
        waker_wait(&p->has_room, is_paused ? until_ms : now_ms + LIMIT_READ_WAIT_MS, -1);
        turn(p);
    }
    return !is_finishing(p) && (replacement || !is_at_end(p, last));
}

static void *prefetch_run(void *data) {
    struct prefetch *p = data;
    struct prefetch_item *item = NULL;
    pulse_watch(&p->pulse, p->shard.id, LIMIT_SHARD_STUCK_MS, clock_boot_ms());
    while (wait_for_room(p, item)) {
        size_t i = atomic_load(&p->filled);
        item = &p->items[i % PREFETCH_ITEMS];
        fill(p, item);
        atomic_store(&p->filled, i + 1);
        waker_wake(&p->has_item);
    }
    pulse_unwatch(&p->pulse);
    atomic_store(&p->finished, true);
    waker_wake(&p->has_item);
    return NULL;
}

bool prefetch_is_over(const struct prefetch *p) {
    bool finished = atomic_load(&p->finished); /* read first, as above */
    return finished && atomic_load(&p->filled) == atomic_load(&p->taken);
}

void prefetch_give_back(struct prefetch *p) {
    size_t i = atomic_load(&p->taken) % PREFETCH_ITEMS;
    batch_clear(&p->items[i].batch);
    budget_set(p->budget, &p->claims[i], 0);
    atomic_fetch_add(&p->taken, 1);
    waker_wake(&p->has_room);
}

/* The waker may still be set for an item that was taken without a wait: so only `woken` and the clock end the
 * wait. */
struct prefetch_item *prefetch_take(struct prefetch *p, int64_t until_ms) {
    for (;;) {
        bool finished =
            atomic_load(&p->finished); /* read before `filled`: then all that the thread filled is visible */
        size_t i = atomic_load(&p->taken);
        struct prefetch_item *item = &p->items[i % PREFETCH_ITEMS];
        if (atomic_load(&p->filled) != i) {
            if (item->generation == atomic_load(&p->generation))
                return item;
            prefetch_give_back(p);
            continue;
        }
        if (finished || atomic_exchange(&p->woken, false) || clock_boot_ms() >= until_ms)
            return NULL;
        waker_wait(&p->has_item, until_ms, -1);
    }
}

static void open_reader(struct prefetch *p, const struct source_start *start) {
    p->newest = source_open(p->source, &p->shard, start, p->budget);
    p->newest->pulse = &p->pulse;
    p->newest->fence = p->fence;
}

void prefetch_rewind(struct prefetch *p, const struct source_start *start, int64_t then_ms) {
    struct source_reader *old = p->newest;
    open_reader(p, start);
    p->newest->is_sparing = true;
    atomic_store(&p->pauses_until_ms, then_ms);
    atomic_store(&p->stepwise, true);
    atomic_fetch_add(&p->generation, 1);
    source_wake(old); /* now: once there is a replacement, its thread closes it */
    atomic_store(&p->replacement, p->newest);
    waker_wake(&p->has_room);
}

void prefetch_resume(struct prefetch *p) {
    atomic_store(&p->stepwise, false);
    waker_wake(&p->has_room);
}

void prefetch_wake(struct prefetch *p) {
    atomic_store(&p->woken, true);
    waker_wake(&p->has_item);
}

struct prefetch *prefetch_start(struct source *source, const struct source_shard *shard,
                                const struct source_start *start, const struct prefetch_options *options) {
    struct prefetch *p = mem_zalloc(sizeof *p);
    p->got.as_of_ms = -1;
    turn(p);
    p->source = source;
    p->shard = *shard;
    p->budget = options->budget;
    p->fence = options->fence;
    open_reader(p, start);
    p->reader = p->newest;
    for (int i = 0; i < PREFETCH_ITEMS; i++) {
        batch_init(&p->items[i].batch, p->shard.id);
        batch_set_limits(&p->items[i].batch, &options->limits);
    }
    waker_init(&p->has_item);
    waker_init(&p->has_room);
    thread_must_start(&p->thread, "prefetch", prefetch_run, p);
    return p;
}

int64_t prefetch_alive_ms(const struct prefetch *p) {
    return atomic_load(&p->finished) ? clock_boot_ms() : pulse_last_ms(&p->pulse);
}

void prefetch_finish(struct prefetch *p) {
    atomic_store(&p->finishing, true);
    source_wake(p->newest);
    waker_wake(&p->has_room);
}

void prefetch_end(struct prefetch *p) {
    prefetch_finish(p);
    if (!p->joined)
        pthread_join(p->thread, NULL);
    p->joined = true;
}

void prefetch_free(struct prefetch *p) {
    prefetch_end(p);
    source_close(p->reader);
    source_close(atomic_load(&p->replacement));
    for (int i = 0; i < PREFETCH_ITEMS; i++) {
        batch_deinit(&p->items[i].batch);
        budget_set(p->budget, &p->claims[i], 0);
    }
    waker_deinit(&p->has_item);
    waker_deinit(&p->has_room);
    free(p);
}
