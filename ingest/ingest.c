#include "ingest/ingest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/lease.h"
#include "ingest/tenure.h"
#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/metrics.h"
#include "server/base/waker.h"

static struct metrics_family leases_family = {
    .name = "winner_view_leases",
    .help = "Shards that this process reads.",
    .kind = METRICS_GAUGE,
};

static struct metrics_family lease_events_family = {
    .name = "winner_view_lease_events_total",
    .help = "Leases taken, lost, released, and ended with their shard.",
    .kind = METRICS_COUNTER,
    .labels = {"event"},
};

struct held {
    struct tenure *tenure;
    struct held *next;
};

struct ingest {
    struct ingest_options options;
    struct ingest_parts parts;
    char *worker_id;
    pthread_t thread;
    atomic_bool stopping;
    struct waker waker;   /* the coordinator's */
    struct waker stopped; /* whoever waits for it */
    atomic_bool done;

    /* the coordinator's own */
    struct held *held;
    struct lease_observer observer;
    struct store_lease *leases; /* as last read */
    size_t n_leases;
    struct source_shard *listed; /* as last listed */
    size_t n_listed;
    int64_t next_list_ms, next_look_ms;
    bool looked; /* at least once */
};

static void count_event(const char *event) {
    metrics_count(&lease_events_family, (const char *const[]){event, NULL}, 1);
}

static int64_t renew_interval(const struct ingest *in) {
    return in->options.failover_ms / 3;
}

/* Raises a trouble and says so once. */
static void in_trouble(struct ingest *in, const char *name, const struct error *e) {
    if (health_raise(in->parts.health, name, e->message))
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
                .done = &in->waker,
                .batch_records = in->options.batch_records,
                .batch_window_ms = in->options.batch_window_ms,
                .cache_bytes = LIMIT_CONTRIBUTION_CACHE_BYTES / (in->n_listed ? in->n_listed : 1),
            },
        .failover_ms = in->options.failover_ms,
        .listed = in->listed,
        .n_listed = in->n_listed,
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

static void let_go(struct ingest *in, struct held **at, enum tenure_outcome outcome) {
    static const char *const events[] = {[TENURE_LOST] = "lost",
                                         [TENURE_RELEASED] = "released",
                                         [TENURE_ENDED] = "ended",
                                         [TENURE_FALSE_END] = "false_end"};
    struct held *h = *at;
    *at = h->next;
    tenure_free(h->tenure);
    free(h);
    count_event(events[outcome]);
    metrics_add(METRICS_SERIES(&leases_family, NULL), -1);
    if (outcome == TENURE_FALSE_END)
        in->next_list_ms = 0;
    if (outcome == TENURE_ENDED || outcome == TENURE_FALSE_END)
        in->next_look_ms = 0; /* the children may start, or the shard again */
}

static void tend_all(struct ingest *in) {
    const struct tenure_context context = tenure_context(in);
    for (struct held **at = &in->held; *at;) {
        enum tenure_outcome outcome = tenure_tend((*at)->tenure, &context, atomic_load(&in->stopping));
        if (outcome == TENURE_HELD)
            at = &(*at)->next;
        else
            let_go(in, at, outcome);
    }
}

/* ---- listing and looking
 * -------------------------------------------------------------------------------------------- */

static enum status list_shards(struct ingest *in, struct error *e) {
    struct source_shard *shards;
    size_t n;
    enum status status = source_list_shards(in->parts.source, -1, &shards, &n, e);
    if (status)
        return status;
    free(in->listed);
    in->listed = shards;
    in->n_listed = n;
    health_clear(in->parts.health, "source");
    return STATUS_OK;
}

static enum status create_lease(struct ingest *in, const struct source_shard *shard,
                                const struct source_start *start, struct error *e) {
    const struct store_lease lease = lease_make(shard, start);
    enum status status = store_create_lease(in->parts.store, &lease, e);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* another worker was as quick */
}

static bool has_known_parent(const struct ingest *in, const struct source_shard *shard,
                             const struct source_shard *others, size_t n) {
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
        if (!*shard->parents[p])
            continue;
        if (lease_find(in->leases, in->n_leases, shard->parents[p]))
            return true;
        for (size_t i = 0; i < n; i++)
            if (strcmp(others[i].id, shard->parents[p]) == 0)
                return true;
    }
    return false;
}

/* A shard with a parent that is read, too, begins at its own beginning; the others where we were told to
 * start. */
static enum status create_leases(struct ingest *in, const struct source_shard *shards, size_t n,
                                 bool *created, struct error *e) {
    static const struct source_start from_the_beginning = {.checkpoint = LEASE_TRIM_HORIZON};
    for (size_t i = 0; i < n; i++) {
        if (lease_find(in->leases, in->n_leases, shards[i].id))
            continue;
        bool child = has_known_parent(in, &shards[i], shards, n);
        enum status status =
            create_lease(in, &shards[i], child ? &from_the_beginning : &in->options.start, e);
        if (status)
            return status;
        *created = true;
    }
    return STATUS_OK;
}

/* The very first leases of a view that starts at a time are of the shards that were open then. */
static enum status create_missing_leases(struct ingest *in, bool *created, struct error *e) {
    *created = false;
    if (in->n_leases || in->options.start.checkpoint != LEASE_AT_TIMESTAMP)
        return create_leases(in, in->listed, in->n_listed, created, e);

    _cleanup_(mem_freep) struct source_shard *shards = NULL;
    size_t n;
    enum status status = source_list_shards(in->parts.source, in->options.start.start_at_ms, &shards, &n, e);
    return status ? status : create_leases(in, shards, n, created, e);
}

static enum status read_leases(struct ingest *in, struct error *e) {
    struct store_lease *leases;
    size_t n;
    enum status status = store_read_leases(in->parts.store, &leases, &n, e);
    if (status)
        return status;
    free(in->leases);
    in->leases = leases;
    in->n_leases = n;
    return STATUS_OK;
}

static void take(struct ingest *in, const struct store_lease *lease) {
    char tenure[33];
    struct store_lease found;
    struct error e;
    lease_draw_tenure(tenure);
    const struct store_lease taken = lease_taken(lease, in->worker_id, tenure);
    int64_t now = clock_boot_ms();

    enum status status = store_update_lease(in->parts.store, lease, &taken, NULL, &found, &e);
    if (status == STATUS_CONFLICT && lease_is_same(&found, &taken))
        status = STATUS_OK;
    if (status == STATUS_CONFLICT)
        return; /* another worker was first */
    if (status) {
        in_trouble(in, "leases", &e);
        return;
    }
    count_event("taken");
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("shard", taken.shard_id), "lease taken");
    hold(in, &taken, now);
}

/* Our own name on a lease that we do not hold is that of our last life, if this is our first look. Later it
 * would be another process with our name, and to take it at once would go back and forth for ever. */
static bool may_take(const struct ingest *in, const struct store_lease *lease) {
    if (is_held(in, lease->shard_id) ||
        !lease_is_readable(lease, in->leases, in->n_leases, in->listed, in->n_listed))
        return false;
    if (!in->looked && strcmp(lease->owner, in->worker_id) == 0)
        return true;
    return lease_is_free(&in->observer, lease, clock_boot_ms(), in->options.failover_ms);
}

static void take_leases(struct ingest *in) {
    for (size_t i = 0; i < in->n_leases && !atomic_load(&in->stopping); i++)
        if (may_take(in, &in->leases[i]))
            take(in, &in->leases[i]);
    in->looked = true;
}

/* A listed shard without a lease counts, as unknown, unless an ancestor that has not ended speaks for it. */
static bool speaks_for_itself(const struct ingest *in, const struct source_shard *shard) {
    const struct store_lease as_if = lease_make(shard, &in->options.start);
    return !lease_find(in->leases, in->n_leases, shard->id) &&
           lease_is_readable(&as_if, in->leases, in->n_leases, in->listed, in->n_listed);
}

static void publish_freshness(const struct ingest *in) {
    _cleanup_(mem_freep) struct freshness_shard *shards =
        mem_alloc((in->n_leases + in->n_listed) * sizeof *shards);
    size_t n = 0;
    for (size_t i = 0; i < in->n_leases; i++) {
        const struct store_lease *lease = &in->leases[i];
        if (!lease_is_readable(lease, in->leases, in->n_leases, in->listed, in->n_listed))
            continue;
        shards[n].as_of_ms = lease->as_of_ms;
        strcpy(shards[n++].shard_id, lease->shard_id);
    }
    for (size_t i = 0; i < in->n_listed; i++) {
        if (!speaks_for_itself(in, &in->listed[i]))
            continue;
        shards[n].as_of_ms = FRESHNESS_UNKNOWN;
        strcpy(shards[n++].shard_id, in->listed[i].id);
    }
    if (in->n_leases)
        freshness_set_shards(in->parts.freshness, shards, n);
}

static enum status look(struct ingest *in, struct error *e) {
    bool created = false;
    enum status status = read_leases(in, e);
    if (!status && in->parts.source)
        status = create_missing_leases(in, &created, e);
    if (!status && created)
        status = read_leases(in, e);
    if (status)
        return status;

    lease_observe(&in->observer, in->leases, in->n_leases, clock_boot_ms());
    publish_freshness(in);
    if (in->parts.source)
        take_leases(in);
    return STATUS_OK;
}

/* ---- the coordinator's thread
 * --------------------------------------------------------------------------------------- */

static int64_t look_interval(const struct ingest *in) {
    return in->parts.source ? renew_interval(in) : LIMIT_FOLLOW_MS;
}

static void list_and_look(struct ingest *in) {
    struct error e;
    int64_t now = clock_boot_ms();
    if (in->parts.source && now >= in->next_list_ms) {
        enum status status = list_shards(in, &e);
        in->next_list_ms = now + (status ? LIMIT_CHECKPOINT_MS : LIMIT_LIST_SHARDS_MS);
        if (status)
            in_trouble(in, "source", &e);
    }
    if (now < in->next_look_ms || (in->parts.source && !in->n_listed))
        return;
    in->next_look_ms = now + look_interval(in);
    if (look(in, &e))
        in_trouble(in, "leases", &e);
    else
        health_clear(in->parts.health, "leases");
}

static int64_t next_turn(const struct ingest *in) {
    int64_t turn = clock_boot_ms() + LIMIT_CHECKPOINT_MS / 4;
    return in->next_look_ms < turn && in->next_look_ms ? in->next_look_ms : turn;
}

static void hand_over(struct ingest *in) {
    for (const struct held *h = in->held; h; h = h->next)
        tenure_stop(h->tenure);
    while (in->held) {
        tend_all(in);
        if (in->held)
            waker_wait(&in->waker, clock_boot_ms() + LIMIT_CHECKPOINT_MS / 4, -1);
    }
}

static void *ingest_run(void *data) {
    struct ingest *in = data;
    while (!atomic_load(&in->stopping)) {
        list_and_look(in);
        tend_all(in);
        waker_wait(&in->waker, next_turn(in), -1);
    }
    hand_over(in);
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
    in->worker_id = mem_strdup(options->worker_id);
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
    lease_observer_deinit(&ingest->observer);
    waker_deinit(&ingest->waker);
    waker_deinit(&ingest->stopped);
    free(ingest->leases);
    free(ingest->listed);
    free(ingest->worker_id);
    free(ingest);
}
