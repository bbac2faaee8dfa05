#include "ingest/shard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/service_error.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/random.h"
#include "ingest/prefetch.h"
#include "ingest/window.h"

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
            "reads, once that is known.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

static struct metrics_family waits_family = {
    .name = "winner_view_shard_waits_total",
    .help = "Pauses of a shard before it tries again, by what failed.",
    .kind = METRICS_COUNTER,
    .labels = {"cause"},
};

static struct metrics_family waiting_family = {
    .name = "winner_view_shard_waiting_since_timestamp_seconds",
    .help =
        "Since when the shard waits for its source, the store or the dead letter target. Not there while it "
        "does not.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

static struct metrics_family window_family = {
    .name = "winner_view_batch_window_seconds",
    .help = "How long a batch waits for more records; longer while the store throttles writes.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

/* What a shard waits for when something fails. */
enum cause { CAUSE_SOURCE, CAUSE_STORE, CAUSE_DEAD_LETTER };
static const char *const cause_names[] = {"source", "store", "dead_letter"};

enum order { ORDER_RUN, ORDER_STOP, ORDER_ABANDON };

struct shard {
    struct shard_context context;
    char id[LIMIT_SHARD_ID_BYTES + 1];
    struct fence *fence;
    pthread_t thread;
    _Atomic int order;
    struct pulse pulse; /* beats when its loop turns */
    struct waker waker; /* ends a pause */

    pthread_mutex_t lock; /* guards `report`; a leaf */
    struct shard_report report;

    /* the thread's own */
    struct prefetch *prefetch;
    struct apply *apply;
    char tenure[33];
    struct window window;
    int64_t backoff_ms;
    int64_t waiting_since_ms; /* wall clock; 0: it does not wait */
    struct metrics_series *records, *as_of, *window_now;
};

/* ---- what a shard tells
 * -------------------------------------------------------------------------------------------- */

void shard_read_report(struct shard *s, struct shard_report *report) {
    pthread_mutex_lock(&s->lock);
    *report = s->report;
    pthread_mutex_unlock(&s->lock);
    int64_t prefetch_ms = prefetch_alive_ms(s->prefetch), shard_ms = pulse_last_ms(&s->pulse);
    report->alive_boot_ms = prefetch_ms < shard_ms ? prefetch_ms : shard_ms;
}

static void tell_as_of(struct shard *s, int64_t as_of_ms) {
    if (as_of_ms < 0)
        return;
    pthread_mutex_lock(&s->lock);
    if (as_of_ms > s->report.progress.as_of_ms)
        s->report.progress.as_of_ms = as_of_ms;
    as_of_ms = s->report.progress.as_of_ms;
    pthread_mutex_unlock(&s->lock);
    freshness_advance(s->context.freshness, s->id, as_of_ms, clock_boot_ms());
    metrics_set(s->as_of, as_of_ms);
}

static void tell_position(struct shard *s, const struct position *position) {
    pthread_mutex_lock(&s->lock);
    s->report.progress.checkpoint = LEASE_AT_POSITION;
    s->report.progress.position = *position;
    pthread_mutex_unlock(&s->lock);
}

static void tell_end(struct shard *s, const struct prefetch_item *last) {
    pthread_mutex_lock(&s->lock);
    s->report.progress.checkpoint = LEASE_SHARD_END;
    s->report.vanished = last->gone;
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
    pulse_beat(&s->pulse, clock_boot_ms());
}

static void trouble_name(const struct shard *s, char *out, size_t size) {
    snprintf(out, size, "shard %s", s->id);
}

static void loss_name(const struct shard *s, char *out, size_t size) {
    snprintf(out, size, "loss %s", s->id);
}

/* The lease is what fails, or the program ends: its keeper's trouble, who says so. */
static bool is_lease_trouble(const struct error *e) {
    return strcmp(e->code, AWS_ERROR_FENCE_SHUT) == 0 || strcmp(e->code, AWS_ERROR_CANCELLED) == 0 ||
           strcmp(e->code, "LeaseLost") == 0;
}

static void log_trouble(const struct shard *s, const struct error *e, int64_t lasts_ms) {
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)lasts_ms / 1000);
    log_write(e->status == STATUS_RETRY ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              LOG_FIELDS("shard", s->id, "seconds", seconds, "error", e->code, "requestId", e->request_id),
              "shard waits and tries again: %s", e->message);
}

/* A source that hiccups once is only counted. */
static void tell_trouble(struct shard *s, enum cause cause, const struct error *e) {
    char name[LIMIT_SHARD_ID_BYTES + 16], kind[sizeof e->code + 16];
    int64_t now_real_ms = clock_real_ms();
    bool first = s->waiting_since_ms == 0;
    if (first)
        s->waiting_since_ms = now_real_ms;
    if (first && cause == CAUSE_SOURCE && e->status == STATUS_RETRY)
        return;
    metrics_set(METRICS_SERIES(&waiting_family, s->id), s->waiting_since_ms);
    trouble_name(s, name, sizeof name);
    snprintf(kind, sizeof kind, "%s %s", cause_names[cause], e->code);
    if (health_raise_kind(s->context.health, name, kind, e->message, s->waiting_since_ms, clock_boot_ms()))
        log_trouble(s, e, now_real_ms - s->waiting_since_ms);
}

/* Says what is wrong, if that is news, and waits: longer each time, with jitter. */
static void wait_out(struct shard *s, enum cause cause, const struct error *e) {
    if (!is_lease_trouble(e)) {
        metrics_count(&waits_family, (const char *const[]){cause_names[cause], NULL}, 1);
        tell_trouble(s, cause, e);
    }
    s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : 100;
    if (s->backoff_ms > LIMIT_BACKOFF_MS)
        s->backoff_ms = LIMIT_BACKOFF_MS;
    turn(s);
    waker_wait(&s->waker, clock_boot_ms() + s->backoff_ms / 2 + random_u32() % (s->backoff_ms / 2), -1);
    turn(s);
}

/* What is lost stays lost: it is in the health report for as long as the shard is read here. */
static void tell_loss(struct shard *s, const char *loss) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    loss_name(s, name, sizeof name);
    health_raise(s->context.health, name, loss);
    log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", s->id), "records are lost: %s", loss);
}

static void tell_refusal(struct shard *s, const struct error *e) {
    log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", s->id, "error", e->code, "requestId", e->request_id),
              "the source refuses the shard's position: %s", e->message);
    pthread_mutex_lock(&s->lock);
    s->report.refused = true;
    pthread_mutex_unlock(&s->lock);
}

static void all_is_well(struct shard *s) {
    char name[LIMIT_SHARD_ID_BYTES + 16];
    s->backoff_ms = 0;
    if (!s->waiting_since_ms)
        return;
    metrics_hide(METRICS_SERIES(&waiting_family, s->id));
    trouble_name(s, name, sizeof name);
    if (health_clear(s->context.health, name))
        log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", s->id), "shard goes on after %lld s",
                  (long long)(clock_real_ms() - s->waiting_since_ms) / 1000);
    s->waiting_since_ms = 0;
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
                               enum cause *cause, struct error *e) {
    *cause = CAUSE_DEAD_LETTER;
    *counts = (struct apply_counts){0};
    enum status status = deadletter_write(s->context.deadletter, b->letters, b->n_letters, clock_real_ms(),
                                          clock_boot_ms(), e);
    if (status || !b->n_records)
        return status;
    const struct store_checkpoint checkpoint = {s->tenure, b->last};
    *cause = CAUSE_STORE;
    turn(s);
    return apply_batch(s->apply, b->records, b->n_records, &checkpoint, counts, e);
}

static void note_window(struct shard *s, bool throttled) {
    if (!window_note(&s->window, throttled, clock_boot_ms()))
        return;
    prefetch_set_window(s->prefetch, s->window.records, s->window.ms);
    metrics_set(s->window_now, s->window.ms);
}

/* All of the batch into the views, however long that takes; false if the shard was told to end before it
 * could. */
static bool settle(struct shard *s, struct batch *b) {
    struct apply_counts counts;
    struct error e = {0};
    enum cause cause;
    bool throttled = false;
    while (settle_once(s, b, &counts, &cause, &e) != STATUS_OK) {
        throttled = throttled || counts.throttles;
        if (order_of(s) != ORDER_RUN)
            return false;
        wait_out(s, cause, &e);
        if (order_of(s) == ORDER_ABANDON)
            return false;
    }
    note_window(s, throttled || counts.throttles);
    count(s, b, &counts);
    tell_position(s, &b->last);
    return true;
}

/* ---- the loop
 * ------------------------------------------------------------------------------------------------------- */

/* What came from the source into the views, or its failure waited out. False: the shard is done. */
static bool settle_item(struct shard *s, struct prefetch_item *item) {
    if (item->status == STATUS_INVALID) {
        tell_refusal(s, &item->error);
        return false;
    }
    if (item->status) {
        wait_out(s, CAUSE_SOURCE, &item->error);
        return true;
    }
    if (*item->loss)
        tell_loss(s, item->loss);
    if (item->batch.n && !settle(s, &item->batch))
        return false;
    if (!item->batch.n)
        note_window(s, false);
    all_is_well(s);
    tell_as_of(s, item->batch.as_of_ms);
    if (item->ended)
        tell_end(s, item);
    return !item->ended;
}

/* One turn of the shard's life. */
static bool take_and_settle(struct shard *s) {
    struct prefetch_item *item = prefetch_take(s->prefetch, clock_boot_ms() + LIMIT_READ_WAIT_MS);
    turn(s);
    if (!item)
        return true;
    bool goes_on = settle_item(s, item);
    prefetch_give_back(s->prefetch);
    return goes_on;
}

/* A clean stop: what was read already is applied, nothing more is read. The order's own wake may come only
 * now, so a wait that was woken says nothing. */
static void settle_rest(struct shard *s) {
    prefetch_finish(s->prefetch);
    while (order_of(s) == ORDER_STOP && !prefetch_is_over(s->prefetch)) {
        struct prefetch_item *item = prefetch_take(s->prefetch, clock_boot_ms() + LIMIT_READ_WAIT_MS);
        turn(s);
        if (!item)
            continue;
        if (!item->status && !settle_item(s, item))
            return;
        prefetch_give_back(s->prefetch);
    }
}

static void tell(struct shard *s, bool *what) {
    pthread_mutex_lock(&s->lock);
    *what = true;
    pthread_mutex_unlock(&s->lock);
    waker_wake(s->context.done);
}

static void *shard_run(void *data) {
    struct shard *s = data;
    pulse_watch(&s->pulse, s->id, LIMIT_SHARD_STUCK_MS, clock_boot_ms());
    bool goes_on = true;
    while (goes_on && order_of(s) == ORDER_RUN)
        goes_on = take_and_settle(s);
    if (goes_on)
        settle_rest(s);
    pulse_unwatch(&s->pulse);
    tell(s, &s->report.finished);
    prefetch_end(s->prefetch); /* here, where waiting for its last call keeps nobody from writing leases */
    tell(s, &s->report.gone);
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
    s->report.progress = (struct shard_progress){lease->checkpoint, lease->position, lease->as_of_ms};
    s->records = METRICS_SERIES(&records_family, s->id);
    s->as_of = METRICS_SERIES(&as_of_family, s->id);
    s->window_now = METRICS_SERIES(&window_family, s->id);
    if (lease->as_of_ms >= 0)
        metrics_set(s->as_of, lease->as_of_ms);
    s->apply = apply_new(context->store, s->id, fence, context->listener, context->cache_bytes);
    apply_set_pulse(s->apply, &s->pulse);
    pthread_mutex_init(&s->lock, NULL);
    waker_init(&s->waker);
    turn(s);

    const struct source_start start = {lease->checkpoint, lease->position, lease->start_at_ms};
    window_init(&s->window, context->batch_window_ms, context->batch_records);
    metrics_set(s->window_now, s->window.ms);
    const struct prefetch_options options = {s->window.records, s->window.ms, context->budget};
    struct source_shard shard = {0};
    strcpy(shard.id, lease->shard_id);
    strcpy(shard.starting_hash_key, lease->starting_hash_key);
    strcpy(shard.ending_hash_key, lease->ending_hash_key);
    s->prefetch = prefetch_start(context->source, &shard, &start, &options);
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
    prefetch_wake(s->prefetch);
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
    loss_name(s, name, sizeof name);
    health_clear(s->context.health, name);
    metrics_hide(s->as_of);
    metrics_hide(METRICS_SERIES(&waiting_family, s->id));
    metrics_hide(s->window_now);

    prefetch_free(s->prefetch);
    apply_free(s->apply);
    pthread_mutex_destroy(&s->lock);
    waker_deinit(&s->waker);
    free(s);
}
