/*
 * tenure: a lease while it is ours, and its shard's thread: renewed, checkpointed, released, ended, or lost.
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
#ifndef INGEST_LEASES_TENURE_H
#define INGEST_LEASES_TENURE_H

#include "ingest/leases/hierarchy.h"
#include "ingest/shard.h"

struct tenure;

/* All borrowed, to outlive it. */
struct tenure_context {
    struct shard_context shard;
    int failover_ms;
    int stuck_ms;               /* a shard whose loop has not turned for so long is not renewed any more */
    struct hierarchy hierarchy; /* as last looked at */
};

/* What is left of it after it was tended. */
enum tenure_outcome {
    TENURE_HELD,
    TENURE_LOST,
    TENURE_RELEASED,  /* as asked, or because its writes fail while stopping */
    TENURE_ENDED,     /* the shard has; its children's leases are there */
    TENURE_FALSE_END, /* it seemed so, but no shard goes on after it: released, to be read again after a
                         pause */
    TENURE_REFUSED,   /* its position is none of the source's: released, and the worker must end */
};

/* The lease as it was written by taking it, and when that was sent. Starts the shard. */
struct tenure *tenure_begin(const struct tenure_context *context, const struct store_lease *lease,
                            int64_t sent_boot_ms);

/* Does what is due: a checkpoint at most every LIMIT_CHECKPOINT_MS, without progress a renewal every third of
 * the failover time, and whatever follows from the shard's end. Anything but TENURE_HELD: the
 * lease is ours no longer, and there is nothing to tend. */
enum tenure_outcome tenure_tend(struct tenure *t, const struct tenure_context *context, bool stopping);

/* The shard applies what it has in hand; tending then releases the lease. */
void tenure_stop(struct tenure *t);

const char *tenure_shard_id(const struct tenure *t);

/* Whether tenure_free will not wait: the shard's thread may be in a last call to its source. */
bool tenure_is_gone(struct tenure *t);

/* Waits for the shard's thread. */
void tenure_free(struct tenure *t);

#endif
