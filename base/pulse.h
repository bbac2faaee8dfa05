/*
 * pulse: a sign of life, which separates slow work from a thread that hangs.
 *
 * A worker beats each time something got done; a watcher reads the time of the last beat. Loops have their
 * pulse watched: pulse_find_late reports a loop of the process that has not turned within its bound. Waiting
 * with a time-out, and trying again, count as turning; a loop that waits for work without a time-out rests
 * meanwhile.
 *
 * Thread-safe, but one pulse is watched and unwatched by its owner only. All zeros is a valid pulse. Times
 * are CLOCK_BOOTTIME (clock_boot_ms).
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

/* NULL does nothing. */
static inline void pulse_beat(struct pulse *p, int64_t now_boot_ms) {
    if (p)
        atomic_store(&p->beat_boot_ms, now_boot_ms);
}

/* The pulse is not late until it beats again. */
static inline void pulse_rest(struct pulse *p) {
    atomic_store(&p->beat_boot_ms, PULSE_RESTS);
}

static inline int64_t pulse_last_ms(const struct pulse *p) {
    return atomic_load(&p->beat_boot_ms);
}

/* Beats, and begins to watch. `name` is borrowed until pulse_unwatch. */
void pulse_watch(struct pulse *p, const char *name, int64_t bound_ms, int64_t now_boot_ms);

/* Call it before the pulse is freed. Does nothing if it is not watched. */
void pulse_unwatch(struct pulse *p);

/* Whether a watched pulse is late; if so, `name` is its name, cut to fit. */
bool pulse_find_late(int64_t now_boot_ms, char *name, size_t size);

#endif
