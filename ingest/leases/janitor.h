/*
 * janitor: forgets shards that are long gone (hierarchy_is_obsolete): shrinks what the store keeps of each,
 * then deletes its lease, on a thread of its own and at a bounded rate.
 *
 * Taking the ended lease is the lock between workers: it is taken, kept and deleted like any other, by this
 * thread only, each write conditional on the one before. Cut short, the lease is free again after the
 * failover time, and whoever takes it begins anew and finds done what is done. What fails is logged and
 * left for LIMIT_SHRINK_AGAIN_MS: nothing depends on it.
 */
#ifndef INGEST_LEASES_JANITOR_H
#define INGEST_LEASES_JANITOR_H

#include "ingest/lease.h"

struct janitor;

/* All borrowed, to outlive it. */
struct janitor_options {
    struct store *store;
    const char *worker; /* as in lease_taken */
    const char *life;
    int failover_ms;
    int pause_ms; /* between two steps of store_shrink_watermarks: LIMIT_SHRINK_PAUSE_MS */
};

struct janitor *janitor_start(const struct janitor_options *options);

/* Gives it the lease of a shard that is long gone, as last read. False: it is busy with another, offer again
 * later. Any thread. */
bool janitor_offer(struct janitor *j, const struct store_lease *lease);

/* Lets go of what it has in hand; returns at once. */
void janitor_stop(struct janitor *j);

/* Waits for its thread. */
void janitor_free(struct janitor *j);

#endif
