/* What the store belongs to: the record among the leases. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"
#include "views/fold.h"

#define WAY_OUT STORE_WAY_OUT("another stage (--store dynamodb:OTHER)")
#define CONSUMER "consumerArn"

static enum status malformed(const struct store_dynamodb *d, struct error *e) {
    return error_set(e, STATUS_FAILED, "the record '" ROWS_SOURCE_KEY "' in table '%s' is malformed",
                     d->leases_table);
}

static enum status compare_version(const struct store_dynamodb *d, const json_t *item, struct error *e) {
    int64_t version;
    if (!dynamodb_get_n(item, "viewVersion", &version))
        return malformed(d, e);
    if (version == FOLD_VIEW_VERSION)
        return STATUS_OK;
    return error_set(e, STATUS_INVALID,
                     "table '%s' belongs to view version %lld, this program makes version %d: " WAY_OUT,
                     d->leases_table, (long long)version, FOLD_VIEW_VERSION);
}

static enum status compare_source(const struct store_dynamodb *d, const json_t *item,
                                  const struct store_source *source, struct error *e) {
    const char *name = dynamodb_get_s(item, "sourceArn");
    int64_t created;
    char theirs[CLOCK_TEXT_SIZE], ours[CLOCK_TEXT_SIZE];
    if (!name || !dynamodb_get_n(item, "sourceCreated", &created))
        return malformed(d, e);
    if (!source || (strcmp(name, source->name) == 0 && created == source->created_ms))
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "table '%s' belongs to the source '%s' created at %s, not to '%s' created at %s: use another stage "
        "(--store dynamodb:OTHER), whose tables start empty",
        d->leases_table, name, clock_format(created, theirs), source->name,
        clock_format(source->created_ms, ours));
}

static enum status compare_shape(const struct store_dynamodb *d, const json_t *item,
                                 const struct store_wish *wish, struct view_shape *kept, struct error *e) {
    int64_t partitions = 0;
    dynamodb_get_n(item, "boardPartitions", &partitions);
    if (!store_parse_shape(dynamodb_get_s(item, "periods"), dynamodb_get_s(item, "bestSellers"), partitions,
                           kept))
        return malformed(d, e);
    _cleanup_(mem_freep) char *place = mem_printf("table '%s'", d->leases_table);
    return store_compare_shape(wish, kept, place, WAY_OUT, e);
}

static enum status parse_identity_key(const struct store_dynamodb *d, const json_t *item, uint8_t *key,
                                      struct error *e) {
    size_t length;
    return dynamodb_get_b(item, "identityKey", key, STORE_IDENTITY_KEY_BYTES, &length) &&
                   length == STORE_IDENTITY_KEY_BYTES
               ? STATUS_OK
               : error_set(e, STATUS_FAILED, "the identity key in table '%s' is malformed", d->leases_table);
}

/* The error of a call about the record, as callers expect it. */
static enum status explain(const struct store_dynamodb *d, enum status status, struct error *e) {
    if (status == STATUS_NOT_FOUND)
        return error_set(e, STATUS_NOT_FOUND, "table '%s' does not exist: run winner-view create-tables",
                         d->leases_table);
    return status ? error_wrap(e, "cannot read which source table '%s' belongs to", d->leases_table)
                  : STATUS_OK;
}

static void take_item(json_t **item, json_t *found) {
    json_decref(*item);
    *item = json_incref(found);
}

/* One of two first users wins: the other writes nothing. */
static json_t *record_body(const struct store_dynamodb *d, const struct store_wish *wish) {
    char periods[PERIOD_SET_TEXT_SIZE];
    uint8_t drawn[STORE_IDENTITY_KEY_BYTES];
    random_bytes(drawn, sizeof drawn);
    json_t *item = rows_lease_key(ROWS_SOURCE_KEY);
    json_object_set_new(item, "entityType", dynamodb_s("SOURCE"));
    json_object_set_new(item, "identityKey",
                        dynamodb_b(wish->identity_key ? wish->identity_key : drawn, sizeof drawn));
    json_object_set_new(item, "viewVersion", dynamodb_n(FOLD_VIEW_VERSION));
    json_object_set_new(item, "sourceArn", dynamodb_s(wish->source->name));
    json_object_set_new(item, "sourceCreated", dynamodb_n(wish->source->created_ms));
    json_object_set_new(item, "periods", dynamodb_s(period_set_format(wish->shape.periods, periods)));
    json_object_set_new(item, "bestSellers", dynamodb_s(store_format_best_sellers(wish->shape.best_sellers)));
    json_object_set_new(item, "boardPartitions", dynamodb_n(wish->shape.board_partitions));
    json_t *body = json_pack("{s:s,s:o,s:s}", "TableName", d->leases_table, "Item", item,
                             "ConditionExpression", "attribute_not_exists(#k)");
    dynamodb_name(body, "#k", "leaseKey");
    return body;
}

static enum status read_source_record(struct store_dynamodb *d, const struct aws_run *run, json_t **item,
                                      struct error *e) {
    json_auto_t *found = NULL;
    enum status status =
        dynamodb_get_item(d->client, d->leases_table, rows_lease_key(ROWS_SOURCE_KEY), run, &found, e);
    if (!status)
        take_item(item, found);
    return explain(d, status, e);
}

/* Whether the table has a row that is not the record: *row is one, or NULL. A page may be empty and not the
 * last. */
static enum status find_other_row(struct store_dynamodb *d, const struct aws_run *run, json_t **row,
                                  struct error *e) {
    json_auto_t *body =
        json_pack("{s:s,s:b,s:i}", "TableName", d->leases_table, "ConsistentRead", 1, "Limit", 2);
    enum status status;
    bool more;
    do {
        json_auto_t *reply = NULL;
        json_t *item;
        size_t i;
        status = explain(d, dynamodb_once(d->client, "Scan", json_incref(body), run, &reply, e), e);
        json_array_foreach(json_object_get(reply, "Items"), i, item) {
            const char *key = dynamodb_get_s(item, "leaseKey");
            if (!key || strcmp(key, ROWS_SOURCE_KEY) != 0)
                take_item(row, item);
        }
        more = dynamodb_next_page(body, reply);
    } while (!status && !*row && more);
    return status;
}

static const char *text_of(const json_t *item, const char *name, const char *otherwise) {
    const char *text = dynamodb_get_s(item, name);
    return text ? text : otherwise;
}

/* Before the first use. Another worker of this view writes the record before any lease, so one that is absent
 * although there are leases is looked for once more. */
static enum status refuse_foreign_leases(struct store_dynamodb *d, const struct aws_run *run, json_t **item,
                                         struct error *e) {
    json_auto_t *row = NULL;
    enum status status = find_other_row(d, run, &row, e);
    if (!status && row)
        status = read_source_record(d, run, item, e);
    if (status || !row || *item)
        return status;
    return error_set(
        e, STATUS_INVALID,
        "table '%s' has leases of another application, such as '%s' (%s, owner '%s'), and no record "
        "'" ROWS_SOURCE_KEY "' of a view: use another stage (--store dynamodb:OTHER) or another table "
        "(--leases-table). If this view's record was deleted, restore the table",
        d->leases_table, text_of(row, "leaseKey", ""), text_of(row, "entityType", "LEASE"),
        text_of(row, "leaseOwner", ""));
}

static enum status make_record(struct store_dynamodb *d, const struct store_wish *wish,
                               const struct aws_run *run, json_t **item, struct error *e) {
    enum status status = dynamodb_once(d->client, "PutItem", record_body(d, wish), run, NULL, e);
    status = status == STATUS_CONFLICT ? STATUS_OK : explain(d, status, e);
    if (!status)
        status = read_source_record(d, run, item, e);
    return status || *item ? status : malformed(d, e);
}

/* The record in `*item`, which is made if there is none. */
static enum status find_or_make_record(struct store_dynamodb *d, const struct store_wish *wish,
                                       const struct aws_run *run, json_t **item, struct error *e) {
    enum status status = read_source_record(d, run, item, e);
    if (status || *item)
        return status;
    if (!wish->source)
        return error_set(e, STATUS_NOT_FOUND,
                         "table '%s' has no view yet: a process with a --source begins it", d->leases_table);
    status = refuse_foreign_leases(d, run, item, e);
    return status || *item ? status : make_record(d, wish, run, item, e);
}

enum status store_dynamodb_bind(struct store *store, const struct store_wish *wish,
                                struct store_binding *binding, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_auto_t *item = NULL;

    enum status status = find_or_make_record(d, wish, &run, &item, e);
    if (!status)
        status = compare_version(d, item, e);
    if (!status)
        status = parse_identity_key(d, item, binding->identity_key, e);
    if (!status)
        status = compare_source(d, item, wish->source, e);
    return status ? status : compare_shape(d, item, wish, &binding->shape, e);
}

/* Whatever the view version: all have the key, and the consumer, in the same place. NOT_FOUND: there is no
 * view. */
static enum status read_view_record(struct store_dynamodb *d, const char *what, json_t **item,
                                    struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    enum status status =
        dynamodb_get_item(d->client, d->leases_table, rows_lease_key(ROWS_SOURCE_KEY), &run, item, e);
    if (status == STATUS_NOT_FOUND)
        return error_set(e, status, "table '%s' does not exist", d->leases_table);
    if (status)
        return error_wrap(e, "cannot read %s in table '%s'", what, d->leases_table);
    if (!json_object_get(*item, "identityKey"))
        return error_set(e, STATUS_NOT_FOUND, "table '%s' has no view", d->leases_table);
    return STATUS_OK;
}

enum status store_dynamodb_read_identity_key(struct store *store, uint8_t key[STORE_IDENTITY_KEY_BYTES],
                                             struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    json_auto_t *item = NULL;
    enum status status = read_view_record(d, "the identity key", &item, e);
    return status ? status : parse_identity_key(d, item, key, e);
}

enum status store_dynamodb_read_consumer(struct store *store, char arn[STORE_CONSUMER_SIZE],
                                         struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    json_auto_t *item = NULL;
    enum status status = read_view_record(d, "the consumer", &item, e);
    if (status)
        return status;
    const char *noted = dynamodb_get_s(item, CONSUMER);
    if (!noted || strlen(noted) >= STORE_CONSUMER_SIZE)
        return error_set(e, STATUS_NOT_FOUND, "the view of table '%s' has no consumer", d->leases_table);
    strcpy(arn, noted);
    return STATUS_OK;
}

enum status store_dynamodb_note_consumer(struct store *store, const char *arn, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_t *body =
        json_pack("{s:s,s:o,s:s,s:s}", "TableName", d->leases_table, "Key", rows_lease_key(ROWS_SOURCE_KEY),
                  "UpdateExpression", arn ? "SET #c = :arn" : "REMOVE #c", "ConditionExpression",
                  "attribute_exists(#k)");
    dynamodb_name(body, "#k", "identityKey");
    dynamodb_name(body, "#c", CONSUMER);
    if (arn)
        dynamodb_value(body, ":arn", dynamodb_s(arn));
    enum status status = dynamodb_once(d->client, "UpdateItem", body, &run, NULL, e);
    if (status == STATUS_CONFLICT)
        return error_set(e, STATUS_NOT_FOUND, "table '%s' has no view", d->leases_table);
    return status ? error_wrap(e, "cannot note the consumer in table '%s'", d->leases_table) : STATUS_OK;
}
