#include "ingest/kinesis/stream.h"

#include <stdlib.h>
#include <string.h>

#include "aws/json.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/event_id.h"

#define MOST_HOURS (INT64_MAX / (3600 * 1000)) /* of a retention period */

/* From now on, only a check that begins later proves that the stream is the same. */
static void doubt(struct kinesis_stream *s) {
    pthread_mutex_lock(&s->lock);
    s->doubted = s->checks_begun + 1;
    pthread_mutex_unlock(&s->lock);
}

enum status kinesis_stream_call(struct kinesis_stream *s, const char *operation, json_t *body,
                                int max_attempts, const struct aws_run *run, json_t **reply, int64_t *sent_ms,
                                struct error *e) {
    size_t length;
    char *text = aws_json_write(body, &length);
    json_decref(body);
    struct aws_call c = {.operation = operation,
                         .body = text,
                         .length = length,
                         .max_attempts = max_attempts,
                         .resource = s->resource};
    enum status status = aws_client_call(s->client, &c, run);
    free(text);
    *reply = status ? NULL : json_incref(c.reply);
    *e = c.error;
    if (sent_ms)
        *sent_ms = c.sent_ms;
    aws_call_deinit(&c);
    if (status == STATUS_NOT_FOUND)
        doubt(s);
    return status ? error_wrap(e, "cannot call %s on stream '%s'", operation, s->name) : STATUS_OK;
}

enum status kinesis_stream_subscribe(struct kinesis_stream *s, json_t *body, const struct aws_run *run,
                                     struct aws_stream **events, struct error *e) {
    size_t length;
    _cleanup_(mem_freep) char *text = aws_json_write(body, &length);
    json_decref(body);
    struct aws_call c = {.operation = "SubscribeToShard",
                         .body = text,
                         .length = length,
                         .max_attempts = 1,
                         .resource = s->resource};
    enum status status = aws_stream_open(events, s->client, &c, run);
    *e = c.error;
    aws_call_deinit(&c);
    if (status == STATUS_NOT_FOUND)
        doubt(s);
    return status ? error_wrap(e, "cannot call SubscribeToShard on stream '%s'", s->name) : STATUS_OK;
}

struct store_source kinesis_stream_identity(struct kinesis_stream *s) {
    pthread_mutex_lock(&s->lock);
    struct store_source identity = s->identity;
    pthread_mutex_unlock(&s->lock);
    return identity;
}

json_t *kinesis_stream_body(const struct kinesis_stream *s) {
    return json_pack("{s:s}", s->is_arn ? "StreamARN" : "StreamName", s->name);
}

int64_t kinesis_stream_time(double ms) {
    return ms >= 0 && ms < 253402300800000.0 ? (int64_t)ms : -1;
}

bool kinesis_stream_parse_summary(const json_t *reply, struct store_source *source, int64_t *retention_ms) {
    const json_t *summary = json_object_get(reply, "StreamDescriptionSummary");
    const json_t *arn = json_object_get(summary, "StreamARN");
    size_t length = json_string_length(arn);
    if (!length || length >= sizeof source->name || strlen(json_string_value(arn)) != length)
        return false;
    memset(source, 0, sizeof *source);
    memcpy(source->name, json_string_value(arn), length);
    source->created_ms = kinesis_stream_time(
        json_number_value(json_object_get(summary, "StreamCreationTimestamp")) * 1000 + 0.5);
    int64_t hours = json_integer_value(json_object_get(summary, "RetentionPeriodHours"));
    *retention_ms = hours > 0 && hours <= MOST_HOURS ? hours * 3600 * 1000 : KINESIS_LEAST_RETENTION_MS;
    return true;
}

/* DescribeStreamSummary, in at most LIMIT_CONTACT_MS. */
static enum status describe(struct kinesis_stream *s, struct store_source *out, struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_auto_t *reply = NULL;
    enum status status =
        kinesis_stream_call(s, "DescribeStreamSummary", kinesis_stream_body(s), 0, &run, &reply, NULL, e);
    if (status)
        return status;

    int64_t retention_ms;
    if (!kinesis_stream_parse_summary(reply, out, &retention_ms))
        return error_set(e, STATUS_FAILED, "the ARN of stream '%s' is malformed", s->name);
    pthread_mutex_lock(&s->lock);
    s->retention_ms = retention_ms;
    pthread_mutex_unlock(&s->lock);
    return STATUS_OK;
}

enum status kinesis_stream_identify(struct source *source, struct store_source *out, struct error *e) {
    struct kinesis_stream *s = (struct kinesis_stream *)source;
    enum status status = describe(s, out, e);
    if (status)
        return status;
    pthread_mutex_lock(&s->lock);
    s->identity = *out;
    pthread_mutex_unlock(&s->lock);
    return STATUS_OK;
}

static enum status compare(struct kinesis_stream *s, const struct store_source *ours, struct error *e) {
    struct store_source now;
    char then_text[CLOCK_TEXT_SIZE], now_text[CLOCK_TEXT_SIZE];
    enum status status = describe(s, &now, e);
    if (status == STATUS_NOT_FOUND) {
        e->status = STATUS_FAILED;
        return error_wrap(e, "stream '%s' is gone", s->name);
    }
    if (status || (strcmp(now.name, ours->name) == 0 && now.created_ms == ours->created_ms))
        return status;
    return error_set(
        e, STATUS_INVALID,
        "stream '%s' was deleted and created again: the view is of '%s' created at %s, not of '%s' "
        "created at %s: use another stage or file (--store), which starts empty",
        s->name, ours->name, clock_format(ours->created_ms, then_text), now.name,
        clock_format(now.created_ms, now_text));
}

bool kinesis_stream_is_in_doubt(struct kinesis_stream *s) {
    pthread_mutex_lock(&s->lock);
    bool in_doubt = s->doubted > s->proven;
    pthread_mutex_unlock(&s->lock);
    return in_doubt;
}

/* Called under the lock, which it releases during the call. */
static void run_check(struct kinesis_stream *s) {
    const struct store_source ours = s->identity;
    struct error result = {0};
    s->checks_begun++;
    pthread_mutex_unlock(&s->lock);
    result.status = compare(s, &ours, &result);
    pthread_mutex_lock(&s->lock);
    s->checks_ended = s->checks_begun;
    s->check = result;
    if (!result.status)
        s->proven = s->checks_ended;
    if (result.status == STATUS_INVALID)
        s->doubted = s->checks_ended + 1;
    pthread_cond_broadcast(&s->checked);
}

/* A check that is under way may have its answer already, older than this call: it does not count. The waits
 * end, because each call ends. */
enum status kinesis_stream_check(struct kinesis_stream *s, struct error *e) {
    pthread_mutex_lock(&s->lock);
    uint64_t needed = s->checks_begun + 1;
    while (*s->identity.name && s->checks_ended < needed)
        if (s->checks_begun == s->checks_ended)
            run_check(s);
        else
            pthread_cond_wait(&s->checked, &s->lock);
    *e = s->check;
    pthread_mutex_unlock(&s->lock);
    return e->status;
}

int64_t kinesis_stream_retention_ms(struct kinesis_stream *s) {
    pthread_mutex_lock(&s->lock);
    int64_t retention_ms = s->retention_ms;
    pthread_mutex_unlock(&s->lock);
    return retention_ms;
}

/* Event ids are made of a shard's. */
static bool copy_shard_id(const json_t *json, char out[LIMIT_SHARD_ID_BYTES + 1]) {
    const char *id = json_string_value(json);
    if (!id || !event_id_is_shard_id(id, json_string_length(json)))
        return false;
    strcpy(out, id);
    return true;
}

/* "" if it is no number that a shard can have. */
static void copy_hash_key(const json_t *json, char out[STORE_HASH_KEY_SIZE]) {
    const char *key = json_string_value(json);
    if (key && position_is_number(key, json_string_length(json), STORE_HASH_KEY_SIZE - 1))
        strcpy(out, key);
}

bool kinesis_stream_parse_shard(const json_t *json, struct source_shard *shard) {
    static const char *const by_listing[STORE_LEASE_PARENTS] = {"ParentShardId", "AdjacentParentShardId"};
    const json_t *range = json_object_get(json, "HashKeyRange"),
                 *parents = json_object_get(json, "ParentShards");
    memset(shard, 0, sizeof *shard);
    copy_hash_key(json_object_get(range, "StartingHashKey"), shard->starting_hash_key);
    copy_hash_key(json_object_get(range, "EndingHashKey"), shard->ending_hash_key);
    for (size_t p = 0; p < STORE_LEASE_PARENTS; p++) {
        const json_t *parent = parents ? json_array_get(parents, p) : json_object_get(json, by_listing[p]);
        if (json_is_string(parent) && !copy_shard_id(parent, shard->parents[p])) /* absent and null alike */
            return false;
    }
    return copy_shard_id(json_object_get(json, "ShardId"), shard->id);
}

struct shard_list {
    struct source_shard *items;
    size_t n;
};

static enum status append_shards(const struct kinesis_stream *s, const json_t *reply, struct shard_list *list,
                                 struct error *e) {
    const json_t *shards = json_object_get(reply, "Shards");
    size_t more = json_array_size(shards);
    if (list->n + more > LIMIT_SHARDS)
        return error_set(e, STATUS_FAILED, "stream '%s' has more than %d shards", s->name, LIMIT_SHARDS);
    list->items = mem_resize(list->items, list->n + more, sizeof *list->items);
    for (size_t i = 0; i < more; i++)
        if (!kinesis_stream_parse_shard(json_array_get(shards, i), &list->items[list->n++]))
            return error_set(e, STATUS_FAILED, "stream '%s' has a shard whose id is malformed", s->name);
    return STATUS_OK;
}

static json_t *list_body(const struct kinesis_stream *s, int64_t from_ms, const char *token) {
    if (token) /* the token stands for the stream and the filter */
        return json_pack("{s:s}", "NextToken", token);
    json_t *body = kinesis_stream_body(s);
    if (from_ms >= 0)
        json_object_set_new(
            body, "ShardFilter",
            json_pack("{s:s,s:f}", "Type", "FROM_TIMESTAMP", "Timestamp", (double)from_ms / 1000));
    return body;
}

static enum status list_pages(struct kinesis_stream *s, int64_t from_ms, struct shard_list *list,
                              struct error *e) {
    _cleanup_(mem_freep) char *token = NULL;
    enum status status;
    do {
        json_auto_t *reply = NULL;
        const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_LIST_PAGE_MS};
        status = kinesis_stream_call(s, "ListShards", list_body(s, from_ms, token), 0, &run, &reply, NULL, e);
        if (!status)
            status = append_shards(s, reply, list, e);
        const char *next = json_string_value(json_object_get(reply, "NextToken"));
        free(token);
        token = next ? mem_strdup(next) : NULL;
    } while (!status && token);
    return status;
}

enum status kinesis_stream_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                                       size_t *n, struct error *e) {
    struct kinesis_stream *s = (struct kinesis_stream *)source;
    struct shard_list list = {NULL, 0};
    struct error of_check;
    enum status status = list_pages(s, from_ms, &list, e);
    if (status == STATUS_NOT_FOUND)
        status = e->status = STATUS_RETRY; /* if the stream is still there */
    if ((!status || kinesis_stream_is_in_doubt(s)) && kinesis_stream_check(s, &of_check)) {
        *e = of_check;
        status = e->status;
    }
    if (status) {
        free(list.items);
        return status;
    }
    if (list.n > 1)
        qsort(list.items, list.n, sizeof *list.items, source_compare_shards);
    *shards = list.items;
    *n = list.n;
    return STATUS_OK;
}
