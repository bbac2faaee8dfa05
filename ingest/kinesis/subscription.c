#include "ingest/kinesis/subscription.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics.h"

static struct metrics_family open_family = {
    .name = "winner_view_fan_out_subscriptions",
    .help = "Shards to whose events this process is subscribed.",
    .kind = METRICS_GAUGE,
};

static void count_open(int n) {
    metrics_count(&open_family, (const char *const[]){NULL}, n);
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t kinesis_subscription_due_ms(const struct kinesis_subscription *s) {
    return s->called_ms ? s->called_ms + LIMIT_SUBSCRIBE_PAUSE_MS : 0;
}

enum status kinesis_subscription_open(struct kinesis_subscription *s, struct kinesis_stream *stream,
                                      json_t *body, const struct fence *fence, struct error *e) {
    int64_t asked_ms = clock_boot_ms(); /* the service counts its age from some time after this */
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_SUBSCRIBE_MS, .fence = fence};
    enum status status = kinesis_stream_subscribe(stream, body, &run, &s->events, e);
    int64_t now_ms = clock_boot_ms();
    s->called_ms = now_ms; /* the service counts from when the call arrives: not before this */
    if (status)
        return status;
    s->asked_ms = asked_ms;
    s->ready_since_ms = s->read_ms = now_ms;
    s->eventless_ms = s->byteless_ms = 0;
    s->has_events = s->within_message = false;
    count_open(1);
    return STATUS_OK;
}

void kinesis_subscription_close(struct kinesis_subscription *s) {
    if (!s->events)
        return;
    aws_stream_close(s->events);
    s->events = NULL;
    count_open(-1);
}

/* A read that took longer than it was to wait was held up, too: by a machine that was suspended, or a process
 * that was stopped. */
static void note_gap(struct kinesis_subscription *s, int64_t expected_ms, int64_t now_ms) {
    if (now_ms - expected_ms > LIMIT_PUSH_GAP_MS)
        s->ready_since_ms = now_ms;
    s->read_ms = now_ms;
}

static void note_kind(struct kinesis_subscription *s, const struct aws_stream_event *event, int64_t took_ms) {
    int64_t heard_ms = aws_stream_heard_ms(s->events);
    bool is_event = event->kind == AWS_STREAM_EVENT && strcmp(event->type, KINESIS_EVENT) == 0;
    s->byteless_ms = heard_ms == s->heard_ms ? s->byteless_ms + took_ms : 0;
    s->eventless_ms = is_event ? 0 : s->eventless_ms + took_ms;
    s->heard_ms = heard_ms;
    s->has_events = s->has_events || is_event;
    if (event->kind != AWS_STREAM_NOTHING)
        s->within_message = event->kind == AWS_STREAM_BEGUN;
}

/* Only time spent waiting for it counts. A large message over a slow line takes its time, as long as it
 * moves. */
static bool is_dead(const struct kinesis_subscription *s) {
    return s->within_message ? s->byteless_ms > LIMIT_READ_SLOW_S * 1000
                             : s->eventless_ms > LIMIT_PUSH_SILENT_MS;
}

enum status kinesis_subscription_read(struct kinesis_subscription *s, int64_t until_ms, int stop_fd,
                                      struct aws_stream_event *event, struct error *e) {
    int64_t began_ms = clock_boot_ms();
    note_gap(s, s->read_ms, began_ms);
    until_ms = earlier(until_ms, began_ms + LIMIT_READ_WAIT_MS);
    enum status status = aws_stream_read(s->events, until_ms, stop_fd, event, e);
    int64_t now_ms = clock_boot_ms();
    note_gap(s, later(until_ms, began_ms), now_ms);
    if (status)
        return status;
    note_kind(s, event, now_ms - began_ms);
    if (event->kind == AWS_STREAM_NOTHING && is_dead(s))
        return error_set_code(e, STATUS_RETRY, KINESIS_SILENT, "the subscription brings nothing any more");
    return STATUS_OK;
}

bool kinesis_subscription_is_prompt(const struct kinesis_subscription *s,
                                    const struct aws_stream_event *event) {
    return event->empty.boot_ms - s->ready_since_ms >= LIMIT_PUSH_READY_MS &&
           event->silent_ms >= LIMIT_PUSH_QUIET_MS;
}

bool kinesis_subscription_can_be_taken(const struct kinesis_subscription *s) {
    return clock_boot_ms() - s->asked_ms >= LIMIT_TAKE_OVER_MS;
}
