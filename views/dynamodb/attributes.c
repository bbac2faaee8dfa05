#include "views/dynamodb/attributes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/json.h"
#include "base/base64.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"

/* Counted in half units: an eventually consistent read costs half a unit. */
static struct metrics_family units_family = {
    .name = "winner_view_dynamodb_units_total",
    .help = "Capacity units consumed, as DynamoDB reports them, by table (indexes included) and kind. For a "
            "failed condition DynamoDB reports none: it counts as one.",
    .kind = METRICS_COUNTER,
    .scale = 2,
    .labels = {"table", "kind"},
};

json_t *dynamodb_s(const char *value) {
    return json_pack("{s:s}", "S", value);
}

json_t *dynamodb_n(int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return json_pack("{s:s}", "N", text);
}

json_t *dynamodb_b(const void *data, size_t length) {
    _cleanup_(mem_freep) char *text = base64_encode(data, length);
    return json_pack("{s:s}", "B", text);
}

const char *dynamodb_get_s(const json_t *item, const char *name) {
    const json_t *value = json_object_get(json_object_get(item, name), "S");
    const char *text = json_string_value(value);
    return text && strlen(text) == json_string_length(value) ? text : NULL;
}

bool dynamodb_get_n(const json_t *item, const char *name, int64_t *value) {
    const json_t *number = json_object_get(json_object_get(item, name), "N");
    const char *text = json_string_value(number), *digits = text && *text == '-' ? text + 1 : text;
    if (!text || !*digits ||
        strspn(digits, "0123456789") != json_string_length(number) - (size_t)(digits - text))
        return false;
    errno = 0;
    long long parsed = strtoll(text, NULL, 10);
    if (errno)
        return false;
    *value = parsed;
    return true;
}

bool dynamodb_get_optional_n(const json_t *item, const char *name, int64_t *value) {
    return dynamodb_get_n(item, name, value) || !json_object_get(item, name);
}

bool dynamodb_get_b(const json_t *item, const char *name, uint8_t *bytes, size_t max, size_t *length) {
    const json_t *text = json_object_get(json_object_get(item, name), "B");
    size_t n = 0;
    if (!json_is_string(text))
        return false;
    _cleanup_(mem_freep) uint8_t *decoded =
        base64_decode(json_string_value(text), json_string_length(text), &n);
    if (!decoded || n > max)
        return false;
    memcpy(bytes, decoded, n);
    *length = n;
    return true;
}

static json_t *member(json_t *body, const char *name) {
    json_t *object = json_object_get(body, name);
    if (!object) {
        object = json_object();
        json_object_set_new(body, name, object);
    }
    return object;
}

void dynamodb_name(json_t *body, const char *placeholder, const char *attribute) {
    json_object_set_new(member(body, "ExpressionAttributeNames"), placeholder, json_string(attribute));
}

void dynamodb_value(json_t *body, const char *placeholder, json_t *value) {
    json_object_set_new(member(body, "ExpressionAttributeValues"), placeholder, value);
}

static bool reports_capacity(const char *operation) {
    return strstr(operation, "Table") == NULL;
}

void dynamodb_call_init(struct aws_call *call, const char *operation, json_t *body) {
    if (reports_capacity(operation))
        json_object_set_new(body, "ReturnConsumedCapacity", json_string("TOTAL"));
    *call = (struct aws_call){.operation = operation};
    call->body = aws_json_write(body, &call->length);
    json_decref(body);
}

void dynamodb_call_deinit(struct aws_call *call) {
    char *body = (char *)(uintptr_t)call->body; /* ours: made by dynamodb_call_init */
    aws_call_deinit(call);
    free(body);
}

static bool is_write(const char *operation) {
    return strcmp(operation, "UpdateItem") == 0 || strcmp(operation, "PutItem") == 0 ||
           strcmp(operation, "DeleteItem") == 0;
}

double dynamodb_units(const json_t *consumed) {
    double units = json_number_value(json_object_get(consumed, "CapacityUnits"));
    if (units < 0)
        return 0;
    return units < LIMIT_DYNAMODB_UNITS ? units : LIMIT_DYNAMODB_UNITS;
}

static void count_units(const char *operation, const json_t *consumed) {
    const char *table = json_string_value(json_object_get(consumed, "TableName"));
    if (table)
        metrics_count(&units_family,
                      (const char *const[]){table, is_write(operation) ? "write" : "read", NULL},
                      (int64_t)(dynamodb_units(consumed) * 2 + 0.5));
}

static void count_failed_condition(const struct aws_call *call) {
    json_auto_t *body = json_loads(call->body, 0, NULL);
    const char *table = json_string_value(json_object_get(body, "TableName"));
    if (table)
        metrics_count(&units_family, (const char *const[]){table, "write", NULL}, 2);
}

static void count_call(const struct aws_call *call) {
    json_t *consumed = json_object_get(call->reply, "ConsumedCapacity"), *one;
    size_t i;
    if (strcmp(call->error.code, "ConditionalCheckFailedException") == 0)
        count_failed_condition(call);
    if (json_is_object(consumed))
        count_units(call->operation, consumed);
    json_array_foreach(consumed, i, one) {
        count_units(call->operation, one);
    }
}

void dynamodb_run(struct aws_client *client, struct aws_call *calls, size_t n, const struct aws_run *run) {
    aws_client_run(client, calls, n, run);
    for (size_t i = 0; i < n; i++)
        count_call(&calls[i]);
}

enum status dynamodb_once(struct aws_client *client, const char *operation, json_t *body,
                          const struct aws_run *run, json_t **reply, struct error *e) {
    _cleanup_(dynamodb_call_deinit) struct aws_call call;
    dynamodb_call_init(&call, operation, body);
    dynamodb_run(client, &call, 1, run);
    if (reply)
        *reply = NULL;
    if (call.status) {
        if (e)
            *e = call.error;
        return call.status;
    }
    if (reply)
        *reply = json_incref(call.reply);
    return STATUS_OK;
}

json_t *dynamodb_get_body(const char *table, json_t *key) {
    return json_pack("{s:s,s:o,s:b}", "TableName", table, "Key", key, "ConsistentRead", 1);
}

enum status dynamodb_get_item(struct aws_client *client, const char *table, json_t *key,
                              const struct aws_run *run, json_t **item, struct error *e) {
    json_auto_t *reply = NULL;
    enum status status = dynamodb_once(client, "GetItem", dynamodb_get_body(table, key), run, &reply, e);
    if (!status)
        *item = json_incref(json_object_get(reply, "Item"));
    return status;
}

bool dynamodb_next_page(json_t *body, const json_t *reply) {
    json_t *last = json_object_get(reply, "LastEvaluatedKey");
    if (!json_object_size(last))
        return false;
    json_object_set(body, "ExclusiveStartKey", last);
    return true;
}
