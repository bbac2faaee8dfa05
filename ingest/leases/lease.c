#include "ingest/leases/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

struct store_lease lease_make(const struct source_shard *shard, const struct source_start *start) {
    struct store_lease lease = {
        .checkpoint = start->checkpoint, .start_at_ms = start->start_at_ms, .as_of_ms = -1};
    strcpy(lease.shard_id, shard->id);
    memcpy(lease.parents, shard->parents, sizeof lease.parents);
    strcpy(lease.starting_hash_key, shard->starting_hash_key);
    strcpy(lease.ending_hash_key, shard->ending_hash_key);
    return lease;
}

struct store_lease lease_renewed(const struct store_lease *before) {
    struct store_lease after = *before;
    after.counter++;
    return after;
}

struct store_lease lease_taken(const struct store_lease *before, const char *owner, const char *tenure) {
    struct store_lease after = lease_renewed(before);
    if (strcmp(before->owner, owner) != 0)
        after.owner_switches++;
    strncpy(after.owner, owner, STORE_LEASE_OWNER_BYTES);
    strcpy(after.tenure, tenure);
    return after;
}

struct store_lease lease_released(const struct store_lease *before) {
    struct store_lease after = lease_renewed(before);
    after.owner[0] = '\0';
    return after;
}

void lease_draw_run_id(char run_id[LEASE_RUN_ID_SIZE]) {
    random_hex(run_id, (LEASE_RUN_ID_SIZE - 1) / 2);
}

void lease_draw_tenure(const char *run_id, char tenure[33]) {
    memcpy(tenure, run_id, LEASE_RUN_ID_SIZE - 1);
    random_hex(tenure + LEASE_RUN_ID_SIZE - 1, (33 - LEASE_RUN_ID_SIZE) / 2);
}

bool lease_is_of_run(const struct store_lease *lease, const char *run_id) {
    return strncmp(lease->tenure, run_id, LEASE_RUN_ID_SIZE - 1) == 0;
}

bool lease_is_behind(const struct store_lease *lease, const struct shard_progress *progress) {
    return progress->checkpoint != lease->checkpoint ||
           (progress->checkpoint == LEASE_AT_POSITION &&
            (position_compare(&progress->position, &lease->position) != 0 ||
             !digest_is_same(&progress->hash, &lease->hash)));
}

void lease_add_progress(struct store_lease *lease, const struct shard_progress *progress) {
    if (lease_is_behind(lease, progress))
        lease->owner_switches = 0;
    lease->checkpoint = progress->checkpoint;
    lease->position = progress->position;
    lease->hash = progress->hash;
    if (progress->as_of_ms > lease->as_of_ms)
        lease->as_of_ms = progress->as_of_ms;
    lease->foreign_arrivals = lease->foreign_arrivals || progress->foreign_arrivals;
}

bool lease_is_same(const struct store_lease *a, const struct store_lease *b) {
    return strcmp(a->shard_id, b->shard_id) == 0 && strcmp(a->owner, b->owner) == 0 &&
           a->counter == b->counter && strcmp(a->tenure, b->tenure) == 0 && a->checkpoint == b->checkpoint &&
           a->as_of_ms == b->as_of_ms && a->foreign_arrivals == b->foreign_arrivals &&
           memcmp(a->children, b->children, sizeof a->children) == 0 &&
           (a->checkpoint != LEASE_AT_POSITION ||
            (position_compare(&a->position, &b->position) == 0 && digest_is_same(&a->hash, &b->hash)));
}

static int compare_observations(const void *a, const void *b) {
    return strcmp(((const struct lease_observation *)a)->shard_id,
                  ((const struct lease_observation *)b)->shard_id);
}

/* NULL: the lease is new, or has changed since. */
static const struct lease_observation *find_observation(const struct lease_observer *o,
                                                        const struct store_lease *lease) {
    struct lease_observation key;
    strcpy(key.shard_id, lease->shard_id);
    const struct lease_observation *seen =
        o->n ? bsearch(&key, o->items, o->n, sizeof key, compare_observations) : NULL;
    return seen && seen->counter == lease->counter && strcmp(seen->tenure, lease->tenure) == 0 ? seen : NULL;
}

void lease_observe(struct lease_observer *o, const struct store_lease *leases, size_t n, int64_t began_ms,
                   int64_t ended_ms) {
    struct lease_observation *items = mem_alloc(n * sizeof *items);
    bool starts_anew = began_ms - o->ended_ms >= o->failover_ms && !o->was_answered;
    for (size_t i = 0; i < n; i++) {
        const struct lease_observation *old = starts_anew ? NULL : find_observation(o, &leases[i]);
        items[i].counter = leases[i].counter;
        items[i].since_ms = old ? old->since_ms : ended_ms;
        strcpy(items[i].shard_id, leases[i].shard_id);
        strcpy(items[i].tenure, leases[i].tenure);
    }
    free(o->items);
    o->items = items;
    o->n = n;
    o->began_ms = began_ms;
    o->ended_ms = ended_ms;
    if (!o->first_ms)
        o->first_ms = ended_ms;
}

void lease_observer_deinit(struct lease_observer *o) {
    free(o->items);
    *o = (struct lease_observer){0};
}

static bool is_unchanged_for(const struct lease_observer *o, const struct store_lease *lease, int64_t ms) {
    const struct lease_observation *seen = find_observation(o, lease);
    return seen && o->began_ms - seen->since_ms >= ms;
}

bool lease_is_free(const struct lease_observer *o, const struct store_lease *lease) {
    return !*lease->owner || is_unchanged_for(o, lease, o->failover_ms);
}

bool lease_is_free_for(const struct lease_observer *o, const struct store_lease *lease, int times) {
    return is_unchanged_for(o, lease, (times + (*lease->owner ? 1 : 0)) * o->failover_ms);
}

bool lease_is_untouched(const struct lease_observer *o, const struct store_lease *lease) {
    const struct lease_observation *seen = find_observation(o, lease);
    return seen && seen->since_ms == o->first_ms;
}

static int compare_leases(const void *a, const void *b) {
    return strcmp(((const struct store_lease *)a)->shard_id, ((const struct store_lease *)b)->shard_id);
}

const struct store_lease *lease_find(const struct store_lease *leases, size_t n, const char *shard_id) {
    struct store_lease key;
    strcpy(key.shard_id, shard_id);
    return n ? bsearch(&key, leases, n, sizeof key, compare_leases) : NULL;
}
