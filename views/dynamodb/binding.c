/* What the store belongs to: the record among the leases. */
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"
#include "views/fold.h"

/* `*stale`: the record has the source's name of an older program. */
static enum status compare_record(const struct store_dynamodb *d, const json_t *item,
                                  const struct store_source *source, bool *stale, struct error *e) {
    const char *name = dynamodb_get_s(item, "sourceArn");
    int64_t created = 0, version = FOLD_VIEW_VERSION;
    char theirs[CLOCK_TEXT_SIZE], ours[CLOCK_TEXT_SIZE];

    if (!name || !dynamodb_get_optional_n(item, "viewVersion", &version) ||
        !dynamodb_get_optional_n(item, "sourceCreated", &created))
        return error_set(e, STATUS_FAILED, "the record '" ROWS_SOURCE_KEY "' in table '%s' is malformed",
                         d->leases_table);
    if (version != FOLD_VIEW_VERSION)
        return error_set(
            e, STATUS_INVALID,
            "table '%s' belongs to view version %lld, this program makes version %d: use another stage "
            "(--store dynamodb:OTHER) and let it replay",
            d->leases_table, (long long)version, FOLD_VIEW_VERSION);
    enum store_record record = source ? store_compare_source(source, name, created) : STORE_RECORD_SAME;
    *stale = record == STORE_RECORD_STALE;
    if (record != STORE_RECORD_OTHER)
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "table '%s' belongs to the source '%s' created at %s, not to '%s' created at %s: use another stage "
        "(--store dynamodb:OTHER), whose tables start empty",
        d->leases_table, name, clock_format(created, theirs), source->name,
        clock_format(source->created_ms, ours));
}

/* What became of a call about the record. */
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

/* First use: writes only what is missing, so one of two first users wins, and ALL_NEW shows both which. */
static enum status write_source_record(struct store_dynamodb *d, const struct store_source *source,
                                       const struct aws_run *run, json_t **item, struct error *e) {
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    random_bytes(key, sizeof key);

    json_t *body = json_pack("{s:s,s:o,s:s,s:s}", "TableName", d->leases_table, "Key",
                             rows_lease_key(ROWS_SOURCE_KEY), "UpdateExpression",
                             "SET #e = :e, #k = if_not_exists(#k, :k), #v = if_not_exists(#v, :v), "
                             "#a = if_not_exists(#a, :a), #c = if_not_exists(#c, :c)",
                             "ReturnValues", "ALL_NEW");
    dynamodb_name(body, "#e", "entityType");
    dynamodb_name(body, "#k", "identityKey");
    dynamodb_name(body, "#v", "viewVersion");
    dynamodb_name(body, "#a", "sourceArn");
    dynamodb_name(body, "#c", "sourceCreated");
    dynamodb_value(body, ":e", dynamodb_s("SOURCE"));
    dynamodb_value(body, ":k", dynamodb_b(key, sizeof key));
    dynamodb_value(body, ":v", dynamodb_n(FOLD_VIEW_VERSION));
    dynamodb_value(body, ":a", dynamodb_s(source->name));
    dynamodb_value(body, ":c", dynamodb_n(source->created_ms));

    json_auto_t *reply = NULL;
    enum status status = explain(d, dynamodb_once(d->client, "UpdateItem", body, run, &reply, e), e);
    if (!status && !json_object_get(reply, "Attributes"))
        return error_set_code(e, STATUS_RETRY, AWS_ERROR_MALFORMED,
                              "the reply of UpdateItem has no Attributes");
    if (!status)
        take_item(item, json_object_get(reply, "Attributes"));
    return status;
}

/* A conflict: another process has renamed it. */
static enum status rename_source(struct store_dynamodb *d, const json_t *item,
                                 const struct store_source *source, const struct aws_run *run,
                                 struct error *e) {
    const char *former = dynamodb_get_s(item, "sourceArn");
    json_t *body =
        json_pack("{s:s,s:o,s:s,s:s}", "TableName", d->leases_table, "Key", rows_lease_key(ROWS_SOURCE_KEY),
                  "UpdateExpression", "SET #a = :a", "ConditionExpression", "#a = :f");
    dynamodb_name(body, "#a", "sourceArn");
    dynamodb_value(body, ":a", dynamodb_s(source->name));
    dynamodb_value(body, ":f", dynamodb_s(former));
    enum status status = dynamodb_once(d->client, "UpdateItem", body, run, NULL, e);
    return !status || status == STATUS_CONFLICT
               ? STATUS_OK
               : error_wrap(e, "cannot rename the source of table '%s'", d->leases_table);
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

/* A record without a source is of an earlier program, which made one to serve from. */
static bool is_bound(const json_t *item) {
    return json_object_get(item, "identityKey") && json_object_get(item, "sourceArn");
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
    if (status || !row || is_bound(*item))
        return status;
    return error_set(
        e, STATUS_INVALID,
        "table '%s' has leases of another application, such as '%s' (%s, owner '%s'), and no record "
        "'" ROWS_SOURCE_KEY "' of a view: use another stage (--store dynamodb:OTHER) or another table "
        "(--leases-table). If this view's record was deleted, restore the table",
        d->leases_table, text_of(row, "leaseKey", ""), text_of(row, "entityType", "LEASE"),
        text_of(row, "leaseOwner", ""));
}

/* The record in `*item`, which is made if there is none. */
static enum status find_or_make_record(struct store_dynamodb *d, const struct store_source *source,
                                       const struct aws_run *run, json_t **item, struct error *e) {
    enum status status = read_source_record(d, run, item, e);
    if (status || is_bound(*item))
        return status;
    if (!source)
        return error_set(e, STATUS_NOT_FOUND,
                         "table '%s' has no view yet: a process with a --source begins it", d->leases_table);
    status = refuse_foreign_leases(d, run, item, e);
    return status || is_bound(*item) ? status : write_source_record(d, source, run, item, e);
}

enum status store_dynamodb_bind(struct store *store, const struct store_wish *wish,
                                struct store_binding *binding, struct error *e) {
    const struct store_source *source = wish->source;
    uint8_t *identity_key = binding->identity_key;
    binding->shape = wish->shape;
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_auto_t *item = NULL;
    size_t length;

    enum status status = find_or_make_record(d, source, &run, &item, e);
    if (status)
        return status;
    if (!dynamodb_get_b(item, "identityKey", identity_key, STORE_IDENTITY_KEY_BYTES, &length) ||
        length != STORE_IDENTITY_KEY_BYTES)
        return error_set(e, STATUS_FAILED, "the identity key in table '%s' is malformed", d->leases_table);
    bool stale = false;
    status = compare_record(d, item, source, &stale, e);
    if (!status && stale)
        status = rename_source(d, item, source, &run, e);
    return status;
}
