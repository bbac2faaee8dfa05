#include "ingest/kinesis/pace.h"

#include "base/limits.h"

enum {
    CALLS_MS = 1000,
    BYTES_PER_MS = 2000,
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
    for (int i = 0; i < PACE_CALLS; i++)
        p->calls_ms[i] = -CALLS_MS;
}

/* The fifth read before the next one is a second ago. */
static int64_t next_by_calls(struct pace *p, int64_t now_ms) {
    p->calls_ms[p->oldest_call] = now_ms;
    p->oldest_call = (p->oldest_call + 1) % PACE_CALLS;
    return p->calls_ms[p->oldest_call] + CALLS_MS;
}

static int64_t next_by_bytes(struct pace *p, int64_t now_ms, size_t bytes) {
    p->bytes_until_ms = max(p->bytes_until_ms, now_ms) + (int64_t)((bytes + BYTES_PER_MS - 1) / BYTES_PER_MS);
    return p->bytes_until_ms;
}

void pace_after_read(struct pace *p, int64_t now_ms, size_t bytes, bool behind) {
    int64_t allowed = max(now_ms, max(next_by_calls(p, now_ms), next_by_bytes(p, now_ms, bytes)));

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
