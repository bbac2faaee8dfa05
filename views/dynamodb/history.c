/* What was counted period by period, and the shop's sales. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

/* A contributor's rows of one kind of period lie together in Scores, in the order of time. The shop's are in
 * STORE_SHOP_ROWS such lists. */
struct history_query {
    json_t *body; /* for its next rows; NULL: it has no more, or enough */
    size_t left;
};

struct history_place {
    enum role role;
    enum period_kind kind;
    const struct period *before; /* NULL: from the newest */
    size_t limit;
};

static json_t *history_body(const struct store_dynamodb *d, const char *user_id,
                            const struct history_place *place) {
    char prefix[BOARD_TEXT_SIZE], end[BOARD_TEXT_SIZE];
    board_range(place->role, place->kind, prefix, end);
    json_t *body = json_pack("{s:s,s:s,s:s,s:b,s:b}", "TableName", d->scores_table, "KeyConditionExpression",
                             "#u = :u AND begins_with(#r, :r)", "ProjectionExpression", "#r, #c",
                             "ScanIndexForward", 0, "ConsistentRead", 1);
    dynamodb_name(body, "#u", "userId");
    dynamodb_name(body, "#r", "role");
    dynamodb_name(body, "#c", rows_count_name(place->role));
    dynamodb_value(body, ":u", dynamodb_s(user_id));
    dynamodb_value(body, ":r", dynamodb_s(prefix));
    if (place->before) {
        const struct board before = {place->role, *place->before};
        json_object_set_new(body, "ExclusiveStartKey", rows_score_key(user_id, &before));
    }
    return body;
}

static enum status add_item(const struct store_dynamodb *d, const json_t *item,
                            const struct history_place *place, struct store_history *history,
                            struct error *e) {
    const char *text = dynamodb_get_s(item, "role");
    struct board board;
    int64_t count;
    if (!text || !board_parse(text, &board) || board.role != place->role ||
        board.period.kind != place->kind || !dynamodb_get_n(item, rows_count_name(place->role), &count))
        return error_set(e, STATUS_FAILED, "a row in table '%s' is no row of a period", d->scores_table);
    history->items[history->n++] = (struct store_count){board.period, count};
    return STATUS_OK;
}

/* Takes a reply's rows, and makes the query ask for what is left. */
static enum status take_reply(const struct store_dynamodb *d, struct history_query *query,
                              struct aws_call *call, const struct history_place *place,
                              struct store_history *history, struct error *e) {
    if (call->status) {
        *e = call->error;
        return store_dynamodb_read_failed(e, d->scores_table, NULL);
    }
    const json_t *items = json_object_get(call->reply, "Items");
    enum status status = STATUS_OK;
    size_t n = json_array_size(items) < query->left ? json_array_size(items) : query->left;
    for (size_t i = 0; !status && i < n; i++)
        status = add_item(d, json_array_get(items, i), place, history, e);
    query->left -= n;
    if (!dynamodb_next_page(query->body, call->reply) || !query->left) {
        json_decref(query->body);
        query->body = NULL;
    }
    return status;
}

/* Sends the open queries once, side by side. `*sent`: how many they were. */
static enum status send_queries(struct store_dynamodb *d, struct history_query *queries, size_t n,
                                const struct aws_run *run, const struct history_place *place,
                                struct store_history *history, size_t *sent, struct error *e) {
    struct aws_call calls[STORE_SHOP_ROWS];
    struct history_query *open[STORE_SHOP_ROWS];
    enum status status = STATUS_OK;
    *sent = 0;
    for (size_t i = 0; i < n; i++)
        if (queries[i].body) {
            json_t *body = json_copy(queries[i].body);
            json_object_set_new(body, "Limit", json_integer((json_int_t)queries[i].left));
            open[*sent] = &queries[i];
            dynamodb_call_init(&calls[(*sent)++], "Query", body);
        }
    dynamodb_run(d->client, calls, *sent, run);
    for (size_t i = 0; i < *sent; i++) {
        struct error another;
        enum status one = take_reply(d, open[i], &calls[i], place, history, status ? &another : e);
        status = status ? status : one;
        dynamodb_call_deinit(&calls[i]);
    }
    return status;
}

static int newest_first(const void *a, const void *b) {
    int64_t x = ((const struct store_count *)a)->period.start_ms,
            y = ((const struct store_count *)b)->period.start_ms;
    return (x < y) - (x > y);
}

/* Adds up the counts of each period. The newest `limit` of them all are complete: each query has its newest
 * `limit`. */
static void add_up(struct store_history *history, size_t limit) {
    size_t n = 0;
    qsort(history->items, history->n, sizeof *history->items, newest_first);
    for (size_t i = 0; i < history->n; i++) {
        const struct store_count *item = &history->items[i];
        if (n && history->items[n - 1].period.start_ms == item->period.start_ms)
            history->items[n - 1].count += item->count;
        else if (n == limit)
            break;
        else
            history->items[n++] = *item;
    }
    history->n = n;
}

enum status store_dynamodb_read_history(struct store *store, const char *user_id, enum role role,
                                        enum period_kind kind, const struct period *before, size_t limit,
                                        int64_t deadline_boot_ms, struct store_history *history,
                                        struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    const struct history_place place = {role, kind, before, limit};
    struct history_query queries[STORE_SHOP_ROWS];
    size_t n = user_id ? 1 : STORE_SHOP_ROWS, sent = 1;
    enum status status = STATUS_OK;

    *history = (struct store_history){.items = mem_alloc(n * limit * sizeof *history->items + 1)};
    for (size_t i = 0; i < n; i++) {
        char shop[STORE_SHOP_SIZE];
        queries[i] = (struct history_query){
            history_body(d, user_id ? user_id : store_shop_user_id((unsigned)i, shop), &place), limit};
    }
    while (!status && sent)
        status = send_queries(d, queries, n, &run, &place, history, &sent, e);
    for (size_t i = 0; i < n; i++)
        json_decref(queries[i].body);
    if (!status) {
        add_up(history, limit);
        return STATUS_OK;
    }
    store_history_deinit(history);
    return error_wrap(e, "cannot read a history from table '%s'", d->scores_table);
}

enum status store_dynamodb_read_sales(struct store *store, struct period period, int64_t deadline_boot_ms,
                                      int64_t *sales, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = deadline_boot_ms};
    const struct board board = {ROLE_SHOP, period};
    struct aws_call calls[STORE_SHOP_ROWS];
    enum status status = STATUS_OK;

    *sales = 0;
    for (unsigned k = 0; k < STORE_SHOP_ROWS; k++) {
        char shop[STORE_SHOP_SIZE];
        json_t *key = rows_score_key(store_shop_user_id(k, shop), &board);
        dynamodb_call_init(&calls[k], "GetItem", dynamodb_get_body(d->scores_table, key));
    }
    dynamodb_run(d->client, calls, STORE_SHOP_ROWS, &run);
    for (unsigned k = 0; k < STORE_SHOP_ROWS; k++) {
        struct store_score row = {0};
        if (!status && calls[k].status) {
            *e = calls[k].error;
            status = store_dynamodb_read_failed(e, d->scores_table, NULL);
        }
        if (!status)
            status =
                store_dynamodb_parse_score(d, json_object_get(calls[k].reply, "Item"), ROLE_SHOP, &row, e);
        *sales += row.score;
        store_score_deinit(&row);
        dynamodb_call_deinit(&calls[k]);
    }
    return status ? error_wrap(e, "cannot read the shop's sales from table '%s'", d->scores_table)
                  : STATUS_OK;
}
