/* The three tables: their definitions, creating them, waiting until they are usable. */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/internal.h"

static json_t *key(const char *attribute, const char *type) {
    return json_pack("{s:s,s:s}", "AttributeName", attribute, "KeyType", type);
}

static json_t *attribute(const char *name, const char *type) {
    return json_pack("{s:s,s:s}", "AttributeName", name, "AttributeType", type);
}

static json_t *single_key_table(const char *table, const char *hash_key) {
    return json_pack("{s:s,s:s,s:[o],s:[o]}", "TableName", table, "BillingMode", "PAY_PER_REQUEST",
                     "AttributeDefinitions", attribute(hash_key, "S"), "KeySchema", key(hash_key, "HASH"));
}

static json_t *scores_table(const char *table) {
    json_t *index = json_pack("{s:s,s:[o,o],s:{s:s,s:[s]}}", "IndexName", SCORES_INDEX, "KeySchema",
                              key("role", "HASH"), key("score", "RANGE"), "Projection", "ProjectionType",
                              "INCLUDE", "NonKeyAttributes", "updated");
    return json_pack("{s:s,s:s,s:[o,o,o],s:[o,o],s:[o]}", "TableName", table, "BillingMode",
                     "PAY_PER_REQUEST", "AttributeDefinitions", attribute("userId", "S"),
                     attribute("role", "S"), attribute("score", "N"), "KeySchema", key("userId", "HASH"),
                     key("role", "RANGE"), "GlobalSecondaryIndexes", index);
}

static json_t *definition(const struct store_dynamodb *d, const char *table) {
    if (table == d->scores_table)
        return scores_table(table);
    return single_key_table(table, table == d->leases_table ? "leaseKey" : "productId");
}

static bool is_active(const json_t *description, const char *status_member) {
    const char *status = json_string_value(json_object_get(description, status_member));
    return status && strcmp(status, "ACTIVE") == 0;
}

static bool is_usable(const json_t *table) {
    json_t *index;
    size_t i;
    json_array_foreach(json_object_get(table, "GlobalSecondaryIndexes"), i, index) {
        if (!is_active(index, "IndexStatus"))
            return false;
    }
    return is_active(table, "TableStatus");
}

static bool has_index(const json_t *table, const char *name) {
    json_t *index;
    size_t i;
    json_array_foreach(json_object_get(table, "GlobalSecondaryIndexes"), i, index) {
        const char *found = json_string_value(json_object_get(index, "IndexName"));
        if (found && strcmp(found, name) == 0)
            return true;
    }
    return false;
}

/* A table that exists already may be another program's. */
static enum status check(const json_t *table, const json_t *wanted, struct error *e) {
    const char *name = json_string_value(json_object_get(wanted, "TableName"));
    if (!json_equal(json_object_get(table, "KeySchema"), json_object_get(wanted, "KeySchema")))
        return error_set(e, STATUS_INVALID, "table '%s' exists with another key: name another table or stage",
                         name);
    if (json_object_get(wanted, "GlobalSecondaryIndexes") && !has_index(table, SCORES_INDEX))
        return error_set(e, STATUS_INVALID,
                         "table '%s' exists without the index %s: add it, or name another table", name,
                         SCORES_INDEX);
    return STATUS_OK;
}

static enum status describe(struct store_dynamodb *d, const char *table, json_t **description,
                            struct error *e) {
    json_auto_t *reply = NULL;
    enum status status =
        dynamodb_once(d->client, "DescribeTable", json_pack("{s:s}", "TableName", table), NULL, &reply, e);
    if (!status)
        *description = json_incref(json_object_get(reply, "Table"));
    return status;
}

static enum status wait_usable(struct store_dynamodb *d, const char *table, const json_t *wanted,
                               struct error *e) {
    int64_t give_up = clock_boot_ms() + LIMIT_CREATE_TABLE_MS;
    for (;;) {
        json_auto_t *description = NULL;
        enum status status = describe(d, table, &description, e);
        if (status && status != STATUS_NOT_FOUND) /* just created: DescribeTable may not find it yet */
            return status;
        if (!status && is_usable(description))
            return check(description, wanted, e);
        if (clock_boot_ms() > give_up)
            return error_set(e, STATUS_RETRY, "is not usable after %d s", LIMIT_CREATE_TABLE_MS / 1000);
        usleep(LIMIT_CREATE_TABLE_POLL_MS * 1000);
    }
}

static enum status create_table(struct store_dynamodb *d, const char *table, struct error *e) {
    json_auto_t *wanted = definition(d, table);
    json_auto_t *description = NULL;
    enum status status = describe(d, table, &description, e);
    if (status == STATUS_NOT_FOUND) {
        status = dynamodb_once(d->client, "CreateTable", json_incref(wanted), NULL, NULL, e);
        if (status && strcmp(e->code, "ResourceInUseException") == 0)
            status = STATUS_OK; /* another process is creating it */
    }
    if (!status)
        status = wait_usable(d, table, wanted, e);
    if (status)
        error_wrap(e, "cannot create table '%s'", table);
    return status;
}

enum status store_dynamodb_create(struct store *store, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const char *const tables[] = {d->contributions_table, d->scores_table, d->leases_table};
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < sizeof tables / sizeof *tables; i++)
        status = create_table(d, tables[i], e);
    return status;
}
