#include "ingest/leases/refresh_schedule.h"

/* A lease counts as unchanged from the end of the first refresh to the beginning of the second. */
enum { MARGIN_MS = 20 };

int64_t refresh_schedule_interval(int failover_ms) {
    return (int64_t)failover_ms * 3 / 10;
}

int64_t refresh_schedule_next(struct refresh_schedule *s, bool saves_reads, int64_t began_ms,
                              int64_t ended_ms, uint32_t chance) {
    int64_t failover_ms = s->failover_ms;
    bool begins = saves_reads && !s->saved_reads;
    s->saved_reads = saves_reads;
    s->is_first = saves_reads && !begins && !s->is_first;
    if (!saves_reads)
        return began_ms + refresh_schedule_interval(s->failover_ms);
    if (begins)
        return began_ms + chance % (3 * failover_ms);
    if (s->is_first)
        return ended_ms + failover_ms + MARGIN_MS;
    return began_ms + failover_ms * 8 / 5 + chance % failover_ms; /* a little over two on average */
}
