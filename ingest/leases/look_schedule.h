/*
 * look_schedule: when a worker looks at the leases again, as a pure function.
 *
 * Usually a worker looks a little more often than every third of the failover time: a lease is then found
 * expired at the fourth look after the one that first returned it, not at the fifth. But each look reads the
 * whole table, and a hundred workers need not all do that: while all is calm, the looks of a worker in a
 * crowd (taker.h) come in pairs. The two are a failover time apart, which is what it takes to find a lease
 * expired, and a pair begins about every three failover times, for each worker at another time. So about a
 * third of the workers finds the leases of one that died within two failover times, and takes more than its
 * share of them (TAKER_STANDS_FOR).
 */
#ifndef INGEST_LEASES_LOOK_SCHEDULE_H
#define INGEST_LEASES_LOOK_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct look_schedule {
    int failover_ms;
    bool was_calm; /* at the last look */
    bool is_first; /* ... which was the first of a pair */
};

int64_t look_schedule_interval(int failover_ms);

/* When the next look begins, after one that took from `began_ms` to `ended_ms`. `is_calm`: taker.h. `chance`:
 * drawn anew each time, so that the workers do not all look at once. */
int64_t look_schedule_next(struct look_schedule *s, bool is_calm, int64_t began_ms, int64_t ended_ms,
                           uint32_t chance);

#endif
