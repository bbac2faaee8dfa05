/* Reads for serving: single rows strongly consistent, boards from the index. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

/* NOT_FOUND means to the caller that there is no such row. From DynamoDB it means that a table or an index is
 * missing. */
static enum status read_failed(struct error *e) {
    if (e->status == STATUS_NOT_FOUND)
        e->status = STATUS_FAILED;
    return e->status;
}

/* Runs `body` (stolen), a Query or Scan, page by page (each ends at 1 MB) until there are `limit` items or
 * the end is reached. `*items`: a new array. */
static enum status read_pages(struct store_dynamodb *d, const char *operation, json_t *body, size_t limit,
                              const struct aws_run *run, json_t **items, struct error *e) {
    json_auto_t *base = body;
    bool more = true;
    *items = json_array();
    while (more && json_array_size(*items) < limit) {
        json_auto_t *reply = NULL;
        json_object_set_new(base, "Limit", json_integer((json_int_t)(limit - json_array_size(*items))));
        enum status status = dynamodb_once(d->client, operation, json_copy(base), run, &reply, e);
        if (status) {
            json_decref(*items);
            *items = NULL;
            return read_failed(e);
        }
        json_array_extend(*items, json_object_get(reply, "Items"));
        more = dynamodb_next_page(base, reply);
    }
    return STATUS_OK;
}

static json_t *index_query(const struct store_dynamodb *d, const struct board *board, const char *condition,
                           enum store_direction direction) {
    char role[BOARD_TEXT_SIZE];
    json_t *body = json_pack("{s:s,s:s,s:s,s:b}", "TableName", d->scores_table, "IndexName", SCORES_INDEX,
                             "KeyConditionExpression", condition, "ScanIndexForward", direction == STORE_UP);
    dynamodb_name(body, "#r", "role");
    dynamodb_value(body, ":r", dynamodb_s(board_format(board, role)));
    return body;
}

/* No item is no score: `user_id` stays NULL. */
static enum status parse_score(const struct store_dynamodb *d, const json_t *item, struct store_score *score,
                               struct error *e) {
    const char *user_id = dynamodb_get_s(item, "userId");
    *score = (struct store_score){0};
    if (!json_object_size(item))
        return STATUS_OK;
    if (!user_id || !dynamodb_get_n(item, "score", &score->score) ||
        !dynamodb_get_optional_n(item, "updated", &score->updated_ms)) {
        error_set(e, STATUS_FAILED, "a row in table '%s' has no valid score or updated", d->scores_table);
        error_note_person(e, user_id ? user_id : "");
        return e->status;
    }
    score->user_id = mem_strdup(user_id);
    return STATUS_OK;
}

/* Starts after a place: ExclusiveStartKey of this index is made of the keys of the index and of the table
 * (API reference, Query). It is a place in their order; no item need be there. */
static void set_place(json_t *body, const struct board *board, const struct store_place *from) {
    char role[BOARD_TEXT_SIZE];
    json_object_set_new(body, "ExclusiveStartKey",
                        json_pack("{s:o,s:o,s:o}", "role", dynamodb_s(board_format(board, role)), "score",
                                  dynamodb_n(from->score), "userId", dynamodb_s(from->user_id)));
}

enum status store_dynamodb_read_board(struct store *store, const struct board *board,
                                      const struct store_place *from, enum store_direction direction,
                                      size_t limit, int64_t deadline_boot_ms, struct store_board *rows,
                                      struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    json_auto_t *items = NULL;
    json_t *body = index_query(d, board, "#r = :r", direction);

    *rows = (struct store_board){0};
    if (from)
        set_place(body, board, from);
    enum status status = read_pages(d, "Query", body, limit, &run, &items, e);
    if (status)
        return error_wrap(e, "cannot read the board of role '%s' from table '%s'", role_name(board->role),
                          d->scores_table);

    rows->items = mem_alloc(json_array_size(items) * sizeof *rows->items);
    for (; !status && rows->n < json_array_size(items); rows->n += status == STATUS_OK)
        status = parse_score(d, json_array_get(items, rows->n), &rows->items[rows->n], e);
    if (status)
        store_board_deinit(rows);
    return status;
}

/* Rows of this board for whose score `condition` holds. */
static enum status query_users(struct store_dynamodb *d, const struct board *board, const char *condition,
                               int64_t score, size_t limit, int64_t deadline_boot_ms, json_t **items,
                               struct error *e) {
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    json_t *body = index_query(d, board, condition, STORE_DOWN);
    dynamodb_name(body, "#s", "score");
    dynamodb_value(body, ":s", dynamodb_n(score));
    enum status status = read_pages(d, "Query", body, limit, &run, items, e);
    if (status)
        error_wrap(e, "cannot rank role '%s' in table '%s'", role_name(board->role), d->scores_table);
    return status;
}

static size_t count_people(const json_t *items, const char *except) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *user_id = dynamodb_get_s(json_array_get(items, i), "userId");
        n += user_id && !contribution_is_unknown(user_id) && (!except || strcmp(user_id, except) != 0);
    }
    return n;
}

enum status store_dynamodb_read_rank(struct store *store, const struct board *board, int64_t score,
                                     const char *user_id, size_t max, int64_t deadline_boot_ms, size_t *above,
                                     bool *tied, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    json_auto_t *higher = NULL, *equal = NULL;
    enum { SELF_UNKNOWN_AND_ONE = 3 };

    enum status status =
        query_users(d, board, "#r = :r AND #s > :s", score, max + 1, deadline_boot_ms, &higher, e);
    if (!status)
        status = query_users(d, board, "#r = :r AND #s = :s", score, SELF_UNKNOWN_AND_ONE, deadline_boot_ms,
                             &equal, e);
    if (status)
        return status;

    size_t n = count_people(higher, NULL);
    *above = n < max ? n : max;
    *tied = count_people(equal, user_id) > 0;
    return STATUS_OK;
}

enum status store_dynamodb_read_scores(struct store *store, const char *user_id, const struct board boards[],
                                       size_t n, int64_t deadline_boot_ms, struct store_score scores[],
                                       struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    _cleanup_(mem_freep) struct aws_call *calls = mem_alloc(n * sizeof *calls);
    enum status status = STATUS_OK;
    bool any = false;

    for (size_t i = 0; i < n; i++)
        dynamodb_call_init(&calls[i], "GetItem",
                           dynamodb_get_body(d->scores_table, rows_score_key(user_id, &boards[i])));
    dynamodb_run(d->client, calls, n, &run);

    for (size_t i = 0; i < n; i++) {
        scores[i] = (struct store_score){0};
        if (calls[i].status && !status) {
            *e = calls[i].error;
            status = read_failed(e);
        }
        if (!status)
            status = parse_score(d, json_object_get(calls[i].reply, "Item"), &scores[i], e);
        any |= scores[i].user_id != NULL;
        dynamodb_call_deinit(&calls[i]);
    }
    if (!status && any)
        return STATUS_OK;
    for (size_t i = 0; i < n; i++)
        store_score_deinit(&scores[i]);
    return status ? error_wrap(e, "cannot read scores from table '%s'", d->scores_table)
                  : error_set(e, STATUS_NOT_FOUND, "no score of this contributor");
}

enum status store_dynamodb_read_contribution(struct store *store, const char *product_id,
                                             int64_t deadline_boot_ms, struct contribution **row,
                                             struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    json_auto_t *item = NULL;
    enum status status = dynamodb_get_item(d->client, d->contributions_table,
                                           rows_contribution_key(product_id), &run, &item, e);
    if (status) {
        read_failed(e);
        return error_wrap(e, "cannot read a contribution from table '%s'", d->contributions_table);
    }
    if (!json_object_size(item))
        return error_set(e, STATUS_NOT_FOUND, "no such product");
    return rows_parse_contribution(d, item, row, e);
}

enum status store_dynamodb_list_contributions(struct store *store, const struct store_owner *owner,
                                              const char *after, size_t limit, int64_t deadline_boot_ms,
                                              struct contribution ***rows, size_t *n, struct error *e) {
    if (owner)
        return error_set(e, STATUS_FAILED, "not built yet");
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    json_auto_t *items = NULL;
    json_t *body = json_pack("{s:s,s:b}", "TableName", d->contributions_table, "ConsistentRead", 1);

    if (after)
        json_object_set_new(body, "ExclusiveStartKey", rows_contribution_key(after));
    enum status status = read_pages(d, "Scan", body, limit, &run, &items, e);
    if (status)
        return error_wrap(e, "cannot list table '%s'", d->contributions_table);
    *rows = mem_zalloc(json_array_size(items) * sizeof **rows);
    for (*n = 0; !status && *n < json_array_size(items); *n += status == STATUS_OK)
        status = rows_parse_contribution(d, json_array_get(items, *n), &(*rows)[*n], e);
    if (!status)
        return STATUS_OK;
    while (*n)
        contribution_free((*rows)[--*n]);
    free(*rows);
    *rows = NULL;
    return status;
}
