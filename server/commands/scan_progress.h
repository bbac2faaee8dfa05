/*
 * scan_progress: what the log says while a command reads the rows of a store: how many it has read, and how
 * fast: in a status line on a terminal, else in a line every LIMIT_PROGRESS_LINE_MS. Not thread-safe.
 */
#ifndef SERVER_COMMANDS_SCAN_PROGRESS_H
#define SERVER_COMMANDS_SCAN_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed: nothing was read. */
struct scan_progress {
    const char *what; /* "audit" */
    size_t rows;
    int64_t began_ms, next_ms; /* of CLOCK_BOOTTIME; 0: not yet */
};

/* One more row was read. It looks at the clock at every 256th. */
void scan_progress_row(struct scan_progress *p);

/* The same, at this time. */
void scan_progress_turn(struct scan_progress *p, int64_t now_ms);

/* Takes the status line away, and waits until that is written. */
void scan_progress_end(const struct scan_progress *p);

#endif
