/*
 * deadletter: where records go that are not events. Never silently dropped, never in the way of their shard:
 * written down with shard, position, reason and the data, before the checkpoint passes them. A crash may
 * write one twice: (shard, position) identifies it.
 *
 * A target is `log` (a warning with the data, cut to what a log line holds) or `file:PATH` (a JSON object a
 * line, appended). Thread-safe.
 */
#ifndef INGEST_DEADLETTER_H
#define INGEST_DEADLETTER_H

#include <stdint.h>

#include "ingest/envelope.h"
#include "server/base/error.h"

struct deadletter;

struct deadletter_letter {
    const char *shard_id;
    struct position position;
    enum envelope_reason reason;
    const char *detail;
    const void *data;
    size_t length;
};

/* INVALID, and says what is allowed, if `target` is none; FAILED if the file cannot be opened. */
enum status deadletter_open(struct deadletter **d, const char *target, struct error *e);
void deadletter_close(struct deadletter *d);

/* All of them, durably (a file is synced). RETRY if that cannot be done now: then some may be written. */
enum status deadletter_write(struct deadletter *d, const struct deadletter_letter *letters, size_t n,
                             int64_t now_real_ms, struct error *e);

#endif
