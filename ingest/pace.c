#include "ingest/pace.h"

#include "server/base/limits.h"

enum {
    CALL_MS = 1000 / 5,  /* one call's share of a second */
    BURST_MS = 1000,     /* a second's worth may be used at once */
    BYTES_PER_MS = 2000, /* 2 MB a second */
    THROTTLE_STEP_MS = 100,
};

static int64_t max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

void pace_init(struct pace *p, int64_t poll_interval_ms) {
    *p = (struct pace){.poll_interval_ms = poll_interval_ms};
}

/* Takes `cost_ms` of a second's worth; returns when there is room for another such cost. */
static int64_t take(int64_t *full_at_ms, int64_t now_ms, int64_t cost_ms, int64_t next_cost_ms) {
    *full_at_ms = max(*full_at_ms, now_ms) + cost_ms;
    return *full_at_ms + next_cost_ms - BURST_MS;
}

void pace_after_read(struct pace *p, int64_t now_ms, size_t bytes, bool behind) {
    int64_t by_calls = take(&p->calls_full_at_ms, now_ms, CALL_MS, CALL_MS);
    int64_t by_bytes = take(&p->bytes_full_at_ms, now_ms, (int64_t)(bytes / BYTES_PER_MS), 0);
    int64_t allowed = max(now_ms, max(by_calls, by_bytes));

    p->throttle_ms /= 2; /* probe back */
    p->next_ms = max(allowed, now_ms + (behind ? p->throttle_ms : max(p->poll_interval_ms, p->throttle_ms)));
}

void pace_after_throttle(struct pace *p, int64_t now_ms, uint32_t random) {
    p->throttle_ms = min(max(p->throttle_ms * 2, THROTTLE_STEP_MS), LIMIT_THROTTLE_MS);
    p->next_ms = now_ms + p->throttle_ms / 2 + random % (p->throttle_ms / 2 + 1);
}

int64_t pace_next(const struct pace *p) {
    return p->next_ms;
}
