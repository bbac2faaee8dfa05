/*
 * subscription: one shard's stream of pushed events (Kinesis API, SubscribeToShard), which lives for five
 * minutes at most, and how well it has been read: whether it is dead, and what a heartbeat is worth. Not
 * thread-safe.
 */
#ifndef INGEST_KINESIS_SUBSCRIPTION_H
#define INGEST_KINESIS_SUBSCRIPTION_H

#include "base/fence.h"
#include "ingest/kinesis/stream.h"

#define KINESIS_SILENT "Silent" /* the code of a subscription that is dead: RETRY */

struct kinesis_subscription {
    struct aws_stream *events; /* NULL: there is none */
    bool has_events;           /* it has brought one */

    /* private; CLOCK_BOOTTIME */
    int64_t called_ms, began_ms, event_ms;
    int64_t ready_since_ms; /* ready to read since then, without a gap */
    int64_t read_ms;        /* the end of the last read */
    bool within_message;
};

/* Zeroed is none. When SubscribeToShard may be called next. */
int64_t kinesis_subscription_due_ms(const struct kinesis_subscription *s);

/* Calls SubscribeToShard once; takes `body`. */
enum status kinesis_subscription_open(struct kinesis_subscription *s, struct kinesis_stream *stream,
                                      json_t *body, const struct fence *fence, struct error *e);

/* As aws_stream_read. It returns after LIMIT_READ_WAIT_MS at the latest. Also RETRY, KINESIS_SILENT: nothing
 * has arrived for too long, although it was ready to read. */
enum status kinesis_subscription_read(struct kinesis_subscription *s, int64_t until_ms, int stop_fd,
                                      struct aws_stream_event *event, struct error *e);

/* Whether it has been ready to read for so long that what was just read is fresh: sent
 * LIMIT_PUSH_ALLOWANCE_MS ago at the earliest. */
bool kinesis_subscription_is_prompt(const struct kinesis_subscription *s);

/* Whether another call can have taken it over. */
bool kinesis_subscription_can_be_taken(const struct kinesis_subscription *s);

void kinesis_subscription_close(struct kinesis_subscription *s);

#endif
