/*
 * lease_keeper: keeps the leases that this process holds. Their renewals, checkpoints, releases and ends
 * (held_lease.h) are written by at most LIMIT_LEASE_WRITES threads at once (lease_writers.h), the oldest due
 * first. Each lease has one write at a time. The keeper's own thread finds what is due. It calls no store and
 * no source, so a call that hangs does not delay it.
 *
 * Thread-safe. Only lease_keeper_end and lease_keeper_free wait.
 */
#ifndef INGEST_LEASES_LEASE_KEEPER_H
#define INGEST_LEASES_LEASE_KEEPER_H

#include "ingest/leases/held_lease.h"

struct lease_keeper;

struct lease_keeper_options {
    int failover_ms;
    int64_t rest_ms; /* after a false end the lease is not taken again for so long: else it would be taken and
                      * read in a busy loop */

    /* A lease is not ours any more. Runs on the keeper's thread. */
    void (*on_outcome)(void *data, enum held_lease_outcome outcome);
    void *data;
};

struct lease_keeper *lease_keeper_start(const struct lease_keeper_options *options);

/* Starts the shard of a lease that was taken, as held_lease_start does. Copies context and lease; sets the
 * context's `shard.done`, `list_children` and `list_data` itself. */
void lease_keeper_add(struct lease_keeper *k, const struct held_lease_context *context,
                      const struct store_lease *lease, int64_t sent_boot_ms);

/* For each lease (sorted by shard id): whether this process has a thread for its shard. */
void lease_keeper_mark(struct lease_keeper *k, const struct store_lease *leases, size_t n, bool *held);

/* Whether no failover time without an acknowledged renewal has ended since `since_ms` (CLOCK_BOOTTIME), or
 * lasts. */
bool lease_keeper_was_answered(struct lease_keeper *k, int64_t since_ms);

/* The stream's shards as last listed, borrowed until they are set anew. */
void lease_keeper_set_listing(struct lease_keeper *k, const struct source_shard *shards, size_t n);

/* Each shard that is held now applies what it has read; then its lease is released. Returns at once. */
void lease_keeper_release(struct lease_keeper *k);

/* The same for good, also of leases that are added later; returns at once. */
void lease_keeper_stop(struct lease_keeper *k);

/* Stops it, and waits until all leases are released or lost. None may be added any more. */
void lease_keeper_end(struct lease_keeper *k);

/* After lease_keeper_end. NULL is fine. */
void lease_keeper_free(struct lease_keeper *k);

#endif
