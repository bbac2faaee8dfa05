/*
 * deadletter: writes down the records that are not events, with shard, position, reason and data, before the
 * checkpoint passes them. None is dropped silently, and none blocks its shard for ever. A crash may write one
 * twice: (shard, position) identifies it.
 *
 * A target is one of these:
 *   - log: a log line for each, whatever the log's level. It is delivered, so never lost (base/log.h).
 *   - file:PATH: a JSON object a line, appended and synced. A file that was moved away or deleted is created
 *     again.
 *   - sqs:URL: a JSON object a message. On a FIFO queue the group is the shard, and the queue drops a repeat
 *     within five minutes.
 *
 * The object is the same for all: shard, sequenceNumber, subSequenceNumber, reason, detail, time, length,
 * sha256, truncated, data. `data` is base64, and cut where the target cannot take all of it: then `truncated`
 * is true. `length` and `sha256` (hex) are those of the whole data, null if only its beginning was read.
 *
 * If a target cannot take letters now (throttled, no answer, a full disk, a log that nobody reads), the
 * caller tries again. If it refuses them (access denied, no such queue, a read-only file system), they go to
 * the log instead; health and a metric report it, and the target is tried again after a pause of up to
 * LIMIT_DEAD_LETTER_REFUSED_MS.
 *
 * Thread-safe. deadletter_write may block: on SQS for LIMIT_DEAD_LETTER_SEND_MS in all, on a log that takes
 * nothing for LIMIT_LOG_DELIVER_MS.
 */
#ifndef INGEST_DEADLETTER_DEADLETTER_H
#define INGEST_DEADLETTER_DEADLETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "ingest/envelope.h"

struct aws_settings;
struct aws_transport;
struct deadletter;
struct health;

/* Callers see the first and the last only. */
enum deadletter_state {
    DEADLETTER_PENDING,
    DEADLETTER_TAKEN,   /* by the target */
    DEADLETTER_REFUSED, /* by the target: for the log */
    DEADLETTER_WRITTEN,
};

/* All borrowed. */
struct deadletter_letter {
    const char *shard_id;
    struct position position;
    enum envelope_reason reason;
    const char *detail;
    const void *data;
    size_t length;
    bool cut;                    /* `data` is only the beginning of the record */
    enum deadletter_state state; /* set by deadletter_write; pending at first */
};

/* All borrowed, to outlive it. */
struct deadletter_options {
    const char *target;
    struct aws_settings *aws;              /* with sqs:URL */
    const struct aws_transport *transport; /* NULL: libcurl */
    struct health *health;
};

/* Whether `target` has a valid form. A queue's URL is http or https, a host, and a path that ends with a
 * queue's name: 1 to 80 of [A-Za-z0-9_-], perhaps ".fifo" (SQS API, CreateQueue). */
bool deadletter_is_target(const char *target);

/* INVALID if the target has no valid form; FAILED if its file cannot be opened. */
enum status deadletter_open(struct deadletter **d, const struct deadletter_options *options, struct error *e);
void deadletter_close(struct deadletter *d);

/* Writes, durably, the letters that are not written yet. OK: all are written. RETRY: some cannot be written
 * now; call again with the same letters, and those that are marked as written are skipped. */
enum status deadletter_write(struct deadletter *d, struct deadletter_letter *letters, size_t n,
                             int64_t now_real_ms, int64_t now_boot_ms, struct error *e);

/* Ends every call that is under way and every later one, from any thread: for the last seconds of a stop. */
void deadletter_cancel(struct deadletter *d);

#endif
