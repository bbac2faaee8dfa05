/*
 * lease_cleanup: removes what is kept for shards that are long gone (hierarchy_is_obsolete): shrinks the
 * watermarks that the store keeps for the shard, then deletes its lease. Runs on a thread of its own, at a
 * bounded rate.
 *
 * The ended lease is the lock between workers: this thread alone takes, renews and deletes it, each write
 * conditional on the one before. If it is interrupted, the lease is free again after the failover time; the
 * worker that takes it then starts over, and skips what is done. A failure is logged, and tried again after
 * LIMIT_SHRINK_AGAIN_MS: nothing depends on the cleanup.
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

/* Hands over an obsolete lease, as last read. False: the thread is busy with another; offer again later. Any
 * thread. */
bool lease_cleanup_offer(struct lease_cleanup *c, const struct store_lease *lease);

/* The thread releases its lease and ends; returns at once. */
void lease_cleanup_stop(struct lease_cleanup *c);

/* Waits for its thread. */
void lease_cleanup_free(struct lease_cleanup *c);

#endif
