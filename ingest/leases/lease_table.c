#include "ingest/leases/lease_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"

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
    free(t->seen_before);
    free(t->ended_before);
    shard_listing_deinit(&t->listing);
    shard_listing_deinit(&t->listing_before);
    lease_observer_deinit(&t->observer);
}

struct hierarchy lease_table_hierarchy(const struct lease_table *t) {
    return (struct hierarchy){t->leases, t->n_leases, t->listing.shards, t->listing.n, t->seen_before};
}

bool lease_table_is_conclusive(const struct lease_table *t) {
    return !t->source || t->listing.began_ms >= t->unexplained_ms;
}

/* ---- reading and making leases
 * -------------------------------------------------------------------------------------- */

static void turn(const struct lease_table *t) {
    pulse_beat(t->pulse, clock_boot_ms());
}

/* A new view of a large stream makes thousands of leases at one look, into a table that is new as well and
 * throttles. */
static enum status create_lease(struct lease_table *t, const struct hierarchy_missing *missing,
                                struct error *e) {
    static const struct source_start from_the_beginning = {.checkpoint = LEASE_TRIM_HORIZON};
    const struct store_lease lease =
        lease_make(missing->shard, missing->is_child ? &from_the_beginning : &t->start);
    turn(t);
    enum status status = store_create_lease(t->store, &lease, e);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* another worker was as quick */
}

static enum status create_leases(struct lease_table *t, const struct hierarchy_missing *missing, size_t n,
                                 struct error *e) {
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < n; i++)
        status = create_lease(t, &missing[i], e);
    return status;
}

static bool any_starts(const struct hierarchy_missing *missing, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!missing[i].is_child)
            return true;
    return false;
}

/* Where the view starts at a time, its first leases are of the shards that were open then. */
static enum status create_leases_open_at_start(struct lease_table *t, struct error *e) {
    _cleanup_(mem_freep) struct source_shard *open = NULL;
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    struct hierarchy l = lease_table_hierarchy(t);
    size_t n_open;
    turn(t);
    enum status status = source_list_shards(t->source, t->start.start_at_ms, &open, &n_open, e);
    if (status)
        return status;
    l.listed = open;
    l.n_listed = n_open;
    size_t n = hierarchy_missing(&l, &missing);
    return create_leases(t, missing, n, e);
}

static enum status create_missing_leases(struct lease_table *t, bool *created, struct error *e) {
    const struct hierarchy l = lease_table_hierarchy(t);
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    size_t n = hierarchy_missing(&l, &missing);
    *created = n > 0;
    if (t->start.checkpoint == LEASE_AT_TIMESTAMP && any_starts(missing, n))
        return create_leases_open_at_start(t, e);
    return create_leases(t, missing, n, e);
}

/* For each lease whether it was there at the scan before, and ended. */
static void compare_with_before(struct lease_table *t, const struct store_lease *leases, size_t n) {
    bool *seen = mem_alloc(n * sizeof *seen), *ended = mem_alloc(n * sizeof *ended);
    for (size_t i = 0; i < n; i++) {
        const struct store_lease *before = lease_find(t->leases, t->n_leases, leases[i].shard_id);
        seen[i] = before;
        ended[i] = before && before->checkpoint == LEASE_SHARD_END;
    }
    free(t->seen_before);
    free(t->ended_before);
    t->seen_before = seen;
    t->ended_before = ended;
}

/* A shard that has a lease and is not listed is newer than the listing, or gone: the next one tells. */
static void note_unexplained(struct lease_table *t) {
    const struct hierarchy l = lease_table_hierarchy(t);
    for (size_t i = 0; i < l.n_leases; i++)
        if (!l.seen_before[i] && l.leases[i].checkpoint != LEASE_SHARD_END &&
            !hierarchy_is_listed(&l, l.leases[i].shard_id))
            t->unexplained_ms = clock_boot_ms();
}

static enum status read_leases(struct lease_table *t, struct error *e) {
    struct store_lease *leases;
    size_t n;
    int64_t began_ms = clock_boot_ms();
    turn(t);
    enum status status = store_read_leases(t->store, &leases, &n, e);
    if (status)
        return status;
    lease_observe(&t->observer, leases, n, began_ms, clock_boot_ms());
    compare_with_before(t, leases, n);
    free(t->leases);
    t->leases = leases;
    t->n_leases = n;
    note_unexplained(t);
    return STATUS_OK;
}

/* The end of a shard is written after the leases of its children, and the scan may show the one without the
 * other. Believed, it would make the view as fresh as those shards that are shown, which the children are
 * not.
 */
static bool misses_child(const struct lease_table *t, size_t i) {
    const struct store_lease *lease = &t->leases[i];
    if (lease->checkpoint != LEASE_SHARD_END || t->ended_before[i])
        return false;
    for (size_t c = 0; c < STORE_LEASE_PARENTS; c++)
        if (*lease->children[c] && !lease_find(t->leases, t->n_leases, lease->children[c]))
            return true;
    return false;
}

static bool has_doubts(const struct lease_table *t) {
    const struct hierarchy l = lease_table_hierarchy(t);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&l);
    for (size_t i = 0; i < l.n_leases; i++)
        if (states[i] == HIERARCHY_UNCERTAIN || misses_child(t, i))
            return true;
    return false;
}

/* Once more, if the leases that are new leave doubts: the next scan settles what it finds of them, and a
 * restart need not wait for the next look. */
static enum status read_leases_well(struct lease_table *t, struct error *e) {
    enum status status = read_leases(t, e);
    return !status && has_doubts(t) ? read_leases(t, e) : status;
}

enum status lease_table_refresh(struct lease_table *t, struct error *e) {
    bool created = false;
    enum status status = read_leases_well(t, e);
    if (!status && t->source && lease_table_is_conclusive(t) && !has_doubts(t))
        status = create_missing_leases(t, &created, e);
    return !status && created ? read_leases_well(t, e) : status;
}

const struct store_lease *lease_table_next_obsolete(const struct lease_table *t, size_t *from) {
    const struct hierarchy now = lease_table_hierarchy(t);
    const struct hierarchy before = {.listed = t->listing_before.shards, .n_listed = t->listing_before.n};
    while (before.n_listed && *from < t->n_leases) {
        const struct store_lease *lease = &t->leases[(*from)++];
        if (hierarchy_is_obsolete(&now, lease) && !hierarchy_is_listed(&before, lease->shard_id) &&
            lease_is_free(&t->observer, lease))
            return lease;
    }
    return NULL;
}

/* ---- what a look shows
 * ----------------------------------------------------------------------------------------------- */

/* A listed shard without a lease counts, as unknown, unless an ancestor that has not ended speaks for it. */
static size_t add_unleased(const struct hierarchy *l, struct freshness_shard *shards) {
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    size_t n = 0, n_missing = hierarchy_missing(l, &missing);
    for (size_t i = 0; i < n_missing; i++) {
        if (missing[i].is_waiting)
            continue;
        shards[n].as_of_ms = FRESHNESS_UNKNOWN;
        strcpy(shards[n++].shard_id, missing[i].shard->id);
    }
    return n;
}

void lease_table_report_freshness(const struct lease_table *t, struct freshness *freshness) {
    const struct hierarchy l = lease_table_hierarchy(t);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&l);
    _cleanup_(mem_freep) struct freshness_shard *shards =
        mem_alloc((l.n_leases + l.n_listed) * sizeof *shards);
    size_t n = 0;
    for (size_t i = 0; i < l.n_leases; i++) {
        if (states[i] == HIERARCHY_ENDED || states[i] == HIERARCHY_WAITING)
            continue; /* what is in doubt speaks for itself: nobody else that is there does */
        shards[n].as_of_ms = hierarchy_as_of(&l, &l.leases[i]);
        strcpy(shards[n++].shard_id, l.leases[i].shard_id);
    }
    n += add_unleased(&l, shards + n);
    if (l.n_leases)
        freshness_set_shards(freshness, shards, n, clock_boot_ms());
}

void lease_table_count_states(const struct lease_table *t) {
    const struct hierarchy l = lease_table_hierarchy(t);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&l);
    int64_t reading = 0, idle = 0, waiting = 0, ended = 0;
    for (size_t i = 0; i < l.n_leases; i++) {
        if (states[i] == HIERARCHY_ENDED)
            ended++;
        else if (states[i] != HIERARCHY_READABLE)
            waiting++;
        else if (lease_is_free(&t->observer, &l.leases[i]))
            idle++;
        else
            reading++;
    }
    metrics_set(METRICS_SERIES(&shards_family, "reading"), reading);
    metrics_set(METRICS_SERIES(&shards_family, "free"), idle);
    metrics_set(METRICS_SERIES(&shards_family, "waiting"), waiting);
    metrics_set(METRICS_SERIES(&shards_family, "ended"), ended);
}
