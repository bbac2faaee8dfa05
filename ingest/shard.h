/*
 * shard: one leased shard's life, on a thread of its own: read, decode, write down dead letters, apply, tell
 * how far.
 *
 * It never writes its lease: it tells its progress, and the coordinator (ingest/leases/coordinator.h) writes
 * that with the next renewal. A shard ends only when it is told to, or when its last record is applied.
 * Whatever fails - the source, the store, the dead letter target - is waited out and tried again, and shows
 * in health and metrics meanwhile; no record is passed over because something else failed. Only a position
 * that is none of the source's ends it: then it is `refused`, and so is the whole worker.
 */
#ifndef INGEST_SHARD_H
#define INGEST_SHARD_H

#include "base/fence.h"
#include "base/health.h"
#include "base/waker.h"
#include "ingest/deadletter/deadletter.h"
#include "ingest/source.h"
#include "views/apply.h"
#include "views/freshness.h"

struct shard;

/* All borrowed, to outlive the shard. */
struct shard_context {
    struct source *source;
    struct store *store;
    struct deadletter *deadletter;
    struct freshness *freshness;
    struct health *health;
    const struct apply_listener *listener;
    struct budget *budget;
    struct waker *done; /* woken when a shard has something that should be written soon: its end */
    size_t batch_records;
    int batch_window_ms;
    size_t cache_bytes;
};

/* How far a shard's records are in the views: what its lease's checkpoint becomes. */
struct shard_progress {
    enum lease_checkpoint checkpoint;
    struct position position; /* with LEASE_AT_POSITION */
    int64_t as_of_ms;         /* -1: unknown */
};

/* What a shard reports, at one moment. */
struct shard_report {
    struct shard_progress progress; /* everything up to here is in the views, its dead letters written down */
    struct source_shard children[STORE_LEASE_PARENTS]; /* with LEASE_SHARD_END */
    size_t n_children;
    bool
        vanished; /* with LEASE_SHARD_END: the source does not have it any more, and need not name children */
    bool refused; /* its position is none of the source's: no worker may go on from it */
    int64_t alive_boot_ms; /* when its loops last turned, applying or reading, whichever is longer ago:
                            * waiting and trying again are turning */
    bool finished;         /* it applies nothing more: this progress is the last */
    bool gone;             /* its thread is done: shard_join will not wait */
};

/* Begins to read after the lease's checkpoint. `fence` is what writes are checked against; the coordinator
 * moves it. */
struct shard *shard_start(const struct shard_context *context, const struct store_lease *lease,
                          struct fence *fence);

/* Any thread. */
void shard_read_report(struct shard *s, struct shard_report *report);

/* Apply what is in hand, then finish: a clean stop. */
void shard_stop(struct shard *s);

/* The lease is lost: finish at once, apply nothing more. */
void shard_abandon(struct shard *s);

/* Waits for the thread and frees it. */
void shard_join(struct shard *s);

#endif
