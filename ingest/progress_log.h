/*
 * progress_log: what the log says while the view is behind its stream: every LIMIT_PROGRESS_LINE_MS how far
 * it is, how fast it is read and how long that will take; and once, that it is caught up. On a terminal the
 * lines are one status line instead, which changes every LIMIT_STATUS_LINE_MS (base/log.h). No lines while
 * nothing is applied: what fails is logged by the shard. Not thread-safe.
 */
#ifndef INGEST_PROGRESS_LOG_H
#define INGEST_PROGRESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "views/freshness.h"

struct progress_log {
    int64_t next_ms;
    bool was_caught_up; /* and the log says so */
    bool has_status;    /* a status line is there */
};

/* Writes a line if one is due. `now_ms` is CLOCK_BOOTTIME. */
void progress_log_turn(struct progress_log *log, struct freshness *freshness, int64_t now_ms);

/* There is no more to say: the status line is taken away. */
void progress_log_end(struct progress_log *log);

#endif
