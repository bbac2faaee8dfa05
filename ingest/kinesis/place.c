#include "ingest/kinesis/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/service_clock.h"

enum {
    RETENTION_ALLOWANCE_MS = 60000,
    LONG_SEQUENCE_BYTES = 20, /* sequence numbers of AWS have 23 or 24 */
    SEQUENCE_TIME_BYTES = 6,
};

#define COUNTER(variable, metric, text)                                                                      \
    static struct metrics_family variable = {                                                                \
        .name = metric, .help = text, .kind = METRICS_COUNTER, .labels = {"shard"}}

COUNTER(bytes_family, "winner_view_source_bytes_total", "Bytes of record data read from a shard.");
COUNTER(records_family, "winner_view_source_records_total",
        "Records read from a shard, as the stream counts them: an aggregated one is one.");
COUNTER(parts_family, "winner_view_source_parts_total",
        "Parts that aggregated records were taken apart into.");
COUNTER(strays_family, "winner_view_source_stray_parts_total",
        "Parts dropped because they belong to another shard: their producer sends them again.");
COUNTER(losses_family, "winner_view_source_losses_total",
        "Losses: records that were deleted before they were read, by retention or with their shard.");

static struct metrics_family loss_time_family = {
    .name = "winner_view_source_loss_timestamp_seconds",
    .help = "When the last loss of records of the shard was found.",
    .kind = METRICS_GAUGE,
    .scale = 1000,
    .labels = {"shard"},
};

void kinesis_place_init(struct kinesis_place *p, struct kinesis_stream *stream,
                        const struct source_shard *shard, const struct source_start *start) {
    *p = (struct kinesis_place){.stream = stream, .next = *start, .tip_ms = -1};
    p->shard_id = mem_strdup(shard->id);
    p->range = aggregated_range(shard->starting_hash_key, shard->ending_hash_key);
    p->count.records = METRICS_HOLD(&records_family, shard->id);
    p->count.bytes = METRICS_HOLD(&bytes_family, shard->id);
    p->count.parts = METRICS_HOLD(&parts_family, shard->id);
    p->count.strays = METRICS_HOLD(&strays_family, shard->id);
    p->count.losses = METRICS_HOLD(&losses_family, shard->id);
    p->count.loss_time = METRICS_HOLD(&loss_time_family, shard->id);
}

void kinesis_place_deinit(struct kinesis_place *p) {
    struct metrics_series *const held[] = {p->count.records, p->count.bytes,  p->count.parts,
                                           p->count.strays,  p->count.losses, p->count.loss_time};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        metrics_release(held[i], clock_boot_ms());
    kinesis_reply_deinit(&p->reply);
    free(p->shard_id);
}

/* An idle shard's last record is trimmed without a loss: what counts is the time up to which all was read. */
static bool may_be_trimmed(const struct kinesis_place *p) {
    int64_t kept_ms = kinesis_stream_retention_ms(p->stream) - RETENTION_ALLOWANCE_MS;
    return p->next.checkpoint == LEASE_AT_POSITION && !p->from_horizon &&
           service_clock_age_now(p->stream->clock, p->next.as_of_ms) > kept_ms;
}

void kinesis_place_begin(struct kinesis_place *p) {
    p->is_new = true;
    p->is_late = may_be_trimmed(p);
}

void kinesis_place_write(const struct kinesis_place *p, json_t *body, const char *type_name,
                         const char *sequence_name) {
    char sequence[POSITION_TEXT_SIZE];
    switch (p->from_horizon ? LEASE_TRIM_HORIZON : p->next.checkpoint) {
    case LEASE_AT_POSITION:
        json_object_set_new(body, type_name, json_string("AT_SEQUENCE_NUMBER"));
        json_object_set_new(body, sequence_name, json_string(position_sequence(&p->next.position, sequence)));
        break;
    case LEASE_AT_TIMESTAMP:
        json_object_set_new(body, type_name, json_string("AT_TIMESTAMP"));
        json_object_set_new(body, "Timestamp", json_real((double)p->next.start_at_ms / 1000));
        break;
    default:
        json_object_set_new(body, type_name, json_string("TRIM_HORIZON"));
    }
}

__attribute__((format(printf, 3, 4))) static void lose(struct kinesis_place *p, struct source_batch *batch,
                                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(p->loss, sizeof p->loss, format, args);
    va_end(args);
    batch->loss = p->loss;
    metrics_add(p->count.losses, 1);
    metrics_set(p->count.loss_time, clock_real_ms());
}

static void lose_after_position(struct kinesis_place *p, struct source_batch *batch, const char *why) {
    char sequence[POSITION_TEXT_SIZE] = "the start";
    if (p->next.checkpoint == LEASE_AT_POSITION)
        position_sequence(&p->next.position, sequence);
    lose(p, batch,
         "%s: records after %s are out of retention and may be lost; continuing at the trim horizon", why,
         sequence);
}

void kinesis_place_continue_at_horizon(struct kinesis_place *p, struct source_batch *batch, const char *why) {
    lose_after_position(p, batch, why);
    p->from_horizon = true;
}

/* The shards among those listed that continue this one. */
static void keep_children(struct kinesis_place *p, const struct source_shard *shards, size_t n,
                          struct source_batch *batch) {
    p->reply.children = mem_alloc(n * sizeof *shards);
    for (size_t i = 0; i < n; i++)
        if (source_is_child(&shards[i], p->shard_id))
            p->reply.children[p->reply.n_children++] = shards[i];
    batch->children = p->reply.children;
    batch->n_children = p->reply.n_children;
}

enum status kinesis_place_take_not_found(struct kinesis_place *p, struct source_batch *batch,
                                         struct error *e) {
    _cleanup_(mem_freep) struct source_shard *shards = NULL;
    size_t n = 0;
    struct error refusal = *e;
    enum status status = kinesis_stream_list_shards(&p->stream->source, -1, &shards, &n, e);
    if (status)
        return status;
    if (!n || source_find_shard(shards, n, p->shard_id)) { /* it exists */
        *e = refusal;
        return e->status = STATUS_RETRY;
    }
    keep_children(p, shards, n, batch);
    batch->ended = batch->gone = true;
    lose(p, batch, "the stream no longer has shard '%s': its unread records are lost", p->shard_id);
    return STATUS_OK;
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
int64_t kinesis_place_claim(struct kinesis_place *p, int64_t time_ms, int64_t behind_ms, bool ended) {
    int64_t last_arrival_ms = p->reply.last_arrival_ms, tip_ms = p->tip_ms;
    if (p->reply.n_blocks && p->reply.first_arrival_ms < tip_ms)
        tip_ms = p->reply.first_arrival_ms;
    p->tip_ms = behind_ms == 0 && !ended ? time_ms : -1;
    int64_t now_ms = ended ? last_arrival_ms : later(tip_ms, as_of(time_ms, behind_ms, last_arrival_ms));
    p->next.as_of_ms = later(p->next.as_of_ms, now_ms);
    return now_ms;
}

/* Sequence numbers begin with the time at which their shard was made: on AWS and on emulators, though no
 * document says so. Another time proves nothing: it is a reason to check. */
static bool is_of_another_time(const struct position *a, const struct position *b) {
    return a->bytes[0] >= LONG_SEQUENCE_BYTES && memcmp(a->bytes, b->bytes, 1 + SEQUENCE_TIME_BYTES) != 0;
}

/* Whether the reply may be one of another stream with the same name. */
static bool is_in_doubt(const struct kinesis_place *p, bool ended) {
    const struct kinesis_reply *reply = &p->reply;
    return ended || kinesis_stream_is_in_doubt(p->stream) ||
           (reply->n_blocks && (p->is_new || is_of_another_time(&reply->first, &p->next.position)));
}

/* The first record of a read AT the position is that of the position, unless it was trimmed: Kinesis then
 * begins at the trim horizon, and reports nothing. */
static void note_gap(struct kinesis_place *p, bool ended, struct source_batch *batch) {
    const struct kinesis_reply *reply = &p->reply;
    bool is_gap = reply->n_blocks ? position_compare_sequences(&reply->first, &p->next.position) > 0 : ended;
    if (p->is_new && p->is_late && is_gap)
        lose_after_position(p, batch, "the record of the checkpoint is out of retention");
}

enum status kinesis_place_take(struct kinesis_place *p, json_t *json, struct error *e) {
    const struct position *after = p->next.checkpoint == LEASE_AT_POSITION ? &p->next.position : NULL;
    enum status status = kinesis_reply_take(&p->reply, json, after, &p->range, e);
    metrics_add(p->count.parts, (int64_t)p->reply.n_parts); /* also those of a reply that is not used */
    metrics_add(p->count.strays, (int64_t)p->reply.n_strays);
    return status;
}

static void move(struct kinesis_place *p) {
    const struct kinesis_reply *reply = &p->reply;
    if (reply->n_blocks)
        p->is_new = false;
    if (!reply->n)
        return;
    p->next.checkpoint = LEASE_AT_POSITION;
    p->next.position = reply->records[reply->n - 1].position;
    p->from_horizon = false;
}

enum status kinesis_place_advance(struct kinesis_place *p, const json_t *json, bool ended,
                                  struct source_batch *batch, struct error *e) {
    struct kinesis_reply *reply = &p->reply;
    if (is_in_doubt(p, ended) && kinesis_stream_check(p->stream, e)) {
        kinesis_reply_deinit(reply);
        return e->status;
    }
    note_gap(p, ended, batch);
    move(p);
    metrics_add(p->count.records, (int64_t)reply->n_blocks);
    metrics_add(p->count.bytes, (int64_t)reply->bytes);
    batch->records = reply->records;
    batch->n = reply->n;
    batch->ended = ended;
    if (ended) {
        kinesis_reply_take_children(reply, json);
        batch->children = reply->children;
        batch->n_children = reply->n_children;
    }
    return STATUS_OK;
}
