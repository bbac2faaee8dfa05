/*
 * coordinator: it lists the stream's shards, makes their leases, takes those that it may, runs a
 * thread for each (shard.h), and is the only one that writes leases: a renewal, a checkpoint and a release
 * are one kind of write, one at a time, each conditional on owner, counter and tenure.
 *
 * A lease is lost when a write finds somebody else's row, or when the last acknowledged renewal is older than
 * the failover time: then its shard ends at once, and the lease may be taken again like any other. That is a
 * normal event of that one shard.
 *
 * Without a source it only follows: it reads the leases that others write, and keeps the freshness of the
 * view.
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
    struct source_start
        start; /* for shards that were there from the beginning: trim horizon or a timestamp */
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

/* Readable once it has stopped, for whoever polls other things too: also by itself, if it may not go on. */
int coordinator_stopped_fd(const struct coordinator *c);

/* Whether it stopped by itself: the stream refuses the position that a shard was to be read from. Already
 * logged. */
bool coordinator_is_refused(const struct coordinator *c);

/* Asks for a clean stop: apply what is in hand, checkpoint, release. Returns at once. */
void coordinator_stop(struct coordinator *c);

/* Whether it has stopped by CLOCK_BOOTTIME `until_ms`; waits that long at most. */
bool coordinator_wait(struct coordinator *c, int64_t until_ms);

/* Waits for its threads (cancel the store and the source first if it has to be quick) and frees it. */
void coordinator_free(struct coordinator *c);

#endif
