#include "ingest/kinesis/fan_out.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "aws/json.h"
#include "aws/promise.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/memory_budget.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "base/waker.h"
#include "ingest/kinesis/consumer.h"
#include "ingest/kinesis/place.h"
#include "ingest/kinesis/refusal.h"
#include "ingest/kinesis/subscription.h"

enum {
    MEMORY_PER_BYTE = 3, /* of a message: its bytes, then parsed, too, with what each value takes */
    LOOKS_FOR_SHARD = 2, /* refusals as not found: by the second one the consumer was found again */
};

static struct metrics_family again_family = {
    .name = "winner_view_fan_out_resubscriptions_total",
    .help = "Subscriptions that ended, or were refused, and were asked for again, by reason.",
    .kind = METRICS_COUNTER,
    .labels = {"reason"},
};

static struct metrics_family event_family = {
    .name = "winner_view_fan_out_last_event_timestamp_seconds",
    .help = "When the shard's subscription brought its last event; heartbeats count.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

/* The message that arrives. */
enum message { NO_MESSAGE, AWAITS_ROOM, ADMITTED };

struct fan_out {
    struct source_reader reader; /* first: what callers of ingest/source.h hold */
    struct kinesis_place place;
    struct kinesis_subscription subscription;
    char *continuation;   /* of the last event; NULL: begin at the place */
    int64_t continued_ms; /* when it arrived */
    int64_t due_ms;       /* the next subscription, not before */
    bool has_begun;       /* to read */
    struct waker waker;
    atomic_bool woken; /* by kinesis_fan_out_wake, in or before this read */

    enum message message;
    size_t message_bytes;
    struct budget *budget;
    struct budget_claim claim;
    bool had_no_room; /* the last read found no room in the budget */

    /* What is wrong, until an event proves that it is not. */
    struct error failure;     /* each read without an event returns it; status OK: nothing */
    bool is_suspect;          /* `failure` outlives a subscription that succeeds */
    int64_t refused_since_ms; /* 0: not */
    int barren;               /* subscriptions in a row that ended without an event */
    int not_found;            /* refusals in a row as not found */

    bool is_taken; /* the last subscription was taken over, with this error, when the fence was this */
    int64_t taken_until_ms;
    struct error taken;

    struct metrics_series *event_time;
};

struct source_reader *kinesis_fan_out_open(struct source *source, const struct source_shard *shard,
                                           const struct source_start *start, struct budget *budget) {
    struct fan_out *r = mem_zalloc(sizeof *r);
    r->reader.ops = source->ops;
    r->budget = budget;
    kinesis_place_init(&r->place, (struct kinesis_stream *)source, shard, start);
    r->event_time = METRICS_HOLD(&event_family, shard->id);
    waker_init(&r->waker);
    return &r->reader;
}

/* A message that was admitted keeps its claim, whatever the last batch was. */
static void forget(struct fan_out *r) {
    kinesis_reply_deinit(&r->place.reply);
    if (r->message != ADMITTED)
        budget_set(r->budget, &r->claim, 0);
}

void kinesis_fan_out_forget(struct source_reader *reader) {
    forget((struct fan_out *)reader);
}

static void end_message(struct fan_out *r) {
    r->message = NO_MESSAGE;
    budget_set(r->budget, &r->claim, 0);
}

static void end_subscription(struct fan_out *r) {
    kinesis_subscription_close(&r->subscription);
    end_message(r);
}

static void drop_continuation(struct fan_out *r) {
    free(r->continuation);
    r->continuation = NULL;
}

void kinesis_fan_out_close(struct source_reader *reader) {
    struct fan_out *r = (struct fan_out *)reader;
    end_subscription(r);
    drop_continuation(r);
    kinesis_place_deinit(&r->place);
    metrics_hide(r->event_time);
    metrics_release(r->event_time, clock_boot_ms());
    waker_deinit(&r->waker);
    free(r);
}

void kinesis_fan_out_wake(struct source_reader *reader) {
    struct fan_out *r = (struct fan_out *)reader;
    atomic_store(&r->woken, true);
    waker_wake(&r->waker);
}

/* Failures. */

static void count_again(const char *reason) {
    metrics_count(&again_family, (const char *const[]){reason, NULL}, 1);
}

/* Each read returns it, so that it stays a trouble, until an event proves that all is well. */
static enum status suspect(struct fan_out *r, const struct error *e) {
    r->failure = *e;
    r->is_suspect = true;
    return e->status;
}

static void clear_failures(struct fan_out *r) {
    r->failure = (struct error){0};
    r->is_suspect = false;
    r->refused_since_ms = 0;
    r->barren = r->not_found = 0;
}

/* A refusal that passes by itself. */
static enum status wait_out(struct fan_out *r, struct error *e) {
    int64_t now_ms = clock_boot_ms();
    if (!r->refused_since_ms)
        r->refused_since_ms = now_ms;
    if (now_ms - r->refused_since_ms < LIMIT_SUBSCRIBE_REFUSED_MS)
        return STATUS_OK;
    e->status = STATUS_RETRY;
    return suspect(r, e);
}

static enum status take_in_use(struct fan_out *r, bool was_open, struct error *e) {
    if (!was_open || !kinesis_subscription_can_be_taken(&r->subscription)) {
        count_again("refused");
        return wait_out(r, e);
    }
    r->taken = *e;
    r->is_taken = true;
    r->taken_until_ms = fence_until(r->reader.fence);
    return STATUS_OK;
}

/* Whether it is clear who took the subscription over. A worker that takes a lease subscribes before this one
 * learns of it; but then no renewal is acknowledged any more. */
static bool is_clear(const struct fan_out *r) {
    return !r->reader.fence || fence_until(r->reader.fence) != r->taken_until_ms;
}

/* The lease was renewed since. */
static enum status take_taken_over(struct fan_out *r, struct error *e) {
    r->is_taken = false;
    count_again("taken_over");
    *e = r->taken;
    e->status = STATUS_FAILED;
    error_wrap(e, "another program uses consumer '%s': its subscription took over this one",
               kinesis_consumer_name(r->place.stream->consumer));
    return suspect(r, e);
}

/* It is the consumer that is gone, or the shard. */
static enum status take_not_found(struct fan_out *r, struct source_batch *batch, struct error *e) {
    if (++r->not_found >= LOOKS_FOR_SHARD) {
        r->not_found = 0;
        return kinesis_place_take_not_found(&r->place, batch, e);
    }
    kinesis_consumer_doubt(r->place.stream->consumer);
    return STATUS_OK;
}

/* What AWS says about the position counts where one was named. */
static enum kinesis_refusal refusal_of(const struct fan_out *r, const struct error *e) {
    const struct kinesis_place *p = &r->place;
    enum kinesis_refusal refusal = kinesis_refusal(e);
    bool of_position = !r->continuation && !p->from_horizon && p->next.checkpoint == LEASE_AT_POSITION;
    return refusal >= KINESIS_OUT_OF_RETENTION && !of_position ? KINESIS_OTHER : refusal;
}

/* The reason of an end that is no exception of the service; NULL: it is one. */
static const char *reason_of(const struct error *e) {
    static const char *const reasons[][2] = {
        {AWS_ERROR_STREAM_ENDED, "expired"}, {AWS_ERROR_NO_ANSWER, "lost"},
        {AWS_ERROR_DEADLINE, "lost"},        {KINESIS_SILENT, "silent"},
        {AWS_ERROR_CHECKSUM, "damaged"},     {AWS_ERROR_MALFORMED, "damaged"},
        {AWS_ERROR_TOO_LARGE, "damaged"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(e->code, reasons[i][0]) == 0)
            return reasons[i][1];
    return NULL;
}

/* Any other failure of the call, or exception in the stream. A continuation number that is refused is not
 * used again. */
static enum status take_refusal(struct fan_out *r, struct source_batch *batch, struct error *e) {
    enum kinesis_refusal refusal = refusal_of(r, e);
    bool had_continuation = r->continuation;
    count_again(reason_of(e) ? reason_of(e) : "refused");
    if (e->status != STATUS_RETRY)
        drop_continuation(r);
    switch (refusal) {
    case KINESIS_THROTTLED:
        return wait_out(r, e);
    case KINESIS_NOT_FOUND:
        return take_not_found(r, batch, e);
    case KINESIS_OUT_OF_RETENTION:
        kinesis_place_continue_at_horizon(&r->place, batch, "the stream refuses the position as expired");
        return STATUS_OK;
    case KINESIS_PAST_THE_END:
        batch->ended = true;
        return STATUS_OK;
    case KINESIS_FOREIGN_POSITION:
        return e->status = STATUS_INVALID;
    default:
        if (had_continuation && e->status == STATUS_INVALID)
            return STATUS_OK;
        return e->status = e->status == STATUS_RETRY ? STATUS_RETRY : STATUS_FAILED;
    }
}

/* One that ends is made again, and no trouble; unless none of them brings anything. */
static enum status take_loss(struct fan_out *r, bool had_events, const char *reason, struct error *e) {
    count_again(reason);
    r->barren = had_events ? 0 : r->barren + 1;
    return r->barren < LIMIT_PUSH_BARREN && e->status == STATUS_RETRY ? STATUS_OK : suspect(r, e);
}

/* The subscription has ended. */
static enum status take_end(struct fan_out *r, struct source_batch *batch, struct error *e) {
    const char *reason = reason_of(e);
    bool had_events = r->subscription.has_events;
    end_subscription(r);
    if (strcmp(e->code, AWS_ERROR_CANCELLED) == 0)
        return e->status;
    if (reason)
        return take_loss(r, had_events, reason, e);
    return e->status == STATUS_CONFLICT ? take_in_use(r, true, e) : take_refusal(r, batch, e);
}

/* Subscribing. */

/* After a stall the continuation number may be too old. */
static bool is_continued(const struct fan_out *r) {
    return r->continuation && clock_boot_ms() - r->continued_ms < LIMIT_PUSH_STALL_MS;
}

static json_t *subscribe_body(struct fan_out *r, const char *arn) {
    json_t *from = json_object();
    if (!is_continued(r)) {
        drop_continuation(r);
        kinesis_place_begin(&r->place);
        kinesis_place_write(&r->place, from, "Type", "SequenceNumber");
    } else {
        json_object_set_new(from, "Type", json_string("AFTER_SEQUENCE_NUMBER"));
        json_object_set_new(from, "SequenceNumber", json_string(r->continuation));
    }
    return json_pack("{s:s,s:s,s:o}", "ConsumerARN", arn, "ShardId", r->place.shard_id, "StartingPosition",
                     from);
}

static bool is_due(struct fan_out *r, int64_t until_ms) {
    int64_t due_ms = kinesis_subscription_due_ms(&r->subscription);
    due_ms = r->due_ms > due_ms ? r->due_ms : due_ms;
    if (clock_boot_ms() < due_ms)
        waker_wait(&r->waker, due_ms < until_ms ? due_ms : until_ms, -1);
    return clock_boot_ms() >= due_ms;
}

/* Whatever is wrong with the consumer, it is no proof of anything about the stream. */
static enum status take_consumer_failure(struct error *e) {
    if (e->status == STATUS_CONFLICT)
        return STATUS_OK;
    return e->status = e->status == STATUS_RETRY ? STATUS_RETRY : STATUS_FAILED;
}

/* OK without a subscription: there is none yet, or the shard has ended. */
static enum status subscribe(struct fan_out *r, int64_t until_ms, struct source_batch *batch,
                             struct error *e) {
    char arn[KINESIS_CONSUMER_ARN_SIZE];
    if (!is_due(r, until_ms))
        return STATUS_OK;
    r->due_ms = clock_boot_ms() + LIMIT_CONSUMER_LOOK_MS;
    enum status status = kinesis_consumer_find(r->place.stream->consumer, r->place.stream, arn, e);
    if (status)
        return take_consumer_failure(e);
    status = kinesis_subscription_open(&r->subscription, r->place.stream, subscribe_body(r, arn),
                                       r->reader.fence, e);
    if (status == STATUS_CONFLICT)
        return take_in_use(r, false, e);
    if (status)
        return take_refusal(r, batch, e);
    if (!r->is_suspect)
        r->failure = (struct error){0};
    return STATUS_OK;
}

/* Receiving. */

static bool begin_message(struct fan_out *r) {
    size_t bytes = r->message_bytes * MEMORY_PER_BYTE;
    return budget_begin(r->budget, &r->claim, bytes, &r->waker) && budget_grow(r->budget, &r->claim, bytes);
}

/* Waits only if the last read found no room: the caller has then handed over what it held. */
static bool admit(struct fan_out *r, int64_t until_ms, struct source_batch *batch) {
    if (r->message_bytes > LIMIT_PUSH_FREE_BYTES) {
        bool may = begin_message(r);
        if (!may && r->had_no_room) {
            waker_wait(&r->waker, until_ms, -1);
            may = begin_message(r);
        }
        if (!may)
            budget_leave(r->budget, &r->claim);
        batch->no_room = r->had_no_room = !may;
        if (!may)
            return false;
    }
    r->message = ADMITTED;
    return true;
}

/* When a heartbeat was sent, or before; SERVICE_CLOCK_UNKNOWN: that is not known, or it is none. What it
 * claims counts once the next event has arrived, as with polling. */
static int64_t heartbeat_ms(const struct fan_out *r, const struct aws_stream_event *event) {
    if (r->place.reply.n_blocks || !kinesis_subscription_is_prompt(&r->subscription, event))
        return SERVICE_CLOCK_UNKNOWN;
    int64_t empty_ms = service_clock_at(r->place.stream->clock, &event->empty);
    return empty_ms == SERVICE_CLOCK_UNKNOWN ? empty_ms : empty_ms - LIMIT_PUSH_ALLOWANCE_MS;
}

static void keep_continuation(struct fan_out *r, const char *continuation) {
    drop_continuation(r);
    r->continuation = continuation ? mem_strdup(continuation) : NULL;
    r->continued_ms = clock_boot_ms();
}

/* The first event after a rewind is cut, for the store may refuse it again: memory that is held for long must
 * be small. What was cut is asked for again, at the place. */
static bool spare(struct fan_out *r, json_t *json) {
    json_t *records = json_object_get(json, "Records");
    size_t n = json_array_size(records), kept = 0, bytes = 0;
    if (!r->reader.is_sparing || !n)
        return false;
    r->reader.is_sparing = false;
    for (; kept < n; kept++) {
        bytes += json_string_length(json_object_get(json_array_get(records, kept), "Data"));
        if (kept && bytes > LIMIT_PARKED_BYTES)
            break;
    }
    for (size_t i = n; i > kept; i--)
        json_array_remove(records, i - 1);
    return kept < n;
}

static enum status use_event(struct fan_out *r, const struct aws_stream_event *event, json_t *json,
                             struct source_batch *batch, struct error *e) {
    const json_t *behind = json_object_get(json, "MillisBehindLatest");
    const char *continuation = json_string_value(json_object_get(json, "ContinuationSequenceNumber"));
    int64_t behind_ms = json_is_integer(behind) ? json_integer_value(behind) : -1;
    bool ended = !continuation;
    if (ended && !json_array_size(json_object_get(json, "ChildShards")))
        return aws_service_error_set(e, AWS_ERROR_MALFORMED, "an event has no continuation and no children");
    bool is_cut = spare(r, json);
    ended = ended && !is_cut;
    enum status status = kinesis_place_take(&r->place, json, e);
    if (!status)
        status = kinesis_place_advance(&r->place, json, ended, batch, e);
    if (status)
        return status;
    keep_continuation(r, is_cut ? NULL : continuation);
    batch->as_of_ms = kinesis_place_claim(&r->place, heartbeat_ms(r, event), behind_ms, ended);
    batch->more = (behind_ms > 0 || is_cut) && !ended;
    if (ended || is_cut)
        end_subscription(r);
    return STATUS_OK;
}

/* What cannot be used is asked for again. */
static enum status take_event(struct fan_out *r, const struct aws_stream_event *event,
                              struct source_batch *batch, struct error *e) {
    json_auto_t *json = aws_json_read(event->payload, event->length);
    aws_stream_forget(r->subscription.events);
    r->message = NO_MESSAGE;
    enum status status = aws_promise_check(event->type, json, e);
    if (!status)
        status = use_event(r, event, json, batch, e);
    if (status) {
        end_subscription(r);
        kinesis_reply_deinit(&r->place.reply);
        count_again("damaged");
        return error_wrap(e, "cannot read shard '%s'", r->place.shard_id);
    }
    clear_failures(r);
    metrics_set(r->event_time, clock_real_ms());
    budget_set(r->budget, &r->claim, r->place.reply.memory_bytes);
    return STATUS_OK;
}

static bool is_over(struct fan_out *r, int64_t until_ms) {
    return atomic_load(&r->woken) || clock_boot_ms() >= until_ms ||
           !fence_is_open(r->reader.fence, clock_boot_ms());
}

static enum status receive(struct fan_out *r, int64_t until_ms, struct source_batch *batch, struct error *e) {
    struct aws_stream_event event;
    do {
        if (r->message == AWAITS_ROOM && !admit(r, until_ms, batch))
            return STATUS_OK;
        waker_wait(&r->waker, 0, -1); /* a wake for the budget has done its work */
        if (atomic_load(&r->woken))
            return STATUS_OK;
        if (kinesis_subscription_read(&r->subscription, until_ms, r->waker.fd, &event, e))
            return take_end(r, batch, e);
        pulse_beat(r->reader.pulse, clock_boot_ms());
        if (event.kind == AWS_STREAM_EVENT && strcmp(event.type, KINESIS_EVENT) == 0)
            return take_event(r, &event, batch, e);
        if (event.kind == AWS_STREAM_EVENT) /* the initial response, or one that this program does not know */
            end_message(r);
        if (event.kind == AWS_STREAM_BEGUN) {
            r->message = AWAITS_ROOM;
            r->message_bytes = event.bytes;
        }
    } while (!is_over(r, until_ms));
    return STATUS_OK;
}

/* Whether the read brought nothing, and did not give up for want of memory. */
static bool is_empty(const struct source_batch *batch) {
    return !batch->n && !batch->ended && !batch->loss && !batch->no_room && batch->as_of_ms < 0;
}

static enum status read_once(struct fan_out *r, int64_t until_ms, struct source_batch *batch,
                             struct error *e) {
    enum status status = STATUS_OK;
    forget(r);
    *batch = (struct source_batch){.as_of_ms = -1};
    if (!fence_is_open(r->reader.fence, clock_boot_ms())) {
        end_subscription(r);
        r->is_taken = false;
        waker_wait(&r->waker, until_ms, -1);
        return STATUS_OK;
    }
    if (r->is_taken && is_clear(r))
        return take_taken_over(r, e);
    if (r->is_taken) {
        waker_wait(&r->waker, until_ms, -1);
        return STATUS_OK;
    }
    if (!r->subscription.events)
        status = subscribe(r, until_ms, batch, e);
    if (!status && r->subscription.events)
        status = receive(r, until_ms, batch, e);
    return status;
}

enum status kinesis_fan_out_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                                 struct error *e) {
    struct fan_out *r = (struct fan_out *)reader;
    if (r->reader.is_sparing && !r->has_begun) /* the reader before it may have subscribed just now */
        r->due_ms = clock_boot_ms() + LIMIT_SUBSCRIBE_PAUSE_MS;
    r->has_begun = true;
    enum status status = read_once(r, until_ms, batch, e);
    if (status)
        r->failure = *e;
    if (!status && r->failure.status && is_empty(batch) && !atomic_load(&r->woken)) {
        *e = r->failure;
        status = e->status;
    }
    atomic_store(&r->woken, false);
    return status;
}
