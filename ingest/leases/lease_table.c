#include "ingest/leases/lease_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#define FUTURE_TROUBLE "asOf of leases"

static struct metrics_family shards_family = {
    .name = "winner_view_shards",
    .help = "Shards with a lease: read by a worker, free, waiting for their parents, ended.",
    .kind = METRICS_GAUGE,
    .labels = {"state"},
};

void lease_table_init(struct lease_table *t, struct store *store, struct source *source,
                      const struct source_start *start, int failover_ms) {
    *t = (struct lease_table){.store = store, .source = source, .start = *start};
    t->observer.failover_ms = failover_ms;
}

void lease_table_deinit(struct lease_table *t) {
    free(t->leases);
    free(t->settled);
    free(t->ended_before);
    shard_listing_deinit(&t->listing);
    shard_listing_deinit(&t->listing_before);
    lease_observer_deinit(&t->observer);
}

struct hierarchy lease_table_hierarchy(const struct lease_table *t) {
    return (struct hierarchy){t->leases, t->n_leases, t->listing.shards, t->listing.n, t->settled};
}

bool lease_table_is_conclusive(const struct lease_table *t) {
    return !t->source || t->listing.began_ms >= t->unexplained_ms;
}

static void beat(const struct lease_table *t) {
    pulse_beat(t->pulse, clock_boot_ms());
}

/* A lease to be made. */
struct creation {
    struct lease_call call; /* first */
    struct lease_table *table;
    const struct hierarchy_missing *missing;
    enum status status;
    struct error error;
};

static void create_lease(struct lease_call *call) {
    static const struct source_start from_the_beginning = {.checkpoint = LEASE_TRIM_HORIZON};
    struct creation *c = (struct creation *)call;
    const struct lease_table *t = c->table;
    const struct store_lease lease =
        lease_make(c->missing->shard, c->missing->is_child ? &from_the_beginning : &t->start);
    beat(t); /* for each lease: a large stream needs thousands, in a new table that throttles */
    c->status = store_create_lease(t->store, &lease, &c->error);
    if (c->status == STATUS_CONFLICT)
        c->status = STATUS_OK; /* another worker made it */
}

static bool is_in(const struct creation *creations, size_t n, const char *shard_id) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(creations[middle].missing->shard->id, shard_id);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* How many of the leases can be made at once: parents are made before their children. */
static size_t count_independent(const struct creation *creations, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (size_t p = 0; p < STORE_LEASE_PARENTS; p++)
            if (is_in(creations, i, creations[i].missing->shard->parents[p]))
                return i;
    return n;
}

static enum status create_at_once(const struct lease_table *t, struct creation *creations, size_t n,
                                  struct error *e) {
    for (size_t i = 0; i < n; i++) {
        if (t->writers)
            lease_writers_add(t->writers, &creations[i].call);
        else
            create_lease(&creations[i].call);
    }
    if (t->writers)
        lease_writers_wait(t->writers);
    for (size_t i = 0; i < n; i++) {
        if (!creations[i].status)
            continue;
        *e = creations[i].error;
        return creations[i].status;
    }
    return STATUS_OK;
}

static enum status create_leases(struct lease_table *t, const struct hierarchy_missing *missing, size_t n,
                                 struct error *e) {
    _cleanup_(mem_freep) struct creation *creations = mem_zalloc(n * sizeof *creations);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < n; i++)
        creations[i] = (struct creation){.call.run = create_lease, .table = t, .missing = &missing[i]};
    for (size_t at = 0, next; !status && at < n; at = next) {
        next = at + count_independent(creations + at, n - at);
        status = create_at_once(t, creations + at, next - at, e);
    }
    return status;
}

static bool any_starts(const struct hierarchy_missing *missing, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!missing[i].is_child)
            return true;
    return false;
}

/* Where the view starts at a time, it needs leases for the shards that were open then. */
static enum status create_leases_open_at_start(struct lease_table *t, struct error *e) {
    _cleanup_(mem_freep) struct source_shard *open = NULL;
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    struct hierarchy h = lease_table_hierarchy(t);
    size_t n_open;
    beat(t);
    enum status status = source_list_shards(t->source, t->start.start_at_ms, &open, &n_open, e);
    if (status)
        return status;
    h.listed = open;
    h.n_listed = n_open;
    size_t n = hierarchy_missing(&h, &missing);
    return create_leases(t, missing, n, e);
}

static enum status create_missing_leases(struct lease_table *t, bool *created, struct error *e) {
    const struct hierarchy h = lease_table_hierarchy(t);
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    size_t n = hierarchy_missing(&h, &missing);
    *created = n > 0;
    if (t->start.checkpoint == LEASE_AT_TIMESTAMP && any_starts(missing, n))
        return create_leases_open_at_start(t, e);
    return create_leases(t, missing, n, e);
}

/* Whether these are the leases that the scan before returned, none of them older. */
static bool follows(const struct lease_table *t, const struct store_lease *leases, size_t n) {
    for (size_t i = 0; n == t->n_leases && i < n; i++)
        if (strcmp(leases[i].shard_id, t->leases[i].shard_id) != 0 ||
            leases[i].counter < t->leases[i].counter)
            return false;
    return n == t->n_leases;
}

/* A shard that has a lease and is not listed is newer than the listing, or gone: the next listing decides. */
static void note_unexplained(struct lease_table *t, const struct store_lease *lease) {
    const struct hierarchy h = lease_table_hierarchy(t);
    if (lease->checkpoint != LEASE_SHARD_END && !hierarchy_is_listed(&h, lease->shard_id))
        t->unexplained_ms = clock_boot_ms();
}

/* Notes for each lease what the scan before had. */
static void compare_with_before(struct lease_table *t, const struct store_lease *leases, size_t n) {
    bool *settled = mem_alloc(n * sizeof *settled), *ended = mem_alloc(n * sizeof *ended);
    bool is_other = n != t->n_leases || !t->changed_ms;
    for (size_t i = 0; i < n; i++) {
        const struct store_lease *before = lease_find(t->leases, t->n_leases, leases[i].shard_id);
        settled[i] = before && (t->is_consistent || t->settled[before - t->leases]);
        ended[i] = before && before->checkpoint == LEASE_SHARD_END;
        is_other = is_other || !before;
        if (!before)
            note_unexplained(t, &leases[i]);
    }
    free(t->settled);
    free(t->ended_before);
    t->settled = settled;
    t->ended_before = ended;
    if (is_other)
        t->changed_ms = clock_boot_ms();
}

static bool has_changed_lately(const struct lease_table *t) {
    return !t->changed_ms || clock_boot_ms() - t->changed_ms < t->observer.failover_ms;
}

static enum status scan(struct lease_table *t, bool consistent, struct store_lease **leases, size_t *n,
                        int64_t *began_ms, struct error *e) {
    beat(t);
    *began_ms = clock_boot_ms();
    return store_read_leases(t->store, consistent, leases, n, e);
}

static enum status read_leases(struct lease_table *t, bool consistent, struct error *e) {
    struct store_lease *leases;
    size_t n;
    int64_t began_ms;
    enum status status = scan(t, consistent, &leases, &n, &began_ms, e);
    if (!status && !consistent && !follows(t, leases, n)) {
        free(leases);
        consistent = true;
        status = scan(t, consistent, &leases, &n, &began_ms, e);
    }
    if (status)
        return status;
    t->is_consistent = consistent;
    lease_observe(&t->observer, leases, n, began_ms, clock_boot_ms());
    compare_with_before(t, leases, n);
    free(t->leases);
    t->leases = leases;
    t->n_leases = n;
    return STATUS_OK;
}

/* A shard's end is written after the leases of its children, but a scan may return the end without the
 * leases. The view would then seem as fresh as the other shards, though the children are behind. */
static bool misses_child(const struct lease_table *t, size_t i) {
    const struct store_lease *lease = &t->leases[i];
    if (lease->checkpoint != LEASE_SHARD_END || t->ended_before[i])
        return false;
    for (size_t c = 0; c < STORE_LEASE_PARENTS; c++)
        if (*lease->children[c] && !lease_find(t->leases, t->n_leases, lease->children[c]))
            return true;
    return false;
}

static bool is_uncertain(const struct lease_table *t) {
    const struct hierarchy h = lease_table_hierarchy(t);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&h);
    for (size_t i = 0; i < h.n_leases; i++)
        if (states[i] == HIERARCHY_UNCERTAIN || misses_child(t, i))
            return true;
    return false;
}

static bool makes_leases(const struct lease_table *t) {
    return t->source && lease_table_is_conclusive(t);
}

static bool misses_lease(const struct lease_table *t) {
    const struct hierarchy h = lease_table_hierarchy(t);
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    return makes_leases(t) && hierarchy_missing(&h, &missing) > 0;
}

/* A second scan decides what the first left open, so that a restart need not wait for the next refresh. */
static enum status read_leases_with_certainty(struct lease_table *t, struct error *e) {
    enum status status = read_leases(t, t->is_doubtful || has_changed_lately(t), e);
    if (status)
        return status;
    t->is_doubtful = is_uncertain(t) || (!t->is_consistent && misses_lease(t));
    if (!t->is_doubtful)
        return STATUS_OK;
    status = read_leases(t, true, e);
    t->is_doubtful = status != STATUS_OK;
    return status;
}

enum status lease_table_refresh(struct lease_table *t, struct error *e) {
    bool created = false;
    enum status status = read_leases_with_certainty(t, e);
    if (!status && makes_leases(t) && !is_uncertain(t))
        status = create_missing_leases(t, &created, e);
    if (created)
        t->changed_ms = clock_boot_ms();
    return !status && created ? read_leases_with_certainty(t, e) : status;
}

void lease_table_note(struct lease_table *t, const struct store_lease *lease,
                      const struct store_lease *written) {
    t->leases[lease - t->leases] = *written;
}

static bool is_obsolete(const struct lease_table *t, const struct store_lease *lease) {
    const struct hierarchy now = lease_table_hierarchy(t);
    const struct hierarchy before = {.listed = t->listing_before.shards, .n_listed = t->listing_before.n};
    return before.n_listed && hierarchy_is_obsolete(&now, lease) &&
           !hierarchy_is_listed(&before, lease->shard_id);
}

size_t lease_table_for_cleanup(const struct lease_table *t, struct store_lease **leases) {
    bool notes_ends = store_has_watermarks(t->store);
    size_t n = 0;
    *leases = NULL;
    for (size_t i = 0; i < t->n_leases; i++) {
        const struct store_lease *lease = &t->leases[i];
        if (lease->checkpoint != LEASE_SHARD_END || !lease_is_free(&t->observer, lease) ||
            !((notes_ends && !lease->ended_at_ms) || is_obsolete(t, lease)))
            continue;
        *leases = mem_resize(*leases, n + 1, sizeof **leases);
        (*leases)[n++] = *lease;
    }
    return n;
}

/* A listed shard without a lease counts, as unknown, unless it waits for an ancestor, which counts for it. */
static size_t add_unleased(const struct hierarchy *h, struct freshness_shard *shards) {
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    size_t n = 0, n_missing = hierarchy_missing(h, &missing);
    for (size_t i = 0; i < n_missing; i++) {
        if (missing[i].is_waiting)
            continue;
        shards[n].as_of_ms = FRESHNESS_UNKNOWN;
        strcpy(shards[n++].shard_id, missing[i].shard->id);
    }
    return n;
}

static void report_future(const struct store_lease *lease, struct health *health) {
    char reason[256], time[CLOCK_TEXT_SIZE];
    snprintf(reason, sizeof reason,
             "the lease of shard '%s' has asOf %s, which is in the future: it is taken as unknown",
             lease->shard_id, clock_format(lease->as_of_ms, time));
    if (health_raise(health, FUTURE_TROUBLE, reason))
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("shard", lease->shard_id, "worker", lease->owner), "%s",
                  reason);
}

void lease_table_forget_future(struct lease_table *t, struct service_clock *clock, struct health *health) {
    bool found = false;
    for (size_t i = 0; i < t->n_leases; i++) {
        if (!service_clock_is_ahead(clock, t->leases[i].as_of_ms))
            continue;
        report_future(&t->leases[i], health);
        t->leases[i].as_of_ms = FRESHNESS_UNKNOWN;
        found = true;
    }
    if (!found)
        health_clear(health, FUTURE_TROUBLE);
}

void lease_table_report_freshness(const struct lease_table *t, struct freshness *freshness,
                                  const char *run_id) {
    const struct hierarchy h = lease_table_hierarchy(t);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&h);
    _cleanup_(mem_freep) struct freshness_shard *shards =
        mem_alloc((h.n_leases + h.n_listed) * sizeof *shards);
    size_t n = 0;
    for (size_t i = 0; i < h.n_leases; i++) {
        if (h.leases[i].foreign_arrivals)
            freshness_note_foreign_arrivals(freshness);
        if (states[i] == HIERARCHY_ENDED || states[i] == HIERARCHY_WAITING)
            continue; /* but an uncertain one counts: it may have no ancestor that does */
        bool in_memory = run_id && lease_is_of_run(&h.leases[i], run_id) && h.leases[i].as_of_ms >= 0;
        shards[n].as_of_ms =
            in_memory ? FRESHNESS_UNKNOWN
                      : service_clock_take(freshness_clock(freshness), hierarchy_as_of(&h, &h.leases[i]));
        strcpy(shards[n++].shard_id, h.leases[i].shard_id);
    }
    n += add_unleased(&h, shards + n);
    if (h.n_leases)
        freshness_set_shards(freshness, shards, n, clock_boot_ms());
}

void lease_table_count_states(const struct lease_table *t) {
    const struct hierarchy h = lease_table_hierarchy(t);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&h);
    int64_t reading = 0, idle = 0, waiting = 0, ended = 0;
    for (size_t i = 0; i < h.n_leases; i++) {
        if (states[i] == HIERARCHY_ENDED)
            ended++;
        else if (states[i] != HIERARCHY_READABLE)
            waiting++;
        else if (lease_is_free(&t->observer, &h.leases[i]))
            idle++;
        else
            reading++;
    }
    metrics_set(METRICS_SERIES(&shards_family, "reading"), reading);
    metrics_set(METRICS_SERIES(&shards_family, "free"), idle);
    metrics_set(METRICS_SERIES(&shards_family, "waiting"), waiting);
    metrics_set(METRICS_SERIES(&shards_family, "ended"), ended);
}
