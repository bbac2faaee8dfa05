#include "ingest/leases/hierarchy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct source_shard *find_listed(const struct hierarchy *l, const char *shard_id) {
    return source_find_shard(l->listed, l->n_listed, shard_id);
}

static const struct store_lease *find_lease(const struct hierarchy *l, const char *shard_id) {
    return lease_find(l->leases, l->n_leases, shard_id);
}

bool hierarchy_is_listed(const struct hierarchy *l, const char *shard_id) {
    return find_listed(l, shard_id) != NULL;
}

static size_t index_of(const struct hierarchy *l, const struct source_shard *shard) {
    return (size_t)(shard - l->listed);
}

/* Whether one of its parents has a lease, or is marked. */
static bool is_after(const struct hierarchy *l, const struct source_shard *shard, const bool *marked) {
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
        const struct source_shard *parent = find_listed(l, shard->parents[p]);
        if (find_lease(l, shard->parents[p]) || (parent && marked[index_of(l, parent)]))
            return true;
    }
    return false;
}

/* From the oldest to the youngest: marks each listed shard that comes after a lease, and is read after it. */
static bool *mark_after_leases(const struct hierarchy *l) {
    bool *marked = mem_zalloc(l->n_listed);
    for (size_t i = 0; i < l->n_listed; i++)
        marked[i] = is_after(l, &l->listed[i], marked);
    return marked;
}

/* What a parent makes of its child. */
static enum hierarchy_state state_after(const struct hierarchy *l, const bool *after_leases,
                                        const char *parent_id) {
    const struct store_lease *lease = find_lease(l, parent_id);
    const struct source_shard *parent = find_listed(l, parent_id);
    if (lease)
        return lease->checkpoint == LEASE_SHARD_END ? HIERARCHY_READABLE : HIERARCHY_WAITING;
    if (!parent)
        return HIERARCHY_READABLE;
    return after_leases[index_of(l, parent)] ? HIERARCHY_WAITING /* its lease is about to be made */
                                             : HIERARCHY_UNCERTAIN;
}

static enum hierarchy_state state_after_all(const struct hierarchy *l, const bool *after_leases,
                                            const char parents[][LIMIT_SHARD_ID_BYTES + 1]) {
    enum hierarchy_state worst = HIERARCHY_READABLE;
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
        enum hierarchy_state state =
            *parents[p] ? state_after(l, after_leases, parents[p]) : HIERARCHY_READABLE;
        worst = state < worst ? state : worst;
    }
    return worst;
}

/* A parent without a lease will never be read: or else its lease was made before this one, as all are, and is
 * missing only because the scan had passed its place already. Were that believed, the child would be read
 * beside its parent, and what it counts before its parent's last events never be put right. A scan that began
 * when the child's lease was there already must hold it. */
enum hierarchy_state *hierarchy_states(const struct hierarchy *l) {
    _cleanup_(mem_freep) bool *after_leases = mark_after_leases(l);
    enum hierarchy_state *states = mem_alloc(l->n_leases * sizeof *states);
    for (size_t i = 0; i < l->n_leases; i++) {
        const struct store_lease *lease = &l->leases[i];
        states[i] = lease->checkpoint == LEASE_SHARD_END ? HIERARCHY_ENDED
                                                         : state_after_all(l, after_leases, lease->parents);
        if (states[i] == HIERARCHY_UNCERTAIN && l->seen_before && l->seen_before[i])
            states[i] = HIERARCHY_READABLE;
    }
    return states;
}

/* ---- leases to be made
 * ------------------------------------------------------------------------------------------------- */

/* From the youngest to the oldest: marks each listed shard that a lease comes after. */
static void mark_before_leases(const struct hierarchy *l, bool *marked) {
    for (size_t i = l->n_listed; i-- > 0;) {
        const struct source_shard *shard = &l->listed[i];
        if (!marked[i] && !find_lease(l, shard->id))
            continue;
        for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
            const struct source_shard *parent = find_listed(l, shard->parents[p]);
            if (parent)
                marked[index_of(l, parent)] = true;
        }
    }
}

size_t hierarchy_missing(const struct hierarchy *l, struct hierarchy_missing **missing) {
    _cleanup_(mem_freep) bool *before_leases = mem_zalloc(l->n_listed);
    _cleanup_(mem_freep) bool *after_leases = mark_after_leases(l);
    _cleanup_(mem_freep) bool *is_made = mem_zalloc(l->n_listed);
    size_t n = 0;
    mark_before_leases(l, before_leases);
    *missing = mem_alloc(l->n_listed * sizeof **missing);
    for (size_t i = 0; i < l->n_listed; i++) {
        const struct source_shard *shard = &l->listed[i];
        if (find_lease(l, shard->id))
            continue;
        bool is_child = is_after(l, shard, is_made);
        is_made[i] = is_child || !before_leases[i];
        if (is_made[i])
            (*missing)[n++] = (struct hierarchy_missing){
                shard, is_child, state_after_all(l, after_leases, shard->parents) == HIERARCHY_WAITING};
    }
    return n;
}

/* ---- children
 * ------------------------------------------------------------------------------------------------------ */

size_t hierarchy_children(const struct hierarchy *l, const char *shard_id,
                          struct source_shard children[STORE_LEASE_PARENTS]) {
    size_t n = 0;
    for (size_t i = 0; n < STORE_LEASE_PARENTS && i < l->n_listed; i++)
        if (source_is_child(&l->listed[i], shard_id))
            children[n++] = l->listed[i];
    return n;
}

static bool has_begun_or_is_gone(const struct hierarchy *l, const char *shard_id) {
    const struct store_lease *lease = find_lease(l, shard_id);
    if (!lease)
        return !find_listed(l, shard_id);
    return lease->checkpoint == LEASE_AT_POSITION || lease->checkpoint == LEASE_SHARD_END;
}

bool hierarchy_is_obsolete(const struct hierarchy *l, const struct store_lease *lease) {
    if (lease->checkpoint != LEASE_SHARD_END || find_listed(l, lease->shard_id))
        return false; /* while it is listed, a lease that is missing would be made anew */
    for (size_t c = 0; c < STORE_LEASE_PARENTS; c++)
        if (*lease->children[c] && !has_begun_or_is_gone(l, lease->children[c]))
            return false;
    return true;
}

/* A child of which nothing is known yet has what its parents had: it was opened when they were closed, so
 * that whatever reached it came after all that they ever saw, and a time that holds for one of them holds for
 * it. Else every reshard would make the whole view's time unknown for a while. */
int64_t hierarchy_as_of(const struct hierarchy *l, const struct store_lease *lease) {
    int64_t as_of_ms = lease->as_of_ms;
    for (size_t p = 0; lease->as_of_ms < 0 && p < STORE_LEASE_PARENTS; p++) {
        const struct store_lease *parent = find_lease(l, lease->parents[p]);
        if (parent && parent->checkpoint == LEASE_SHARD_END && parent->as_of_ms > as_of_ms)
            as_of_ms = parent->as_of_ms;
    }
    return as_of_ms;
}
