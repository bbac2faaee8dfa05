/*
 * fence: until when this process may write on behalf of a lease.
 *
 * The owner of the lease moves the fence forward with every acknowledged renewal, and shuts it when the lease
 * is lost. Every write is checked right before it is signed, retries included. Thread-safe.
 *
 * Times are CLOCK_BOOTTIME (clock_boot_ms): the monotonic clock stands still while the machine is suspended,
 * and leases expire all the same.
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

/* When it shuts, as it is now; 0: it is shut, or there is none. */
static inline int64_t fence_until(const struct fence *f) {
    return f ? atomic_load(&f->open_until_ms) : 0;
}

/* NULL is always open: reads, and writes that need no lease. */
static inline bool fence_is_open(const struct fence *f, int64_t now_boot_ms) {
    return !f || now_boot_ms < atomic_load(&f->open_until_ms);
}

#endif
