#include "aws/streaming.h"

#include <stdlib.h>
#include <string.h>

#include "aws/eventstream.h"
#include "aws/reply.h"
#include "aws/run.h"
#include "aws/transport.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

struct aws_stream {
    struct aws_client *client;
    struct aws_lane *lane;
    struct aws_exchange exchange;
    const char *operation;
    char *body;
    struct eventstream messages;
    size_t taken; /* of the exchange's reply */
    bool ended;
    int64_t heard_ms;
    int64_t silent_ms; /* before what is in the exchange's reply */
    struct {
        struct clock_reading empty;
        int64_t silent_ms;
    } before; /* the first byte of the message under way */
};

enum status aws_stream_open(struct aws_stream **stream, struct aws_client *client, struct aws_call *call,
                            const struct aws_run *run) {
    struct aws_run bounded = run ? *run : (struct aws_run){0};
    struct aws_stream *s = mem_zalloc(sizeof *s);
    if (!bounded.deadline_boot_ms)
        bounded.deadline_boot_ms = clock_boot_ms() + LIMIT_AWS_ATTEMPT_MS;
    s->client = client;
    s->operation = call->operation;
    s->body = mem_dup(call->body, call->length);
    eventstream_init(&s->messages);
    struct aws_call own = *call;
    own.body = s->body;
    own.stream = &s->exchange;
    s->lane = aws_client_take_lane(client);
    aws_run_calls(client, s->lane, &own, 1, &bounded);
    own.body = call->body;
    own.stream = NULL;
    *call = own;
    s->heard_ms = clock_boot_ms();
    *stream = s;
    if (call->status) {
        aws_exchange_init(&s->exchange);
        aws_stream_close(s);
        *stream = NULL;
    }
    return call->status;
}

void aws_stream_close(struct aws_stream *s) {
    if (!s)
        return;
    aws_session_abandon(s->lane->session, &s->exchange);
    aws_client_give_lane(s->client, s->lane);
    aws_exchange_deinit(&s->exchange);
    eventstream_deinit(&s->messages);
    free(s->body);
    free(s);
}

int64_t aws_stream_heard_ms(const struct aws_stream *s) {
    return s->heard_ms;
}

void aws_stream_forget(struct aws_stream *s) {
    eventstream_next(&s->messages);
}

static void note_beginning(struct aws_stream *s) {
    if (s->messages.received)
        return;
    s->before.empty = s->exchange.empty;
    s->before.silent_ms = s->silent_ms;
}

/* Takes what has arrived, up to the next state. True if there is one. */
static bool advance(struct aws_stream *s, struct error *e) {
    struct buffer *arrived = &s->exchange.reply;
    note_beginning(s);
    enum eventstream_state before = s->messages.state;
    while (s->taken < arrived->length && s->messages.state == before)
        s->taken += eventstream_take(&s->messages, arrived->data + s->taken, arrived->length - s->taken, e);
    return s->messages.state != before;
}

static enum status read_error(struct aws_stream *s, const char *name_header, struct error *e) {
    char name[sizeof e->code], message[sizeof e->message];
    size_t length;
    const void *payload = eventstream_payload(&s->messages, &length);
    eventstream_header(&s->messages, name_header, name, sizeof name);
    if (eventstream_header(&s->messages, ":error-message", message, sizeof message))
        return aws_reply_read_exception(name, NULL, 0, message, e);
    return aws_reply_read_exception(name, payload, length, NULL, e);
}

/* A whole message. */
static enum status read_message(struct aws_stream *s, struct aws_stream_event *event, struct error *e) {
    char kind[32];
    eventstream_header(&s->messages, ":message-type", kind, sizeof kind);
    if (strcmp(kind, "exception") == 0)
        return read_error(s, ":exception-type", e);
    if (strcmp(kind, "error") == 0)
        return read_error(s, ":error-code", e);
    if (strcmp(kind, "event") != 0 ||
        !eventstream_header(&s->messages, ":event-type", event->type, sizeof event->type))
        return aws_service_error_set(e, AWS_ERROR_MALFORMED, "a message of the stream has no known type");
    event->kind = AWS_STREAM_EVENT;
    event->bytes = eventstream_total(&s->messages);
    event->empty = s->before.empty;
    event->silent_ms = s->before.silent_ms;
    event->payload = eventstream_payload(&s->messages, &event->length);
    return STATUS_OK;
}

static enum status read_state(struct aws_stream *s, struct aws_stream_event *event, struct error *e) {
    switch (s->messages.state) {
    case EVENTSTREAM_BODY:
        event->kind = AWS_STREAM_BEGUN;
        event->bytes = eventstream_total(&s->messages);
        return STATUS_OK;
    case EVENTSTREAM_WHOLE:
        return read_message(s, event, e);
    default:
        return e->status;
    }
}

static enum status read_end(const struct aws_stream *s, struct error *e) {
    if (s->exchange.result != AWS_EXCHANGE_ANSWERED)
        return aws_service_error_set(e, AWS_ERROR_NO_ANSWER, s->exchange.problem);
    if (s->messages.received)
        return aws_service_error_set(e, AWS_ERROR_NO_ANSWER, "the stream was cut within a message");
    return aws_service_error_set(e, AWS_ERROR_STREAM_ENDED, "the service ended the stream");
}

static void receive(struct aws_stream *s, int64_t until_ms, int stop_fd) {
    int64_t left_ms = until_ms - clock_boot_ms();
    buffer_clear(&s->exchange.reply);
    s->taken = 0;
    s->ended = !aws_session_read(s->lane->session, &s->exchange, left_ms > 0 ? left_ms : 0, stop_fd);
    if (!s->exchange.reply.length)
        return;
    int64_t silent_ms = s->exchange.empty.boot_ms - s->heard_ms;
    s->silent_ms = silent_ms > 0 ? silent_ms : 0;
    s->heard_ms = clock_boot_ms();
}

static enum status read_once(struct aws_stream *s, int64_t until_ms, int stop_fd,
                             struct aws_stream_event *event, struct error *e) {
    eventstream_next(&s->messages);
    if (atomic_load(&s->client->cancelled))
        return aws_service_error_set(e, AWS_ERROR_CANCELLED, "the program is stopping");
    if (advance(s, e))
        return read_state(s, event, e);
    if (s->ended)
        return read_end(s, e);
    receive(s, until_ms, stop_fd);
    return advance(s, e) ? read_state(s, event, e) : STATUS_OK;
}

enum status aws_stream_read(struct aws_stream *s, int64_t until_ms, int stop_fd,
                            struct aws_stream_event *event, struct error *e) {
    *event = (struct aws_stream_event){.kind = AWS_STREAM_NOTHING};
    enum status status = read_once(s, until_ms, stop_fd, event, e);
    if (!status)
        return STATUS_OK;
    if (strcmp(e->code, AWS_ERROR_STREAM_ENDED) != 0)
        aws_run_count_error(s->client, s->operation, e, 0);
    return error_wrap(e, "%s %s", s->client->service->name, s->operation);
}
