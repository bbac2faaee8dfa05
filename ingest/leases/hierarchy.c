#include "ingest/leases/hierarchy.h"

#include <string.h>

#include "base/mem.h"

static const struct source_shard *find_listed(const struct hierarchy *h, const char *shard_id) {
    return source_find_shard(h->listed, h->n_listed, shard_id);
}

static const struct store_lease *find_lease(const struct hierarchy *h, const char *shard_id) {
    return lease_find(h->leases, h->n_leases, shard_id);
}

bool hierarchy_is_listed(const struct hierarchy *h, const char *shard_id) {
    return find_listed(h, shard_id) != NULL;
}

/* Whether a parent has a lease, or is marked. */
static bool follows_lease(const struct hierarchy *h, const struct source_shard *shard, const bool *marked) {
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
        const struct source_shard *parent = find_listed(h, shard->parents[p]);
        if (find_lease(h, shard->parents[p]) || (parent && marked[parent - h->listed]))
            return true;
    }
    return false;
}

/* From the oldest to the youngest: marks each listed shard that has an ancestor with a lease. */
static bool *mark_after_leases(const struct hierarchy *h) {
    bool *marked = mem_zalloc(h->n_listed);
    for (size_t i = 0; i < h->n_listed; i++)
        marked[i] = follows_lease(h, &h->listed[i], marked);
    return marked;
}

/* The state of a child, as far as this parent decides it. */
static enum hierarchy_state state_after(const struct hierarchy *h, const bool *after_leases,
                                        const char *parent_id) {
    const struct store_lease *lease = find_lease(h, parent_id);
    const struct source_shard *parent = find_listed(h, parent_id);
    if (lease)
        return lease->checkpoint == LEASE_SHARD_END ? HIERARCHY_READABLE : HIERARCHY_WAITING;
    if (!parent)
        return HIERARCHY_READABLE;
    return after_leases[parent - h->listed] ? HIERARCHY_WAITING /* its lease will be made */
                                            : HIERARCHY_UNCERTAIN;
}

static enum hierarchy_state state_after_all(const struct hierarchy *h, const bool *after_leases,
                                            const char parents[][LIMIT_SHARD_ID_BYTES + 1]) {
    enum hierarchy_state worst = HIERARCHY_READABLE;
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
        enum hierarchy_state state =
            *parents[p] ? state_after(h, after_leases, parents[p]) : HIERARCHY_READABLE;
        worst = state < worst ? state : worst;
    }
    return worst;
}

/* A parent without a lease is never read; or its lease was made before the child's, as always, and is missing
 * only because the scan had passed its place by then. If the second were taken for the first, the child would
 * be read beside its parent, and be counted before the parent's last events: that cannot be repaired. A scan
 * that began when the child's lease was there returns the parent's, too. */
enum hierarchy_state *hierarchy_states(const struct hierarchy *h) {
    _cleanup_(mem_freep) bool *after_leases = mark_after_leases(h);
    enum hierarchy_state *states = mem_alloc(h->n_leases * sizeof *states);
    for (size_t i = 0; i < h->n_leases; i++) {
        const struct store_lease *lease = &h->leases[i];
        states[i] = lease->checkpoint == LEASE_SHARD_END ? HIERARCHY_ENDED
                                                         : state_after_all(h, after_leases, lease->parents);
        if (states[i] == HIERARCHY_UNCERTAIN && h->settled && h->settled[i])
            states[i] = HIERARCHY_READABLE;
    }
    return states;
}

/* From the youngest to the oldest: marks each listed shard that has a descendant with a lease. */
static void mark_before_leases(const struct hierarchy *h, bool *marked) {
    for (size_t i = h->n_listed; i-- > 0;) {
        const struct source_shard *shard = &h->listed[i];
        if (!marked[i] && !find_lease(h, shard->id))
            continue;
        for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
            const struct source_shard *parent = find_listed(h, shard->parents[p]);
            if (parent)
                marked[parent - h->listed] = true;
        }
    }
}

size_t hierarchy_missing(const struct hierarchy *h, struct hierarchy_missing **missing) {
    _cleanup_(mem_freep) bool *before_leases = mem_zalloc(h->n_listed);
    _cleanup_(mem_freep) bool *after_leases = mark_after_leases(h);
    _cleanup_(mem_freep) bool *is_made = mem_zalloc(h->n_listed);
    size_t n = 0;
    mark_before_leases(h, before_leases);
    *missing = mem_alloc(h->n_listed * sizeof **missing);
    for (size_t i = 0; i < h->n_listed; i++) {
        const struct source_shard *shard = &h->listed[i];
        if (find_lease(h, shard->id))
            continue;
        bool is_child = follows_lease(h, shard, is_made);
        is_made[i] = is_child || !before_leases[i];
        if (is_made[i])
            (*missing)[n++] = (struct hierarchy_missing){
                shard, is_child, state_after_all(h, after_leases, shard->parents) == HIERARCHY_WAITING};
    }
    return n;
}

size_t hierarchy_children(const struct hierarchy *h, const char *shard_id,
                          struct source_shard children[STORE_LEASE_PARENTS]) {
    size_t n = 0;
    for (size_t i = 0; n < STORE_LEASE_PARENTS && i < h->n_listed; i++)
        if (source_is_child(&h->listed[i], shard_id))
            children[n++] = h->listed[i];
    return n;
}

static bool has_begun_or_is_gone(const struct hierarchy *h, const char *shard_id) {
    const struct store_lease *lease = find_lease(h, shard_id);
    if (!lease)
        return !find_listed(h, shard_id);
    return lease->checkpoint == LEASE_AT_POSITION || lease->checkpoint == LEASE_SHARD_END;
}

bool hierarchy_is_obsolete(const struct hierarchy *h, const struct store_lease *lease) {
    if (lease->checkpoint != LEASE_SHARD_END || find_listed(h, lease->shard_id))
        return false; /* a listed shard without a lease would get a new one */
    for (size_t c = 0; c < STORE_LEASE_PARENTS; c++)
        if (*lease->children[c] && !has_begun_or_is_gone(h, lease->children[c]))
            return false;
    return true;
}

/* A child without an as-of has the as-of of its parents: it was opened when they were closed, so its records
 * are all later. Without this rule each reshard would make the view's as-of unknown for a while. */
int64_t hierarchy_as_of(const struct hierarchy *h, const struct store_lease *lease) {
    int64_t as_of_ms = lease->as_of_ms;
    for (size_t p = 0; lease->as_of_ms < 0 && p < STORE_LEASE_PARENTS; p++) {
        const struct store_lease *parent = find_lease(h, lease->parents[p]);
        if (parent && parent->checkpoint == LEASE_SHARD_END && parent->as_of_ms > as_of_ms)
            as_of_ms = parent->as_of_ms;
    }
    return as_of_ms;
}
