#include "ingest/shard.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "ingest/batch_window.h"
#include "ingest/prefetch.h"
#include "ingest/shard_wait.h"

static struct metrics_family records_family = {
    .name = "winner_view_records_total",
    .help = "Records read from a shard and settled: applied, skipped or written down as dead letters.",
    .kind = METRICS_COUNTER,
    .labels = {"shard"},
};

static struct metrics_family events_family = {
    .name = "winner_view_events_total",
    .help = "Settled records, by result.",
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

static struct metrics_family rewinds_family = {
    .name = "winner_view_shard_rewinds_total",
    .help = "Batches that the store refused for so long that their shard dropped what it had read, to read "
            "it again.",
    .kind = METRICS_COUNTER,
};

static struct metrics_family window_family = {
    .name = "winner_view_batch_window_seconds",
    .help = "How long a batch waits for more records; longer while the store throttles writes.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

static struct metrics_family bytes_family = {
    .name = "winner_view_shard_left_bytes",
    .help = "Bytes of a file that are not in the views yet. Absent if there are none, and for streams.",
    .kind = METRICS_GAUGE,
    .labels = {"shard"},
};

static struct metrics_family left_family = {
    .name = "winner_view_shard_left_seconds",
    .help = "Until a shard is caught up, if it is read on as in the last half minute. 0 once it is; absent "
            "while it gets no nearer, or that is not known.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

enum settled { APPLIED, REFUSED, STOPPED };

/* What was added to the batch under way. */
struct pending {
    size_t n, n_skipped, n_letters; /* records of all kinds, and some */
    struct position last;
    struct digest hash; /* of the source's bytes up to its end */
    int64_t as_of_ms, bytes_left;
    int64_t began_boot_ms;
    bool more; /* records are expected at once */
};

enum order { ORDER_RUN, ORDER_STOP, ORDER_ABANDON };

struct shard {
    struct shard_context context;
    char id[LIMIT_SHARD_ID_BYTES + 1];
    struct fence *fence;
    pthread_t thread;
    _Atomic int order;
    struct pulse pulse;                           /* beats when its loop turns */
    struct waker waker;                           /* ends a pause */
    char loss_trouble[LIMIT_SHARD_ID_BYTES + 16]; /* in health */

    pthread_mutex_t lock; /* guards `report`; a leaf */
    struct shard_report report;

    /* used by the thread only */
    struct prefetch *prefetch;
    struct apply *apply;
    char tenure[33];
    int64_t start_at_ms; /* of the lease */
    struct window window;
    struct pending pending;
    struct shard_wait wait;
    bool stepwise;              /* the prefetch is, since a rewind */
    struct position letters_to; /* all dead letters up to here are written; length 0: none is */
    struct metrics_series *records, *as_of, *window_now, *bytes_left, *time_left;
};

static struct service_clock *clock_of(const struct shard *s) {
    return freshness_clock(s->context.freshness);
}

void shard_read_report(struct shard *s, struct shard_report *report) {
    pthread_mutex_lock(&s->lock);
    *report = s->report;
    pthread_mutex_unlock(&s->lock);
    if (report->progress.as_of_ms > service_clock_limit(clock_of(s)))
        report->progress.as_of_ms = SERVICE_CLOCK_UNKNOWN;
    report->progress.as_of_ms = service_clock_tell(clock_of(s), report->progress.as_of_ms);
    int64_t prefetch_ms = prefetch_alive_ms(s->prefetch), shard_ms = pulse_last_ms(&s->pulse);
    report->alive_boot_ms = prefetch_ms < shard_ms ? prefetch_ms : shard_ms;
}

static void report_as_of(struct shard *s, int64_t as_of_ms) {
    if (as_of_ms < 0)
        return;
    int64_t limit_ms = service_clock_limit(clock_of(s));
    pthread_mutex_lock(&s->lock);
    if (as_of_ms > s->report.progress.as_of_ms || s->report.progress.as_of_ms > limit_ms)
        s->report.progress.as_of_ms = as_of_ms;
    as_of_ms = s->report.progress.as_of_ms;
    pthread_mutex_unlock(&s->lock);
    freshness_advance(s->context.freshness, s->id, as_of_ms, clock_boot_ms());
    metrics_set(s->as_of, service_clock_tell(clock_of(s), as_of_ms));
}

/* Before such an event is in the views. */
static void report_foreign_arrivals(struct shard *s) {
    pthread_mutex_lock(&s->lock);
    s->report.progress.foreign_arrivals = true;
    pthread_mutex_unlock(&s->lock);
    freshness_note_foreign_arrivals(s->context.freshness);
}

/* A batch without records may have a hash that the lease lacks. */
static void report_position(struct shard *s) {
    pthread_mutex_lock(&s->lock);
    if (s->pending.n) {
        s->report.progress.checkpoint = LEASE_AT_POSITION;
        s->report.progress.position = s->pending.last;
    }
    s->report.progress.hash = s->pending.hash;
    pthread_mutex_unlock(&s->lock);
}

static void report_end(struct shard *s, const struct prefetch_item *last) {
    pthread_mutex_lock(&s->lock);
    s->report.progress.checkpoint = LEASE_SHARD_END;
    s->report.vanished = last->gone;
    s->report.n_children = last->n_children;
    memcpy(s->report.children, last->children, sizeof last->children);
    pthread_mutex_unlock(&s->lock);
}

static enum order order_of(const struct shard *s) {
    return (enum order)atomic_load(&s->order);
}

static void turn(struct shard *s) {
    pulse_beat(&s->pulse, clock_boot_ms());
}

static void wait_until(struct shard *s, int64_t until_ms) {
    turn(s);
    waker_wait(&s->waker, until_ms, -1);
    turn(s);
}

/* The trouble is not cleared while the shard is read here: nothing brings the records back. */
static void report_loss(struct shard *s, const char *loss) {
    health_raise(s->context.health, s->loss_trouble, loss);
    log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", s->id), "records are lost: %s", loss);
}

static void report_refusal(struct shard *s, const struct error *e) {
    log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", s->id, "error", e->code, "requestId", e->request_id),
              "cannot read the shard any further: %s", e->message);
    pthread_mutex_lock(&s->lock);
    s->report.refused = true;
    pthread_mutex_unlock(&s->lock);
}

static void count(const struct shard *s, const struct apply_counts *counts) {
    const struct {
        const char *result;
        size_t n;
    } results[] = {
        {"applied", counts->applied},      {"duplicate", counts->duplicate},      {"stale", counts->stale},
        {"skipped", s->pending.n_skipped}, {"dead_letter", s->pending.n_letters},
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        metrics_count(&events_family, (const char *const[]){results[i].result, NULL}, (int64_t)results[i].n);
    metrics_count(&batches_family, (const char *const[]){NULL}, 1);
    metrics_add(s->records, (int64_t)s->pending.n);
}

/* Records that were dropped and are read again bring their dead letters again: those that are written stay
 * so. */
static enum status write_letters(struct shard *s, struct batch *b, struct error *e) {
    size_t n = 0;
    for (; n < b->n_letters && s->letters_to.length &&
           position_compare(&b->letters[n].position, &s->letters_to) <= 0;
         n++)
        b->letters[n].state = DEADLETTER_WRITTEN;
    enum status status = deadletter_write(s->context.deadletter, b->letters, b->n_letters,
                                          service_clock_wall(clock_of(s)), clock_boot_ms(), e);
    for (; n < b->n_letters && b->letters[n].state == DEADLETTER_WRITTEN; n++)
        s->letters_to = b->letters[n].position;
    return status;
}

static void adjust_window(struct shard *s, bool throttled) {
    if (!window_note(&s->window, throttled, clock_boot_ms()))
        return;
    metrics_set(s->window_now, s->window.ms);
}

static void set_or_hide(struct metrics_series *series, bool is_known, int64_t value) {
    if (is_known)
        metrics_set(series, value);
    else
        metrics_hide(series);
}

static void report_progress(struct shard *s) {
    const struct pending *p = &s->pending;
    int64_t left_ms = freshness_count(s->context.freshness, s->id, p->n, p->bytes_left, clock_boot_ms());
    set_or_hide(s->bytes_left, p->bytes_left > 0, p->bytes_left);
    set_or_hide(s->time_left, left_ms != FRESHNESS_UNKNOWN, left_ms);
}

/* After a rewind: a batch was applied. */
static void resume(struct shard *s) {
    if (s->stepwise)
        prefetch_resume(s->prefetch);
    s->stepwise = false;
}

/* All that was added is in the views. If that was nothing, it does not prove that the store accepts writes
 * again. */
static void finish_batch(struct shard *s, const struct apply_counts *counts) {
    bool has_records = s->pending.n;
    adjust_window(s, counts->throttles);
    report_position(s);
    if (has_records) {
        resume(s);
        count(s, counts);
    }
    if (has_records || !s->stepwise)
        shard_wait_clear(&s->wait);
    report_as_of(s, s->pending.as_of_ms);
    report_progress(s);
    if (!has_records && !s->pending.more)
        apply_rest(s->apply);
    s->pending = (struct pending){.as_of_ms = -1};
}

/* The batch under way ends. */
static enum status write_batch(struct shard *s, enum shard_cause *cause, bool *throttled, struct error *e) {
    const struct store_checkpoint checkpoint = {s->tenure, s->pending.last, s->pending.hash};
    struct apply_counts counts;
    *cause = CAUSE_STORE;
    turn(s);
    enum status status = apply_write(s->apply, &checkpoint, &counts, e);
    *throttled = *throttled || counts.throttles;
    counts.throttles = *throttled;
    if (!status)
        finish_batch(s, &counts);
    return status;
}

static void note_item(struct shard *s, const struct prefetch_item *item) {
    const struct batch *b = &item->batch;
    struct pending *p = &s->pending;
    if (b->n && !p->n)
        p->began_boot_ms = clock_boot_ms();
    if (b->n)
        p->last = b->last;
    p->n += b->n;
    p->n_skipped += b->n_skipped;
    p->n_letters += b->n_letters;
    p->hash = b->hash;
    p->bytes_left = b->bytes_left;
    p->more = item->more;
    if (b->as_of_ms >= 0)
        p->as_of_ms = b->as_of_ms;
}

static enum status add_item(struct shard *s, struct prefetch_item *item, enum shard_cause *cause,
                            struct error *e) {
    struct batch *b = &item->batch;
    *cause = CAUSE_DEAD_LETTER;
    enum status status = write_letters(s, b, e);
    if (status)
        return status;
    *cause = CAUSE_STORE;
    turn(s);
    if (b->n_records)
        status = apply_add(s->apply, b->records, b->n_records, e);
    if (status)
        return status;
    if (b->foreign_arrivals)
        report_foreign_arrivals(s);
    note_item(s, item);
    return STATUS_OK;
}

/* In a backlog a batch waits for more, whatever its window: larger ones cost fewer writes. */
static int64_t window_ends(const struct shard *s) {
    int window_ms = s->window.ms;
    if (s->pending.more && window_ms < LIMIT_BACKLOG_WINDOW_MS)
        window_ms = LIMIT_BACKLOG_WINDOW_MS;
    return s->pending.began_boot_ms + window_ms;
}

static bool is_full(const struct shard *s) {
    return s->pending.n >= s->window.records || apply_size(s->apply) >= s->context.batch_bytes ||
           apply_is_full(s->apply);
}

/* What is under way: an item, and the batch to which it is added. */
struct work {
    struct prefetch_item *item; /* NULL: none */
    bool ends_batch;            /* it is written, due or not */
    bool is_added, throttled, letters_failed;
    int64_t began_ms;
};

/* Whether the batch under way is to be written. */
static bool is_due(const struct shard *s, const struct work *w) {
    const struct prefetch_item *item = w->item;
    bool is_last = w->ends_batch || (item && (item->ended || *item->loss || item->no_room));
    return !s->pending.n || is_last || is_full(s) || s->stepwise || clock_boot_ms() >= window_ends(s);
}

/* Drops what was read and cannot be applied: it would take the memory that other shards need. It is read
 * again at `then_ms`. */
static void rewind_prefetch(struct shard *s, int64_t then_ms) {
    const struct shard_progress *applied = &s->report.progress; /* only this thread changes it */
    const struct source_start start = {applied->checkpoint, applied->position, s->start_at_ms,
                                       applied->as_of_ms, applied->hash};
    apply_drop(s->apply);
    s->pending = (struct pending){.as_of_ms = -1};
    prefetch_rewind(s->prefetch, &start, then_ms);
    s->stepwise = true;
    metrics_count(&rewinds_family, (const char *const[]){NULL}, 1);
}

/* Whether what was refused stays in memory until it is tried again. A stepwise shard holds nothing else. */
static bool may_keep(const struct shard *s, const struct work *w, const struct error *e) {
    size_t bytes = apply_size(s->apply) + (w->item ? w->item->batch.bytes : 0);
    if (order_of(s) != ORDER_RUN)
        return true;
    if (e->status == STATUS_CONFLICT)
        return false;
    return s->stepwise ? bytes <= LIMIT_PARKED_BYTES : clock_boot_ms() - w->began_ms < LIMIT_REWIND_MS;
}

/* Whether the batch is written before the item is added: the item does not fit, or its dead letters could not
 * be written, and what came before them shall not wait for that. */
static bool goes_first(const struct shard *s, const struct work *w) {
    return w->item && !w->is_added && s->pending.n &&
           (w->letters_failed || s->pending.n + w->item->batch.n > s->window.records);
}

static enum status settle_once(struct shard *s, struct work *w, enum shard_cause *cause, struct error *e) {
    enum status status = STATUS_OK;
    if (goes_first(s, w))
        status = write_batch(s, cause, &w->throttled, e);
    if (!status && w->item && !w->is_added) {
        status = add_item(s, w->item, cause, e);
        w->is_added = !status;
        w->letters_failed = status && *cause == CAUSE_DEAD_LETTER;
    }
    if (!status && is_due(s, w))
        status = write_batch(s, cause, &w->throttled, e);
    return status;
}

/* Adds the item, if there is one, to the batch under way, and writes that if it is due. Tries for as long as
 * the shard runs, with a pause after each failure, or until all must not be kept: then it is dropped, to be
 * read again after the pause. */
static enum settled settle(struct shard *s, struct work work) {
    work.began_ms = clock_boot_ms();
    struct error e = {0};
    enum shard_cause cause = CAUSE_STORE;
    while (settle_once(s, &work, &cause, &e) != STATUS_OK) {
        if (order_of(s) != ORDER_RUN)
            return STOPPED;
        int64_t again_ms = shard_wait_note(&s->wait, cause, &e);
        if (!may_keep(s, &work, &e)) {
            if (work.throttled)
                adjust_window(s, true);
            rewind_prefetch(s, again_ms);
            return REFUSED;
        }
        wait_until(s, again_ms);
        if (order_of(s) == ORDER_ABANDON)
            return STOPPED;
    }
    return APPLIED;
}

/* What an item says besides its records, which are in the views now. */
static void finish_item(struct shard *s, const struct prefetch_item *item) {
    if (*item->loss) /* else it is found again */
        report_loss(s, item->loss);
    if (item->ended)
        report_end(s, item);
}

static enum settled settle_pending(struct shard *s) {
    return s->pending.n ? settle(s, (struct work){.ends_batch = true}) : APPLIED;
}

/* The source failed. The batch under way is written first. If the store refuses it, it is read again, and the
 * source may fail again then. */
static bool settle_failure(struct shard *s, const struct prefetch_item *item) {
    enum settled settled = settle_pending(s);
    if (settled != APPLIED)
        return settled == REFUSED;
    if (item->status != STATUS_INVALID) {
        wait_until(s, shard_wait_note(&s->wait, CAUSE_SOURCE, &item->error));
        return true;
    }
    report_refusal(s, &item->error);
    return false;
}

/* False: nothing comes after it. */
static bool settle_item(struct shard *s, struct prefetch_item *item) {
    if (item->status)
        return settle_failure(s, item);
    enum settled settled = settle(s, (struct work){.item = item});
    if (settled == APPLIED)
        finish_item(s, item);
    return settled == REFUSED || (settled == APPLIED && !item->ended);
}

static int64_t waits_until(const struct shard *s) {
    int64_t until_ms = clock_boot_ms() + LIMIT_READ_WAIT_MS;
    return s->pending.n && window_ends(s) < until_ms ? window_ends(s) : until_ms;
}

static bool take_and_settle(struct shard *s) {
    struct prefetch_item *item = prefetch_take(s->prefetch, waits_until(s));
    turn(s);
    if (!item)
        return order_of(s) != ORDER_RUN || !s->pending.n || settle(s, (struct work){0}) != STOPPED;
    bool more = settle_item(s, item);
    prefetch_give_back(s->prefetch);
    return more;
}

/* After shard_stop: applies what was read, and reads nothing more. The wake of shard_stop may arrive only
 * now, so an early end of prefetch_take means nothing. */
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
    if (order_of(s) == ORDER_STOP)
        settle_pending(s);
}

static void report_flag(struct shard *s, bool *flag) {
    pthread_mutex_lock(&s->lock);
    *flag = true;
    pthread_mutex_unlock(&s->lock);
    waker_wake(s->context.done);
}

static void *shard_run(void *data) {
    struct shard *s = data;
    pulse_watch(&s->pulse, s->id, LIMIT_SHARD_STUCK_MS, clock_boot_ms());
    bool more = true;
    while (more && order_of(s) == ORDER_RUN)
        more = take_and_settle(s);
    if (more)
        settle_rest(s);
    pulse_unwatch(&s->pulse);
    report_flag(s, &s->report.finished);
    prefetch_end(
        s->prefetch); /* may wait for a last call; the lease keeper, which must not, does not do it */
    report_flag(s, &s->report.thread_ended);
    return NULL;
}

struct shard *shard_start(const struct shard_context *context, const struct store_lease *lease,
                          struct fence *fence) {
    struct shard *s = mem_zalloc(sizeof *s);
    s->context = *context;
    strcpy(s->id, lease->shard_id);
    snprintf(s->loss_trouble, sizeof s->loss_trouble, "loss %s", s->id);
    strcpy(s->tenure, lease->tenure);
    s->start_at_ms = lease->start_at_ms;
    s->fence = fence;
    s->report.progress = (struct shard_progress){lease->checkpoint, lease->position,
                                                 service_clock_take(clock_of(s), lease->as_of_ms),
                                                 lease->hash, lease->foreign_arrivals};
    s->records = METRICS_HOLD(&records_family, s->id);
    s->as_of = METRICS_HOLD(&as_of_family, s->id);
    shard_wait_init(&s->wait, context->health, s->id);
    s->window_now = METRICS_HOLD(&window_family, s->id);
    s->bytes_left = METRICS_HOLD(&bytes_family, s->id);
    s->time_left = METRICS_HOLD(&left_family, s->id);
    if (lease->as_of_ms >= 0)
        metrics_set(s->as_of, lease->as_of_ms);
    s->apply = apply_new(context->store, s->id, fence, context->listener, context->cache_bytes);
    apply_set_pulse(s->apply, &s->pulse);
    apply_set_budget(s->apply, context->budget);
    apply_set_clock(s->apply, clock_of(s));
    pthread_mutex_init(&s->lock, NULL);
    waker_init(&s->waker);
    turn(s);
    if (lease->foreign_arrivals || !source_has_arrivals(context->source))
        report_foreign_arrivals(s);

    const struct source_start start = {lease->checkpoint, lease->position, lease->start_at_ms,
                                       s->report.progress.as_of_ms, lease->hash};
    s->pending.as_of_ms = -1;
    window_init(&s->window, context->batch_window_ms, context->batch_records);
    metrics_set(s->window_now, s->window.ms);
    const struct prefetch_options options = {
        {s->window.records < LIMIT_ITEM_RECORDS ? s->window.records : LIMIT_ITEM_RECORDS, LIMIT_ITEM_BYTES},
        context->budget,
        fence,
    };
    struct source_shard shard = {0};
    strcpy(shard.id, lease->shard_id);
    strcpy(shard.starting_hash_key, lease->starting_hash_key);
    strcpy(shard.ending_hash_key, lease->ending_hash_key);
    s->prefetch = prefetch_start(context->source, &shard, &start, &options);
    thread_must_start(&s->thread, "shard", shard_run, s);
    return s;
}

static void set_order(struct shard *s, enum order order) {
    int run = ORDER_RUN;
    if (order == ORDER_ABANDON)
        atomic_store(&s->order, ORDER_ABANDON);
    else
        atomic_compare_exchange_strong(&s->order, &run, (int)order);
    prefetch_wake(s->prefetch);
    waker_wake(&s->waker);
}

void shard_stop(struct shard *s) {
    set_order(s, ORDER_STOP);
}

void shard_abandon(struct shard *s) {
    set_order(s, ORDER_ABANDON);
}

void shard_join(struct shard *s) {
    pthread_join(s->thread, NULL);
    shard_wait_deinit(&s->wait);
    health_clear(s->context.health, s->loss_trouble);
    freshness_stop_counting(s->context.freshness, s->id);
    metrics_release(s->records, clock_boot_ms());
    struct metrics_series *const gauges[] = {s->as_of, s->window_now, s->bytes_left, s->time_left};
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++) {
        metrics_hide(gauges[i]);
        metrics_release(gauges[i], clock_boot_ms());
    }

    prefetch_free(s->prefetch);
    apply_free(s->apply);
    pthread_mutex_destroy(&s->lock);
    waker_deinit(&s->waker);
    free(s);
}
