/*
 * held_lease: a lease while it is ours, and its shard's thread: renewed, checkpointed, released, ended, or
 * lost.
 *
 * All writes of a lease come from here, one at a time, on the coordinator's thread, each conditional on
 * owner, counter and tenure. The fence that the shard's writes are checked against moves with every write
 * that was acknowledged.
 *
 * A shard's end is three steps, each durable before the next: the leases of its children are made, its own
 * lease names them, its checkpoint becomes SHARD_END. Cut short anywhere, it is read to its end again, and
 * what is there already is left as it is; its children are not read before the last step. While the first
 * cannot be done, the lease is kept, with as far as the shard was applied.
 */
#ifndef INGEST_LEASES_HELD_LEASE_H
#define INGEST_LEASES_HELD_LEASE_H

#include "ingest/leases/hierarchy.h"
#include "ingest/shard.h"

struct held_lease;

/* All borrowed, to outlive it. */
struct held_lease_context {
    struct shard_context shard;
    int failover_ms;
    int stuck_ms;               /* a shard whose loop has not turned for so long is not renewed any more */
    struct hierarchy hierarchy; /* as last looked at */
};

/* What is left of it after it was tended. */
enum held_lease_outcome {
    HELD_LEASE_KEPT,
    HELD_LEASE_LOST,
    HELD_LEASE_RELEASED,  /* as asked, or because its writes fail while stopping */
    HELD_LEASE_ENDED,     /* the shard has; its children's leases are there */
    HELD_LEASE_FALSE_END, /* it seemed so, but no shard goes on after it: released, to be read again after a
                         pause */
    HELD_LEASE_REFUSED,   /* its position is none of the source's: released, and the worker must end */
};

/* The lease as it was written by taking it, and when that was sent. Starts the shard. */
struct held_lease *held_lease_start(const struct held_lease_context *context, const struct store_lease *lease,
                                    int64_t sent_boot_ms);

/* Does what is due: a checkpoint at most every LIMIT_CHECKPOINT_MS, without progress a renewal every third of
 * the failover time, and whatever follows from the shard's end. Anything but HELD_LEASE_KEPT: the
 * lease is ours no longer, and there is nothing to tend. */
enum held_lease_outcome held_lease_tend(struct held_lease *l, const struct held_lease_context *context,
                                        bool stopping);

/* The shard applies what it has in hand; tending then releases the lease. */
void held_lease_stop(struct held_lease *l);

const char *held_lease_shard_id(const struct held_lease *l);

/* Whether held_lease_free will not wait: the shard's thread may be in a last call to its source. */
bool held_lease_can_be_freed(struct held_lease *l);

/* Waits for the shard's thread. */
void held_lease_free(struct held_lease *l);

#endif
