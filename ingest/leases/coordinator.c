#include "ingest/leases/coordinator.h"

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
#include "base/pulse.h"
#include "base/waker.h"
#include "ingest/budget.h"
#include "ingest/leases/janitor.h"
#include "ingest/leases/share.h"
#include "ingest/leases/survey.h"
#include "ingest/leases/tenure.h"

static struct metrics_family leases_family = {
    .name = "winner_view_leases",
    .help = "Shards that this process reads.",
    .kind = METRICS_GAUGE,
};

static struct metrics_family lease_events_family = {
    .name = "winner_view_lease_events_total",
    .help = "Leases taken, taken back, taken expired, stolen; lost, released, and ended with their shard.",
    .kind = METRICS_COUNTER,
    .labels = {"event"},
};

static struct metrics_family workers_family = {
    .name = "winner_view_workers",
    .help = "Workers that read shards, as this one last saw it; itself included.",
    .kind = METRICS_GAUGE,
};

struct held {
    struct tenure *tenure;
    bool is_over;           /* its lease is ours no longer; its thread is on its way out */
    int64_t rests_until_ms; /* it is not taken again before */
    struct held *next;
};

struct ingest {
    struct ingest_options options;
    struct ingest_parts parts;
    char *worker_id;
    char life[LEASE_LIFE_SIZE];
    pthread_t thread;
    atomic_bool stopping, refused;
    struct budget *budget;
    struct waker waker; /* the coordinator's, as is the pulse */
    struct pulse pulse;
    struct waker stopped; /* whoever waits for it */
    atomic_bool done;

    /* the coordinator's own */
    struct lister *lister; /* NULL: follow only, as is the janitor */
    struct janitor *janitor;
    struct held *held;
    struct survey survey;
    int64_t next_look_ms;
};

static void count_event(const char *event) {
    metrics_count(&lease_events_family, (const char *const[]){event, NULL}, 1);
}

/* A little under a third of the failover time: so that a lease that was first seen at one look is seen
 * expired at the fourth after it, not at the fifth. */
static int64_t look_interval(const struct ingest *in) {
    return in->parts.source ? (int64_t)in->options.failover_ms * 3 / 10 : LIMIT_FOLLOW_MS;
}

/* Else, while its children are not listed, taking, reading and listing would take turns as fast as they are
 * answered. */
static int64_t rest_after_false_end(const struct ingest *in) {
    int64_t interval_ms = look_interval(in);
    return interval_ms > LIMIT_CHECKPOINT_MS ? interval_ms : LIMIT_CHECKPOINT_MS;
}

static int64_t list_interval(const struct ingest *in) {
    int64_t interval_ms = (int64_t)in->options.failover_ms * 3;
    return interval_ms < LIMIT_LIST_SHARDS_MS ? interval_ms : LIMIT_LIST_SHARDS_MS;
}

/* Raises a trouble and says so once. */
static void in_trouble(struct ingest *in, const char *name, const struct error *e) {
    if (health_raise_kind(in->parts.health, name, e->code, e->message, clock_real_ms(), clock_boot_ms()))
        log_write(LOG_LEVEL_WARN, LOG_FIELDS("error", e->code, "requestId", e->request_id), "%s", e->message);
}

/* ---- held leases
 * ---------------------------------------------------------------------------------------------------- */

static bool is_held(const struct ingest *in, const char *shard_id) {
    for (const struct held *h = in->held; h; h = h->next)
        if (strcmp(tenure_shard_id(h->tenure), shard_id) == 0)
            return true;
    return false;
}

static struct tenure_context tenure_context(struct ingest *in) {
    return (struct tenure_context){
        .shard =
            {
                .source = in->parts.source,
                .store = in->parts.store,
                .deadletter = in->parts.deadletter,
                .freshness = in->parts.freshness,
                .health = in->parts.health,
                .listener = in->parts.listener,
                .budget = in->budget,
                .done = &in->waker,
                .batch_records = in->options.batch_records,
                .batch_window_ms = in->options.batch_window_ms,
                .cache_bytes =
                    LIMIT_CONTRIBUTION_CACHE_BYTES / (in->survey.listing.n ? in->survey.listing.n : 1),
            },
        .failover_ms = in->options.failover_ms,
        .stuck_ms = LIMIT_SHARD_STUCK_MS,
        .lineage = survey_lineage(&in->survey),
    };
}

static void hold(struct ingest *in, const struct store_lease *lease, int64_t sent_boot_ms) {
    const struct tenure_context context = tenure_context(in);
    struct held *h = mem_zalloc(sizeof *h);
    h->tenure = tenure_begin(&context, lease, sent_boot_ms);
    h->next = in->held;
    in->held = h;
    metrics_add(METRICS_SERIES(&leases_family, NULL), 1);
}

static void note_outcome(struct ingest *in, struct held *h, enum tenure_outcome outcome) {
    static const char *const events[] = {[TENURE_LOST] = "lost",
                                         [TENURE_RELEASED] = "released",
                                         [TENURE_ENDED] = "ended",
                                         [TENURE_FALSE_END] = "false_end",
                                         [TENURE_REFUSED] = "refused"};
    count_event(events[outcome]);
    metrics_add(METRICS_SERIES(&leases_family, NULL), -1);
    if (outcome == TENURE_REFUSED) {
        atomic_store(&in->refused, true);
        ingest_stop(in);
    }
    if (outcome == TENURE_FALSE_END) {
        lister_ask(in->lister);
        h->rests_until_ms = clock_boot_ms() + rest_after_false_end(in);
    }
    if (outcome == TENURE_ENDED)
        in->next_look_ms = 0; /* the children may start */
}

static bool can_be_dropped(const struct ingest *in, const struct held *h) {
    bool is_resting = !atomic_load(&in->stopping) && clock_boot_ms() < h->rests_until_ms;
    return h->is_over && !is_resting && tenure_is_gone(h->tenure);
}

static void tend_all(struct ingest *in) {
    const struct tenure_context context = tenure_context(in);
    for (struct held **at = &in->held; *at;) {
        struct held *h = *at;
        pulse_beat(&in->pulse, clock_boot_ms());
        enum tenure_outcome outcome =
            h->is_over ? TENURE_HELD : tenure_tend(h->tenure, &context, atomic_load(&in->stopping));
        if (outcome != TENURE_HELD) {
            h->is_over = true;
            note_outcome(in, h, outcome);
        }
        if (!can_be_dropped(in, h)) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        tenure_free(h->tenure);
        free(h);
    }
}

/* ---- taking
 * ----------------------------------------------------------------------------------------------------------
 */

/* False if it failed: not if another worker was first. */
static bool take(struct ingest *in, const struct share_take *take) {
    static const char *const events[] = {[SHARE_FREE] = "taken",
                                         [SHARE_OWN] = "taken_back",
                                         [SHARE_EXPIRED] = "taken_expired",
                                         [SHARE_STOLEN] = "stolen"};
    char tenure[33];
    struct store_lease found;
    struct error e;
    lease_draw_tenure(in->life, tenure);
    const struct store_lease taken = lease_taken(take->lease, in->worker_id, tenure);
    int64_t now = clock_boot_ms();

    enum status status = store_update_lease(in->parts.store, take->lease, &taken, NULL, &found, &e);
    if (status == STATUS_CONFLICT && lease_is_same(&found, &taken))
        status = STATUS_OK;
    if (status == STATUS_CONFLICT)
        return true;
    if (status) {
        in_trouble(in, "taking leases", &e); /* if it got there, the next look finds it, and takes it back */
        return false;
    }
    count_event(events[take->kind]);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", taken.shard_id, "how", events[take->kind]), "lease taken");
    hold(in, &taken, now);
    return true;
}

/* That looking goes well is no news of taking: its trouble ends with a look at which no take failed. */
static void take_all(struct ingest *in, const struct share_plan *plan) {
    bool all_well = true;
    for (size_t i = 0; i < plan->n && !atomic_load(&in->stopping); i++) {
        pulse_beat(&in->pulse, clock_boot_ms());
        all_well = take(in, &plan->takes[i]) && all_well;
    }
    if (all_well)
        health_clear(in->parts.health, "taking leases");
}

static void stand_back(struct ingest *in) {
    struct error e;
    error_set(&e, STATUS_INVALID,
              "another process is running as worker '%s' and has its leases: this one reads nothing while it "
              "is; give each a --worker-id of its own",
              in->worker_id);
    if (health_raise(in->parts.health, "worker id", e.message))
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("worker", in->worker_id), "%s", e.message);
    for (const struct held *h = in->held; h; h = h->next)
        tenure_stop(h->tenure);
}

static void take_share(struct ingest *in) {
    const struct lineage lineage = survey_lineage(&in->survey);
    _cleanup_(mem_freep) bool *held = mem_alloc(lineage.n_leases * sizeof *held);
    for (size_t i = 0; i < lineage.n_leases; i++)
        held[i] = is_held(in, lineage.leases[i].shard_id);
    const struct share share = {
        .lineage = lineage,
        .observer = &in->survey.observer,
        .is_held = held,
        .worker = in->worker_id,
        .life = in->life,
    };
    _cleanup_(share_plan_deinit) struct share_plan plan;
    share_decide(&share, &plan);
    metrics_set(METRICS_SERIES(&workers_family, NULL), (int64_t)plan.workers);
    if (plan.stands_back)
        stand_back(in);
    else
        health_clear(in->parts.health, "worker id");
    take_all(in, &plan);
}

/* One at a time. */
static void clean_up(struct ingest *in) {
    const struct store_lease *lease;
    for (size_t i = 0; (lease = survey_next_past(&in->survey, &i));)
        if (janitor_offer(in->janitor, lease))
            return;
}

/* ---- the coordinator's thread
 * --------------------------------------------------------------------------------------- */

static enum status look(struct ingest *in, struct error *e) {
    enum status status = survey_look(&in->survey, e);
    if (status)
        return status;
    if (!survey_is_sound(&in->survey)) {
        lister_ask(in->lister);
        return STATUS_OK;
    }
    survey_tell_freshness(&in->survey, in->parts.freshness);
    survey_count_states(&in->survey);
    if (in->parts.source) {
        take_share(in);
        clean_up(in);
    }
    return STATUS_OK;
}

static bool can_look(const struct ingest *in) {
    return !in->parts.source || in->survey.listing.n;
}

static void look_if_due(struct ingest *in) {
    struct error e;
    if (in->lister && lister_take(in->lister, &in->survey.listing, &in->survey.listing_before))
        in->next_look_ms = 0;
    int64_t now = clock_boot_ms();
    if (now < in->next_look_ms || !can_look(in))
        return;
    in->next_look_ms = now + look_interval(in);
    if (look(in, &e))
        in_trouble(in, "leases", &e);
    else
        health_clear(in->parts.health, "leases");
}

static int64_t next_turn(const struct ingest *in) {
    int64_t turn = clock_boot_ms() + LIMIT_CHECKPOINT_MS / 4;
    return can_look(in) && in->next_look_ms < turn ? in->next_look_ms : turn;
}

static void begin(struct ingest *in) {
    const struct janitor_options options = {in->parts.store, in->worker_id, in->life, in->options.failover_ms,
                                            LIMIT_SHRINK_PAUSE_MS};
    if (!in->parts.source)
        return;
    in->lister = lister_start(in->parts.source, in->parts.health, list_interval(in), &in->waker);
    in->janitor = janitor_start(&options);
}

static void hand_over(struct ingest *in) {
    if (in->lister) {
        lister_stop(in->lister);
        janitor_stop(in->janitor);
    }
    for (const struct held *h = in->held; h; h = h->next)
        tenure_stop(h->tenure);
    while (in->held) {
        tend_all(in);
        if (in->held)
            waker_wait(&in->waker, clock_boot_ms() + LIMIT_CHECKPOINT_MS / 4, -1);
    }
    lister_free(in->lister);
    janitor_free(in->janitor);
}

static void *ingest_run(void *data) {
    struct ingest *in = data;
    pulse_watch(&in->pulse, "coordinator", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    begin(in);
    while (!atomic_load(&in->stopping)) {
        pulse_beat(&in->pulse, clock_boot_ms());
        look_if_due(in);
        tend_all(in);
        waker_wait(&in->waker, next_turn(in), -1);
    }
    hand_over(in);
    pulse_unwatch(&in->pulse);
    atomic_store(&in->done, true);
    waker_wake(&in->stopped);
    return NULL;
}

/* ---- from outside
 * --------------------------------------------------------------------------------------------------- */

struct ingest *ingest_start(const struct ingest_options *options, const struct ingest_parts *parts) {
    struct ingest *in = mem_zalloc(sizeof *in);
    in->options = *options;
    in->parts = *parts;
    in->budget = budget_new(LIMIT_INFLIGHT_BYTES);
    in->worker_id = mem_strdup(options->worker_id);
    survey_init(&in->survey, parts->store, parts->source, &options->start, options->failover_ms);
    in->survey.pulse = &in->pulse;
    lease_draw_life(in->life);
    waker_init(&in->waker);
    waker_init(&in->stopped);
    metrics_set(METRICS_SERIES(&leases_family, NULL), 0);
    if (pthread_create(&in->thread, NULL, ingest_run, in) != 0)
        mem_exhausted();
    return in;
}

void ingest_stop(struct ingest *ingest) {
    atomic_store(&ingest->stopping, true);
    waker_wake(&ingest->waker);
}

int ingest_stopped_fd(const struct ingest *ingest) {
    return ingest->stopped.fd;
}

bool ingest_is_refused(const struct ingest *ingest) {
    return atomic_load(&ingest->refused);
}

bool ingest_wait(struct ingest *ingest, int64_t until_ms) {
    while (!atomic_load(&ingest->done) && clock_boot_ms() < until_ms)
        waker_wait(&ingest->stopped, until_ms, -1);
    return atomic_load(&ingest->done);
}

void ingest_free(struct ingest *ingest) {
    if (!ingest)
        return;
    ingest_stop(ingest);
    pthread_join(ingest->thread, NULL);
    budget_free(ingest->budget);
    survey_deinit(&ingest->survey);
    waker_deinit(&ingest->waker);
    waker_deinit(&ingest->stopped);
    free(ingest->worker_id);
    free(ingest);
}
