#include "ingest/feed.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/waker.h"
#include "ingest/budget.h"

struct feed {
    char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    struct source_reader *reader;
    struct budget *budget;
    _Atomic size_t batch_records; /* options, which may change while it runs */
    _Atomic int batch_window_ms;
    pthread_t thread;
    bool joined; /* the taker's own */

    /* One thread fills, one takes: item i is the filler's while i >= filled, the taker's while taken <= i <
     * filled. */
    struct feed_item items[FEED_ITEMS];
    struct budget_claim claims[FEED_ITEMS]; /* of the items' batches */
    _Atomic size_t filled, taken;
    atomic_bool finishing, finished, woken;
    struct pulse pulse; /* beats when its loop turns */
    struct waker has_item, has_room;

    /* the filler's own */
    struct source_batch got; /* the last read, of which `used` records are in batches already */
    size_t used;
    struct error pending; /* a failure that came while a batch was begun: handed over next */
};

/* ---- filling
 * ----------------------------------------------------------------------------------------------------------
 */

static bool is_finishing(const struct feed *f) {
    return atomic_load(&f->finishing);
}

static void turn(struct feed *f) {
    pulse_beat(&f->pulse, clock_boot_ms());
}

static void add_records(struct feed *f, struct feed_item *item) {
    int64_t now = clock_boot_ms();
    while (f->used < f->got.n && !batch_is_full(&item->batch))
        batch_add(&item->batch, &f->got.records[f->used++], now);
    budget_set(f->budget, &f->claims[item - f->items], item->batch.bytes);
}

/* All of the last read is in: the batch is as fresh as that read was, and the end if that was. The reader
 * need not keep it while the feed waits for room. */
static void finish_read(struct feed *f, struct feed_item *item) {
    if (f->got.as_of_ms >= 0)
        item->batch.as_of_ms = f->got.as_of_ms;
    if (f->got.loss)
        snprintf(item->loss, sizeof item->loss, "%s", f->got.loss);
    item->ended = f->got.ended;
    item->gone = f->got.gone;
    item->n_children = f->got.n_children < STORE_LEASE_PARENTS ? f->got.n_children : STORE_LEASE_PARENTS;
    if (item->n_children)
        memcpy(item->children, f->got.children, item->n_children * sizeof *item->children);
    f->got = (struct source_batch){.as_of_ms = -1};
    f->used = 0;
    source_forget(f->reader);
}

static int64_t window_ends(const struct feed *f, const struct batch *b) {
    return b->n ? b->began_boot_ms + atomic_load(&f->batch_window_ms) : clock_boot_ms() + LIMIT_READ_WAIT_MS;
}

static bool is_ready(const struct feed *f, const struct feed_item *item) {
    const struct batch *b = &item->batch;
    return item->ended || *item->loss || batch_is_full(b) || is_finishing(f) ||
           (b->n && clock_boot_ms() >= window_ends(f, b));
}

static void fill(struct feed *f, struct feed_item *item) {
    batch_set_max(&item->batch, atomic_load(&f->batch_records));
    item->ended = item->gone = false;
    item->loss[0] = '\0';
    item->error = f->pending;
    item->status = f->pending.status;
    f->pending = (struct error){0};
    if (item->status)
        return;

    for (;;) {
        add_records(f, item);
        if (f->used == f->got.n)
            finish_read(f, item);
        if (is_ready(f, item))
            return;

        bool idle = item->batch.n == 0;
        turn(f);
        if (source_read(f->reader, window_ends(f, &item->batch), &f->got, &f->pending)) {
            f->got = (struct source_batch){.as_of_ms = -1};
            if (idle) {
                item->status = f->pending.status;
                item->error = f->pending;
                f->pending = (struct error){0};
            }
            return;
        }
        f->pending = (struct error){0};
        if (idle && f->got.n == 0) {
            finish_read(f, item);
            return;
        }
    }
}

/* Room behind a failure is only when that was given back. */
static bool wait_for_room(struct feed *f, size_t room) {
    turn(f);
    while (atomic_load(&f->filled) - atomic_load(&f->taken) >= room && !is_finishing(f)) {
        waker_wait(&f->has_room, clock_boot_ms() + LIMIT_READ_WAIT_MS, -1);
        turn(f);
    }
    return !is_finishing(f);
}

static void *feed_run(void *data) {
    struct feed *f = data;
    size_t room = FEED_ITEMS;
    bool ended = false;
    pulse_watch(&f->pulse, f->shard_id, LIMIT_SHARD_STUCK_MS, clock_boot_ms());
    while (!ended && wait_for_room(f, room)) {
        size_t i = atomic_load(&f->filled);
        struct feed_item *item = &f->items[i % FEED_ITEMS];
        fill(f, item);
        ended = item->ended;
        room = item->status ? 1 : FEED_ITEMS;
        atomic_store(&f->filled, i + 1);
        waker_wake(&f->has_item);
    }
    pulse_unwatch(&f->pulse);
    atomic_store(&f->finished, true);
    waker_wake(&f->has_item);
    return NULL;
}

/* ---- taking
 * -----------------------------------------------------------------------------------------------------------
 */

/* The waker may still be set for an item that was taken without waiting: only `woken` and the clock end the
 * wait. */
struct feed_item *feed_take(struct feed *f, int64_t until_ms) {
    for (;;) {
        bool finished = atomic_load(&f->finished); /* read first: what it filled is there then */
        size_t i = atomic_load(&f->taken);
        if (atomic_load(&f->filled) != i)
            return &f->items[i % FEED_ITEMS];
        if (finished || atomic_exchange(&f->woken, false) || clock_boot_ms() >= until_ms)
            return NULL;
        waker_wait(&f->has_item, until_ms, -1);
    }
}

bool feed_is_over(const struct feed *f) {
    bool finished = atomic_load(&f->finished); /* read first, as above */
    return finished && atomic_load(&f->filled) == atomic_load(&f->taken);
}

void feed_give_back(struct feed *f) {
    size_t i = atomic_load(&f->taken) % FEED_ITEMS;
    batch_clear(&f->items[i].batch);
    budget_set(f->budget, &f->claims[i], 0);
    atomic_fetch_add(&f->taken, 1);
    waker_wake(&f->has_room);
}

void feed_set_window(struct feed *f, size_t batch_records, int batch_window_ms) {
    atomic_store(&f->batch_records, batch_records);
    atomic_store(&f->batch_window_ms, batch_window_ms);
}

void feed_wake(struct feed *f) {
    atomic_store(&f->woken, true);
    waker_wake(&f->has_item);
}

/* ---- beginning and ending
 * --------------------------------------------------------------------------------------------- */

struct feed *feed_start(struct source *source, const struct source_shard *shard,
                        const struct source_start *start, const struct feed_options *options) {
    struct feed *f = mem_zalloc(sizeof *f);
    feed_set_window(f, options->batch_records, options->batch_window_ms);
    f->got.as_of_ms = -1;
    turn(f);
    strcpy(f->shard_id, shard->id);
    f->budget = options->budget;
    f->reader = source_open(source, shard, start, options->budget);
    for (int i = 0; i < FEED_ITEMS; i++)
        batch_init(&f->items[i].batch, f->shard_id, options->batch_records);
    waker_init(&f->has_item);
    waker_init(&f->has_room);
    if (pthread_create(&f->thread, NULL, feed_run, f) != 0)
        mem_exhausted(); /* out of threads is out of memory */
    return f;
}

int64_t feed_alive_ms(const struct feed *f) {
    return atomic_load(&f->finished) ? clock_boot_ms() : pulse_last_ms(&f->pulse);
}

void feed_finish(struct feed *f) {
    atomic_store(&f->finishing, true);
    source_wake(f->reader);
    waker_wake(&f->has_room);
}

void feed_end(struct feed *f) {
    feed_finish(f);
    if (!f->joined)
        pthread_join(f->thread, NULL);
    f->joined = true;
}

void feed_free(struct feed *f) {
    feed_end(f);
    source_close(f->reader);
    for (int i = 0; i < FEED_ITEMS; i++) {
        batch_deinit(&f->items[i].batch);
        budget_set(f->budget, &f->claims[i], 0);
    }
    waker_deinit(&f->has_item);
    waker_deinit(&f->has_room);
    free(f);
}
