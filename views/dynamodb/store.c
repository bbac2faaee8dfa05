#include "views/dynamodb/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/internal.h"
#include "views/event_id.h"

/* ---- a contribution as an item
 * ------------------------------------------------------------------------------------ */

/* Strings of a row: attribute, field, whether a row without it is broken. */
static const struct string_field {
    const char *attribute;
    size_t offset;
    bool required;
} string_fields[] = {
    {"productId", offsetof(struct contribution, product_id), true},
    {"creator", offsetof(struct contribution, creator), false},
    {"photographer", offsetof(struct contribution, photographer), false},
    {"lastEventId", offsetof(struct contribution, last_event_id), true},
    {"photographerEventId", offsetof(struct contribution, photographer_event_id), false},
    {"createdBy", offsetof(struct contribution, created_by), false},
    {"updatedBy", offsetof(struct contribution, updated_by), false},
};

static const struct number_field {
    const char *attribute;
    size_t offset;
} number_fields[] = {
    {"creatorScore", offsetof(struct contribution, creator_score)},
    {"photographerScore", offsetof(struct contribution, photographer_score)},
    {"created", offsetof(struct contribution, created_ms)},
    {"updated", offsetof(struct contribution, updated_ms)},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

json_t *store_dynamodb_contribution_item(const struct contribution *row) {
    json_t *item = json_object();
    for (size_t i = 0; i < COUNT(string_fields); i++) {
        const char *value = *(char *const *)((const char *)row + string_fields[i].offset);
        if (value)
            json_object_set_new(item, string_fields[i].attribute, dynamodb_s(value));
    }
    for (size_t i = 0; i < COUNT(number_fields); i++) {
        int64_t value = *(const int64_t *)((const char *)row + number_fields[i].offset);
        json_object_set_new(item, number_fields[i].attribute, dynamodb_n(value));
    }
    return item;
}

enum status store_dynamodb_parse_contribution(const struct store_dynamodb *d, const json_t *item,
                                              struct contribution **row, struct error *e) {
    _cleanup_(contribution_freep) struct contribution *c = mem_zalloc(sizeof *c);
    struct event_id id;

    for (size_t i = 0; i < COUNT(string_fields); i++) {
        const char *value = dynamodb_get_s(item, string_fields[i].attribute);
        if (!value && string_fields[i].required)
            return error_set(e, STATUS_FAILED, "row '%s' in table '%s' has no %s",
                             c->product_id ? c->product_id : "?", d->contributions_table,
                             string_fields[i].attribute);
        if (value)
            *(char **)((char *)c + string_fields[i].offset) = mem_strdup(value);
    }
    for (size_t i = 0; i < COUNT(number_fields); i++)
        dynamodb_get_n(item, number_fields[i].attribute, (int64_t *)((char *)c + number_fields[i].offset));
    if (!event_id_parse(c->last_event_id, strlen(c->last_event_id), &id))
        return error_set(e, STATUS_FAILED, "row '%s' in table '%s' has a lastEventId that is none: '%s'",
                         c->product_id, d->contributions_table, c->last_event_id);
    *row = c;
    c = NULL;
    return STATUS_OK;
}

/* ---- opening
 * ------------------------------------------------------------------------------------------------------ */

static void dynamodb_cancel(struct store *store) {
    aws_client_cancel(store_dynamodb_of(store)->client);
}

static void dynamodb_free(struct store *store) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    aws_client_free(d->client);
    free(d->contributions_table);
    free(d->scores_table);
    free(d->leases_table);
    free(d);
}

static const struct store_ops dynamodb_ops = {
    .name = "dynamodb",
    .index_late = true,
    .bind = store_dynamodb_bind,
    .create = store_dynamodb_create,
    .read_contributions = store_dynamodb_read_contributions,
    .write_batch = store_dynamodb_write_batch,
    .read_leases = store_dynamodb_read_leases,
    .create_lease = store_dynamodb_create_lease,
    .update_lease = store_dynamodb_update_lease,
    .delete_lease = store_dynamodb_delete_lease,
    .shrink_watermarks = store_dynamodb_shrink_watermarks,
    .read_board = store_dynamodb_read_board,
    .read_rank = store_dynamodb_read_rank,
    .read_scores = store_dynamodb_read_scores,
    .read_contribution = store_dynamodb_read_contribution,
    .list_contributions = store_dynamodb_list_contributions,
    .scan = store_dynamodb_scan,
    .cancel = dynamodb_cancel,
    .free = dynamodb_free,
};

static char *table_name(const char *given, const char *stage, const char *suffix) {
    return given ? mem_strdup(given) : mem_printf("%s-%s", stage, suffix);
}

enum status store_dynamodb_open(struct store **store, const struct store_dynamodb_options *options,
                                struct aws_settings *settings, const struct aws_transport *transport,
                                struct error *e) {
    struct aws_client *client;
    enum status status = aws_client_new(&client, &aws_dynamodb, settings, transport, e);
    if (status)
        return status;

    struct store_dynamodb *d = mem_zalloc(sizeof *d);
    d->store.ops = &dynamodb_ops;
    d->client = client;
    d->contributions_table = table_name(options->contributions_table, options->stage, "Contributions");
    d->scores_table = table_name(options->scores_table, options->stage, "Scores");
    d->leases_table = table_name(options->leases_table, options->stage, "Leases");
    *store = &d->store;
    return STATUS_OK;
}
