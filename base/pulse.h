/*
 * pulse: a sign of life, for work that may take long and must not be taken for stuck.
 *
 * Whoever works beats whenever something got done; whoever watches reads when that was last. A loop's pulse
 * may be watched: then pulse_find_late tells whether some loop of the process has not turned within its
 * bound. To wait and to try again is to turn; a loop that waits without an end, for work, rests meanwhile.
 *
 * Thread-safe, but for watching and unwatching one pulse: that is for its owner. A pulse that is all zeros is
 * one. Times are CLOCK_BOOTTIME (clock_boot_ms).
 */
#ifndef BASE_PULSE_H
#define BASE_PULSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PULSE_RESTS INT64_MAX

struct pulse {
    _Atomic int64_t beat_boot_ms; /* or PULSE_RESTS */

    /* private: while it is watched */
    const char *name;
    int64_t bound_ms;
    struct pulse *prev, *next;
};

/* NULL: nobody watches. */
static inline void pulse_beat(struct pulse *p, int64_t now_boot_ms) {
    if (p)
        atomic_store(&p->beat_boot_ms, now_boot_ms);
}

/* Until the next beat it is not late. */
static inline void pulse_rest(struct pulse *p) {
    atomic_store(&p->beat_boot_ms, PULSE_RESTS);
}

static inline int64_t pulse_last_ms(const struct pulse *p) {
    return atomic_load(&p->beat_boot_ms);
}

/* Beats, and is watched from now on. Borrows the name, which must last as long as the process does or the
 * pulse is watched. */
void pulse_watch(struct pulse *p, const char *name, int64_t bound_ms, int64_t now_boot_ms);

/* Before the pulse is gone. Does nothing if it is not watched. */
void pulse_unwatch(struct pulse *p);

/* Whether one of those that are watched last beat longer ago than it may; a copy of its name, cut to fit. */
bool pulse_find_late(int64_t now_boot_ms, char *name, size_t size);

#endif
