#include "ingest/shard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/feed.h"
#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/metrics.h"
#include "server/base/random.h"

static struct metrics_family records_family = {
    .name = "winner_view_records_total",
    .help = "Records read from a shard and settled: applied, skipped or written down as dead letters.",
    .kind = METRICS_COUNTER,
    .labels = {"shard"},
};

static struct metrics_family events_family = {
    .name = "winner_view_events_total",
    .help = "Settled records by what became of them.",
    .kind = METRICS_COUNTER,
    .labels = {"result"},
};

static struct metrics_family batches_family = {
    .name = "winner_view_batches_total",
    .help = "Batches applied.",
    .kind = METRICS_COUNTER,
};

static struct metrics_family as_of_family = {
    .name = "winner_view_shard_as_of_timestamp_seconds",
    .help = "Every event that reached the shard before this time is in the views. Shards that this process "
            "reads.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

enum order { ORDER_RUN, ORDER_STOP, ORDER_ABANDON };

struct shard {
    struct shard_context context;
    char id[LIMIT_SHARD_ID_BYTES + 1];
    struct fence *fence;
    pthread_t thread;
    _Atomic int order;
    _Atomic int64_t alive_boot_ms;
    struct waker waker; /* ends a pause */

    pthread_mutex_t lock; /* guards `report`; a leaf */
    struct shard_report report;

    /* the thread's own */
    struct feed *feed;
    struct apply *apply;
    char tenure[33];
    int64_t backoff_ms;
    struct metrics_series *records, *as_of;
};

/* ---- what a shard tells
 * -------------------------------------------------------------------------------------------- */

void shard_read_report(struct shard *s, struct shard_report *report) {
    pthread_mutex_lock(&s->lock);
    *report = s->report;
    pthread_mutex_unlock(&s->lock);
    report->alive_boot_ms = atomic_load(&s->alive_boot_ms);
}

static void tell_as_of(struct shard *s, int64_t as_of_ms) {
    if (as_of_ms < 0)
        return;
    pthread_mutex_lock(&s->lock);
    if (as_of_ms > s->report.progress.as_of_ms)
        s->report.progress.as_of_ms = as_of_ms;
    as_of_ms = s->report.progress.as_of_ms;
    pthread_mutex_unlock(&s->lock);
    freshness_advance(s->context.freshness, s->id, as_of_ms);
    metrics_set(s->as_of, as_of_ms);
}

static void tell_position(struct shard *s, const struct position *position) {
    pthread_mutex_lock(&s->lock);
    s->report.progress.checkpoint = LEASE_AT_POSITION;
    s->report.progress.position = *position;
    pthread_mutex_unlock(&s->lock);
}

static void tell_end(struct shard *s, const struct feed_item *last) {
    pthread_mutex_lock(&s->lock);
    s->report.progress.checkpoint = LEASE_SHARD_END;
    s->report.n_children = last->n_children;
    memcpy(s->report.children, last->children, sizeof last->children);
    pthread_mutex_unlock(&s->lock);
}

/* ---- trouble: waited out, said once
 * ------------------------------------------------------------------------------- */

static enum order order_of(const struct shard *s) {
    return (enum order)atomic_load(&s->order);
}

static void turn(struct shard *s) {
    atomic_store(&s->alive_boot_ms, clock_boot_ms());
}

static void trouble_name(const struct shard *s, char *out, size_t size) {
    snprintf(out, size, "shard %s", s->id);
}

/* Says what is wrong, if that is news, and waits: longer each time, with jitter. A store that is fenced off
 * is the coordinator's trouble, which it tells itself. */
static void wait_out(struct shard *s, const struct error *e) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    trouble_name(s, name, sizeof name);
    if (health_raise(s->context.health, name, e->message))
        log_write(e->status == STATUS_RETRY ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
                  LOG_FIELDS("shard", s->id, "error", e->code, "requestId", e->request_id),
                  "shard waits and tries again: %s", e->message);

    s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : 100;
    if (s->backoff_ms > LIMIT_BACKOFF_MS)
        s->backoff_ms = LIMIT_BACKOFF_MS;
    waker_wait(&s->waker, clock_boot_ms() + s->backoff_ms / 2 + random_u32() % (s->backoff_ms / 2), -1);
    turn(s);
}

static void all_is_well(struct shard *s) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    s->backoff_ms = 0;
    trouble_name(s, name, sizeof name);
    if (health_clear(s->context.health, name))
        log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", s->id), "shard goes on");
}

/* ---- a batch into the views
 * ---------------------------------------------------------------------------------------- */

static void count(const struct shard *s, const struct batch *b, const struct apply_counts *counts) {
    const struct {
        const char *result;
        size_t n;
    } results[] = {
        {"applied", counts->applied}, {"duplicate", counts->duplicate}, {"stale", counts->stale},
        {"skipped", b->n_skipped},    {"dead_letter", b->n_letters},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        metrics_count(&events_family, (const char *const[]){results[i].result, NULL}, (int64_t)results[i].n);
    metrics_count(&batches_family, (const char *const[]){NULL}, 1);
    metrics_add(s->records, (int64_t)b->n);
}

static enum status settle_once(struct shard *s, struct batch *b, struct apply_counts *counts,
                               struct error *e) {
    if (!b->letters_written) {
        enum status status =
            deadletter_write(s->context.deadletter, b->letters, b->n_letters, clock_real_ms(), e);
        if (status)
            return status;
        b->letters_written = true;
    }
    const struct store_checkpoint checkpoint = {s->tenure, b->last};
    *counts = (struct apply_counts){0};
    return b->n_records ? apply_batch(s->apply, b->records, b->n_records, &checkpoint, counts, e) : STATUS_OK;
}

/* All of the batch into the views, however long that takes; false if the shard was told to end before it
 * could. */
static bool settle(struct shard *s, struct batch *b) {
    struct apply_counts counts;
    struct error e = {0};
    while (settle_once(s, b, &counts, &e) != STATUS_OK) {
        if (order_of(s) != ORDER_RUN)
            return false;
        wait_out(s, &e);
        if (order_of(s) == ORDER_ABANDON)
            return false;
    }
    count(s, b, &counts);
    tell_position(s, &b->last);
    return true;
}

/* ---- the loop
 * ------------------------------------------------------------------------------------------------------- */

/* What came from the source into the views, or its failure waited out. False: the shard is done. */
static bool settle_item(struct shard *s, struct feed_item *item) {
    if (item->status) {
        wait_out(s, &item->error);
        return true;
    }
    if (item->batch.n && !settle(s, &item->batch))
        return false;
    all_is_well(s);
    tell_as_of(s, item->batch.as_of_ms);
    if (item->ended)
        tell_end(s, item);
    return !item->ended;
}

/* One turn of the shard's life. */
static bool take_and_settle(struct shard *s) {
    struct feed_item *item = feed_take(s->feed, clock_boot_ms() + LIMIT_READ_WAIT_MS);
    turn(s);
    if (!item)
        return true;
    bool goes_on = settle_item(s, item);
    feed_give_back(s->feed);
    return goes_on;
}

/* A clean stop: what was read already is applied, nothing more is read. */
static void settle_rest(struct shard *s) {
    struct feed_item *item;
    feed_finish(s->feed);
    while (order_of(s) == ORDER_STOP && (item = feed_take(s->feed, clock_boot_ms() + LIMIT_AWS_ATTEMPT_MS))) {
        if (!item->status && !settle_item(s, item))
            return;
        feed_give_back(s->feed);
    }
}

static void *shard_run(void *data) {
    struct shard *s = data;
    bool goes_on = true;
    while (goes_on && order_of(s) == ORDER_RUN)
        goes_on = take_and_settle(s);
    if (goes_on)
        settle_rest(s);

    pthread_mutex_lock(&s->lock);
    s->report.finished = true;
    pthread_mutex_unlock(&s->lock);
    waker_wake(s->context.done);
    return NULL;
}

/* ---- from outside
 * --------------------------------------------------------------------------------------------------- */

struct shard *shard_start(const struct shard_context *context, const struct store_lease *lease,
                          struct fence *fence) {
    struct shard *s = mem_zalloc(sizeof *s);
    s->context = *context;
    strcpy(s->id, lease->shard_id);
    strcpy(s->tenure, lease->tenure);
    s->fence = fence;
    s->report.progress = (struct lease_progress){lease->checkpoint, lease->position, lease->as_of_ms};
    s->records = METRICS_SERIES(&records_family, s->id);
    s->as_of = METRICS_SERIES(&as_of_family, s->id);
    s->apply = apply_new(context->store, s->id, fence, context->listener, context->cache_bytes);
    pthread_mutex_init(&s->lock, NULL);
    waker_init(&s->waker);
    turn(s);

    const struct source_start start = {lease->checkpoint, lease->position, lease->start_at_ms};
    const struct feed_options options = {context->batch_records, context->batch_window_ms};
    s->feed = feed_start(context->source, s->id, &start, &options);
    if (pthread_create(&s->thread, NULL, shard_run, s) != 0)
        mem_exhausted(); /* out of threads is out of memory */
    return s;
}

static void give_order(struct shard *s, enum order order) {
    int run = ORDER_RUN;
    if (order == ORDER_ABANDON)
        atomic_store(&s->order, ORDER_ABANDON);
    else
        atomic_compare_exchange_strong(&s->order, &run, (int)order);
    feed_wake(s->feed);
    waker_wake(&s->waker);
}

void shard_stop(struct shard *s) {
    give_order(s, ORDER_STOP);
}

void shard_abandon(struct shard *s) {
    give_order(s, ORDER_ABANDON);
}

void shard_join(struct shard *s) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    pthread_join(s->thread, NULL);
    trouble_name(s, name, sizeof name);
    health_clear(s->context.health, name);
    metrics_hide(s->as_of);

    feed_free(s->feed);
    apply_free(s->apply);
    pthread_mutex_destroy(&s->lock);
    waker_deinit(&s->waker);
    free(s);
}
