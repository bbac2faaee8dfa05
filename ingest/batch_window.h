/*
 * window: how much a shard collects before it writes, while the store throttles.
 *
 * A row is written once a batch, however many of its events the batch has: so fewer, larger batches need
 * fewer writes. A throttled batch widens the window by a step, in time (up to LIMIT_WINDOW_MS) and in records
 * (up to LIMIT_BATCH_RECORDS): with a backlog batches are full at once, and only their size makes them fewer.
 * A period without throttling narrows it by a step, down to what was configured.
 *
 * Pure; time is an argument (CLOCK_BOOTTIME).
 */
#ifndef INGEST_BATCH_WINDOW_H
#define INGEST_BATCH_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
    int ms;         /* how long a batch that is not full waits for more */
    size_t records; /* when it is full */

    /* private */
    int least_ms;
    size_t least_records;
    int step;
    int64_t stepped_boot_ms, throttled_boot_ms;
};

/* As configured. */
void window_init(struct window *w, int ms, size_t records);

/* After each batch, `throttled` if the store throttled it; also after a read that brought nothing. True if
 * the window has changed. */
bool window_note(struct window *w, bool throttled, int64_t now_boot_ms);

#endif
