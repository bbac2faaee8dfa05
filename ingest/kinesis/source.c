#include "ingest/kinesis/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "ingest/kinesis/internal.h"

/* ---- calls
 * ---------------------------------------------------------------------------------------------------------
 */

enum status kinesis_call(struct kinesis *k, const char *operation, json_t *body, int max_attempts,
                         const struct aws_run *run, json_t **reply, int64_t *sent_ms, struct error *e) {
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    struct aws_call c = {.operation = operation,
                         .body = text,
                         .length = strlen(text),
                         .max_attempts = max_attempts,
                         .resource = k->resource};
    enum status status = aws_client_call(k->client, &c, run);
    free(text);
    *reply = status ? NULL : json_incref(c.reply);
    *e = c.error;
    if (sent_ms)
        *sent_ms = c.sent_ms;
    aws_call_deinit(&c);
    return status ? error_wrap(e, "cannot call %s on stream '%s'", operation, k->stream) : STATUS_OK;
}

json_t *kinesis_stream_body(const struct kinesis *k) {
    return json_pack("{s:s}", k->is_arn ? "StreamARN" : "StreamName", k->stream);
}

/* In at most LIMIT_CONTACT_MS. */
static enum status describe(struct kinesis *k, struct kinesis_summary *out, struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_auto_t *reply = NULL;
    enum status status =
        kinesis_call(k, "DescribeStreamSummary", kinesis_stream_body(k), 0, &run, &reply, NULL, e);
    if (status)
        return status;

    const json_t *summary = json_object_get(reply, "StreamDescriptionSummary");
    const char *arn = json_string_value(json_object_get(summary, "StreamARN"));
    if (!arn || strlen(arn) >= sizeof out->arn)
        return error_set(e, STATUS_FAILED, "stream '%s' has no ARN that is one", k->stream);
    memset(out, 0, sizeof *out);
    strcpy(out->arn, arn);
    out->created_ms =
        (int64_t)(json_number_value(json_object_get(summary, "StreamCreationTimestamp")) * 1000 + 0.5);
    out->retention_ms =
        (int64_t)json_integer_value(json_object_get(summary, "RetentionPeriodHours")) * 3600 * 1000;
    return STATUS_OK;
}

static enum status kinesis_identify(struct source *source, struct store_source *out, struct error *e) {
    struct kinesis *k = (struct kinesis *)source;
    struct kinesis_summary summary;
    enum status status = describe(k, &summary, e);
    if (status)
        return status;
    memset(out, 0, sizeof *out);
    strcpy(out->name, summary.arn);
    out->created_ms = summary.created_ms;

    pthread_mutex_lock(&k->lock);
    if (k->created_ms < 0)
        k->created_ms = summary.created_ms;
    pthread_mutex_unlock(&k->lock);
    return STATUS_OK;
}

enum status kinesis_check_same(struct kinesis *k, struct error *e) {
    struct kinesis_summary summary;
    enum status status = describe(k, &summary, e);
    if (status == STATUS_NOT_FOUND)
        return error_wrap(e, "stream '%s' is gone", k->stream);
    if (status)
        return status;
    pthread_mutex_lock(&k->lock);
    int64_t created_ms = k->created_ms;
    pthread_mutex_unlock(&k->lock);
    if (created_ms < 0 || created_ms == summary.created_ms)
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "stream '%s' was deleted and created again: its records are not those that were read so far",
        k->stream);
}

int64_t kinesis_retention_ms(struct kinesis *k, int64_t now_boot_ms) {
    struct kinesis_summary summary;
    struct error e;
    pthread_mutex_lock(&k->lock);
    bool due = now_boot_ms >= k->retention_due_ms;
    if (due)
        k->retention_due_ms = now_boot_ms + LIMIT_RETENTION_MS;
    pthread_mutex_unlock(&k->lock);

    bool told = due && describe(k, &summary, &e) == STATUS_OK;
    pthread_mutex_lock(&k->lock);
    if (told)
        k->retention_ms = summary.retention_ms;
    int64_t retention_ms = k->retention_ms;
    pthread_mutex_unlock(&k->lock);
    return retention_ms;
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

bool kinesis_parse_shard(const json_t *json, struct source_shard *shard) {
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
        list->n += kinesis_parse_shard(json_array_get(shards, i), &list->items[list->n]);
    return STATUS_OK;
}

static json_t *list_body(const struct kinesis *k, int64_t from_ms, const char *token) {
    if (token) /* the token stands for the stream and the filter */
        return json_pack("{s:s}", "NextToken", token);
    json_t *body = kinesis_stream_body(k);
    if (from_ms >= 0)
        json_object_set_new(
            body, "ShardFilter",
            json_pack("{s:s,s:f}", "Type", "FROM_TIMESTAMP", "Timestamp", (double)from_ms / 1000));
    return body;
}

static int compare_shards(const void *a, const void *b) {
    return strcmp(((const struct source_shard *)a)->id, ((const struct source_shard *)b)->id);
}

enum status kinesis_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                                size_t *n, struct error *e) {
    struct kinesis *k = (struct kinesis *)source;
    struct shard_list list = {NULL, 0};
    _cleanup_(mem_freep) char *token = NULL;
    enum status status;
    do {
        json_auto_t *reply = NULL;
        const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_LIST_PAGE_MS};
        status = kinesis_call(k, "ListShards", list_body(k, from_ms, token), 0, &run, &reply, NULL, e);
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

/* ---- opening
 * ------------------------------------------------------------------------------------------------------- */

static void kinesis_cancel(struct source *source) {
    aws_client_cancel(((struct kinesis *)source)->client);
}

static void kinesis_free(struct source *source) {
    struct kinesis *k = (struct kinesis *)source;
    aws_client_free(k->client);
    pthread_mutex_destroy(&k->lock);
    free(k->stream);
    free(k->resource);
    free(k);
}

static const struct source_ops kinesis_ops = {
    .name = "kinesis",
    .identify = kinesis_identify,
    .list_shards = kinesis_list_shards,
    .open = kinesis_open,
    .read = kinesis_read,
    .forget = kinesis_forget,
    .wake = kinesis_wake,
    .close = kinesis_close,
    .cancel = kinesis_cancel,
    .free = kinesis_free,
};

enum status source_kinesis_open(struct source **source, const struct source_kinesis_options *options,
                                struct aws_settings *settings, const struct aws_transport *transport,
                                struct error *e) {
    struct aws_client *client;
    enum status status = aws_client_new(&client, &aws_kinesis, settings, transport, e);
    if (status)
        return status;

    struct kinesis *k = mem_zalloc(sizeof *k);
    k->source.ops = &kinesis_ops;
    k->client = client;
    k->stream = mem_strdup(options->stream);
    k->is_arn = strncmp(options->stream, "arn:", 4) == 0;
    k->resource = k->is_arn ? mem_strdup(options->stream) : mem_printf("stream/%s", options->stream);
    k->poll_interval_ms = options->poll_interval_ms;
    k->created_ms = k->retention_ms = -1;
    pthread_mutex_init(&k->lock, NULL);
    *source = &k->source;
    return STATUS_OK;
}
