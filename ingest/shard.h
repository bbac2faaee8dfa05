/*
 * shard: reads one leased shard on a thread of its own: takes batches from the prefetch, writes their dead
 * letters, applies them, and reports the progress.
 *
 * It never writes its lease: the reported progress is written with the next renewal
 * (ingest/leases/held_lease.h). A shard ends only when it is stopped, or when its last record is applied. A
 * failure of the source, the store or the dead letter target is tried again until it works, and is in health
 * and metrics meanwhile; no record is skipped. Only a position that is not one of the source ends the shard:
 * then it reports `refused`, and the whole worker must end.
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
    struct waker *done; /* woken when a shard has finished: its end is written at once */
    size_t batch_records;
    size_t batch_bytes; /* as in struct batch_limits */
    int batch_window_ms;
    size_t cache_bytes;
};

/* How far a shard's records are in the views: what its lease's checkpoint becomes. */
struct shard_progress {
    enum lease_checkpoint checkpoint;
    struct position position; /* with LEASE_AT_POSITION */
    int64_t as_of_ms;         /* as it is stored (service_clock_tell); -1: unknown */
    struct digest hash;       /* beside the position, as in the lease */
    bool foreign_arrivals;    /* an event's arrival was not this stream's (views/store.h) */
};

/* The state of a shard at one moment. */
struct shard_report {
    struct shard_progress progress; /* up to here all is in the views, and the dead letters are written */
    struct source_shard children[STORE_LEASE_PARENTS]; /* with LEASE_SHARD_END */
    size_t n_children;
    bool vanished; /* with LEASE_SHARD_END: the source no longer has the shard, so it may have no children */
    bool refused;  /* the position is not one of the source: no worker may continue from it */
    int64_t alive_boot_ms; /* when the loops last turned, the applying or the reading one, whichever is longer
                            * ago; a loop that waits or tries again turns */
    bool finished;         /* it applies nothing more: this progress is the last */
    bool thread_ended;     /* shard_join does not wait */
};

/* Begins to read after the lease's checkpoint. `fence`: the shard's writes are checked against it;
 * renewals move it. */
struct shard *shard_start(const struct shard_context *context, const struct store_lease *lease,
                          struct fence *fence);

/* Any thread. */
void shard_read_report(struct shard *s, struct shard_report *report);

/* A clean stop: applies what was read, then finishes. */
void shard_stop(struct shard *s);

/* The lease is lost: finishes at once, and applies nothing more. */
void shard_abandon(struct shard *s);

/* Waits for the thread and frees it. */
void shard_join(struct shard *s);

#endif
