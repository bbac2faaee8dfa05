/*
 * taker: which leases a worker takes, as a pure function over the leases as last read. Every worker decides
 * for itself by the same rules, and so all come to hold equally many:
 *
 *   - A worker is any owner of a readable lease that has not expired, and the one that decides. Leases
 *     whose shard has ended or waits for its parents do not count.
 *   - Each worker's share is the number of leases divided by the number of workers, rounded up.
 *   - Free leases are taken first, up to the share. Beyond it a worker takes back what it held before, and
 *     what has been free for a failover time more: others may count a worker that takes nothing.
 *   - No worker takes more than its `max`, for whatever reason.
 *   - If none is free, a worker below its share steals one lease each time, from the worker that has most,
 *     if that one has at least two more: else the two would only change places.
 *
 * Each worker has an order of its own for the leases, so that they do not all try for the same ones. The
 * conditional write decides who gets a lease; a decision on old data costs one failed write at most.
 *
 * A worker id is meant for one process. A lease with our id that was not written since our first read is from
 * an earlier run; it is taken back at once, and so is one that this run released (lease_is_of_run). A lease
 * with our id that another process writes is a namesake's: never stolen. Of two namesakes, the one with fewer
 * leases takes nothing and releases what it holds; of equals, the one whose tenures sort lower. It starts
 * again when the other is gone.
 */
#ifndef INGEST_LEASES_TAKER_H
#define INGEST_LEASES_TAKER_H

#include "ingest/leases/hierarchy.h"
#include "ingest/leases/lease.h"

/* A lease that was free for so many failover times counts as unread. */
#define TAKER_UNREAD_TIMES 3

/* From this many workers on, each may save reads. A worker that did takes TAKER_STANDS_FOR times what it
 * lacks of its share: the others may not refresh in time. */
#define TAKER_CROWD 20
#define TAKER_STANDS_FOR 6

/* All borrowed. */
struct taker_input {
    struct hierarchy hierarchy;
    const struct lease_observer *observer; /* of these leases */
    const bool *is_held;                   /* for each lease: this process has a thread for its shard */
    const char *worker;
    const char *run_id;
    size_t max;          /* leases that this worker may hold; 0: no limit */
    bool may_save_reads; /* where there is a crowd (refresh_schedule.h) */
    bool saved_reads;    /* at its last refresh */
};

enum taker_kind {
    TAKER_FREE,    /* without an owner */
    TAKER_OWN,     /* ours, of an earlier run or released by this one */
    TAKER_EXPIRED, /* its owner did not renew it */
    TAKER_STOLEN,
};

struct taker_choice {
    const struct store_lease *lease;
    enum taker_kind kind;
    uint64_t order;
};

struct taker_plan {
    struct taker_choice *choices;
    size_t n;
    size_t workers;   /* this one included */
    size_t target;    /* the share */
    size_t unread;    /* free for TAKER_UNREAD_TIMES failover times, while this worker holds `max` */
    bool saves_reads; /* it may, no lease is free, this worker has its share and is one of TAKER_CROWD */
    bool yields;      /* to a namesake: this process takes nothing, and must release what it holds */
};

/* The plan borrows the leases. */
void taker_decide(const struct taker_input *in, struct taker_plan *plan);
void taker_plan_deinit(struct taker_plan *plan);

#endif
