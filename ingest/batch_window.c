#include "ingest/batch_window.h"

#include "base/limits.h"

enum { STEPS = 5 }; /* each doubles the window; the last is LIMIT_WINDOW_MS */

static void step_to(struct window *w, int step, int64_t now_boot_ms) {
    int ms = step ? LIMIT_WINDOW_MS >> (STEPS - step) : 0;
    size_t records = w->least_records << step;
    w->step = step;
    w->stepped_boot_ms = now_boot_ms;
    w->ms = ms > w->least_ms ? ms : w->least_ms;
    w->records = records < LIMIT_BATCH_RECORDS ? records : LIMIT_BATCH_RECORDS;
}

void window_init(struct window *w, int ms, size_t records) {
    *w = (struct window){.least_ms = ms, .least_records = records};
    step_to(w, 0, 0);
}

bool window_note(struct window *w, bool throttled, int64_t now_boot_ms) {
    int step = w->step;
    int64_t calm_since =
        w->throttled_boot_ms > w->stepped_boot_ms ? w->throttled_boot_ms : w->stepped_boot_ms;
    if (throttled)
        w->throttled_boot_ms = now_boot_ms;
    if (throttled && step < STEPS)
        step++;
    else if (!throttled && step && now_boot_ms - calm_since >= LIMIT_WINDOW_CALM_MS)
        step--;
    if (step == w->step)
        return false;
    step_to(w, step, now_boot_ms);
    return true;
}
