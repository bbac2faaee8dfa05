#include "views/progress.h"

#include <stdbool.h>
#include <string.h>

/* No value can be compared with a first sample that lacks it: the next sample takes its place. */
static bool knows_less(const struct progress_sample *first, const struct progress_sample *sample) {
    return (!first->bytes_left && sample->bytes_left) || (first->as_of_ms < 0 && sample->as_of_ms >= 0);
}

void progress_note(struct progress *p, const struct progress_sample *sample) {
    if (p->n == 1 && knows_less(&p->samples[0], sample))
        p->n = 0;
    if (p->n > 1 && p->samples[p->n - 1].boot_ms - p->samples[p->n - 2].boot_ms < PROGRESS_STEP_MS)
        p->n--;
    if (p->n == PROGRESS_SAMPLES)
        memmove(p->samples, p->samples + 1, --p->n * sizeof *p->samples);
    p->samples[p->n++] = *sample;
}

static int64_t as_of_of(const struct progress_sample *s) {
    return s->as_of_ms;
}

static int64_t bytes_of(const struct progress_sample *s) {
    return s->bytes_left > 0 ? s->bytes_left : PROGRESS_UNKNOWN;
}

static int64_t records_of(const struct progress_sample *s) {
    return s->records;
}

/* The oldest sample of the window that knows `value`, but not of this moment; NULL: there is none. */
static const struct progress_sample *find_base(const struct progress *p,
                                               int64_t (*value)(const struct progress_sample *),
                                               int64_t now_ms) {
    for (size_t i = 0; i < p->n; i++) {
        const struct progress_sample *s = &p->samples[i];
        if (now_ms - s->boot_ms <= PROGRESS_WINDOW_MS && s->boot_ms < now_ms && value(s) >= 0)
            return s;
    }
    return NULL;
}

int64_t progress_rate(const struct progress *p, int64_t now_ms) {
    const struct progress_sample *base = find_base(p, records_of, now_ms);
    if (!base)
        return p->n && p->samples[p->n - 1].boot_ms < now_ms ? 0 : PROGRESS_UNKNOWN;
    return (p->samples[p->n - 1].records - base->records) * 1000 / (now_ms - base->boot_ms);
}

/* `left` shrank by `gain` in `ms`. */
static int64_t extrapolate(int64_t left, int64_t gain, int64_t ms) {
    return gain > 0 ? (int64_t)((double)left / (double)gain * (double)ms) : PROGRESS_UNKNOWN;
}

int64_t progress_left_ms(const struct progress *p, int64_t age_ms, int64_t now_ms) {
    const struct progress_sample *last = p->n ? &p->samples[p->n - 1] : NULL, *base;
    if (last && last->bytes_left > 0) {
        base = find_base(p, bytes_of, now_ms);
        return base ? extrapolate(last->bytes_left, base->bytes_left - last->bytes_left,
                                  now_ms - base->boot_ms)
                    : PROGRESS_UNKNOWN;
    }
    base = age_ms < INT64_MAX ? find_base(p, as_of_of, now_ms) : NULL;
    if (!base)
        return PROGRESS_UNKNOWN;
    int64_t passed_ms = now_ms - base->boot_ms;
    return extrapolate(age_ms, last->as_of_ms - base->as_of_ms - passed_ms, passed_ms);
}
