/*
 * refresh_schedule: when a worker reads the leases again, as a pure function.
 *
 * A refresh reads the whole table. Usually a worker refreshes a little more often than every third of the
 * failover time: it then finds a lease expired at the fourth refresh after the one that first returned it,
 * not at the fifth.
 *
 * A hundred workers need not all read so often. A worker that saves reads (taker.h) refreshes in pairs. The
 * two refreshes of a pair are a failover time apart: that is what it takes to find a lease expired. A pair
 * begins about every three failover times, for each worker at another time. So within two failover times
 * after a worker dies, about a third of the others find its leases. They take more than their shares of them
 * (TAKER_STANDS_FOR).
 *
 * Not thread-safe.
 */
#ifndef INGEST_LEASES_REFRESH_SCHEDULE_H
#define INGEST_LEASES_REFRESH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct refresh_schedule {
    int failover_ms;
    bool saved_reads; /* at the last refresh */
    bool is_first;    /* the last refresh was the first of a pair */
};

/* The time between two refreshes of a worker that does not save reads, in milliseconds. */
int64_t refresh_schedule_interval(int failover_ms);

/* When the next refresh begins, after one that lasted from `began_ms` to `ended_ms`. `saves_reads`: by that
 * refresh (struct taker_plan). `chance`: drawn anew each time, so that not all workers refresh at once. */
int64_t refresh_schedule_next(struct refresh_schedule *s, bool saves_reads, int64_t began_ms,
                              int64_t ended_ms, uint32_t chance);

#endif
