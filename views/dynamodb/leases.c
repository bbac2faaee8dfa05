/* Leases in the KCL's table format. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

static void set(json_t *item, const char *name, json_t *value) {
    if (value)
        json_object_set_new(item, name, value);
}

static void set_string(json_t *item, const char *name, const char *value) {
    if (*value) /* an unset string is no attribute, never "" */
        set(item, name, dynamodb_s(value));
}

static void set_shards(json_t *item, const char *name, const char shards[][LIMIT_SHARD_ID_BYTES + 1]) {
    json_t *list = json_array();
    for (size_t i = 0; i < STORE_LEASE_PARENTS; i++)
        if (*shards[i])
            json_array_append_new(list, json_string(shards[i]));
    if (json_array_size(list))
        set(item, name, json_pack("{s:o}", "SS", list));
    else
        json_decref(list);
}

static void set_checkpoint(json_t *item, const struct store_lease *lease) {
    char sequence[POSITION_TEXT_SIZE];
    uint32_t sub;
    set_string(item, "checkpoint", store_lease_checkpoint(lease, sequence, &sub));
    set(item, "checkpointSubSequenceNumber", dynamodb_n(sub));
    if (lease->checkpoint == LEASE_AT_POSITION && digest_is_set(&lease->hash))
        set(item, "checkpointHash", dynamodb_b(lease->hash.bytes, sizeof lease->hash.bytes));
    if (lease->checkpoint == LEASE_AT_TIMESTAMP)
        set(item, "startAt", dynamodb_n(lease->start_at_ms));
}

static json_t *lease_item(const struct store_lease *lease) {
    json_t *item = rows_lease_key(lease->shard_id);
    set_string(item, "leaseOwner", lease->owner);
    set(item, "leaseCounter", dynamodb_n(lease->counter));
    set_string(item, "tenure", lease->tenure);
    set_checkpoint(item, lease);
    set(item, "ownerSwitchesSinceCheckpoint", dynamodb_n(lease->owner_switches));
    set(item, "asOf", lease->as_of_ms >= 0 ? dynamodb_n(lease->as_of_ms) : NULL);
    set(item, "foreignArrivals", lease->foreign_arrivals ? dynamodb_n(1) : NULL);
    set(item, "endedAt", lease->ended_at_ms ? dynamodb_n(lease->ended_at_ms) : NULL);
    set_shards(item, "parentShardId", lease->parents);
    set_shards(item, "childShardIds", lease->children);
    set_string(item, "startingHashKey", lease->starting_hash_key);
    set_string(item, "endingHashKey", lease->ending_hash_key);
    return item;
}

/* The attributes of a lease that are texts and numbers. One that is not there stays "" or what it is; one of
 * another form makes the lease unreadable: what would be read of it would be written back, or decide what is
 * read next. */
static const struct {
    const char *name;
    size_t offset, size;
} texts[] = {
#define TEXT(name, member)                                                                                   \
    { name, offsetof(struct store_lease, member), sizeof((struct store_lease *)0)->member }
    TEXT("leaseKey", shard_id),
    TEXT("leaseOwner", owner),
    TEXT("tenure", tenure),
    TEXT("startingHashKey", starting_hash_key),
    TEXT("endingHashKey", ending_hash_key),
#undef TEXT
};

static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
    {"leaseCounter", offsetof(struct store_lease, counter)},
    {"ownerSwitchesSinceCheckpoint", offsetof(struct store_lease, owner_switches)},
    {"asOf", offsetof(struct store_lease, as_of_ms)},
    {"endedAt", offsetof(struct store_lease, ended_at_ms)},
    {"startAt", offsetof(struct store_lease, start_at_ms)},
};

/* NULL; or the name of the first that is malformed. */
static const char *get_texts(const json_t *item, struct store_lease *lease) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *value = dynamodb_get_s(item, texts[i].name);
        if (value ? strlen(value) >= texts[i].size : json_object_get(item, texts[i].name) != NULL)
            return texts[i].name;
        if (value)
            strcpy((char *)lease + texts[i].offset, value);
    }
    return *lease->shard_id ? NULL : "leaseKey";
}

static const char *get_numbers(const json_t *item, struct store_lease *lease) {
    int64_t foreign = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!dynamodb_get_optional_n(item, numbers[i].name, (int64_t *)((char *)lease + numbers[i].offset)))
            return numbers[i].name;
    if (!dynamodb_get_optional_n(item, "foreignArrivals", &foreign))
        return "foreignArrivals";
    lease->foreign_arrivals = foreign != 0;
    return json_object_get(item, "leaseCounter") ? NULL : "leaseCounter";
}

/* False if there are such shards, in another form: without its parents a shard would be read too early. */
static bool get_shards(const json_t *item, const char *name, char shards[][LIMIT_SHARD_ID_BYTES + 1]) {
    const json_t *value = json_object_get(item, name), *list = json_object_get(value, "SS");
    if ((value && !json_is_array(list)) || json_array_size(list) > STORE_LEASE_PARENTS)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *id = json_array_get(list, i);
        const char *text = json_string_value(id);
        if (!text || strlen(text) != json_string_length(id) || strlen(text) > LIMIT_SHARD_ID_BYTES)
            return false;
        strcpy(shards[i], text);
    }
    return true;
}

static bool get_checkpoint(const json_t *item, struct store_lease *lease) {
    int64_t sub = 0;
    size_t length = DIGEST_BYTES;
    if (!dynamodb_get_b(item, "checkpointHash", lease->hash.bytes, DIGEST_BYTES, &length) &&
        json_object_get(item, "checkpointHash"))
        return false;
    return dynamodb_get_optional_n(item, "checkpointSubSequenceNumber", &sub) && length == DIGEST_BYTES &&
           sub >= 0 && sub <= UINT32_MAX &&
           store_lease_set_checkpoint(lease, dynamodb_get_s(item, "checkpoint"), (uint32_t)sub);
}

/* No item makes a lease without a shard id. */
static enum status parse_lease(const struct store_dynamodb *d, const json_t *item, struct store_lease *lease,
                               struct error *e) {
    memset(lease, 0, sizeof *lease);
    lease->as_of_ms = -1;
    if (!item)
        return STATUS_OK;
    const char *malformed = get_texts(item, lease);
    if (!malformed)
        malformed = get_numbers(item, lease);
    if (!malformed && !get_checkpoint(item, lease))
        malformed = "checkpoint";
    if (!malformed && !get_shards(item, "parentShardId", lease->parents))
        malformed = "parentShardId";
    if (!malformed && !get_shards(item, "childShardIds", lease->children))
        malformed = "childShardIds";
    return malformed ? error_set(e, STATUS_FAILED, "lease '%s' in table '%s' has no valid %s",
                                 lease->shard_id, d->leases_table, malformed)
                     : STATUS_OK;
}

static bool is_lease(const json_t *item) {
    const char *type = dynamodb_get_s(item, "entityType");
    return !type || strcmp(type, "LEASE") == 0; /* the KCL writes entityType since 3.5 */
}

struct lease_list {
    struct store_lease *items;
    size_t n;
};

static enum status append_leases(const struct store_dynamodb *d, const json_t *page, struct lease_list *list,
                                 struct error *e) {
    const json_t *items = json_object_get(page, "Items");
    json_t *item;
    size_t i;
    list->items = mem_resize(list->items, list->n + json_array_size(items), sizeof *list->items);
    json_array_foreach(items, i, item) {
        if (!is_lease(item))
            continue;
        enum status status = parse_lease(d, item, &list->items[list->n], e);
        if (status)
            return status;
        list->n++;
    }
    return STATUS_OK;
}

static int compare_leases(const void *a, const void *b) {
    return strcmp(((const struct store_lease *)a)->shard_id, ((const struct store_lease *)b)->shard_id);
}

enum status store_dynamodb_read_leases(struct store *store, bool consistent, struct store_lease **leases,
                                       size_t *n, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    struct lease_list list = {NULL, 0};
    json_auto_t *body = json_pack("{s:s,s:b}", "TableName", d->leases_table, "ConsistentRead", consistent);
    enum status status = STATUS_OK;
    for (bool more = true; !status && more;) {
        json_auto_t *page = NULL;
        const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_LEASE_CALL_MS};
        status = dynamodb_once(d->client, "Scan", json_copy(body), &run, &page, e);
        if (!status)
            status = append_leases(d, page, &list, e);
        if (!status && list.n > LIMIT_SHARDS)
            status = error_set(e, STATUS_FAILED, "more than %d leases", LIMIT_SHARDS);
        more = dynamodb_next_page(body, page);
    }
    if (status) {
        free(list.items);
        return error_wrap(e, "cannot read leases from table '%s'", d->leases_table);
    }
    if (list.n > 1)
        qsort(list.items, list.n, sizeof *list.items, compare_leases);
    *leases = list.items;
    *n = list.n;
    return STATUS_OK;
}

enum status store_dynamodb_create_lease(struct store *store, const struct store_lease *lease,
                                        struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    json_t *body = json_pack("{s:s,s:o,s:s}", "TableName", d->leases_table, "Item", lease_item(lease),
                             "ConditionExpression", "attribute_not_exists(#k)");
    dynamodb_name(body, "#k", "leaseKey");
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_LEASE_CALL_MS};
    enum status status = dynamodb_once(d->client, "PutItem", body, &run, NULL, e);
    if (status)
        error_wrap(e, "cannot create lease '%s' in table '%s'", lease->shard_id, d->leases_table);
    return status;
}

/* For "o": `#o = :o0`, or that there is no such attribute (`value` NULL). */
static void add_condition(json_t *body, json_t *condition_parts, const char *name, const char *attribute,
                          json_t *value) {
    _cleanup_(mem_freep) char *placeholder = mem_printf("#%s", name);
    _cleanup_(mem_freep) char *value_placeholder = mem_printf(":%s0", name);
    dynamodb_name(body, placeholder, attribute);
    _cleanup_(mem_freep) char *part = value ? mem_printf("%s = %s", placeholder, value_placeholder)
                                            : mem_printf("attribute_not_exists(%s)", placeholder);
    if (value)
        dynamodb_value(body, value_placeholder, value);
    json_array_append_new(condition_parts, json_string(part));
}

static void set_condition(json_t *body, const struct store_lease *before) {
    json_auto_t *parts = json_array();
    add_condition(body, parts, "o", "leaseOwner", *before->owner ? dynamodb_s(before->owner) : NULL);
    add_condition(body, parts, "c", "leaseCounter", dynamodb_n(before->counter));
    add_condition(body, parts, "t", "tenure", *before->tenure ? dynamodb_s(before->tenure) : NULL);
    json_object_set_new(body, "ConditionExpression",
                        json_sprintf("%s AND %s AND %s", json_string_value(json_array_get(parts, 0)),
                                     json_string_value(json_array_get(parts, 1)),
                                     json_string_value(json_array_get(parts, 2))));
}

/* SET what the lease has, REMOVE what it no longer has. Other attributes (of the KCL's tools) stay. */
static void set_update(json_t *body, const struct store_lease *after) {
    static const char *const attributes[] = {
        "leaseOwner",
        "leaseCounter",
        "tenure",
        "checkpoint",
        "checkpointSubSequenceNumber",
        "checkpointHash",
        "startAt",
        "ownerSwitchesSinceCheckpoint",
        "asOf",
        "foreignArrivals",
        "endedAt",
        "parentShardId",
        "childShardIds",
        "startingHashKey",
        "endingHashKey",
    };
    json_auto_t *item = lease_item(after);
    struct buffer sets, removes;
    buffer_init(&sets, 4096);
    buffer_init(&removes, 4096);

    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        json_t *value = json_object_get(item, attributes[i]);
        _cleanup_(mem_freep) char *name = mem_printf("#a%zu", i);
        _cleanup_(mem_freep) char *placeholder = mem_printf(":a%zu", i);
        dynamodb_name(body, name, attributes[i]);
        if (value) {
            dynamodb_value(body, placeholder, json_incref(value));
            buffer_printf(&sets, "%s %s = %s", sets.length ? "," : "SET", name, placeholder);
        } else {
            buffer_printf(&removes, "%s %s", removes.length ? "," : " REMOVE", name);
        }
    }
    json_object_set_new(body, "UpdateExpression",
                        json_sprintf("%s%s", sets.data, removes.data ? removes.data : ""));
    buffer_deinit(&sets);
    buffer_deinit(&removes);
}

enum status store_dynamodb_update_lease(struct store *store, const struct store_lease *before,
                                        const struct store_lease *after, const struct fence *fence,
                                        struct store_lease *found, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.fence = fence, .deadline_boot_ms = clock_boot_ms() + LIMIT_LEASE_CALL_MS};
    json_t *body =
        json_pack("{s:s,s:o,s:s}", "TableName", d->leases_table, "Key", rows_lease_key(before->shard_id),
                  "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    set_condition(body, before);
    set_update(body, after);

    _cleanup_(dynamodb_call_deinit) struct aws_call call;
    dynamodb_call_init(&call, "UpdateItem", body);
    dynamodb_run(d->client, &call, 1, &run);
    if (!call.status)
        return STATUS_OK;

    enum status status = call.status;
    *e = call.error;
    if (status == STATUS_CONFLICT) {
        json_t *item = json_object_get(call.reply, "Item");
        status = parse_lease(d, json_object_size(item) ? item : NULL, found, e);
        if (!status)
            return STATUS_CONFLICT;
    }
    error_wrap(e, "cannot write lease '%s' in table '%s'", before->shard_id, d->leases_table);
    return status;
}

enum status store_dynamodb_delete_lease(struct store *store, const struct store_lease *before,
                                        const struct fence *fence, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.fence = fence, .deadline_boot_ms = clock_boot_ms() + LIMIT_LEASE_CALL_MS};
    json_t *body =
        json_pack("{s:s,s:o}", "TableName", d->leases_table, "Key", rows_lease_key(before->shard_id));
    set_condition(body, before);
    enum status status = dynamodb_once(d->client, "DeleteItem", body, &run, NULL, e);
    if (status)
        error_wrap(e, "cannot delete lease '%s' from table '%s'", before->shard_id, d->leases_table);
    return status;
}
