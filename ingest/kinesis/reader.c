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
#include "ingest/kinesis/read_rate.h"
#include "ingest/kinesis/read_size.h"
#include "ingest/kinesis/refusal.h"
#include "ingest/kinesis/reply.h"
#include "ingest/kinesis/stream.h"

enum {
    EMPTY_READS = 5,     /* more than it takes to pass an empty stretch of a shard */
    MEMORY_PER_BYTE = 3, /* of a reply, while it arrives: in a buffer that doubles, and then parsed, too */
    TEXT_PER_DATA = 2,   /* base64, and what stands around it */
    RETENTION_ALLOWANCE_MS = 60000,
    LONG_SEQUENCE_BYTES = 20, /* sequence numbers of AWS have 23 or 24 */
    SEQUENCE_TIME_BYTES = 6,
};

#define COUNTER(variable, metric, text)                                                                      \
    static struct metrics_family variable = {                                                                \
        .name = metric, .help = text, .kind = METRICS_COUNTER, .labels = {"shard"}}

COUNTER(throttles_family, "winner_view_source_throttles_total",
        "Reads of a shard that the stream refused as too fast.");
COUNTER(bytes_family, "winner_view_source_bytes_total", "Bytes of record data read from a shard.");
COUNTER(records_family, "winner_view_source_records_total",
        "Records read from a shard, as the stream counts them: an aggregated one is one.");
COUNTER(parts_family, "winner_view_source_parts_total",
        "Parts that aggregated records were taken apart into.");
COUNTER(strays_family, "winner_view_source_stray_parts_total",
        "Parts dropped because they belong to another shard: their producer sends them again.");
COUNTER(expired_family, "winner_view_source_expired_iterators_total",
        "Iterators that expired before they were used.");
COUNTER(losses_family, "winner_view_source_losses_total",
        "Losses: records that were deleted before they were read, by retention or with their shard.");

static struct metrics_family loss_time_family = {
    .name = "winner_view_source_loss_timestamp_seconds",
    .help = "When the last loss of records of the shard was found.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

struct reader {
    struct source_reader reader; /* first: what callers of ingest/source.h hold */
    struct kinesis_stream *stream;
    char *shard_id;
    struct aggregated_range range;
    struct source_start next; /* of the last record that was handed out, and the latest as-of */
    bool from_horizon; /* the next iterator is at the trim horizon, whatever `next` is: the rest is lost */
    char *iterator;    /* NULL: to be asked for */
    bool is_new;       /* it has returned no record yet */
    bool is_late;      /* and records after `next` may have been trimmed by the time of the call */
    int64_t tip_ms;    /* as-of of the last read, if the next is not the end; -1: none */
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
        struct metrics_series *throttles, *records, *bytes, *parts, *strays, *expired, *losses, *loss_time;
    } count;
    struct kinesis_reply reply; /* the last one */
    char loss[256];
};

struct source_reader *kinesis_reader_open(struct source *source, const struct source_shard *shard,
                                          const struct source_start *start, struct budget *budget) {
    struct kinesis_stream *s = (struct kinesis_stream *)source;
    struct reader *r = mem_zalloc(sizeof *r);
    r->reader.ops = source->ops;
    r->stream = s;
    r->shard_id = mem_strdup(shard->id);
    r->range = aggregated_range(shard->starting_hash_key, shard->ending_hash_key);
    r->next = *start;
    r->budget = budget;
    r->behind = true;
    r->tip_ms = -1;
    r->count.throttles = METRICS_HOLD(&throttles_family, shard->id);
    r->count.records = METRICS_HOLD(&records_family, shard->id);
    r->count.bytes = METRICS_HOLD(&bytes_family, shard->id);
    r->count.parts = METRICS_HOLD(&parts_family, shard->id);
    r->count.strays = METRICS_HOLD(&strays_family, shard->id);
    r->count.expired = METRICS_HOLD(&expired_family, shard->id);
    r->count.losses = METRICS_HOLD(&losses_family, shard->id);
    r->count.loss_time = METRICS_HOLD(&loss_time_family, shard->id);
    read_rate_init(&r->rate, s->poll_interval_ms);
    read_size_init(&r->size, atomic_load(&s->record_bytes));
    waker_init(&r->waker);
    return &r->reader;
}

static void forget(struct reader *r) {
    kinesis_reply_deinit(&r->reply);
    budget_set(r->budget, &r->claim, 0);
}

void kinesis_reader_forget(struct source_reader *reader) {
    forget((struct reader *)reader);
}

static void release_series(const struct reader *r) {
    struct metrics_series *const held[] = {r->count.throttles, r->count.records,  r->count.bytes,
                                           r->count.parts,     r->count.strays,   r->count.expired,
                                           r->count.losses,    r->count.loss_time};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        metrics_release(held[i], clock_boot_ms());
}

void kinesis_reader_close(struct source_reader *reader) {
    struct reader *r = (struct reader *)reader;
    forget(r);
    release_series(r);
    waker_deinit(&r->waker);
    free(r->iterator);
    free(r->shard_id);
    free(r);
}

void kinesis_reader_wake(struct source_reader *reader) {
    struct reader *r = (struct reader *)reader;
    atomic_store(&r->woken, true);
    waker_wake(&r->waker);
}

__attribute__((format(printf, 3, 4))) static void lose(struct reader *r, struct source_batch *batch,
                                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(r->loss, sizeof r->loss, format, args);
    va_end(args);
    batch->loss = r->loss;
    metrics_add(r->count.losses, 1);
    metrics_set(r->count.loss_time, clock_real_ms());
}

static void lose_after_position(struct reader *r, struct source_batch *batch, const char *why) {
    char sequence[POSITION_TEXT_SIZE] = "the start";
    if (r->next.checkpoint == LEASE_AT_POSITION)
        position_sequence(&r->next.position, sequence);
    lose(r, batch,
         "%s: records after %s are out of retention and may be lost; continuing at the trim horizon", why,
         sequence);
}

/* The records after the last one that was handed out are trimmed: continues at the first that is left. */
static void continue_at_horizon(struct reader *r, struct source_batch *batch, const char *why) {
    lose_after_position(r, batch, why);
    r->from_horizon = true;
    r->empty_reads = 0;
    free(r->iterator);
    r->iterator = NULL;
}

/* A trimmed position may also be accepted, and all replies are empty then. A read from the trim horizon may
 * find nothing for a while without any loss. */
static void note_empty_read(struct reader *r, int64_t behind_ms, struct source_batch *batch) {
    bool from_horizon = r->from_horizon || r->next.checkpoint == LEASE_TRIM_HORIZON;
    if (from_horizon || behind_ms < kinesis_stream_retention_ms(r->stream))
        r->empty_reads = 0;
    else if (++r->empty_reads == EMPTY_READS)
        continue_at_horizon(r, batch, "replies stay empty with a lag of the whole retention period");
}

/* The shards among those listed that continue this one. */
static void keep_children(struct reader *r, const struct source_shard *shards, size_t n,
                          struct source_batch *batch) {
    r->reply.children = mem_alloc(n * sizeof *shards);
    for (size_t i = 0; i < n; i++)
        if (source_is_child(&shards[i], r->shard_id))
            r->reply.children[r->reply.n_children++] = shards[i];
    batch->children = r->reply.children;
    batch->n_children = r->reply.n_children;
}

/* The shard was not found. It is gone only if the same stream exists and does not list it: a stream that was
 * deleted, or another of its name, proves nothing about this shard's records. */
static enum status take_not_found(struct reader *r, struct source_batch *batch, struct error *e) {
    _cleanup_(mem_freep) struct source_shard *shards = NULL;
    size_t n = 0;
    struct error refusal = *e;
    enum status status = kinesis_stream_list_shards(&r->stream->source, -1, &shards, &n, e);
    if (status)
        return status;
    if (!n || source_find_shard(shards, n, r->shard_id)) { /* it exists */
        *e = refusal;
        return e->status = STATUS_RETRY;
    }
    keep_children(r, shards, n, batch);
    batch->ended = batch->gone = true;
    lose(r, batch, "the stream no longer has shard '%s': its unread records are lost", r->shard_id);
    return STATUS_OK;
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
    bool of_position = !r->iterator && !r->from_horizon && r->next.checkpoint == LEASE_AT_POSITION;
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
        return take_not_found(r, batch, e);
    case KINESIS_FOREIGN_POSITION:
        return e->status = STATUS_INVALID;
    default:
        return e->status = e->status == STATUS_RETRY ? STATUS_RETRY : STATUS_FAILED;
    }
}

/* The as-of (ingest/README.md) that this reply alone proves: by its lag, at most the last arrival. */
static int64_t as_of(int64_t sent_ms, int64_t behind_ms, int64_t last_arrival_ms) {
    if (behind_ms <= 0 || sent_ms == SERVICE_CLOCK_UNKNOWN)
        return last_arrival_ms;
    int64_t by_lag_ms = sent_ms - behind_ms;
    return last_arrival_ms >= 0 && last_arrival_ms < by_lag_ms ? last_arrival_ms : by_lag_ms;
}

static int64_t later(int64_t a_ms, int64_t b_ms) {
    return a_ms > b_ms ? a_ms : b_ms;
}

/* At the tip it is the time when the request was sent, unless the shard had ended by then: its children may
 * have records that arrived before. The next reply shows whether it had, and whether it was the tip:
 * kinesis-local reports no lag between records that arrived together. */
static int64_t claim(struct reader *r, int64_t sent_ms, int64_t behind_ms, bool ended) {
    int64_t last_arrival_ms = r->reply.last_arrival_ms, tip_ms = r->tip_ms;
    if (r->reply.n_blocks && r->reply.first_arrival_ms < tip_ms)
        tip_ms = r->reply.first_arrival_ms;
    r->tip_ms = behind_ms == 0 && !ended ? sent_ms : -1;
    int64_t now_ms = ended ? last_arrival_ms : later(tip_ms, as_of(sent_ms, behind_ms, last_arrival_ms));
    r->next.as_of_ms = later(r->next.as_of_ms, now_ms);
    return now_ms;
}

/* Sequence numbers begin with the time at which their shard was made: on AWS and on emulators, though no
 * document says so. Another time proves nothing: it is a reason to check. */
static bool is_of_another_time(const struct position *a, const struct position *b) {
    return a->bytes[0] >= LONG_SEQUENCE_BYTES && memcmp(a->bytes, b->bytes, 1 + SEQUENCE_TIME_BYTES) != 0;
}

/* Whether the reply may be one of another stream with the same name. */
static bool is_in_doubt(const struct reader *r, bool ended) {
    const struct kinesis_reply *reply = &r->reply;
    return ended || kinesis_stream_is_in_doubt(r->stream) ||
           (reply->n_blocks && (r->is_new || is_of_another_time(&reply->first, &r->next.position)));
}

/* The first record of a read AT the position is that of the position, unless it was trimmed: Kinesis then
 * begins at the trim horizon, and reports nothing. */
static void note_gap(struct reader *r, bool ended, struct source_batch *batch) {
    const struct kinesis_reply *reply = &r->reply;
    bool is_gap = reply->n_blocks ? position_compare_sequences(&reply->first, &r->next.position) > 0 : ended;
    if (r->is_new && r->is_late && is_gap)
        lose_after_position(r, batch, "the record of the checkpoint is out of retention");
}

static void advance(struct reader *r, const json_t *json) {
    const char *next = json_string_value(json_object_get(json, "NextShardIterator"));
    free(r->iterator);
    r->iterator = next ? mem_strdup(next) : NULL;
    if (r->reply.n_blocks)
        r->is_new = false;
    if (!r->reply.n)
        return;
    r->next.checkpoint = LEASE_AT_POSITION;
    r->next.position = r->reply.records[r->reply.n - 1].position;
    r->from_horizon = false;
}

static void count_reply(const struct reader *r) {
    metrics_add(r->count.records, (int64_t)r->reply.n_blocks);
    metrics_add(r->count.bytes, (int64_t)r->reply.bytes);
}

static void adapt_size(struct reader *r) {
    read_size_after_reply(&r->size, r->reply.n_blocks, r->reply.bytes, clock_boot_ms() - r->began_ms);
    if (r->reply.n_blocks)
        atomic_store(&r->stream->record_bytes, r->size.record_bytes);
}

static enum status take_reply(struct reader *r, json_t *json, int64_t sent_ms, struct source_batch *batch,
                              struct error *e) {
    const json_t *behind = json_object_get(json, "MillisBehindLatest"); /* absent and null alike */
    const struct position *after = r->next.checkpoint == LEASE_AT_POSITION ? &r->next.position : NULL;
    struct kinesis_reply *reply = &r->reply;
    bool ended = !json_string_value(json_object_get(json, "NextShardIterator"));
    enum status status = kinesis_reply_take(reply, json, after, &r->range, e);
    int64_t behind_ms = json_is_integer(behind) ? json_integer_value(behind) : -1;
    r->behind = behind_ms > 0 || (behind_ms < 0 && reply->n_blocks > 0);
    read_rate_after_read(&r->rate, r->began_ms, reply->bytes, r->behind);
    adapt_size(r);
    metrics_add(r->count.parts, (int64_t)reply->n_parts); /* also those of a reply that is not used */
    metrics_add(r->count.strays, (int64_t)reply->n_strays);
    if (!status && is_in_doubt(r, ended))
        status = kinesis_stream_check(r->stream, e);
    if (status) {
        kinesis_reply_deinit(reply);
        return error_wrap(e, "cannot read shard '%s'", r->shard_id);
    }
    note_gap(r, ended, batch);
    advance(r, json);
    count_reply(r);
    budget_set(r->budget, &r->claim, reply->memory_bytes);
    batch->records = reply->records;
    batch->n = reply->n;
    batch->as_of_ms = claim(r, sent_ms, behind_ms, ended);
    batch->more = r->behind && !ended;
    batch->ended = ended;
    if (ended) {
        kinesis_reply_take_children(reply, json);
        batch->children = reply->children;
        batch->n_children = reply->n_children;
    } else if (reply->n_blocks) {
        r->empty_reads = 0;
    } else {
        note_empty_read(r, behind_ms, batch);
    }
    return STATUS_OK;
}

/* AT the position, not AFTER it: the parts of an aggregated record share one sequence number, and those not
 * yet handed out must be read again. Those that were are left out of the reply. */
static json_t *iterator_body(const struct reader *r) {
    char sequence[POSITION_TEXT_SIZE];
    json_t *body = kinesis_stream_body(r->stream);
    json_object_set_new(body, "ShardId", json_string(r->shard_id));
    switch (r->from_horizon ? LEASE_TRIM_HORIZON : r->next.checkpoint) {
    case LEASE_AT_POSITION:
        json_object_set_new(body, "ShardIteratorType", json_string("AT_SEQUENCE_NUMBER"));
        json_object_set_new(body, "StartingSequenceNumber",
                            json_string(position_sequence(&r->next.position, sequence)));
        break;
    case LEASE_AT_TIMESTAMP:
        json_object_set_new(body, "ShardIteratorType", json_string("AT_TIMESTAMP"));
        json_object_set_new(body, "Timestamp", json_real((double)r->next.start_at_ms / 1000));
        break;
    default:
        json_object_set_new(body, "ShardIteratorType", json_string("TRIM_HORIZON"));
    }
    return body;
}

/* An idle shard's last record is trimmed without a loss: what counts is the time up to which all was read. */
static bool may_be_trimmed(const struct reader *r) {
    int64_t kept_ms = kinesis_stream_retention_ms(r->stream) - RETENTION_ALLOWANCE_MS;
    return r->next.checkpoint == LEASE_AT_POSITION && !r->from_horizon &&
           service_clock_age_now(r->stream->clock, r->next.as_of_ms) > kept_ms;
}

static enum status ensure_iterator(struct reader *r, struct error *e) {
    json_auto_t *reply = NULL;
    if (r->iterator)
        return STATUS_OK;
    r->began_ms = clock_boot_ms();
    r->is_new = true;
    r->is_late = may_be_trimmed(r);
    enum status status =
        kinesis_stream_call(r->stream, "GetShardIterator", iterator_body(r), 1, NULL, &reply, NULL, e);
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
    if (r->stream->is_arn)
        json_object_set_new(body, "StreamARN", json_string(r->stream->name));
    r->began_ms = clock_boot_ms();
    return kinesis_stream_call(r->stream, "GetRecords", body, 1, &run, reply, sent_ms, e);
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
    if (!r->reply.n_blocks)
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
