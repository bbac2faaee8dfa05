/*
 * access_log: one line for each request that was answered, in the log's own format: method, target, status,
 * ms (from the request line to the answer's last byte), bytes (of the body as sent; of a stream of /live
 * those sent until it ended), requestId ("" if it had none), and, if the cache gave the answer,
 * cache: `hit`, `stale`, `stale-if-error`, `miss` or `coalesced`. In JSON status, ms and bytes are numbers.
 *
 * No line for what the HTTP parser refused, nor for a client that left before its answer.
 *
 * Thread-safe; blocks as the log does.
 */
#ifndef SERVER_HTTP_ACCESS_LOG_H
#define SERVER_HTTP_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "views/cache/cache.h"

struct access_log_entry {
    const char *method;
    const char *target; /* as sent; the line has it cut, with %XX for bytes that are not printable ASCII */
    unsigned status;
    int64_t us;
    size_t bytes;
    const char *request_id;
    bool cached; /* whether the cache gave the answer, in state `cache` */
    enum cache_state cache;
};

/* Writes the line: a warning if the status is 500 or above. */
void access_log_write(const struct access_log_entry *entry);

/* The same, but at most LIMIT_ACCESS_LOG_LINES a second, so that an outage does not fill the disk. Before the
 * next line that is written, a line counts those left out. `now_ms` is CLOCK_BOOTTIME. */
void access_log_write_limited(const struct access_log_entry *entry, int64_t now_ms);

#endif
