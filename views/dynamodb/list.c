/* Lists of products: all, and those of one owner. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

/* What is asked for, and the rows so far. */
struct list {
    struct store_dynamodb *d;
    const struct store_owner *owner; /* NULL: all */
    size_t limit;
    int64_t deadline_boot_ms;
    struct contribution **rows;
    size_t n;
};

static void list_deinit(struct list *list) {
    for (size_t i = 0; i < list->n; i++)
        contribution_free(list->rows[i]);
    free(list->rows);
}

static enum status add_items(struct list *list, const json_t *items, struct error *e) {
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < json_array_size(items) && list->n < list->limit; i++) {
        status = rows_parse_contribution(list->d, json_array_get(items, i), &list->rows[list->n], e);
        list->n += status == STATUS_OK;
    }
    return status;
}

static bool is_owner(const struct store_owner *owner, const struct contribution *row) {
    const char *user_id = owner->role == ROLE_CREATOR ? row->creator : row->photographer;
    return user_id && strcmp(user_id, owner->user_id) == 0;
}

/* The rows of an index's keys. The index may lag: a row that is not there, or is another's, is left out. */
static enum status add_rows_of(struct list *list, const json_t *keys, struct error *e) {
    struct store_context context = {.deadline_boot_ms = list->deadline_boot_ms};
    size_t n = json_array_size(keys), n_ids = 0;
    _cleanup_(mem_freep) const char **ids = mem_alloc((n + 1) * sizeof *ids);
    _cleanup_(mem_freep) struct contribution **rows = mem_alloc((n + 1) * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        if ((ids[n_ids] = dynamodb_get_s(json_array_get(keys, i), "productId")))
            n_ids++;
    enum status status = store_dynamodb_read_contributions(&list->d->store, ids, n_ids, rows, &context, e);
    for (size_t i = 0; !status && i < n_ids; i++)
        if (rows[i] && is_owner(list->owner, rows[i]) && list->n < list->limit)
            list->rows[list->n++] = rows[i];
        else
            contribution_free(rows[i]);
    return status;
}

static const char *owner_index(const struct store_owner *owner) {
    return owner->role == ROLE_CREATOR ? PRODUCTS_BY_CREATOR : PRODUCTS_BY_PHOTOGRAPHER;
}

/* A Query of the owner's index, or a Scan of the table. ExclusiveStartKey has the keys of both. */
static json_t *list_body(const struct list *list, const char *after) {
    const struct store_owner *owner = list->owner;
    json_t *body = json_pack("{s:s}", "TableName", list->d->contributions_table);
    json_t *start = after ? rows_contribution_key(after) : NULL;
    if (owner) {
        json_object_set_new(body, "IndexName", json_string(owner_index(owner)));
        json_object_set_new(body, "KeyConditionExpression", json_string("#o = :o"));
        dynamodb_name(body, "#o", role_name(owner->role));
        dynamodb_value(body, ":o", dynamodb_s(owner->user_id));
        json_object_set_new(start, role_name(owner->role), dynamodb_s(owner->user_id));
    } else {
        json_object_set_new(body, "ConsistentRead", json_true());
    }
    json_object_set_new(body, "ExclusiveStartKey", start); /* nothing if there is none */
    return body;
}

/* Page by page (each ends at 1 MB) until the list has its limit, or the end is reached. */
static enum status read_pages(struct list *list, const char *after, struct error *e) {
    struct store_dynamodb *d = list->d;
    const struct aws_run run = {.deadline_boot_ms = list->deadline_boot_ms};
    json_auto_t *body = list_body(list, after);
    enum status status = STATUS_OK;
    for (bool more = true; !status && more && list->n < list->limit;) {
        json_auto_t *reply = NULL;
        json_object_set_new(body, "Limit", json_integer((json_int_t)(list->limit - list->n)));
        status = dynamodb_once(d->client, list->owner ? "Query" : "Scan", json_copy(body), &run, &reply, e);
        if (status)
            return store_dynamodb_read_failed(e, d->contributions_table,
                                              list->owner ? owner_index(list->owner) : NULL);
        const json_t *items = json_object_get(reply, "Items");
        status = list->owner ? add_rows_of(list, items, e) : add_items(list, items, e);
        more = dynamodb_next_page(body, reply);
    }
    return status;
}

enum status store_dynamodb_list_contributions(struct store *store, const struct store_owner *owner,
                                              const char *after, size_t limit, int64_t deadline_boot_ms,
                                              struct contribution ***rows, size_t *n, struct error *e) {
    struct list list = {.d = store_dynamodb_of(store),
                        .owner = owner,
                        .limit = limit,
                        .deadline_boot_ms = deadline_boot_ms,
                        .rows = mem_alloc(limit * sizeof *list.rows + 1)};
    enum status status = read_pages(&list, after, e);
    if (status) {
        list_deinit(&list);
        return error_wrap(e, "cannot list table '%s'", list.d->contributions_table);
    }
    *rows = list.rows;
    *n = list.n;
    return STATUS_OK;
}
