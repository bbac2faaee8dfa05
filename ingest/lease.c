#include "ingest/lease.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "server/base/random.h"

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

void lease_draw_tenure(char tenure[33]) {
    random_hex(tenure, 16);
}

void lease_add_progress(struct store_lease *lease, const struct lease_progress *progress) {
    lease->checkpoint = progress->checkpoint;
    lease->position = progress->position;
    lease->owner_switches = 0;
    if (progress->as_of_ms > lease->as_of_ms)
        lease->as_of_ms = progress->as_of_ms;
}

bool lease_is_same(const struct store_lease *a, const struct store_lease *b) {
    return strcmp(a->shard_id, b->shard_id) == 0 && strcmp(a->owner, b->owner) == 0 &&
           a->counter == b->counter && strcmp(a->tenure, b->tenure) == 0 && a->checkpoint == b->checkpoint &&
           a->as_of_ms == b->as_of_ms &&
           (a->checkpoint != LEASE_AT_POSITION || position_compare(&a->position, &b->position) == 0);
}

static int compare_observations(const void *a, const void *b) {
    return strcmp(((const struct lease_observation *)a)->shard_id,
                  ((const struct lease_observation *)b)->shard_id);
}

static const struct lease_observation *find_observation(const struct lease_observer *o,
                                                        const char *shard_id) {
    struct lease_observation key;
    strcpy(key.shard_id, shard_id);
    return o->n ? bsearch(&key, o->items, o->n, sizeof key, compare_observations) : NULL;
}

void lease_observe(struct lease_observer *o, const struct store_lease *leases, size_t n,
                   int64_t now_boot_ms) {
    struct lease_observation *items = mem_alloc(n * sizeof *items);
    for (size_t i = 0; i < n; i++) {
        const struct lease_observation *old = find_observation(o, leases[i].shard_id);
        bool unchanged =
            old && old->counter == leases[i].counter && strcmp(old->tenure, leases[i].tenure) == 0;
        items[i].counter = leases[i].counter;
        items[i].since_boot_ms = unchanged ? old->since_boot_ms : now_boot_ms;
        strcpy(items[i].shard_id, leases[i].shard_id);
        strcpy(items[i].tenure, leases[i].tenure);
    }
    free(o->items);
    o->items = items;
    o->n = n;
}

void lease_observer_deinit(struct lease_observer *o) {
    free(o->items);
    *o = (struct lease_observer){0};
}

bool lease_is_free(const struct lease_observer *o, const struct store_lease *lease, int64_t now_boot_ms,
                   int64_t failover_ms) {
    if (!*lease->owner)
        return true;
    const struct lease_observation *seen = find_observation(o, lease->shard_id);
    return seen && seen->counter == lease->counter && strcmp(seen->tenure, lease->tenure) == 0 &&
           now_boot_ms - seen->since_boot_ms >= failover_ms;
}

static int compare_leases(const void *a, const void *b) {
    return strcmp(((const struct store_lease *)a)->shard_id, ((const struct store_lease *)b)->shard_id);
}

const struct store_lease *lease_find(const struct store_lease *leases, size_t n, const char *shard_id) {
    struct store_lease key;
    strcpy(key.shard_id, shard_id);
    return n ? bsearch(&key, leases, n, sizeof key, compare_leases) : NULL;
}

static bool is_listed(const struct source_shard *listed, size_t n, const char *shard_id) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(listed[i].id, shard_id) == 0)
            return true;
    return false;
}

bool lease_is_readable(const struct store_lease *lease, const struct store_lease *leases, size_t n,
                       const struct source_shard *listed, size_t n_listed) {
    if (lease->checkpoint == LEASE_SHARD_END)
        return false;
    for (size_t i = 0; i < STORE_LEASE_PARENTS; i++) {
        if (!*lease->parents[i])
            continue;
        const struct store_lease *parent = lease_find(leases, n, lease->parents[i]);
        if (parent ? parent->checkpoint != LEASE_SHARD_END : is_listed(listed, n_listed, lease->parents[i]))
            return false;
    }
    return true;
}
