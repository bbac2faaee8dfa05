/*
 * aws/streaming: one signed call whose answer is a stream of events, without an end that is known (Kinesis'
 * SubscribeToShard), in the format of aws/eventstream.h.
 *
 * Until the answer begins it is a call as any other: signed, retried, counted (aws/client.h). From then on
 * there are no retries: a stream ends, and the caller decides what to ask for next. It has a connection of
 * its own, over HTTP/2 where the service offers that.
 *
 * What is not read waits: in LIMIT_AWS_STREAM_BYTES here, in the connection, and then at the service. Nothing
 * happens to a stream between two calls of aws_stream_read. One thread at a time uses a stream.
 */
#ifndef AWS_STREAMING_H
#define AWS_STREAMING_H

#include "aws/client.h"
#include "base/clock.h"

struct aws_stream;

/* What a read has brought. */
struct aws_stream_event {
    enum {
        AWS_STREAM_NOTHING,
        AWS_STREAM_BEGUN, /* a message of `bytes` begins to arrive. The next read takes memory for it */
        AWS_STREAM_EVENT,
    } kind;
    size_t bytes;
    char type[64]; /* of the event; a service may begin with one that says nothing, "initial-response" */

    /* All of the event arrived at this machine after `empty` (zeros: that is not known); and before that
     * nothing had arrived for `silent_ms`, although the stream was being read. */
    struct clock_reading empty;
    int64_t silent_ms;
    const char *payload; /* borrowed, until the next read, aws_stream_forget or aws_stream_close */
    size_t length;
};

/* Makes the call (its body is copied), and blocks until the answer has begun or failed. `run` as in
 * aws_client_call; without a deadline it gets one of LIMIT_AWS_ATTEMPT_MS. Returns the call's status; if OK,
 * `*stream` is the caller's, and the client must outlive it. */
enum status aws_stream_open(struct aws_stream **stream, struct aws_client *client, struct aws_call *call,
                            const struct aws_run *run);

/* Blocks until something arrives, CLOCK_BOOTTIME `until_ms`, or while `stop_fd` (-1: none) is readable; may
 * return earlier with AWS_STREAM_NOTHING. Not OK: the stream has ended, and must be closed: with the error
 * that it brought (its status is that of aws_service_error_status); RETRY if its connection was lost, a
 * message was damaged, or it ended in order (AWS_ERROR_STREAM_ENDED); FAILED after aws_client_cancel. */
enum status aws_stream_read(struct aws_stream *s, int64_t until_ms, int stop_fd,
                            struct aws_stream_event *event, struct error *e);

/* When bytes of it arrived last, or it began: CLOCK_BOOTTIME. */
int64_t aws_stream_heard_ms(const struct aws_stream *s);

/* Frees the last event. */
void aws_stream_forget(struct aws_stream *s);

/* Closes its connection. NULL does nothing. */
void aws_stream_close(struct aws_stream *s);

#endif
