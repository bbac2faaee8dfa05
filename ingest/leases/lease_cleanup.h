/*
 * lease_cleanup: forgets shards that are long gone (hierarchy_is_obsolete): shrinks what the store keeps of
 * each, then deletes its lease, on a thread of its own and at a bounded rate.
 *
 * Taking the ended lease is the lock between workers: it is taken, kept and deleted like any other, by this
 * thread only, each write conditional on the one before. Cut short, the lease is free again after the
 * failover time, and whoever takes it begins anew and finds done what is done. What fails is logged and
 * left for LIMIT_SHRINK_AGAIN_MS: nothing depends on it.
 */
#ifndef INGEST_LEASES_LEASE_CLEANUP_H
#define INGEST_LEASES_LEASE_CLEANUP_H

#include "ingest/leases/lease.h"

struct lease_cleanup;

/* All borrowed, to outlive it. */
struct lease_cleanup_options {
    struct store *store;
    const char *worker; /* as in lease_taken */
    const char *run_id;
    int failover_ms;
    int pause_ms; /* between two steps of store_shrink_watermarks: LIMIT_SHRINK_PAUSE_MS */
};

struct lease_cleanup *lease_cleanup_start(const struct lease_cleanup_options *options);

/* Gives it the lease of a shard that is long gone, as last read. False: it is busy with another, offer again
 * later. Any thread. */
bool lease_cleanup_offer(struct lease_cleanup *c, const struct store_lease *lease);

/* Lets go of what it has in hand; returns at once. */
void lease_cleanup_stop(struct lease_cleanup *c);

/* Waits for its thread. */
void lease_cleanup_free(struct lease_cleanup *c);

#endif
