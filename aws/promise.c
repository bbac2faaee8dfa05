#include "aws/promise.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "aws/service_error.h"

enum kind { STRING, NUMBER, OBJECT, ARRAY, MAP };

/* A value that is read. null counts as absent: emulators write it where AWS leaves a member out. */
struct value {
    const char *name; /* NULL ends a list of members */
    enum kind kind;
    bool optional;
    const struct value *members; /* of an object; NULL: any */
    const struct value *each;    /* of an array's elements, or of a map's values */
};

#define MUST_HAVE(n, k, ...)                                                                                 \
    { .name = (n), .kind = (k), __VA_ARGS__ }
#define MAY_HAVE(n, k, ...)                                                                                  \
    { .name = (n), .kind = (k), .optional = true, __VA_ARGS__ }

/* DynamoDB (API Reference, "Response Syntax" of each operation). A GetItem of a row that is not there has no
 * Item, a write no Attributes unless it asks for them. */
static const struct value item = MUST_HAVE("an item", OBJECT);
static const struct value items = MUST_HAVE("a table's rows", ARRAY, .each = &item);
static const struct value key = MUST_HAVE("a key", OBJECT);
static const struct value keys_members[] = {MUST_HAVE("Keys", ARRAY, .each = &key), {NULL}};
static const struct value keys = MUST_HAVE("a table's keys", OBJECT, .members = keys_members);

static const struct value get_item[] = {MAY_HAVE("Item", OBJECT), {NULL}};
static const struct value update_item[] = {MAY_HAVE("Attributes", OBJECT), {NULL}};
static const struct value batch_get_item[] = {
    MUST_HAVE("Responses", MAP, .each = &items),
    MAY_HAVE("UnprocessedKeys", MAP, .each = &keys),
    {NULL},
};
static const struct value page[] = {
    MUST_HAVE("Items", ARRAY, .each = &item),
    MAY_HAVE("LastEvaluatedKey", OBJECT),
    {NULL},
};
static const struct value key_members[] = {
    MUST_HAVE("AttributeName", STRING),
    MUST_HAVE("KeyType", STRING),
    {NULL},
};
static const struct value key_element = MUST_HAVE("a key element", OBJECT, .members = key_members);
static const struct value index_members[] = {
    MUST_HAVE("IndexName", STRING),
    MUST_HAVE("IndexStatus", STRING),
    MUST_HAVE("KeySchema", ARRAY, .each = &key_element),
    {NULL},
};
static const struct value index_description = MUST_HAVE("an index", OBJECT, .members = index_members);
static const struct value table[] = {
    MUST_HAVE("TableStatus", STRING),
    MUST_HAVE("KeySchema", ARRAY, .each = &key_element),
    MAY_HAVE("GlobalSecondaryIndexes", ARRAY, .each = &index_description),
    {NULL},
};
static const struct value describe_table[] = {MUST_HAVE("Table", OBJECT, .members = table), {NULL}};
static const struct value changed_table[] = {MUST_HAVE("TableDescription", OBJECT), {NULL}};
static const struct value expiry[] = {
    MUST_HAVE("TimeToLiveStatus", STRING),
    MAY_HAVE("AttributeName", STRING),
    {NULL},
};
static const struct value describe_expiry[] = {
    MUST_HAVE("TimeToLiveDescription", OBJECT, .members = expiry),
    {NULL},
};
static const struct value update_expiry[] = {MUST_HAVE("TimeToLiveSpecification", OBJECT), {NULL}};

/* Kinesis (Kinesis Data Streams API Reference). */
static const struct value hash_key_range[] = {
    MUST_HAVE("StartingHashKey", STRING),
    MUST_HAVE("EndingHashKey", STRING),
    {NULL},
};
static const struct value shard_members[] = {
    MUST_HAVE("ShardId", STRING),
    MUST_HAVE("HashKeyRange", OBJECT, .members = hash_key_range),
    MAY_HAVE("ParentShardId", STRING),
    MAY_HAVE("AdjacentParentShardId", STRING),
    {NULL},
};
static const struct value shard = MUST_HAVE("a shard", OBJECT, .members = shard_members);
static const struct value shard_id = MUST_HAVE("a shard id", STRING);
static const struct value child_members[] = {
    MUST_HAVE("ShardId", STRING),
    MUST_HAVE("HashKeyRange", OBJECT, .members = hash_key_range),
    MUST_HAVE("ParentShards", ARRAY, .each = &shard_id),
    {NULL},
};
static const struct value child = MUST_HAVE("a child shard", OBJECT, .members = child_members);
static const struct value record_members[] = {
    MUST_HAVE("SequenceNumber", STRING),
    MUST_HAVE("PartitionKey", STRING),
    MUST_HAVE("Data", STRING),
    MAY_HAVE("ApproximateArrivalTimestamp", NUMBER),
    {NULL},
};
static const struct value record = MUST_HAVE("a record", OBJECT, .members = record_members);
static const struct value summary[] = {
    MUST_HAVE("StreamARN", STRING),
    MUST_HAVE("StreamCreationTimestamp", NUMBER),
    MUST_HAVE("RetentionPeriodHours", NUMBER),
    {NULL},
};

static const struct value describe_stream_summary[] = {
    MUST_HAVE("StreamDescriptionSummary", OBJECT, .members = summary),
    {NULL},
};
static const struct value list_shards[] = {
    MUST_HAVE("Shards", ARRAY, .each = &shard),
    MAY_HAVE("NextToken", STRING),
    {NULL},
};
static const struct value get_shard_iterator[] = {MUST_HAVE("ShardIterator", STRING), {NULL}};
static const struct value get_records[] = {
    MUST_HAVE("Records", ARRAY, .each = &record),
    MAY_HAVE("NextShardIterator", STRING),
    MAY_HAVE("MillisBehindLatest", NUMBER),
    MAY_HAVE("ChildShards", ARRAY, .each = &child),
    {NULL},
};
static const struct value pushed_event[] = {
    MUST_HAVE("Records", ARRAY, .each = &record),
    MAY_HAVE("ContinuationSequenceNumber", STRING),
    MAY_HAVE("MillisBehindLatest", NUMBER),
    MAY_HAVE("ChildShards", ARRAY, .each = &child),
    {NULL},
};
static const struct value consumer[] = {
    MUST_HAVE("ConsumerARN", STRING),
    MUST_HAVE("ConsumerStatus", STRING),
    {NULL},
};
static const struct value register_consumer[] = {
    MUST_HAVE("Consumer", OBJECT, .members = consumer),
    {NULL},
};
static const struct value describe_consumer[] = {
    MUST_HAVE("ConsumerDescription", OBJECT, .members = consumer),
    {NULL},
};

/* SQS (API Reference). */
static const struct value send_message[] = {MUST_HAVE("MessageId", STRING), {NULL}};

/* Each reply is an object. */
static const struct {
    const char *operation;
    const struct value *members;
} promises[] = {
    {"GetItem", get_item},
    {"UpdateItem", update_item},
    {"BatchGetItem", batch_get_item},
    {"Query", page},
    {"Scan", page},
    {"DescribeTable", describe_table},
    {"CreateTable", changed_table},
    {"UpdateTable", changed_table},
    {"DescribeTimeToLive", describe_expiry},
    {"UpdateTimeToLive", update_expiry},
    {"DescribeStreamSummary", describe_stream_summary},
    {"ListShards", list_shards},
    {"GetShardIterator", get_shard_iterator},
    {"GetRecords", get_records},
    {"SubscribeToShardEvent", pushed_event},
    {"RegisterStreamConsumer", register_consumer},
    {"DescribeStreamConsumer", describe_consumer},
    {"SendMessage", send_message},
};

__attribute__((format(printf, 2, 3))) static enum status malformed(struct error *e, const char *format, ...) {
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return aws_service_error_set(e, AWS_ERROR_MALFORMED, text);
}

static bool is_of(enum kind kind, const json_t *json) {
    switch (kind) {
    case STRING:
        return json_is_string(json);
    case NUMBER:
        return json_is_number(json);
    case ARRAY:
        return json_is_array(json);
    default:
        return json_is_object(json);
    }
}

static enum status check(const struct value *v, json_t *json, struct error *e);

static enum status check_members(const struct value *v, const json_t *json, struct error *e) {
    enum status status = STATUS_OK;
    for (const struct value *m = v->members; !status && m && m->name; m++) {
        json_t *member = json_object_get(json, m->name);
        if (member && !json_is_null(member))
            status = check(m, member, e);
        else if (!m->optional)
            status = malformed(e, "%s has no %s", v->name, m->name);
    }
    return status;
}

static enum status check_each(const struct value *v, json_t *json, struct error *e) {
    enum status status = STATUS_OK;
    const char *name;
    json_t *one;
    for (size_t i = 0; !status && i < json_array_size(json); i++)
        status = check(v->each, json_array_get(json, i), e);
    json_object_foreach(json, name, one) {
        if (!status)
            status = check(v->each, one, e);
    }
    return status;
}

static enum status check(const struct value *v, json_t *json, struct error *e) {
    if (!is_of(v->kind, json))
        return malformed(e, "%s is of another type", v->name);
    return v->each ? check_each(v, json, e) : check_members(v, json, e);
}

enum status aws_promise_check(const char *operation, json_t *reply, struct error *e) {
    struct value v = MUST_HAVE("the reply", OBJECT);
    if (!reply)
        return malformed(e, "the reply is empty or no JSON");
    for (size_t i = 0; operation && i < sizeof promises / sizeof *promises; i++)
        if (strcmp(promises[i].operation, operation) == 0)
            v.members = promises[i].members;
    return check(&v, reply, e);
}
