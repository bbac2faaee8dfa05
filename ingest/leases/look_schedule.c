#include "ingest/leases/look_schedule.h"

/* A lease was seen unchanged from the end of the first look to the beginning of the second. */
enum { MARGIN_MS = 20 };

int64_t look_schedule_interval(int failover_ms) {
    return (int64_t)failover_ms * 3 / 10;
}

int64_t look_schedule_next(struct look_schedule *s, bool is_calm, int64_t began_ms, int64_t ended_ms,
                           uint32_t chance) {
    int64_t failover_ms = s->failover_ms;
    bool begins = is_calm && !s->was_calm;
    s->was_calm = is_calm;
    s->is_first = is_calm && !begins && !s->is_first;
    if (!is_calm)
        return began_ms + look_schedule_interval(s->failover_ms);
    if (begins)
        return began_ms + chance % (3 * failover_ms);
    if (s->is_first)
        return ended_ms + failover_ms + MARGIN_MS;
    return began_ms + failover_ms * 8 / 5 + chance % failover_ms; /* a little over two on average */
}
