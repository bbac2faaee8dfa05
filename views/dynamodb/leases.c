/* Leases in the KCL's table format, and the record of what the store belongs to. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/internal.h"
#include "views/fold.h"

#define SOURCE_KEY "winner-view#source"

static json_t *lease_key(const char *key) {
    return json_pack("{s:o}", "leaseKey", dynamodb_s(key));
}

/* ---- what the store belongs to
 * ------------------------------------------------------------------------------------ */

static enum status read_source_record(struct store_dynamodb *d, const struct aws_run *run, json_t **item,
                                      struct error *e) {
    json_auto_t *reply = NULL;
    json_t *body = json_pack("{s:s,s:o,s:b}", "TableName", d->leases_table, "Key", lease_key(SOURCE_KEY),
                             "ConsistentRead", 1);
    enum status status = dynamodb_once(d->client, "GetItem", body, run, &reply, e);
    if (!status)
        *item = json_incref(json_object_get(reply, "Item"));
    return status;
}

static enum status mismatch(const struct store_dynamodb *d, const json_t *item,
                            const struct store_source *source, struct error *e) {
    const char *name = dynamodb_get_s(item, "sourceArn");
    int64_t created = 0, version = 0;
    char theirs[CLOCK_TEXT_SIZE], ours[CLOCK_TEXT_SIZE];

    if (dynamodb_get_n(item, "viewVersion", &version) && version != FOLD_VIEW_VERSION)
        return error_set(
            e, STATUS_INVALID,
            "table '%s' belongs to view version %lld, this program makes version %d: use another stage "
            "(--store dynamodb:OTHER) and let it replay",
            d->leases_table, (long long)version, FOLD_VIEW_VERSION);
    dynamodb_get_n(item, "sourceCreated", &created);
    if (!source || !name || (strcmp(name, source->name) == 0 && created == source->created_ms))
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "table '%s' belongs to the source '%s' created at %s, not to '%s' created at %s: use another stage "
        "(--store dynamodb:OTHER), whose tables start empty",
        d->leases_table, name, clock_format(created, theirs), source->name,
        clock_format(source->created_ms, ours));
}

/* First use: only what is not there yet is written, so that of two first users one wins, and both see who. */
static enum status write_source_record(struct store_dynamodb *d, const struct store_source *source,
                                       const struct aws_run *run, json_t **item, struct error *e) {
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    random_bytes(key, sizeof key);

    json_t *body = json_pack("{s:s,s:o,s:s,s:s}", "TableName", d->leases_table, "Key", lease_key(SOURCE_KEY),
                             "UpdateExpression",
                             source ? "SET #e = :e, #k = if_not_exists(#k, :k), #v = if_not_exists(#v, :v), "
                                      "#a = if_not_exists(#a, :a), #c = if_not_exists(#c, :c)"
                                    : "SET #e = :e, #k = if_not_exists(#k, :k), #v = if_not_exists(#v, :v)",
                             "ReturnValues", "ALL_NEW");
    dynamodb_name(body, "#e", "entityType");
    dynamodb_name(body, "#k", "identityKey");
    dynamodb_name(body, "#v", "viewVersion");
    dynamodb_value(body, ":e", dynamodb_s("SOURCE"));
    dynamodb_value(body, ":k", dynamodb_b(key, sizeof key));
    dynamodb_value(body, ":v", dynamodb_n(FOLD_VIEW_VERSION));
    if (source) {
        dynamodb_name(body, "#a", "sourceArn");
        dynamodb_name(body, "#c", "sourceCreated");
        dynamodb_value(body, ":a", dynamodb_s(source->name));
        dynamodb_value(body, ":c", dynamodb_n(source->created_ms));
    }

    json_auto_t *reply = NULL;
    enum status status = dynamodb_once(d->client, "UpdateItem", body, run, &reply, e);
    if (!status)
        *item = json_incref(json_object_get(reply, "Attributes"));
    return status;
}

static bool is_bound(const json_t *item, bool to_source) {
    return json_object_get(item, "identityKey") && (!to_source || json_object_get(item, "sourceArn"));
}

enum status store_dynamodb_bind(struct store *store, const struct store_source *source, uint8_t *identity_key,
                                struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_auto_t *item = NULL;
    size_t length;

    enum status status = read_source_record(d, &run, &item, e);
    if (!status && !is_bound(item, source != NULL)) {
        json_decref(item);
        item = NULL;
        status = write_source_record(d, source, &run, &item, e);
    }
    if (status == STATUS_NOT_FOUND)
        return error_set(e, STATUS_NOT_FOUND, "table '%s' does not exist: run winner-view create-tables",
                         d->leases_table);
    if (status) {
        error_wrap(e, "cannot tell which source table '%s' belongs to", d->leases_table);
        return status;
    }
    if (!dynamodb_get_b(item, "identityKey", identity_key, STORE_IDENTITY_KEY_BYTES, &length) ||
        length != STORE_IDENTITY_KEY_BYTES)
        return error_set(e, STATUS_FAILED, "the identity key in table '%s' is not one", d->leases_table);
    return mismatch(d, item, source, e);
}

/* ---- a lease as an item
 * ------------------------------------------------------------------------------------------- */

static void set(json_t *item, const char *name, json_t *value) {
    if (value)
        json_object_set_new(item, name, value);
}

static void set_string(json_t *item, const char *name, const char *value) {
    if (*value) /* DynamoDB: absent, never empty */
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
    if (lease->checkpoint == LEASE_AT_TIMESTAMP)
        set(item, "startAt", dynamodb_n(lease->start_at_ms));
}

static json_t *lease_item(const struct store_lease *lease) {
    json_t *item = lease_key(lease->shard_id);
    set_string(item, "leaseOwner", lease->owner);
    set(item, "leaseCounter", dynamodb_n(lease->counter));
    set_string(item, "tenure", lease->tenure);
    set_checkpoint(item, lease);
    set(item, "ownerSwitchesSinceCheckpoint", dynamodb_n(lease->owner_switches));
    set(item, "asOf", lease->as_of_ms >= 0 ? dynamodb_n(lease->as_of_ms) : NULL);
    set_shards(item, "parentShardId", lease->parents);
    set_shards(item, "childShardIds", lease->children);
    set_string(item, "startingHashKey", lease->starting_hash_key);
    set_string(item, "endingHashKey", lease->ending_hash_key);
    return item;
}

static void get_string(const json_t *item, const char *name, char *out, size_t size) {
    const char *value = dynamodb_get_s(item, name);
    strncpy(out, value ? value : "", size - 1);
    out[size - 1] = '\0';
}

static void get_shards(const json_t *item, const char *name, char shards[][LIMIT_SHARD_ID_BYTES + 1]) {
    const json_t *list = json_object_get(json_object_get(item, name), "SS");
    for (size_t i = 0; i < STORE_LEASE_PARENTS && i < json_array_size(list); i++) {
        strncpy(shards[i], json_string_value(json_array_get(list, i)), LIMIT_SHARD_ID_BYTES);
        shards[i][LIMIT_SHARD_ID_BYTES] = '\0';
    }
}

static bool get_checkpoint(const json_t *item, struct store_lease *lease) {
    int64_t sub = 0;
    dynamodb_get_n(item, "startAt", &lease->start_at_ms);
    dynamodb_get_n(item, "checkpointSubSequenceNumber", &sub);
    return store_lease_set_checkpoint(lease, dynamodb_get_s(item, "checkpoint"), (uint32_t)sub);
}

/* An item without a key (there was none) makes a lease without a shard id. */
static enum status parse_lease(const struct store_dynamodb *d, const json_t *item, struct store_lease *lease,
                               struct error *e) {
    memset(lease, 0, sizeof *lease);
    lease->as_of_ms = -1;
    if (!item)
        return STATUS_OK;
    get_string(item, "leaseKey", lease->shard_id, sizeof lease->shard_id);
    get_string(item, "leaseOwner", lease->owner, sizeof lease->owner);
    get_string(item, "tenure", lease->tenure, sizeof lease->tenure);
    get_string(item, "startingHashKey", lease->starting_hash_key, sizeof lease->starting_hash_key);
    get_string(item, "endingHashKey", lease->ending_hash_key, sizeof lease->ending_hash_key);
    get_shards(item, "parentShardId", lease->parents);
    get_shards(item, "childShardIds", lease->children);
    dynamodb_get_n(item, "ownerSwitchesSinceCheckpoint", &lease->owner_switches);
    dynamodb_get_n(item, "asOf", &lease->as_of_ms);
    if (!dynamodb_get_n(item, "leaseCounter", &lease->counter) || !get_checkpoint(item, lease))
        return error_set(e, STATUS_FAILED,
                         "lease '%s' in table '%s' has no counter or no checkpoint that is one",
                         lease->shard_id, d->leases_table);
    return STATUS_OK;
}

/* ---- reading and writing leases
 * ----------------------------------------------------------------------------------- */

static bool is_lease(const json_t *item) {
    const char *type = dynamodb_get_s(item, "entityType");
    return !type || strcmp(type, "LEASE") == 0; /* only the KCL since 3.5 writes that one */
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

static enum status scan_page(struct store_dynamodb *d, json_t **start, struct lease_list *list,
                             struct error *e) {
    json_auto_t *reply = NULL;
    json_t *body = json_pack("{s:s,s:b}", "TableName", d->leases_table, "ConsistentRead", 1);
    if (*start)
        json_object_set_new(body, "ExclusiveStartKey", *start);
    *start = NULL;
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_LEASE_CALL_MS};
    enum status status = dynamodb_once(d->client, "Scan", body, &run, &reply, e);
    if (status)
        return status;
    json_t *last = json_object_get(reply, "LastEvaluatedKey");
    if (json_object_size(last))
        *start = json_incref(last);
    return append_leases(d, reply, list, e);
}

static int compare_leases(const void *a, const void *b) {
    return strcmp(((const struct store_lease *)a)->shard_id, ((const struct store_lease *)b)->shard_id);
}

enum status store_dynamodb_read_leases(struct store *store, struct store_lease **leases, size_t *n,
                                       struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    struct lease_list list = {NULL, 0};
    json_t *start = NULL;
    enum status status;
    do {
        status = scan_page(d, &start, &list, e);
        if (!status && list.n > LIMIT_SHARDS)
            status = error_set(e, STATUS_FAILED, "more than %d leases", LIMIT_SHARDS);
    } while (!status && start);

    json_decref(start);
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

/* `#o = :o0`, or that there is no such attribute where the value is "". */
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

/* SET what the lease has, REMOVE what it has no longer; attributes of others' (the KCL's tools) stay. */
static void set_update(json_t *body, const struct store_lease *after) {
    static const char *const attributes[] = {
        "leaseOwner",
        "leaseCounter",
        "tenure",
        "checkpoint",
        "checkpointSubSequenceNumber",
        "startAt",
        "ownerSwitchesSinceCheckpoint",
        "asOf",
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
    json_t *body = json_pack("{s:s,s:o,s:s}", "TableName", d->leases_table, "Key",
                             lease_key(before->shard_id), "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
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
    json_t *body = json_pack("{s:s,s:o}", "TableName", d->leases_table, "Key", lease_key(before->shard_id));
    set_condition(body, before);
    enum status status = dynamodb_once(d->client, "DeleteItem", body, &run, NULL, e);
    if (status)
        error_wrap(e, "cannot delete lease '%s' from table '%s'", before->shard_id, d->leases_table);
    return status;
}
