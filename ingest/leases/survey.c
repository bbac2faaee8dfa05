#include "ingest/leases/survey.h"

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

void survey_init(struct survey *s, struct store *store, struct source *source,
                 const struct source_start *start, int failover_ms) {
    *s = (struct survey){.store = store, .source = source, .start = *start};
    s->observer.failover_ms = failover_ms;
}

void survey_deinit(struct survey *s) {
    free(s->leases);
    free(s->seen_before);
    free(s->ended_before);
    listing_deinit(&s->listing);
    listing_deinit(&s->listing_before);
    lease_observer_deinit(&s->observer);
}

struct hierarchy survey_hierarchy(const struct survey *s) {
    return (struct hierarchy){s->leases, s->n_leases, s->listing.shards, s->listing.n, s->seen_before};
}

bool survey_is_sound(const struct survey *s) {
    return !s->source || s->listing.began_ms >= s->unexplained_ms;
}

/* ---- reading and making leases
 * -------------------------------------------------------------------------------------- */

static void turn(const struct survey *s) {
    pulse_beat(s->pulse, clock_boot_ms());
}

/* A new view of a large stream makes thousands of leases at one look, into a table that is new as well and
 * throttles. */
static enum status create_lease(struct survey *s, const struct hierarchy_missing *missing, struct error *e) {
    static const struct source_start from_the_beginning = {.checkpoint = LEASE_TRIM_HORIZON};
    const struct store_lease lease =
        lease_make(missing->shard, missing->is_child ? &from_the_beginning : &s->start);
    turn(s);
    enum status status = store_create_lease(s->store, &lease, e);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* another worker was as quick */
}

static enum status create_leases(struct survey *s, const struct hierarchy_missing *missing, size_t n,
                                 struct error *e) {
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < n; i++)
        status = create_lease(s, &missing[i], e);
    return status;
}

static bool any_starts(const struct hierarchy_missing *missing, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!missing[i].is_child)
            return true;
    return false;
}

/* Where the view starts at a time, its first leases are of the shards that were open then. */
static enum status create_leases_open_at_start(struct survey *s, struct error *e) {
    _cleanup_(mem_freep) struct source_shard *open = NULL;
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    struct hierarchy l = survey_hierarchy(s);
    size_t n_open;
    turn(s);
    enum status status = source_list_shards(s->source, s->start.start_at_ms, &open, &n_open, e);
    if (status)
        return status;
    l.listed = open;
    l.n_listed = n_open;
    size_t n = hierarchy_missing(&l, &missing);
    return create_leases(s, missing, n, e);
}

static enum status create_missing_leases(struct survey *s, bool *created, struct error *e) {
    const struct hierarchy l = survey_hierarchy(s);
    _cleanup_(mem_freep) struct hierarchy_missing *missing = NULL;
    size_t n = hierarchy_missing(&l, &missing);
    *created = n > 0;
    if (s->start.checkpoint == LEASE_AT_TIMESTAMP && any_starts(missing, n))
        return create_leases_open_at_start(s, e);
    return create_leases(s, missing, n, e);
}

/* For each lease whether it was there at the scan before, and ended. */
static void compare_with_before(struct survey *s, const struct store_lease *leases, size_t n) {
    bool *seen = mem_alloc(n * sizeof *seen), *ended = mem_alloc(n * sizeof *ended);
    for (size_t i = 0; i < n; i++) {
        const struct store_lease *before = lease_find(s->leases, s->n_leases, leases[i].shard_id);
        seen[i] = before;
        ended[i] = before && before->checkpoint == LEASE_SHARD_END;
    }
    free(s->seen_before);
    free(s->ended_before);
    s->seen_before = seen;
    s->ended_before = ended;
}

/* A shard that has a lease and is not listed is newer than the listing, or gone: the next one tells. */
static void note_unexplained(struct survey *s) {
    const struct hierarchy l = survey_hierarchy(s);
    for (size_t i = 0; i < l.n_leases; i++)
        if (!l.seen_before[i] && l.leases[i].checkpoint != LEASE_SHARD_END &&
            !hierarchy_is_listed(&l, l.leases[i].shard_id))
            s->unexplained_ms = clock_boot_ms();
}

static enum status read_leases(struct survey *s, struct error *e) {
    struct store_lease *leases;
    size_t n;
    int64_t began_ms = clock_boot_ms();
    turn(s);
    enum status status = store_read_leases(s->store, &leases, &n, e);
    if (status)
        return status;
    lease_observe(&s->observer, leases, n, began_ms, clock_boot_ms());
    compare_with_before(s, leases, n);
    free(s->leases);
    s->leases = leases;
    s->n_leases = n;
    note_unexplained(s);
    return STATUS_OK;
}

/* The end of a shard is written after the leases of its children, and the scan may show the one without the
 * other. Believed, it would make the view as fresh as those shards that are shown, which the children are
 * not.
 */
static bool misses_child(const struct survey *s, size_t i) {
    const struct store_lease *lease = &s->leases[i];
    if (lease->checkpoint != LEASE_SHARD_END || s->ended_before[i])
        return false;
    for (size_t c = 0; c < STORE_LEASE_PARENTS; c++)
        if (*lease->children[c] && !lease_find(s->leases, s->n_leases, lease->children[c]))
            return true;
    return false;
}

static bool has_doubts(const struct survey *s) {
    const struct hierarchy l = survey_hierarchy(s);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&l);
    for (size_t i = 0; i < l.n_leases; i++)
        if (states[i] == HIERARCHY_UNCERTAIN || misses_child(s, i))
            return true;
    return false;
}

/* Once more, if the leases that are new leave doubts: the next scan settles what it finds of them, and a
 * restart need not wait for the next look. */
static enum status read_leases_well(struct survey *s, struct error *e) {
    enum status status = read_leases(s, e);
    return !status && has_doubts(s) ? read_leases(s, e) : status;
}

enum status survey_look(struct survey *s, struct error *e) {
    bool created = false;
    enum status status = read_leases_well(s, e);
    if (!status && s->source && survey_is_sound(s) && !has_doubts(s))
        status = create_missing_leases(s, &created, e);
    return !status && created ? read_leases_well(s, e) : status;
}

const struct store_lease *survey_next_obsolete(const struct survey *s, size_t *from) {
    const struct hierarchy now = survey_hierarchy(s);
    const struct hierarchy before = {.listed = s->listing_before.shards, .n_listed = s->listing_before.n};
    while (before.n_listed && *from < s->n_leases) {
        const struct store_lease *lease = &s->leases[(*from)++];
        if (hierarchy_is_obsolete(&now, lease) && !hierarchy_is_listed(&before, lease->shard_id) &&
            lease_is_free(&s->observer, lease))
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

void survey_tell_freshness(const struct survey *s, struct freshness *freshness) {
    const struct hierarchy l = survey_hierarchy(s);
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

void survey_count_states(const struct survey *s) {
    const struct hierarchy l = survey_hierarchy(s);
    _cleanup_(mem_freep) enum hierarchy_state *states = hierarchy_states(&l);
    int64_t reading = 0, idle = 0, waiting = 0, ended = 0;
    for (size_t i = 0; i < l.n_leases; i++) {
        if (states[i] == HIERARCHY_ENDED)
            ended++;
        else if (states[i] != HIERARCHY_READABLE)
            waiting++;
        else if (lease_is_free(&s->observer, &l.leases[i]))
            idle++;
        else
            reading++;
    }
    metrics_set(METRICS_SERIES(&shards_family, "reading"), reading);
    metrics_set(METRICS_SERIES(&shards_family, "free"), idle);
    metrics_set(METRICS_SERIES(&shards_family, "waiting"), waiting);
    metrics_set(METRICS_SERIES(&shards_family, "ended"), ended);
}
