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
#define KINESIS_EVENT "SubscribeToShardEvent"

struct kinesis_subscription {
    struct aws_stream *events; /* NULL: there is none */
    bool has_events;           /* it has brought a KINESIS_EVENT */

    /* private; CLOCK_BOOTTIME */
    int64_t asked_ms, called_ms;
    int64_t ready_since_ms; /* ready to read since then, without a gap */
    int64_t read_ms;        /* the end of the last read */
    int64_t heard_ms;       /* the last bytes, by then */
    int64_t eventless_ms;   /* spent waiting, since the last event, in reads that brought nothing */
    int64_t byteless_ms;    /* the same since the last bytes */
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

/* Whether an event was sent LIMIT_PUSH_ALLOWANCE_MS before `event->empty` at the earliest: it did not wait
 * behind others at the service, in the connection or here, for the stream had been ready to read and then
 * silent. */
bool kinesis_subscription_is_prompt(const struct kinesis_subscription *s,
                                    const struct aws_stream_event *event);

/* Whether another call can have taken it over. */
bool kinesis_subscription_can_be_taken(const struct kinesis_subscription *s);

void kinesis_subscription_close(struct kinesis_subscription *s);

#endif
