/*
 * tenure: a lease while it is ours, and its shard's thread: renewed, checkpointed, released, ended, or lost.
 *
 * All writes of a lease come from here, one at a time, on the coordinator's thread, each conditional on
 * owner, counter and tenure. The fence that the shard's writes are checked against moves with every write
 * that was acknowledged.
 */
#ifndef INGEST_TENURE_H
#define INGEST_TENURE_H

#include "ingest/lease.h"
#include "ingest/shard.h"

struct tenure;

/* All borrowed, to outlive it. */
struct tenure_context {
    struct shard_context shard;
    int failover_ms;
    const struct source_shard *listed; /* the stream's shards, as last listed */
    size_t n_listed;
};

/* What is left of it after it was tended. */
enum tenure_outcome {
    TENURE_HELD,
    TENURE_LOST,
    TENURE_RELEASED,  /* as asked, or because its writes fail while stopping */
    TENURE_ENDED,     /* the shard has; its children's leases are there */
    TENURE_FALSE_END, /* it seemed so, but no shard goes on after it: released, to be read again once listed
                         anew */
};

/* The lease as it was written by taking it, and when that was sent. Starts the shard. */
struct tenure *tenure_begin(const struct tenure_context *context, const struct store_lease *lease,
                            int64_t sent_boot_ms);

/* Does what is due: a checkpoint at most every LIMIT_CHECKPOINT_MS, without progress a renewal every third of
 * the failover time, and whatever follows from the shard's end. Anything but TENURE_HELD: tenure_free is
 * next. */
enum tenure_outcome tenure_tend(struct tenure *t, const struct tenure_context *context, bool stopping);

/* The shard applies what it has in hand; tending then releases the lease. */
void tenure_stop(struct tenure *t);

const char *tenure_shard_id(const struct tenure *t);

/* Waits for the shard's thread. */
void tenure_free(struct tenure *t);

#endif
