/*
 * taker: which leases a worker takes, as a pure function over what its last look at the table showed. Every
 * worker decides for itself, by the same rules, so that all come to have as many as each other:
 *
 *   - a worker is whoever owns a readable lease that has not expired, and the one that asks. Leases whose
 *     shard has ended, or waits for its parents, do not count: they are nobody's work now.
 *   - each may have its share: the leases divided by the workers, rounded up.
 *   - free leases are taken first, up to one's share; what was ours is taken back whatever the share. One
 * that has been free for a failover time more is taken whatever the share: others may count a worker that
 * does nothing.
 *   - if none is free, a worker that is below its share steals one at each look, from whoever has most, if
 *     that is at least two more than it has itself: else the two would only change places.
 *
 * Each goes through the leases in an order of its own, so that they do not all try for the same ones. The
 * conditional write decides who gets a lease; a decision made on an old look costs a failed write at most.
 *
 * A name is meant to be one process's. What bears our name when we first look is from our last life and taken
 * at once, and so is what we let go of ourselves (lease_is_of_run). What bears it and was written by another
 * process since then is a twin's: never stolen. Of two namesakes the one with fewer leases stands back, of
 * equals the one whose tenures sort lower; it comes back when the other is gone.
 */
#ifndef INGEST_LEASES_TAKER_H
#define INGEST_LEASES_TAKER_H

#include "ingest/leases/hierarchy.h"
#include "ingest/leases/lease.h"

/* All borrowed. */
struct taker_input {
    struct hierarchy hierarchy;
    const struct lease_observer *observer; /* which has observed these leases */
    const bool *is_held;                   /* for each lease: this process has a thread for its shard */
    const char *worker;
    const char *run_id;
};

enum taker_kind {
    TAKER_FREE,    /* nobody's */
    TAKER_OWN,     /* ours, from before */
    TAKER_EXPIRED, /* its owner's no longer */
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
    size_t target;    /* one's share */
    bool stands_back; /* a twin goes on: this process takes nothing, and is to release what it holds */
};

void taker_decide(const struct taker_input *s, struct taker_plan *plan);
void taker_plan_deinit(struct taker_plan *plan);

#endif
