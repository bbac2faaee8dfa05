/*
 * access_log: one line for each request that was answered, in the log's own format: method, target, status,
 * ms (from the request line to the answer's last byte), bytes (of the body as sent; of a stream of /live as
 * far as it got), requestId ("" if it had none), and cache if the answer came through it: `hit`, `stale`,
 * `stale-if-error`, `miss` or `coalesced`. In JSON status, ms and bytes are numbers.
 *
 * What the HTTP parser itself refused was no request, and whoever left before the answer got none: no line
 * for either.
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
    const char *target; /* as it was sent; bytes that are not printable ASCII are escaped, and it is cut */
    unsigned status;
    int64_t us;
    size_t bytes;
    const char *request_id;
    bool cached; /* `cache` counts */
    enum cache_state cache;
};

/* Writes the line: a warning if the status is 500 or above. */
void access_log_write(const struct access_log_entry *entry);

/* The same, but at most LIMIT_ACCESS_LOG_LINES a second, so that an outage does not fill the disk: how many
 * were left out comes before the next line that is written. `now_ms` is CLOCK_BOOTTIME. */
void access_log_write_limited(const struct access_log_entry *entry, int64_t now_ms);

#endif
