/*
 * coordinator: reads the leases of the stream's shards and takes this worker's share, several leases at once.
 * lease_keeper.h keeps what was taken: it runs a shard for each lease (ingest/shard.h), and renews,
 * checkpoints and releases the lease. A lease has one write at a time, conditional on owner, counter and
 * tenure.
 *
 * A lease is lost if a write finds another worker's row, or if the last acknowledged renewal is older than
 * the failover time. Then its shard ends at once, and the lease may be taken again like any other. That is
 * normal, and concerns that shard only.
 *
 * Without a source the coordinator only follows: it reads the leases that others write, and reports the
 * view's freshness.
 */
#ifndef INGEST_LEASES_COORDINATOR_H
#define INGEST_LEASES_COORDINATOR_H

#include "base/health.h"
#include "ingest/deadletter/deadletter.h"
#include "ingest/source.h"
#include "views/apply.h"
#include "views/freshness.h"
#include "views/store.h"

struct coordinator;

struct coordinator_options {
    const char *worker_id; /* at most STORE_LEASE_OWNER_BYTES */
    int failover_ms;
    size_t max_leases;      /* held at once; 0: no limit */
    const char *limit_name; /* of the limit that sets max_leases, for a message; NULL: "--max-leases" */
    bool may_save_reads; /* read the leases less often where there are many workers (refresh_schedule.h): for
                          * a process that neither serves views nor reports their freshness */
    struct source_start start; /* of shards without parents: trim horizon or a timestamp */
    size_t batch_records;
    int batch_window_ms;
};

/* All borrowed, to outlive it. */
struct coordinator_parts {
    struct source *source; /* NULL: follow only */
    struct store *store;
    struct deadletter *deadletter;
    struct freshness *freshness;
    struct health *health;
    const struct apply_listener *listener; /* NULL: none */
};

struct coordinator *coordinator_start(const struct coordinator_options *options,
                                      const struct coordinator_parts *parts);

/* Readable once the coordinator has stopped, also by itself (coordinator_is_refused). For poll. */
int coordinator_stopped_fd(const struct coordinator *c);

/* Whether it stopped by itself: the stream is not the one that the store was filled from. It is logged. */
bool coordinator_is_refused(const struct coordinator *c);

/* A clean stop: shards apply what they have read, leases are checkpointed and released. Returns at once. */
void coordinator_stop(struct coordinator *c);

/* Waits until it has stopped, at most until CLOCK_BOOTTIME `until_ms`. False: it has not. */
bool coordinator_wait(struct coordinator *c, int64_t until_ms);

/* Waits for its threads (cancel the store and the source first if it has to be quick) and frees it. */
void coordinator_free(struct coordinator *c);

#endif
