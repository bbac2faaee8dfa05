#include "ingest/kinesis/reader.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/memory_budget.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "base/random.h"
#include "base/service_clock.h"
#include "base/waker.h"
#include "ingest/kinesis/place.h"
#include "ingest/kinesis/read_rate.h"
#include "ingest/kinesis/read_size.h"
#include "ingest/kinesis/refusal.h"
#include "ingest/kinesis/stream.h"

enum {
    EMPTY_READS = 5,     /* more than it takes to pass an empty stretch of a shard */
    MEMORY_PER_BYTE = 3, /* of a reply, while it arrives: in a buffer that doubles, and then parsed, too */
    TEXT_PER_DATA = 2,   /* base64, and what stands around it */
};

#define COUNTER(variable, metric, text)                                                                      \
    static struct metrics_family variable = {                                                                \
        .name = metric, .help = text, .kind = METRICS_COUNTER, .labels = {"shard"}}

COUNTER(throttles_family, "winner_view_source_throttles_total",
        "Reads of a shard that the stream refused as too fast.");
COUNTER(expired_family, "winner_view_source_expired_iterators_total",
        "Iterators that expired before they were used.");

struct reader {
    struct source_reader reader; /* first: what callers of ingest/source.h hold */
    struct kinesis_place place;
    char *iterator; /* NULL: to be asked for */
    struct read_rate rate;
    struct read_size size;
    struct waker waker;
    atomic_bool woken; /* by kinesis_reader_wake, in or before this read */
    struct budget *budget;
    struct budget_claim claim;
    int64_t began_ms; /* the last read */
    bool behind;      /* the last read left something to read, or there was none */
    bool had_no_room; /* the last read found no room in the budget */
    int empty_reads;  /* in a row, with a lag that retention does not allow */
    struct {
        struct metrics_series *throttles, *expired;
    } count;
};

struct source_reader *kinesis_reader_open(struct source *source, const struct source_shard *shard,
                                          const struct source_start *start, struct budget *budget) {
    struct kinesis_stream *s = (struct kinesis_stream *)source;
    struct reader *r = mem_zalloc(sizeof *r);
    r->reader.ops = source->ops;
    kinesis_place_init(&r->place, s, shard, start);
    r->budget = budget;
    r->behind = true;
    r->count.throttles = METRICS_HOLD(&throttles_family, shard->id);
    r->count.expired = METRICS_HOLD(&expired_family, shard->id);
    read_rate_init(&r->rate, s->poll_interval_ms);
    read_size_init(&r->size, atomic_load(&s->record_bytes));
    waker_init(&r->waker);
    return &r->reader;
}

static void forget(struct reader *r) {
    kinesis_reply_deinit(&r->place.reply);
    budget_set(r->budget, &r->claim, 0);
}

void kinesis_reader_forget(struct source_reader *reader) {
    forget((struct reader *)reader);
}

void kinesis_reader_close(struct source_reader *reader) {
    struct reader *r = (struct reader *)reader;
    forget(r);
    metrics_release(r->count.throttles, clock_boot_ms());
    metrics_release(r->count.expired, clock_boot_ms());
    kinesis_place_deinit(&r->place);
    waker_deinit(&r->waker);
    free(r->iterator);
    free(r);
}

void kinesis_reader_wake(struct source_reader *reader) {
    struct reader *r = (struct reader *)reader;
    atomic_store(&r->woken, true);
    waker_wake(&r->waker);
}

static void continue_at_horizon(struct reader *r, struct source_batch *batch, const char *why) {
    kinesis_place_continue_at_horizon(&r->place, batch, why);
    r->empty_reads = 0;
    free(r->iterator);
    r->iterator = NULL;
}

/* A trimmed position may also be accepted, and all replies are empty then. A read from the trim horizon may
 * find nothing for a while without any loss. */
static void note_empty_read(struct reader *r, int64_t behind_ms, struct source_batch *batch) {
    const struct kinesis_place *p = &r->place;
    bool from_horizon = p->from_horizon || p->next.checkpoint == LEASE_TRIM_HORIZON;
    if (from_horizon || behind_ms < kinesis_stream_retention_ms(p->stream))
        r->empty_reads = 0;
    else if (++r->empty_reads == EMPTY_READS)
        continue_at_horizon(r, batch, "replies stay empty with a lag of the whole retention period");
}

/* The reply was dropped, or is too large. One record that is too large is a failure. */
static enum status take_less(struct reader *r, struct error *e) {
    bool was_dropped = e->status == STATUS_RETRY;
    if (atomic_load(&r->woken) || read_size_halve(&r->size) || was_dropped)
        return STATUS_OK;
    return e->status;
}

/* A failed GetShardIterator or GetRecords. It counts as a read: a call that fails at once must not be
 * repeated at once. */
static enum status take_refusal(struct reader *r, struct source_batch *batch, struct error *e) {
    enum kinesis_refusal refusal = kinesis_refusal(e);
    const struct kinesis_place *p = &r->place;
    bool of_position = !r->iterator && !p->from_horizon && p->next.checkpoint == LEASE_AT_POSITION;
    if (refusal >= KINESIS_OUT_OF_RETENTION && !of_position)
        refusal = KINESIS_OTHER;
    if (refusal == KINESIS_THROTTLED) {
        metrics_add(r->count.throttles, 1);
        read_rate_after_throttle(&r->rate, r->began_ms, random_u32());
        return STATUS_OK;
    }
    read_rate_after_read(&r->rate, r->began_ms, 0, true);
    if (refusal == KINESIS_TOO_MUCH)
        return take_less(r, e);
    read_size_after_failure(&r->size, clock_boot_ms() - r->began_ms);
    if (e->status != STATUS_RETRY) { /* the next read gets another, at the same place */
        free(r->iterator);
        r->iterator = NULL;
    }
    switch (refusal) {
    case KINESIS_EXPIRED_ITERATOR:
        metrics_add(r->count.expired, 1);
        return STATUS_OK;
    case KINESIS_OUT_OF_RETENTION:
        continue_at_horizon(r, batch, "the stream refuses the position as expired");
        return STATUS_OK;
    case KINESIS_PAST_THE_END:
        batch->ended = true;
        return STATUS_OK;
    case KINESIS_NOT_FOUND:
        return kinesis_place_take_not_found(&r->place, batch, e);
    case KINESIS_FOREIGN_POSITION:
        return e->status = STATUS_INVALID;
    default:
        return e->status = e->status == STATUS_RETRY ? STATUS_RETRY : STATUS_FAILED;
    }
}

static void adapt_size(struct reader *r) {
    const struct kinesis_reply *reply = &r->place.reply;
    read_size_after_reply(&r->size, reply->n_blocks, reply->bytes, clock_boot_ms() - r->began_ms);
    if (reply->n_blocks)
        atomic_store(&r->place.stream->record_bytes, r->size.record_bytes);
}

static void keep_iterator(struct reader *r, const json_t *json) {
    const char *next = json_string_value(json_object_get(json, "NextShardIterator"));
    free(r->iterator);
    r->iterator = next ? mem_strdup(next) : NULL;
}

static enum status take_reply(struct reader *r, json_t *json, int64_t sent_ms, struct source_batch *batch,
                              struct error *e) {
    const json_t *behind = json_object_get(json, "MillisBehindLatest"); /* absent and null alike */
    struct kinesis_place *p = &r->place;
    bool ended = !json_string_value(json_object_get(json, "NextShardIterator"));
    enum status status = kinesis_place_take(p, json, e);
    int64_t behind_ms = json_is_integer(behind) ? json_integer_value(behind) : -1;
    r->behind = behind_ms > 0 || (behind_ms < 0 && p->reply.n > 0);
    read_rate_after_read(&r->rate, r->began_ms, p->reply.bytes, r->behind);
    adapt_size(r);
    if (!status)
        status = kinesis_place_advance(p, json, ended, batch, e);
    if (status) {
        kinesis_reply_deinit(&p->reply);
        return error_wrap(e, "cannot read shard '%s'", p->shard_id);
    }
    keep_iterator(r, json);
    budget_set(r->budget, &r->claim, p->reply.memory_bytes);
    batch->as_of_ms = kinesis_place_claim(p, sent_ms, behind_ms, ended);
    batch->more = r->behind && !ended;
    if (p->reply.n_blocks)
        r->empty_reads = 0;
    else if (!ended)
        note_empty_read(r, behind_ms, batch);
    return STATUS_OK;
}

static json_t *iterator_body(const struct reader *r) {
    json_t *body = kinesis_stream_body(r->place.stream);
    json_object_set_new(body, "ShardId", json_string(r->place.shard_id));
    kinesis_place_write(&r->place, body, "ShardIteratorType", "StartingSequenceNumber");
    return body;
}

static enum status ensure_iterator(struct reader *r, struct error *e) {
    json_auto_t *reply = NULL;
    if (r->iterator)
        return STATUS_OK;
    r->began_ms = clock_boot_ms();
    kinesis_place_begin(&r->place);
    enum status status =
        kinesis_stream_call(r->place.stream, "GetShardIterator", iterator_body(r), 1, NULL, &reply, NULL, e);
    if (status)
        return status;
    r->iterator = mem_strdup(json_string_value(json_object_get(reply, "ShardIterator")));
    return STATUS_OK;
}

/* A reply that is slow is not stuck. */
static bool take_bytes(void *reader, size_t bytes) {
    struct reader *r = reader;
    pulse_beat(r->reader.pulse, clock_boot_ms());
    return !atomic_load(&r->woken) && (!r->reader.is_sparing || read_size_accepts(&r->size, bytes)) &&
           budget_grow(r->budget, &r->claim, bytes * MEMORY_PER_BYTE);
}

static enum status get_records(struct reader *r, json_t **reply, int64_t *sent_ms, struct error *e) {
    const struct aws_run run = {
        .attempt_ms = LIMIT_READ_MS, .slow_s = LIMIT_READ_SLOW_S, .arrived = take_bytes, .receiver = r};
    json_t *body = json_pack("{s:s,s:i}", "ShardIterator", r->iterator, "Limit", r->size.records);
    if (r->place.stream->is_arn)
        json_object_set_new(body, "StreamARN", json_string(r->place.stream->name));
    r->began_ms = clock_boot_ms();
    return kinesis_stream_call(r->place.stream, "GetRecords", body, 1, &run, reply, sent_ms, e);
}

/* Does not consume the waker where the read is due: that wake is meant for the wait for the budget. */
static bool is_due(struct reader *r, int64_t until_ms) {
    int64_t due_ms = r->rate.next_ms;
    if (clock_boot_ms() < due_ms)
        waker_wait(&r->waker, due_ms < until_ms ? due_ms : until_ms, -1);
    return clock_boot_ms() >= due_ms;
}

/* At most a quarter of the budget: else a shard of huge records, and all behind it in the line, would wait
 * until every other reply has ended. */
static size_t expected_memory(const struct reader *r) {
    size_t bytes = read_size_expected(&r->size, r->behind) * TEXT_PER_DATA * MEMORY_PER_BYTE;
    return bytes < LIMIT_INFLIGHT_BYTES / 4 ? bytes : LIMIT_INFLIGHT_BYTES / 4;
}

/* Waits only if the last read found no room: the caller has then handed over what it held. */
static bool may_begin(struct reader *r, int64_t until_ms, struct source_batch *batch) {
    size_t expected = expected_memory(r);
    bool may = budget_begin(r->budget, &r->claim, expected, &r->waker);
    if (!may && r->had_no_room) {
        waker_wait(&r->waker, until_ms, -1);
        may = budget_begin(r->budget, &r->claim, expected, &r->waker);
    }
    if (!may)
        budget_leave(r->budget, &r->claim);
    batch->no_room = r->had_no_room = !may;
    return may;
}

static enum status read_once(struct reader *r, int64_t until_ms, struct source_batch *batch,
                             struct error *e) {
    json_auto_t *reply = NULL;
    int64_t sent_ms;
    forget(r);
    *batch = (struct source_batch){.as_of_ms = -1};
    if (!is_due(r, until_ms))
        return STATUS_OK;

    enum status status = ensure_iterator(r, e);
    if (!status && !may_begin(r, until_ms, batch))
        return STATUS_OK;
    if (!status)
        status = get_records(r, &reply, &sent_ms, e);
    status = status ? take_refusal(r, batch, e) : take_reply(r, reply, sent_ms, batch, e);
    if (!r->place.reply.n_blocks)
        budget_set(r->budget, &r->claim, 0);
    return status;
}

enum status kinesis_reader_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                                struct error *e) {
    struct reader *r = (struct reader *)reader;
    enum status status = read_once(r, until_ms, batch, e);
    atomic_store(&r->woken, false);
    return status;
}
