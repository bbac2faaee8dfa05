#include "server/commands/scan_progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

enum { ROWS_A_LOOK = 256 };

void scan_progress_turn(struct scan_progress *p, int64_t now_ms) {
    int64_t pause_ms = log_is_terminal() ? LIMIT_STATUS_LINE_MS : LIMIT_PROGRESS_LINE_MS;
    if (!p->began_ms) {
        p->began_ms = now_ms;
        p->next_ms = log_is_terminal() ? now_ms : now_ms + pause_ms;
    }
    if (now_ms < p->next_ms)
        return;
    char line[128];
    int64_t rate = now_ms > p->began_ms ? (int64_t)p->rows * 1000 / (now_ms - p->began_ms) : 0;
    if (rate)
        snprintf(line, sizeof line, "%s: %zu rows read, %" PRId64 " rows/s", p->what, p->rows, rate);
    else
        snprintf(line, sizeof line, "%s: reading", p->what);
    bool is_terminal = log_is_terminal();
    log_status(is_terminal ? line : "");
    if (!is_terminal)
        log_info("%s", line);
    p->next_ms = now_ms + pause_ms;
}

void scan_progress_row(struct scan_progress *p) {
    if (p->rows++ % ROWS_A_LOOK == 0)
        scan_progress_turn(p, clock_boot_ms());
}

void scan_progress_end(const struct scan_progress *p) {
    if (!p->rows)
        return;
    log_status("");
    log_flush();
}
