/* The watermarks in Scores: their names, and shrinking those of a shard that has ended, a page at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/internal.h"

/* The watermark's attribute: `at` + the shard's number, or the whole id where it has another form. */
void store_dynamodb_watermark_name(const char *shard_id, char out[STORE_DYNAMODB_WATERMARK_SIZE]) {
    static const char prefix[] = "shardId-";
    const char *digits = shard_id + sizeof prefix - 1;
    if (strncmp(shard_id, prefix, sizeof prefix - 1) != 0 || strlen(digits) != 12 ||
        strspn(digits, "0123456789") != 12) {
        snprintf(out, STORE_DYNAMODB_WATERMARK_SIZE, "at%s", shard_id);
        return;
    }
    while (digits[0] == '0' && digits[1])
        digits++;
    snprintf(out, STORE_DYNAMODB_WATERMARK_SIZE, "at%s", digits);
}

/* `#w < :end` holds for a watermark that is not shrunk yet; not for a row without one. */
static void add_condition(json_t *body, const char *expression, const char *watermark) {
    json_object_set_new(body, expression, json_string("#w < :end"));
    dynamodb_name(body, "#w", watermark);
    dynamodb_value(body, ":end", dynamodb_b(position_end.bytes, position_end.length));
}

static enum status scan_page(struct store_dynamodb *d, const char *watermark, const char *next,
                             const struct aws_run *run, json_t **reply, struct error *e) {
    json_t *body = json_pack("{s:s,s:i,s:b,s:s}", "TableName", d->scores_table, "Limit", LIMIT_SHRINK_ROWS,
                             "ConsistentRead", 1, "ProjectionExpression", "#u, #r");
    add_condition(body, "FilterExpression", watermark);
    dynamodb_name(body, "#u", "userId");
    dynamodb_name(body, "#r", "role");
    if (next)
        json_object_set_new(body, "ExclusiveStartKey", json_loads(next, 0, NULL));
    return dynamodb_once(d->client, "Scan", body, run, reply, e);
}

static json_t *shrink_body(const struct store_dynamodb *d, json_t *key, const char *watermark) {
    json_t *body = json_pack("{s:s,s:O,s:s}", "TableName", d->scores_table, "Key", key, "UpdateExpression",
                             "SET #w = :end");
    add_condition(body, "ConditionExpression", watermark);
    return body;
}

/* All of a page at once. If a condition fails, another worker was first. */
static enum status shrink(struct store_dynamodb *d, const json_t *keys, const char *watermark,
                          const struct aws_run *run, struct error *e) {
    size_t n = json_array_size(keys);
    _cleanup_(mem_freep) struct aws_call *calls = mem_zalloc(n * sizeof *calls);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < n; i++)
        dynamodb_call_init(&calls[i], "UpdateItem", shrink_body(d, json_array_get(keys, i), watermark));
    dynamodb_run(d->client, calls, n, run);
    for (size_t i = 0; i < n; i++) {
        if (!status && calls[i].status && calls[i].status != STATUS_CONFLICT) {
            status = calls[i].status;
            *e = calls[i].error;
        }
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

static void move_on(struct store_shrinking *shrinking, const json_t *reply) {
    const json_t *last = json_object_get(reply, "LastEvaluatedKey");
    free(shrinking->next);
    shrinking->done = json_object_size(last) == 0;
    shrinking->next = shrinking->done ? NULL : json_dumps(last, JSON_COMPACT);
}

enum status store_dynamodb_shrink_watermarks(struct store *store, const char *shard_id,
                                             const struct fence *fence, struct store_shrinking *shrinking,
                                             struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.fence = fence};
    char watermark[STORE_DYNAMODB_WATERMARK_SIZE];
    json_auto_t *reply = NULL;

    store_dynamodb_watermark_name(shard_id, watermark);
    enum status status = scan_page(d, watermark, shrinking->next, &run, &reply, e);
    if (!status)
        status = shrink(d, json_object_get(reply, "Items"), watermark, &run, e);
    if (status)
        return error_wrap(e, "cannot shrink the watermarks of shard '%s' in table '%s'", shard_id,
                          d->scores_table);
    move_on(shrinking, reply);
    return STATUS_OK;
}
