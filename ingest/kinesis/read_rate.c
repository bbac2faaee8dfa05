#include "ingest/kinesis/read_rate.h"

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

void read_rate_init(struct read_rate *r, int64_t poll_interval_ms) {
    *r = (struct read_rate){.poll_interval_ms = poll_interval_ms};
    for (int i = 0; i < READ_RATE_CALLS; i++)
        r->calls_ms[i] = -CALLS_MS;
}

/* A second after the fifth read before the next one. */
static int64_t next_by_calls(struct read_rate *r, int64_t now_ms) {
    r->calls_ms[r->oldest_call] = now_ms;
    r->oldest_call = (r->oldest_call + 1) % READ_RATE_CALLS;
    return r->calls_ms[r->oldest_call] + CALLS_MS;
}

static int64_t next_by_bytes(struct read_rate *r, int64_t now_ms, size_t bytes) {
    r->bytes_until_ms = max(r->bytes_until_ms, now_ms) + (int64_t)((bytes + BYTES_PER_MS - 1) / BYTES_PER_MS);
    return r->bytes_until_ms;
}

void read_rate_after_read(struct read_rate *r, int64_t now_ms, size_t bytes, bool behind) {
    int64_t allowed = max(now_ms, max(next_by_calls(r, now_ms), next_by_bytes(r, now_ms, bytes)));

    r->throttle_ms /= 2;
    r->next_ms = max(allowed, now_ms + (behind ? r->throttle_ms : max(r->poll_interval_ms, r->throttle_ms)));
}

void read_rate_after_throttle(struct read_rate *r, int64_t now_ms, uint32_t random) {
    r->throttle_ms = min(max(r->throttle_ms * 2, THROTTLE_STEP_MS), LIMIT_THROTTLE_MS);
    r->next_ms = now_ms + r->throttle_ms / 2 + random % (r->throttle_ms / 2 + 1);
}
