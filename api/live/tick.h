/*
 * tick: steps are at multiples of LIMIT_LIVE_TICK_MS, so that what is due about the same time is sent
 * together: waking readers costs more than the bytes.
 */
#ifndef API_LIVE_TICK_H
#define API_LIVE_TICK_H

#include <stdint.h>

#include "base/limits.h"

/* The next tick that is not before `ms`; INT64_MAX: never. */
static inline int64_t tick_after(int64_t ms) {
    const int64_t since_ms = ms % LIMIT_LIVE_TICK_MS;
    return since_ms && ms != INT64_MAX ? ms + LIMIT_LIVE_TICK_MS - since_ms : ms;
}

/* What the next time is counted from: a step that is a little late counts as in time, else the next one would
 * be a whole tick later. */
static inline int64_t tick_of(int64_t now_ms) {
    const int64_t since_ms = now_ms % LIMIT_LIVE_TICK_MS;
    return since_ms <= LIMIT_LIVE_TICK_LATE_MS ? now_ms - since_ms : now_ms;
}

#endif
