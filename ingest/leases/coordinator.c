#include "ingest/leases/coordinator.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/memory_budget.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "base/random.h"
#include "base/thread.h"
#include "base/waker.h"
#include "ingest/leases/lease_cleanup.h"
#include "ingest/leases/lease_keeper.h"
#include "ingest/leases/lease_table.h"
#include "ingest/leases/lease_writers.h"
#include "ingest/leases/refresh_schedule.h"
#include "ingest/leases/taker.h"
#include "ingest/progress_log.h"

static struct metrics_family leases_family = {
    .name = "winner_view_leases",
    .help = "Shards that this process reads.",
    .kind = METRICS_GAUGE,
};

static struct metrics_family lease_events_family = {
    .name = "winner_view_lease_events_total",
    .help =
        "Leases by event: taken, taken_back, taken_expired, stolen; lost, released, ended (with the shard), "
        "false_end (released, as no shard continues it), refused (the position is foreign).",
    .kind = METRICS_COUNTER,
    .labels = {"event"},
};

static struct metrics_family workers_family = {
    .name = "winner_view_workers",
    .help = "Workers that read shards, this one included, when it last read the leases.",
    .kind = METRICS_GAUGE,
};

struct coordinator {
    struct coordinator_options options;
    struct coordinator_parts parts;
    char *worker_id;
    char run_id[LEASE_RUN_ID_SIZE];
    pthread_t thread;
    atomic_bool stopping, refused;
    struct budget *budget;
    struct waker waker; /* the coordinator's, as is the pulse */
    struct pulse pulse;
    atomic_bool refreshes_now;     /* a shard has ended: its children can be read */
    atomic_bool refreshes_soon;    /* a lease was lost: perhaps it is free */
    struct lease_keeper *keeper;   /* NULL: follow only, as are the next */
    struct lease_writers *writers; /* of takes and new leases */
    struct waker stopped;          /* for coordinator_wait and coordinator_stopped_fd */
    atomic_bool done;

    /* the coordinator's own */
    struct shard_lister *lister; /* NULL: follow only, as is the next */
    struct lease_cleanup *cleanup;
    struct lease_table table;
    struct refresh_schedule schedule;
    size_t share;     /* of the leases, by the last refresh; at least 1 */
    bool saves_reads; /* by the last refresh (taker.h) */
    int64_t next_refresh_ms;
    struct progress_log progress;
};

static void count_event(const char *event) {
    metrics_count(&lease_events_family, (const char *const[]){event, NULL}, 1);
}

/* Without the rest, a lease whose children are not listed yet would be taken, read and released in a busy
 * loop. */
static int64_t rest_after_false_end(const struct coordinator *c) {
    int64_t interval_ms = refresh_schedule_interval(c->options.failover_ms);
    return interval_ms > LIMIT_CHECKPOINT_MS ? interval_ms : LIMIT_CHECKPOINT_MS;
}

static int64_t list_interval(const struct coordinator *c) {
    int64_t interval_ms = (int64_t)c->options.failover_ms * 3;
    return interval_ms < LIMIT_LIST_SHARDS_MS ? interval_ms : LIMIT_LIST_SHARDS_MS;
}

static void raise_trouble(struct coordinator *c, const char *name, const struct error *e) {
    if (health_raise_kind(c->parts.health, name, e->code, e->message, clock_real_ms(), clock_boot_ms()))
        log_write(LOG_LEVEL_WARN, LOG_FIELDS("error", e->code, "requestId", e->request_id), "%s", e->message);
}

/* Thread-safe, as long as the share does not change. */
static void hold(struct coordinator *c, const struct store_lease *lease, int64_t sent_boot_ms) {
    const struct held_lease_context context = {
        .shard =
            {
                .source = c->parts.source,
                .store = c->parts.store,
                .deadletter = c->parts.deadletter,
                .freshness = c->parts.freshness,
                .health = c->parts.health,
                .listener = c->parts.listener,
                .budget = c->budget,
                .batch_records = c->options.batch_records,
                .batch_bytes = LIMIT_BATCHES_BYTES / c->share,
                .batch_window_ms = c->options.batch_window_ms,
                .cache_bytes = LIMIT_CONTRIBUTION_CACHE_BYTES / c->share,
            },
        .failover_ms = c->options.failover_ms,
        .stuck_ms = LIMIT_SHARD_STUCK_MS,
    };
    metrics_add(METRICS_SERIES(&leases_family, NULL), 1);
    lease_keeper_add(c->keeper, &context, lease, sent_boot_ms);
}

/* The stream is not the one that the store was filled from. */
static void refuse(struct coordinator *c) {
    atomic_store(&c->refused, true);
    coordinator_stop(c);
}

/* On the keeper's thread. */
static void note_outcome(void *data, enum held_lease_outcome outcome) {
    static const char *const events[] = {[HELD_LEASE_LOST] = "lost",
                                         [HELD_LEASE_RELEASED] = "released",
                                         [HELD_LEASE_ENDED] = "ended",
                                         [HELD_LEASE_FALSE_END] = "false_end",
                                         [HELD_LEASE_REFUSED] = "refused"};
    struct coordinator *c = data;
    count_event(events[outcome]);
    metrics_add(METRICS_SERIES(&leases_family, NULL), -1);
    if (outcome == HELD_LEASE_REFUSED)
        refuse(c);
    if (outcome == HELD_LEASE_FALSE_END)
        shard_lister_ask(c->lister);
    atomic_store(outcome == HELD_LEASE_ENDED ? &c->refreshes_now : &c->refreshes_soon, true);
    waker_wake(&c->waker);
}

/* False if the write failed. That another worker was first is no failure. */
static bool take(struct coordinator *c, const struct taker_choice *choice) {
    static const char *const events[] = {[TAKER_FREE] = "taken",
                                         [TAKER_OWN] = "taken_back",
                                         [TAKER_EXPIRED] = "taken_expired",
                                         [TAKER_STOLEN] = "stolen"};
    char tenure[33];
    struct store_lease found;
    struct error e;
    lease_draw_tenure(c->run_id, tenure);
    const struct store_lease taken = lease_taken(choice->lease, c->worker_id, tenure);
    int64_t now = clock_boot_ms();

    enum status status = store_update_lease(c->parts.store, choice->lease, &taken, NULL, &found, &e);
    if (status == STATUS_CONFLICT && lease_is_same(&found, &taken))
        status = STATUS_OK;
    if (status == STATUS_CONFLICT)
        return true;
    if (status) {
        raise_trouble(c, "taking leases",
                      &e); /* if the write took effect, the next refresh takes the lease back */
        return false;
    }
    count_event(events[choice->kind]);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", taken.shard_id, "how", events[choice->kind]),
              "lease taken");
    lease_table_note(&c->table, choice->lease, &taken);
    hold(c, &taken, now);
    return true;
}

/* One of the takes of a refresh. */
struct taking {
    struct lease_call call; /* first */
    struct coordinator *coordinator;
    const struct taker_choice *choice;
    bool failed;
};

/* Skips a choice that is a failover time old: it was made from old leases. */
static void take_in_time(struct lease_call *call) {
    struct taking *t = (struct taking *)call;
    struct coordinator *c = t->coordinator;
    int64_t now = clock_boot_ms();
    pulse_beat(&c->pulse, now);
    if (!atomic_load(&c->stopping) && now - c->table.observer.ended_ms < c->options.failover_ms)
        t->failed = !take(c, t->choice);
}

/* The trouble ends when all takes of a refresh have succeeded: a refresh that succeeds is not enough. */
static void take_all(struct coordinator *c, const struct taker_plan *plan) {
    _cleanup_(mem_freep) struct taking *takings = mem_zalloc(plan->n * sizeof *takings);
    for (size_t i = 0; i < plan->n; i++) {
        takings[i] = (struct taking){{take_in_time, NULL}, c, &plan->choices[i], false};
        lease_writers_add(c->writers, &takings[i].call);
    }
    lease_writers_wait(c->writers);
    for (size_t i = 0; i < plan->n; i++)
        if (takings[i].failed)
            return;
    health_clear(c->parts.health, "taking leases");
}

static void yield_to_namesake(struct coordinator *c) {
    struct error e;
    error_set(&e, STATUS_INVALID,
              "another process is running as worker '%s' and holds the leases: this process reads nothing "
              "until the other ends; give each process its own --worker-id",
              c->worker_id);
    if (health_raise(c->parts.health, "worker id", e.message))
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("worker", c->worker_id), "%s", e.message);
    lease_keeper_release(c->keeper);
}

static void report_unread(struct coordinator *c, size_t n) {
    struct error e;
    error_set(&e, STATUS_FAILED,
              "%zu shards have been read by no worker for %d s, and this one reads %zu, as many as %s "
              "allows: start another worker, or raise that limit",
              n, TAKER_UNREAD_TIMES * c->options.failover_ms / 1000, c->options.max_leases,
              c->options.limit_name ? c->options.limit_name : "--max-leases");
    if (n)
        raise_trouble(c, "max leases", &e);
    else
        health_clear(c->parts.health, "max leases");
}

static void take_share(struct coordinator *c) {
    const struct hierarchy hierarchy = lease_table_hierarchy(&c->table);
    _cleanup_(mem_freep) bool *held = mem_alloc(hierarchy.n_leases * sizeof *held);
    lease_keeper_mark(c->keeper, hierarchy.leases, hierarchy.n_leases, held);
    const struct taker_input input = {
        .hierarchy = hierarchy,
        .observer = &c->table.observer,
        .is_held = held,
        .worker = c->worker_id,
        .run_id = c->run_id,
        .max = c->options.max_leases,
        .may_save_reads = c->options.may_save_reads,
        .saved_reads = c->schedule.saved_reads,
    };
    _cleanup_(taker_plan_deinit) struct taker_plan plan;
    taker_decide(&input, &plan);
    metrics_set(METRICS_SERIES(&workers_family, NULL), (int64_t)plan.workers);
    report_unread(c, plan.unread);
    c->share = plan.target ? plan.target : 1;
    c->saves_reads = plan.saves_reads;
    if (plan.yields)
        yield_to_namesake(c);
    else
        health_clear(c->parts.health, "worker id");
    take_all(c, &plan);
}

static void offer_to_cleanup(struct coordinator *c) {
    struct store_lease *leases;
    if (!lease_cleanup_is_free(c->cleanup))
        return;
    size_t n = lease_table_for_cleanup(&c->table, &leases);
    lease_cleanup_offer(c->cleanup, leases, n);
}

static enum status refresh(struct coordinator *c, struct error *e) {
    c->saves_reads = false;
    c->table.observer.was_answered =
        c->keeper && lease_keeper_was_answered(c->keeper, c->table.observer.ended_ms);
    enum status status = lease_table_refresh(&c->table, e);
    if (status)
        return status;
    lease_table_forget_future(&c->table, freshness_clock(c->parts.freshness), c->parts.health);
    if (!lease_table_is_conclusive(&c->table)) {
        shard_lister_ask(c->lister);
        return STATUS_OK;
    }
    lease_table_report_freshness(&c->table, c->parts.freshness, c->run_id);
    lease_table_count_states(&c->table);
    if (c->parts.source) {
        take_share(c);
        offer_to_cleanup(c);
    }
    return STATUS_OK;
}

static bool can_refresh(const struct coordinator *c) {
    return !c->parts.source || c->table.listing.n;
}

static bool has_changed(const struct shard_listing *now, const struct shard_listing *before) {
    for (size_t i = 0; now->n == before->n && i < now->n; i++)
        if (strcmp(now->shards[i].id, before->shards[i].id) != 0)
            return true;
    return now->n != before->n;
}

/* The keeper's listing is the last one or, for a moment, the one before: both are kept. */
static void take_listing(struct coordinator *c) {
    bool was_conclusive = lease_table_is_conclusive(&c->table);
    if (!c->lister || !shard_lister_take(c->lister, &c->table.listing, &c->table.listing_before))
        return;
    lease_keeper_set_listing(c->keeper, c->table.listing.shards, c->table.listing.n);
    if (!was_conclusive || has_changed(&c->table.listing, &c->table.listing_before))
        c->next_refresh_ms = 0;
}

static int64_t next_refresh(struct coordinator *c, int64_t began_ms) {
    return c->parts.source ? refresh_schedule_next(&c->schedule, c->saves_reads, began_ms,
                                                   c->table.observer.ended_ms, random_u32())
                           : began_ms + LIMIT_FOLLOW_MS;
}

static void refresh_now(struct coordinator *c) {
    struct error e;
    int64_t now = clock_boot_ms();
    if (refresh(c, &e))
        raise_trouble(c, "leases", &e);
    else
        health_clear(c->parts.health, "leases");
    c->next_refresh_ms = next_refresh(c, now);
}

static void refresh_if_due(struct coordinator *c) {
    int64_t now = clock_boot_ms(), soon_ms = now + refresh_schedule_interval(c->options.failover_ms);
    take_listing(c);
    if (atomic_exchange(&c->refreshes_soon, false) && c->next_refresh_ms > soon_ms)
        c->next_refresh_ms = soon_ms;
    if (atomic_exchange(&c->refreshes_now, false))
        c->next_refresh_ms = 0;
    if (now >= c->next_refresh_ms && can_refresh(c))
        refresh_now(c);
}

static int64_t next_turn(const struct coordinator *c) {
    int64_t turn = clock_boot_ms() + LIMIT_CHECKPOINT_MS / 4;
    return can_refresh(c) && c->next_refresh_ms < turn ? c->next_refresh_ms : turn;
}

static void begin(struct coordinator *c) {
    if (!c->parts.source)
        return;
    c->lister = shard_lister_start(c->parts.source, c->parts.health, list_interval(c), &c->waker);
    c->cleanup = lease_cleanup_start(c->parts.store, freshness_clock(c->parts.freshness));
}

static void end(struct coordinator *c) {
    pulse_unwatch(&c->pulse);
    progress_log_end(&c->progress);
    if (!c->lister)
        return;
    shard_lister_stop(c->lister);
    lease_cleanup_stop(c->cleanup);
    lease_keeper_end(c->keeper);
    shard_lister_free(c->lister);
    lease_cleanup_free(c->cleanup);
}

static void *coordinator_run(void *data) {
    struct coordinator *c = data;
    pulse_watch(&c->pulse, "coordinator", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    begin(c);
    while (!atomic_load(&c->stopping)) {
        pulse_beat(&c->pulse, clock_boot_ms());
        if (c->lister && shard_lister_is_refused(c->lister))
            refuse(c);
        refresh_if_due(c);
        if (c->parts.source)
            progress_log_turn(&c->progress, c->parts.freshness, clock_boot_ms());
        waker_wait(&c->waker, next_turn(c), -1);
    }
    end(c);
    atomic_store(&c->done, true);
    waker_wake(&c->stopped);
    return NULL;
}

static void start_keeping(struct coordinator *c) {
    const struct lease_keeper_options options = {c->options.failover_ms, rest_after_false_end(c),
                                                 note_outcome, c};
    c->keeper = lease_keeper_start(&options);
    c->writers = lease_writers_new(LIMIT_LEASE_TAKES);
    c->table.writers = c->writers;
}

struct coordinator *coordinator_start(const struct coordinator_options *options,
                                      const struct coordinator_parts *parts) {
    struct coordinator *c = mem_zalloc(sizeof *c);
    c->options = *options;
    c->parts = *parts;
    c->budget = budget_new(LIMIT_INFLIGHT_BYTES);
    c->worker_id = mem_strdup(options->worker_id);
    lease_table_init(&c->table, parts->store, parts->source, &options->start, options->failover_ms);
    c->table.pulse = &c->pulse;
    c->schedule.failover_ms = options->failover_ms;
    lease_draw_run_id(c->run_id);
    waker_init(&c->waker);
    waker_init(&c->stopped);
    metrics_set(METRICS_SERIES(&leases_family, NULL), 0);
    if (parts->source)
        start_keeping(c);
    thread_must_start(&c->thread, "coordinator", coordinator_run, c);
    return c;
}

void coordinator_stop(struct coordinator *c) {
    atomic_store(&c->stopping, true);
    if (c->keeper)
        lease_keeper_stop(c->keeper);
    waker_wake(&c->waker);
}

int coordinator_stopped_fd(const struct coordinator *c) {
    return c->stopped.fd;
}

bool coordinator_is_refused(const struct coordinator *c) {
    return atomic_load(&c->refused);
}

bool coordinator_wait(struct coordinator *c, int64_t until_ms) {
    while (!atomic_load(&c->done) && clock_boot_ms() < until_ms)
        waker_wait(&c->stopped, until_ms, -1);
    return atomic_load(&c->done);
}

void coordinator_free(struct coordinator *c) {
    if (!c)
        return;
    coordinator_stop(c);
    pthread_join(c->thread, NULL);
    lease_keeper_free(c->keeper);
    lease_writers_free(c->writers);
    budget_free(c->budget);
    lease_table_deinit(&c->table);
    waker_deinit(&c->waker);
    waker_deinit(&c->stopped);
    free(c->worker_id);
    free(c);
}
