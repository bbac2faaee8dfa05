/* Every row, for an audit: table by table, page by page. */
#include <poll.h>
#include <string.h>

#include "base/limits.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

/* Takes one item of a page. */
typedef enum status visit_item_fn(const struct store_dynamodb *d, const json_t *item,
                                  const struct store_visitor *visitor, struct error *e);

static enum status visit_contribution(const struct store_dynamodb *d, const json_t *item,
                                      const struct store_visitor *visitor, struct error *e) {
    struct contribution *row;
    enum status status = rows_parse_contribution(d, item, &row, e);
    if (status)
        return status;
    visitor->contribution(visitor->data, row);
    contribution_free(row);
    return STATUS_OK;
}

static enum status visit_score(const struct store_dynamodb *d, const json_t *item,
                               const struct store_visitor *visitor, bool after, struct error *e) {
    struct store_row row = {.role = dynamodb_get_s(item, "role"), .user_id = dynamodb_get_s(item, "userId")};
    struct board board;
    bool is_shop = row.role && board_parse(row.role, &board) && board.role == ROLE_SHOP;
    if (!row.user_id || !row.role ||
        !dynamodb_get_n(item, rows_count_name(is_shop ? ROLE_SHOP : ROLE_CREATOR), &row.count) ||
        !dynamodb_get_optional_n(item, "expires", &row.expires_s)) {
        error_set(e, STATUS_FAILED, "a row in table '%s' has no score", d->scores_table);
        error_note_person(e, row.user_id ? row.user_id : "");
        return e->status;
    }
    visitor->score(visitor->data, &row, after);
    return STATUS_OK;
}

static enum status visit_score_before(const struct store_dynamodb *d, const json_t *item,
                                      const struct store_visitor *visitor, struct error *e) {
    return visit_score(d, item, visitor, false, e);
}

static enum status visit_score_after(const struct store_dynamodb *d, const json_t *item,
                                     const struct store_visitor *visitor, struct error *e) {
    return visit_score(d, item, visitor, true, e);
}

/* A page that fails for now (a table that throttles) is asked for again, after a pause. */
static enum status read_page(struct store_dynamodb *d, json_t *body, json_t **reply, struct error *e) {
    const struct aws_run run = {0};
    for (int n = 0;; n++) {
        enum status status = dynamodb_once(d->client, "Scan", json_copy(body), &run, reply, e);
        if (status != STATUS_RETRY || n == LIMIT_SCAN_ROUNDS)
            return status;
        poll(NULL, 0, LIMIT_ROUND_PAUSE_MS << (n < 4 ? n : 4));
    }
}

static enum status scan_table(struct store_dynamodb *d, const char *table, visit_item_fn *visit,
                              const struct store_visitor *visitor, struct error *e) {
    json_auto_t *body = json_pack("{s:s,s:b}", "TableName", table, "ConsistentRead", 1);
    bool more = true;
    while (more) {
        json_auto_t *reply = NULL;
        enum status status = read_page(d, body, &reply, e);
        if (status == STATUS_NOT_FOUND)
            return error_set(e, status, "table '%s' does not exist", table);
        if (status)
            return error_wrap(e, "cannot scan table '%s'", table);
        const json_t *items = json_object_get(reply, "Items");
        for (size_t i = 0; !status && i < json_array_size(items); i++)
            status = visit(d, json_array_get(items, i), visitor, e);
        if (status)
            return status;
        more = dynamodb_next_page(body, reply);
    }
    return STATUS_OK;
}

enum status store_dynamodb_scan(struct store *store, const struct store_visitor *visitor, struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    enum status status = scan_table(d, d->scores_table, visit_score_before, visitor, e);
    if (!status)
        status = scan_table(d, d->contributions_table, visit_contribution, visitor, e);
    if (!status)
        status = scan_table(d, d->scores_table, visit_score_after, visitor, e);
    return status;
}
