/*
 * pulse: a sign of life, for work that may take long and must not be taken for stuck.
 *
 * Whoever works beats whenever something got done; whoever watches reads when that was last. Thread-safe.
 * Times are CLOCK_BOOTTIME (clock_boot_ms).
 */
#ifndef SERVER_BASE_PULSE_H
#define SERVER_BASE_PULSE_H

#include <stdatomic.h>
#include <stdint.h>

struct pulse {
    _Atomic int64_t beat_boot_ms;
};

/* NULL: nobody watches. */
static inline void pulse_beat(struct pulse *p, int64_t now_boot_ms) {
    if (p)
        atomic_store(&p->beat_boot_ms, now_boot_ms);
}

static inline int64_t pulse_last_ms(const struct pulse *p) {
    return atomic_load(&p->beat_boot_ms);
}

#endif
