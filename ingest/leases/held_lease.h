/*
 * held_lease: a lease while this process holds it, and its shard's thread: renewed, checkpointed, released,
 * ended, or lost.
 *
 * All writes of a held lease are made here, one after the other, each conditional on owner, counter and
 * tenure. Each acknowledged write moves the fence, against which the shard's own writes are checked. One
 * thread at a time may use a lease: the caller (lease_keeper.h) ensures that. Any thread may call
 * held_lease_stop meanwhile.
 *
 * A shard's end is written in three steps, each durable before the next: the leases of its children are made,
 * its own lease names them, its checkpoint becomes SHARD_END. The children are not read before the last step.
 * If the steps are interrupted, the shard is read to its end again, and what exists already is kept. While
 * the first step fails, the lease is held on, with the checkpoint before the end.
 */
#ifndef INGEST_LEASES_HELD_LEASE_H
#define INGEST_LEASES_HELD_LEASE_H

#include "ingest/leases/lease.h"
#include "ingest/shard.h"

struct held_lease;

/* All borrowed, to outlive it. */
struct held_lease_context {
    struct shard_context shard;
    int failover_ms;
    int stuck_ms; /* the lease is not renewed while the shard's loop did not turn for so long */

    /* The children of a shard by the last listing of the stream; returns how many. Any thread. */
    size_t (*list_children)(void *data, const char *shard_id,
                            struct source_shard children[STORE_LEASE_PARENTS]);
    void *list_data;
};

enum held_lease_outcome {
    HELD_LEASE_KEPT, /* all others: the lease is not ours any more */
    HELD_LEASE_LOST,
    HELD_LEASE_RELEASED,  /* as asked, or given up because writes fail while stopping */
    HELD_LEASE_ENDED,     /* with its shard; its children have leases */
    HELD_LEASE_FALSE_END, /* the source reported the end, but no shard continues it: released, to be read
                           * again after a pause */
    HELD_LEASE_REFUSED,   /* the position is not one of the source: released, and the worker must end */
};

/* Starts the shard. `lease`: the row that taking wrote; `sent_boot_ms`: when that was sent. */
struct held_lease *held_lease_start(const struct held_lease_context *context, const struct store_lease *lease,
                                    int64_t sent_boot_ms);

/* Whether held_lease_write_due has something to do. Does not block. */
bool held_lease_is_due(struct held_lease *l);

/* Makes the writes that are due, and blocks meanwhile: a checkpoint at most every LIMIT_CHECKPOINT_MS,
 * without progress a renewal every third of the failover time, and the steps of the shard's end. After any
 * outcome but HELD_LEASE_KEPT it must not be called again. */
enum held_lease_outcome held_lease_write_due(struct held_lease *l, bool stopping);

/* When the last write was sent that the store has acknowledged. */
int64_t held_lease_acknowledged_ms(const struct held_lease *l);

/* The shard applies what it has read; held_lease_write_due then releases the lease. */
void held_lease_stop(struct held_lease *l);

/* Whether the shard's thread has ended, so that held_lease_free does not wait: the thread may be in a last
 * call to its source. */
bool held_lease_can_be_freed(struct held_lease *l);

/* Waits for the shard's thread. */
void held_lease_free(struct held_lease *l);

#endif
