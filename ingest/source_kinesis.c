#include "ingest/source_kinesis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/pace.h"
#include "server/base/base64.h"
#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/mem.h"
#include "server/base/metrics.h"
#include "server/base/random.h"
#include "server/base/waker.h"

#define GET_RECORDS_LIMIT 10000 /* GetRecords' own maximum */

static struct metrics_family throttles_family = {
    .name = "winner_view_source_throttles_total",
    .help = "Reads of a shard that the stream refused as too fast.",
    .kind = METRICS_COUNTER,
    .labels = {"shard"},
};

static struct metrics_family bytes_family = {
    .name = "winner_view_source_bytes_total",
    .help = "Bytes of record data read from a shard.",
    .kind = METRICS_COUNTER,
    .labels = {"shard"},
};

struct kinesis {
    struct source source;
    struct aws_client *client;
    char *stream;
    bool is_arn;
    int poll_interval_ms;
};

struct kinesis_reader {
    struct source_reader reader;
    struct kinesis *kinesis;
    char *shard_id;
    struct source_start next; /* where a new iterator begins: after what was last handed out */
    char *iterator;           /* NULL: to be asked for */
    struct pace pace;
    struct waker waker;
    struct metrics_series *throttles, *bytes;

    /* What the last read handed out. */
    json_t *reply;
    struct source_record *records;
    size_t n;
    struct source_shard *children;
};

/* ---- calls
 * ---------------------------------------------------------------------------------------------------------
 */

static enum status call(struct kinesis *k, const char *operation, json_t *body, int max_attempts,
                        json_t **reply, int64_t *sent_ms, struct error *e) {
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    struct aws_call c = {
        .operation = operation, .body = text, .length = strlen(text), .max_attempts = max_attempts};
    enum status status = aws_client_call(k->client, &c, NULL);
    free(text);
    *reply = status ? NULL : json_incref(c.reply);
    *e = c.error;
    if (sent_ms)
        *sent_ms = c.sent_ms;
    aws_call_deinit(&c);
    return status ? error_wrap(e, "cannot call %s on stream '%s'", operation, k->stream) : STATUS_OK;
}

static json_t *stream_body(const struct kinesis *k) {
    return json_pack("{s:s}", k->is_arn ? "StreamARN" : "StreamName", k->stream);
}

static enum status kinesis_identify(struct source *source, struct store_source *out, struct error *e) {
    struct kinesis *k = (struct kinesis *)source;
    json_auto_t *reply = NULL;
    enum status status = call(k, "DescribeStreamSummary", stream_body(k), 0, &reply, NULL, e);
    if (status)
        return status;

    const json_t *summary = json_object_get(reply, "StreamDescriptionSummary");
    const char *arn = json_string_value(json_object_get(summary, "StreamARN"));
    if (!arn || strlen(arn) >= sizeof out->name)
        return error_set(e, STATUS_FAILED, "stream '%s' has no ARN that is one", k->stream);
    memset(out, 0, sizeof *out);
    strcpy(out->name, arn);
    out->created_ms =
        (int64_t)(json_number_value(json_object_get(summary, "StreamCreationTimestamp")) * 1000 + 0.5);
    return STATUS_OK;
}

/* ---- shards
 * -------------------------------------------------------------------------------------------------------- */

static bool copy_string(const json_t *object, const char *name, char *out, size_t size) {
    const char *value = json_string_value(json_object_get(object, name)); /* absent and null alike */
    if (!value || strlen(value) >= size)
        return false;
    strcpy(out, value);
    return true;
}

static bool parse_shard(const json_t *json, struct source_shard *shard) {
    const json_t *range = json_object_get(json, "HashKeyRange");
    memset(shard, 0, sizeof *shard);
    copy_string(json, "ParentShardId", shard->parents[0], sizeof shard->parents[0]);
    copy_string(json, "AdjacentParentShardId", shard->parents[1], sizeof shard->parents[1]);
    copy_string(range, "StartingHashKey", shard->starting_hash_key, sizeof shard->starting_hash_key);
    copy_string(range, "EndingHashKey", shard->ending_hash_key, sizeof shard->ending_hash_key);
    return copy_string(json, "ShardId", shard->id, sizeof shard->id);
}

struct shard_list {
    struct source_shard *items;
    size_t n;
};

static enum status append_shards(const struct kinesis *k, const json_t *reply, struct shard_list *list,
                                 struct error *e) {
    const json_t *shards = json_object_get(reply, "Shards");
    size_t more = json_array_size(shards);
    if (list->n + more > LIMIT_SHARDS)
        return error_set(e, STATUS_FAILED, "stream '%s' has more than %d shards", k->stream, LIMIT_SHARDS);
    list->items = mem_resize(list->items, list->n + more, sizeof *list->items);
    for (size_t i = 0; i < more; i++)
        list->n += parse_shard(json_array_get(shards, i), &list->items[list->n]);
    return STATUS_OK;
}

static json_t *list_body(const struct kinesis *k, int64_t from_ms, const char *token) {
    if (token) /* the token stands for the stream and the filter */
        return json_pack("{s:s}", "NextToken", token);
    json_t *body = stream_body(k);
    if (from_ms >= 0)
        json_object_set_new(
            body, "ShardFilter",
            json_pack("{s:s,s:f}", "Type", "FROM_TIMESTAMP", "Timestamp", (double)from_ms / 1000));
    return body;
}

static int compare_shards(const void *a, const void *b) {
    return strcmp(((const struct source_shard *)a)->id, ((const struct source_shard *)b)->id);
}

static enum status kinesis_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                                       size_t *n, struct error *e) {
    struct kinesis *k = (struct kinesis *)source;
    struct shard_list list = {NULL, 0};
    _cleanup_(mem_freep) char *token = NULL;
    enum status status;
    do {
        json_auto_t *reply = NULL;
        status = call(k, "ListShards", list_body(k, from_ms, token), 0, &reply, NULL, e);
        if (!status)
            status = append_shards(k, reply, &list, e);
        const char *next = json_string_value(json_object_get(reply, "NextToken"));
        free(token);
        token = next ? mem_strdup(next) : NULL;
    } while (!status && token);

    if (status) {
        free(list.items);
        return status;
    }
    if (list.n > 1)
        qsort(list.items, list.n, sizeof *list.items, compare_shards);
    *shards = list.items;
    *n = list.n;
    return STATUS_OK;
}

/* ---- reading
 * ------------------------------------------------------------------------------------------------------- */

static struct source_reader *kinesis_open(struct source *source, const char *shard_id,
                                          const struct source_start *start) {
    struct kinesis *k = (struct kinesis *)source;
    struct kinesis_reader *r = mem_zalloc(sizeof *r);
    r->reader.ops = source->ops;
    r->kinesis = k;
    r->shard_id = mem_strdup(shard_id);
    r->next = *start;
    r->throttles = METRICS_SERIES(&throttles_family, shard_id);
    r->bytes = METRICS_SERIES(&bytes_family, shard_id);
    pace_init(&r->pace, k->poll_interval_ms);
    waker_init(&r->waker);
    return &r->reader;
}

static void forget_last_read(struct kinesis_reader *r) {
    for (size_t i = 0; i < r->n; i++)
        free((void *)(uintptr_t)r->records[i].data);
    free(r->records);
    free(r->children);
    json_decref(r->reply);
    r->records = NULL;
    r->children = NULL;
    r->reply = NULL;
    r->n = 0;
}

static void kinesis_close(struct source_reader *reader) {
    struct kinesis_reader *r = (struct kinesis_reader *)reader;
    forget_last_read(r);
    waker_deinit(&r->waker);
    free(r->iterator);
    free(r->shard_id);
    free(r);
}

static void kinesis_wake(struct source_reader *reader) {
    waker_wake(&((struct kinesis_reader *)reader)->waker);
}

/* A position is asked for AT, not AFTER: the rest of an aggregated record must come again. What was handed
 * out already is dropped when it comes. */
static json_t *iterator_body(const struct kinesis_reader *r) {
    char sequence[POSITION_TEXT_SIZE];
    json_t *body = stream_body(r->kinesis);
    json_object_set_new(body, "ShardId", json_string(r->shard_id));
    switch (r->next.checkpoint) {
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

static enum status ensure_iterator(struct kinesis_reader *r, struct error *e) {
    json_auto_t *reply = NULL;
    if (r->iterator)
        return STATUS_OK;
    enum status status = call(r->kinesis, "GetShardIterator", iterator_body(r), 0, &reply, NULL, e);
    if (status)
        return status;
    const char *iterator = json_string_value(json_object_get(reply, "ShardIterator"));
    if (!iterator)
        return error_set(e, STATUS_RETRY, "GetShardIterator on shard '%s' brought no iterator", r->shard_id);
    r->iterator = mem_strdup(iterator);
    return STATUS_OK;
}

static bool was_handed_out(const struct kinesis_reader *r, const struct position *position) {
    return r->next.checkpoint == LEASE_AT_POSITION && position_compare(position, &r->next.position) <= 0;
}

/* A key with U+0000 in it equals no product id, and neither does "". */
static const char *partition_key_of(const json_t *json) {
    const json_t *key = json_object_get(json, "PartitionKey");
    const char *text = json_string_value(key);
    return text && strlen(text) != json_string_length(key) ? "" : text;
}

/* False if the reply's record is not one. */
static bool parse_record(const json_t *json, struct source_record *record, double *arrival_s) {
    const json_t *data = json_object_get(json, "Data"), *sequence = json_object_get(json, "SequenceNumber");
    *arrival_s = json_number_value(json_object_get(json, "ApproximateArrivalTimestamp"));
    *record = (struct source_record){.partition_key = partition_key_of(json)};
    if (!json_is_string(sequence) || !json_is_string(data) || !record->partition_key ||
        !position_parse(json_string_value(sequence), json_string_length(sequence), 0, &record->position))
        return false;
    record->data = base64_decode(json_string_value(data), json_string_length(data), &record->length);
    return record->data != NULL;
}

/* Keeps the records after what was handed out before; the last arrival time of all is in `*last_arrival_ms`.
 */
static enum status collect_records(struct kinesis_reader *r, size_t *bytes, int64_t *last_arrival_ms,
                                   struct error *e) {
    const json_t *records = json_object_get(r->reply, "Records");
    double arrival_s = 0;
    *bytes = 0;
    *last_arrival_ms = -1;
    r->records = mem_alloc(json_array_size(records) * sizeof *r->records);
    for (size_t i = 0; i < json_array_size(records); i++) {
        struct source_record record;
        if (!parse_record(json_array_get(records, i), &record, &arrival_s))
            return error_set(e, STATUS_RETRY, "a reply of GetRecords on shard '%s' has a record that is none",
                             r->shard_id);
        *bytes += record.length;
        *last_arrival_ms = (int64_t)(arrival_s * 1000);
        if (was_handed_out(r, &record.position))
            free((void *)(uintptr_t)record.data);
        else
            r->records[r->n++] = record;
    }
    return STATUS_OK;
}

static void collect_children(struct kinesis_reader *r, struct source_batch *batch) {
    const json_t *children = json_object_get(r->reply, "ChildShards");
    size_t n = 0;
    r->children = mem_alloc(json_array_size(children) * sizeof *r->children);
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i), *parents = json_object_get(child, "ParentShards");
        if (!parse_shard(child, &r->children[n]))
            continue;
        for (size_t p = 0; p < STORE_LEASE_PARENTS && p < json_array_size(parents); p++) {
            const char *parent = json_string_value(json_array_get(parents, p));
            if (parent && strlen(parent) <= LIMIT_SHARD_ID_BYTES)
                strcpy(r->children[n].parents[p], parent);
        }
        n++;
    }
    batch->children = r->children;
    batch->n_children = n;
}

/* Design, section 9: at the tip, the time the request was sent; else no later than the lag, or the last
 * arrival. */
static int64_t as_of(int64_t sent_ms, int64_t behind_ms, int64_t last_arrival_ms) {
    if (behind_ms == 0)
        return sent_ms;
    if (behind_ms < 0)
        return last_arrival_ms;
    int64_t by_lag = sent_ms - behind_ms;
    return last_arrival_ms >= 0 && last_arrival_ms < by_lag ? last_arrival_ms : by_lag;
}

static void go_on(struct kinesis_reader *r) {
    const char *next = json_string_value(json_object_get(r->reply, "NextShardIterator"));
    free(r->iterator);
    r->iterator = next ? mem_strdup(next) : NULL;
    if (r->n) {
        r->next.checkpoint = LEASE_AT_POSITION;
        r->next.position = r->records[r->n - 1].position;
    }
}

static enum status take_reply(struct kinesis_reader *r, int64_t began_ms, int64_t sent_ms,
                              struct source_batch *batch, struct error *e) {
    const json_t *behind = json_object_get(r->reply, "MillisBehindLatest");
    int64_t last_arrival_ms;
    size_t bytes;
    enum status status = collect_records(r, &bytes, &last_arrival_ms, e);
    if (status)
        return status;

    go_on(r);
    batch->records = r->records;
    batch->n = r->n;
    batch->behind_ms = json_is_integer(behind) ? json_integer_value(behind) : -1;
    batch->as_of_ms = as_of(sent_ms, batch->behind_ms, last_arrival_ms);
    batch->ended = r->iterator == NULL;
    if (batch->ended) {
        batch->as_of_ms = last_arrival_ms; /* what came later is in its children */
        collect_children(r, batch);
    }
    pace_after_read(&r->pace, began_ms, bytes, batch->behind_ms > 0);
    metrics_add(r->bytes, (int64_t)bytes);
    return STATUS_OK;
}

/* What a failed GetRecords means: throttled is no failure, an iterator that has expired is replaced. */
static enum status take_refusal(struct kinesis_reader *r, int64_t began_ms, struct source_batch *batch,
                                struct error *e) {
    if (aws_error_is_throttle(e->code)) {
        metrics_add(r->throttles, 1);
        pace_after_throttle(&r->pace, began_ms, random_u32());
        batch->throttled = true;
        return STATUS_OK;
    }
    if (strcmp(e->code, "ExpiredIteratorException") == 0) {
        free(r->iterator);
        r->iterator = NULL;
        return STATUS_OK; /* the next read asks for one, from where this one stood */
    }
    return e->status;
}

static enum status kinesis_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                                struct error *e) {
    struct kinesis_reader *r = (struct kinesis_reader *)reader;
    forget_last_read(r);
    *batch = (struct source_batch){.as_of_ms = -1, .behind_ms = -1};

    int64_t due_ms = pace_next(&r->pace);
    waker_wait(&r->waker, due_ms < until_ms ? due_ms : until_ms, -1);
    if (clock_boot_ms() < due_ms)
        return STATUS_OK;

    enum status status = ensure_iterator(r, e);
    if (status)
        return status;
    int64_t began_ms = clock_boot_ms(), sent_ms;
    json_t *body = json_pack("{s:s,s:i}", "ShardIterator", r->iterator, "Limit", GET_RECORDS_LIMIT);
    if (r->kinesis->is_arn)
        json_object_set_new(body, "StreamARN", json_string(r->kinesis->stream));
    status = call(r->kinesis, "GetRecords", body, 1, &r->reply, &sent_ms, e);
    return status ? take_refusal(r, began_ms, batch, e) : take_reply(r, began_ms, sent_ms, batch, e);
}

/* ---- opening
 * ------------------------------------------------------------------------------------------------------- */

static void kinesis_cancel(struct source *source) {
    aws_client_cancel(((struct kinesis *)source)->client);
}

static void kinesis_free(struct source *source) {
    struct kinesis *k = (struct kinesis *)source;
    aws_client_free(k->client);
    free(k->stream);
    free(k);
}

static const struct source_ops kinesis_ops = {
    .name = "kinesis",
    .identify = kinesis_identify,
    .list_shards = kinesis_list_shards,
    .open = kinesis_open,
    .read = kinesis_read,
    .wake = kinesis_wake,
    .close = kinesis_close,
    .cancel = kinesis_cancel,
    .free = kinesis_free,
};

enum status source_kinesis_open(struct source **source, const struct source_kinesis_options *options,
                                struct aws_config *config, const struct aws_transport *transport,
                                struct error *e) {
    struct aws_client *client;
    enum status status = aws_client_new(&client, &aws_kinesis, config, transport, e);
    if (status)
        return status;

    struct kinesis *k = mem_zalloc(sizeof *k);
    k->source.ops = &kinesis_ops;
    k->client = client;
    k->stream = mem_strdup(options->stream);
    k->is_arn = strncmp(options->stream, "arn:", 4) == 0;
    k->poll_interval_ms = options->poll_interval_ms;
    *source = &k->source;
    return STATUS_OK;
}
