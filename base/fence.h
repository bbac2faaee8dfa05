/*
 * fence: until when this process may still write on behalf of a lease.
 *
 * The keeper of the lease moves the fence forward with every renewal that was acknowledged, and shuts it when
 * the lease is lost. Whoever sends writes asks just before each one is signed, retries included. Thread-safe.
 *
 * Times are CLOCK_BOOTTIME (clock_boot_ms): a suspended machine's monotonic clock stands still, and its
 * leases do not.
 */
#ifndef BASE_FENCE_H
#define BASE_FENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fence {
    _Atomic int64_t open_until_ms; /* 0: shut */
};

static inline void fence_open_until(struct fence *f, int64_t boot_ms) {
    atomic_store(&f->open_until_ms, boot_ms);
}

static inline void fence_shut(struct fence *f) {
    atomic_store(&f->open_until_ms, 0);
}

/* No fence at all (NULL) is always open: reads, and writes that no lease stands for. */
static inline bool fence_is_open(const struct fence *f, int64_t now_boot_ms) {
    return !f || now_boot_ms < atomic_load(&f->open_until_ms);
}

#endif
