/*
 * progress: how fast a shard is read, and when it is caught up if that goes on, from samples of the last
 * PROGRESS_WINDOW_MS. Plain values; time is an argument (CLOCK_BOOTTIME). Not thread-safe.
 */
#ifndef VIEWS_PROGRESS_H
#define VIEWS_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

enum {
    PROGRESS_SAMPLES = 16,
    PROGRESS_STEP_MS = 2000,    /* shortest time between two samples, but for the newest */
    PROGRESS_WINDOW_MS = 30000, /* older samples do not count */
};

#define PROGRESS_UNKNOWN (-1)

struct progress_sample {
    int64_t boot_ms;
    int64_t records;    /* all that were ever settled */
    int64_t as_of_ms;   /* PROGRESS_UNKNOWN: not known */
    int64_t bytes_left; /* of the source; 0: none, or the source does not count them */
};

/* Zeroed: no sample. */
struct progress {
    struct progress_sample samples[PROGRESS_SAMPLES]; /* oldest first */
    size_t n;
};

void progress_note(struct progress *p, const struct progress_sample *sample);

/* Records a second, 0 if none were settled in the window. PROGRESS_UNKNOWN without samples of two moments. */
int64_t progress_rate(const struct progress *p, int64_t now_ms);

/* The time until the shard is caught up: from the bytes that are left, else from how far its as-of time,
 * which is `age_ms` old (INT64_MAX: not known), is behind. PROGRESS_UNKNOWN also if it gets no nearer. */
int64_t progress_left_ms(const struct progress *p, int64_t age_ms, int64_t now_ms);

#endif
