/* The three tables: their definitions, and making what is missing of them, step by step. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/internal.h"

enum { MOST_INDEXES = 2 };

struct index {
    const char *name;
    const char *hash, *range;
    const char *included; /* what it has besides keys; NULL: nothing */
};

struct table {
    const char *name;
    const char *hash, *range;                      /* `range` NULL: none */
    const struct index *indexes[MOST_INDEXES + 1]; /* NULL after the last */
    const char *expires;                           /* the attribute of its time to live; NULL: none */
};

static const struct index products_by_creator = {PRODUCTS_BY_CREATOR, "creator", "productId", NULL};
static const struct index products_by_photographer = {PRODUCTS_BY_PHOTOGRAPHER, "photographer", "productId",
                                                      NULL};
static const struct index scores_by_role = {SCORES_INDEX, "role", "score", "updated"};
static const struct index scores_by_board = {SCORES_BY_BOARD, "board", "score", "updated"};

/* Definitions, in the form of CreateTable. */

static json_t *key_schema(const char *hash, const char *range) {
    json_t *keys = json_array();
    json_array_append_new(keys, json_pack("{s:s,s:s}", "AttributeName", hash, "KeyType", "HASH"));
    if (range)
        json_array_append_new(keys, json_pack("{s:s,s:s}", "AttributeName", range, "KeyType", "RANGE"));
    return keys;
}

static void define_attribute(json_t *definitions, const char *name) {
    json_t *one;
    size_t i;
    json_array_foreach(definitions, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "AttributeName")), name) == 0)
            return;
    }
    const char *type = strcmp(name, "score") == 0 ? "N" : "S";
    json_array_append_new(definitions, json_pack("{s:s,s:s}", "AttributeName", name, "AttributeType", type));
}

static json_t *index_json(const struct index *index) {
    json_t *projection = index->included ? json_pack("{s:s,s:[s]}", "ProjectionType", "INCLUDE",
                                                     "NonKeyAttributes", index->included)
                                         : json_pack("{s:s}", "ProjectionType", "KEYS_ONLY");
    return json_pack("{s:s,s:o,s:o}", "IndexName", index->name, "KeySchema",
                     key_schema(index->hash, index->range), "Projection", projection);
}

static json_t *create_body(const struct table *t) {
    json_t *definitions = json_array(), *indexes = json_array();
    json_t *body = json_pack("{s:s,s:s,s:o,s:o}", "TableName", t->name, "BillingMode", "PAY_PER_REQUEST",
                             "AttributeDefinitions", definitions, "KeySchema", key_schema(t->hash, t->range));
    define_attribute(definitions, t->hash);
    if (t->range)
        define_attribute(definitions, t->range);
    for (const struct index *const *i = t->indexes; *i; i++) {
        define_attribute(definitions, (*i)->hash);
        define_attribute(definitions, (*i)->range);
        json_array_append_new(indexes, index_json(*i));
    }
    if (json_array_size(indexes))
        json_object_set(body, "GlobalSecondaryIndexes", indexes);
    json_decref(indexes);
    return body;
}

/* A table with provisioned throughput has it in each index, too (API reference, UpdateTable): as much as the
 * table. */
static void set_throughput(json_t *index, const json_t *description) {
    const json_t *table = json_object_get(description, "ProvisionedThroughput");
    json_t *reads = json_object_get(table, "ReadCapacityUnits"),
           *writes = json_object_get(table, "WriteCapacityUnits");
    if (json_integer_value(writes)) /* 0: on demand */
        json_object_set_new(index, "ProvisionedThroughput",
                            json_pack("{s:O,s:O}", "ReadCapacityUnits", reads, "WriteCapacityUnits", writes));
}

static json_t *add_index_body(const struct table *t, const struct index *index, const json_t *description) {
    json_t *definitions = json_array(), *definition = index_json(index);
    define_attribute(definitions, index->hash);
    define_attribute(definitions, index->range);
    set_throughput(definition, description);
    return json_pack("{s:s,s:o,s:[{s:o}]}", "TableName", t->name, "AttributeDefinitions", definitions,
                     "GlobalSecondaryIndexUpdates", "Create", definition);
}

/* What is there. */

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static const json_t *find_index(const json_t *description, const char *name) {
    json_t *index;
    size_t i;
    json_array_foreach(json_object_get(description, "GlobalSecondaryIndexes"), i, index) {
        if (strcmp(text_of(index, "IndexName"), name) == 0)
            return index;
    }
    return NULL;
}

static const struct index *missing_index(const struct table *t, const json_t *description) {
    for (const struct index *const *i = t->indexes; *i; i++)
        if (!find_index(description, (*i)->name))
            return *i;
    return NULL;
}

static bool has_keys(const json_t *description, const char *hash, const char *range) {
    json_auto_t *wanted = key_schema(hash, range);
    return json_equal(json_object_get(description, "KeySchema"), wanted);
}

static bool projects(const json_t *index, const char *attribute) {
    const json_t *projection = json_object_get(index, "Projection");
    json_t *name;
    size_t i;
    json_array_foreach(json_object_get(projection, "NonKeyAttributes"), i, name) {
        if (json_is_string(name) && strcmp(json_string_value(name), attribute) == 0)
            return true;
    }
    return strcmp(text_of(projection, "ProjectionType"), "ALL") == 0;
}

/* A table that exists already may be another program's. */
static enum status check(const struct table *t, const json_t *description, struct error *e) {
    if (!has_keys(description, t->hash, t->range))
        return error_set(e, STATUS_INVALID, "table '%s' exists with another key: name another table or stage",
                         t->name);
    for (const struct index *const *i = t->indexes; *i; i++) {
        const json_t *found = find_index(description, (*i)->name);
        if (found && !has_keys(found, (*i)->hash, (*i)->range))
            return error_set(e, STATUS_INVALID,
                             "index %s of table '%s' exists with another key: delete the index, or name "
                             "another table or stage",
                             (*i)->name, t->name);
        if (found && (*i)->included && !projects(found, (*i)->included))
            return error_set(e, STATUS_INVALID,
                             "index %s of table '%s' exists without the attribute '%s': delete the index, or "
                             "name another table or stage",
                             (*i)->name, t->name, (*i)->included);
    }
    return STATUS_OK;
}

/* Steps. */

/* What a table waits for. */
struct step {
    char what[300]; /* a sentence; "": the table is as it should be */
    int64_t limit_ms;
};

__attribute__((format(printf, 3, 4))) static void set_step(struct step *step, int64_t limit_ms,
                                                           const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(step->what, sizeof step->what, format, args);
    va_end(args);
    step->limit_ms = limit_ms;
}

/* Whether a change may be made later, or was made by another process since the last look: a table that exists
 * or is changing, one index of a table and few tables at a time (UpdateTable, LimitExceededException), and
 * what DynamoDB calls invalid: "Attempting to create an index which already exists", "TimeToLive is already
 * enabled". */
static bool is_of_another_process(enum status status, const struct error *e) {
    return status == STATUS_CONFLICT || strcmp(e->code, "LimitExceededException") == 0 ||
           (strcmp(e->code, "ValidationException") == 0 && strstr(e->message, "already"));
}

/* Makes one change. The next look at the table decides; until then the step says why it is not made. */
static enum status change(struct store_dynamodb *d, const char *operation, json_t *body, struct step *step,
                          struct error *e) {
    enum status status = dynamodb_once(d->client, operation, body, NULL, NULL, e);
    if (!status || !is_of_another_process(status, e))
        return status;
    size_t length = strlen(step->what);
    snprintf(step->what + length, sizeof step->what - length, ": %s", e->message);
    utf8_mend(step->what); /* it may have been cut */
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

/* Whether the table and all its indexes are usable. An index of many rows takes hours. */
static bool is_usable(const json_t *description, struct step *step) {
    json_t *index;
    size_t i;
    json_array_foreach(json_object_get(description, "GlobalSecondaryIndexes"), i, index) {
        const char *status = text_of(index, "IndexStatus");
        if (strcmp(status, "ACTIVE") == 0)
            continue;
        bool filling = json_is_true(json_object_get(index, "Backfilling"));
        set_step(step, LIMIT_CREATE_INDEX_MS, "index %s is %s%s", text_of(index, "IndexName"), status,
                 filling ? ", filled from the table's rows" : "");
        return false;
    }
    set_step(step, LIMIT_CREATE_TABLE_MS, "it is %s", text_of(description, "TableStatus"));
    return strcmp(text_of(description, "TableStatus"), "ACTIVE") == 0;
}

/* Rows past their time to live are deleted by DynamoDB. ENABLING takes up to an hour, and nothing waits for
 * it (API reference, UpdateTimeToLive). */
static enum status set_expiry(struct store_dynamodb *d, const struct table *t, struct step *step,
                              struct error *e) {
    json_auto_t *reply = NULL;
    enum status status = dynamodb_once(d->client, "DescribeTimeToLive",
                                       json_pack("{s:s}", "TableName", t->name), NULL, &reply, e);
    if (status)
        return status;
    const json_t *found = json_object_get(reply, "TimeToLiveDescription");
    const char *is = text_of(found, "TimeToLiveStatus"), *attribute = text_of(found, "AttributeName");
    if (strcmp(is, "ENABLED") == 0 || strcmp(is, "ENABLING") == 0)
        return strcmp(attribute, t->expires) == 0
                   ? STATUS_OK
                   : error_set(
                         e, STATUS_INVALID,
                         "the time to live of table '%s' is the attribute '%s', not '%s': disable it, or "
                         "name another table or stage",
                         t->name, attribute, t->expires);
    set_step(step, LIMIT_CREATE_TABLE_MS, "its time to live is %s", is);
    if (strcmp(is, "DISABLING") == 0)
        return STATUS_OK;
    set_step(step, LIMIT_CREATE_TABLE_MS, "its time to live is being enabled");
    json_t *body = json_pack("{s:s,s:{s:b,s:s}}", "TableName", t->name, "TimeToLiveSpecification", "Enabled",
                             1, "AttributeName", t->expires);
    return change(d, "UpdateTimeToLive", body, step, e);
}

/* Looks at the table and does what is next. */
static enum status take_step(struct store_dynamodb *d, const struct table *t, struct step *step,
                             struct error *e) {
    json_auto_t *description = NULL;
    enum status status = describe(d, t->name, &description, e);
    if (status == STATUS_NOT_FOUND) { /* also when it has just been created */
        set_step(step, LIMIT_CREATE_TABLE_MS, "it is being created");
        return change(d, "CreateTable", create_body(t), step, e);
    }
    if (!status)
        status = check(t, description, e);
    if (status || !is_usable(description, step))
        return status;
    const struct index *missing = missing_index(t, description);
    if (missing) {
        set_step(step, LIMIT_CREATE_INDEX_MS, "index %s is being added", missing->name);
        return change(d, "UpdateTable", add_index_body(t, missing, description), step, e);
    }
    step->what[0] = '\0';
    return t->expires ? set_expiry(d, t, step, e) : STATUS_OK;
}

/* The step that a table waits for, since when, and when that was reported. */
struct wait {
    struct step step;
    int64_t since_ms, reported_ms;
};

static void note_step(struct wait *wait, const struct step *step, int64_t now_ms) {
    if (strcmp(wait->step.what, step->what) != 0)
        *wait = (struct wait){*step, now_ms, now_ms - LIMIT_CREATE_REPORT_MS};
}

/* When the step changes, and every LIMIT_CREATE_REPORT_MS. */
static void report_step(const struct store_creation *creation, const struct table *t, struct wait *wait,
                        int64_t now_ms) {
    if (!creation->report || now_ms - wait->reported_ms < LIMIT_CREATE_REPORT_MS)
        return;
    creation->report(t->name, wait->step.what);
    wait->reported_ms = now_ms;
}

static enum status make_table(struct store_dynamodb *d, const struct store_creation *creation,
                              const struct table *t, struct error *e) {
    int64_t pause_ms = 1;
    struct wait wait = {0};
    for (;;) {
        struct step step = {0};
        enum status status = take_step(d, t, &step, e);
        int64_t now_ms = clock_boot_ms();
        if (!status && !*step.what)
            return STATUS_OK;
        if (!status)
            note_step(&wait, &step, now_ms);
        if (!status && now_ms - wait.since_ms > step.limit_ms)
            status =
                error_set(e, STATUS_RETRY, "after %lld s %s", (long long)step.limit_ms / 1000, step.what);
        if (status)
            return error_wrap(e, "cannot create table '%s'", t->name);
        report_step(creation, t, &wait, now_ms);
        usleep((useconds_t)pause_ms * 1000);
        pause_ms = pause_ms * 2 < LIMIT_CREATE_TABLE_POLL_MS ? pause_ms * 2 : LIMIT_CREATE_TABLE_POLL_MS;
    }
}

enum status store_dynamodb_create(struct store *store, const struct store_creation *creation,
                                  struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const bool parted = creation->board_partitions > 1;
    const struct table tables[] = {
        {.name = d->contributions_table,
         .hash = "productId",
         .indexes = {&products_by_creator, &products_by_photographer}},
        {.name = d->scores_table,
         .hash = "userId",
         .range = "role",
         .indexes = {parted ? &scores_by_board : &scores_by_role},
         .expires = "expires"},
        {.name = d->leases_table, .hash = "leaseKey"},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < sizeof tables / sizeof *tables; i++)
        status = make_table(d, creation, &tables[i], e);
    return status;
}
