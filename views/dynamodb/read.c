/* Reads for serving: single rows, strongly consistent. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

/* The messages are those of the API reference's ValidationException, for an index that is not there, or is
 * being filled. */
static bool lacks_index(const struct error *e) {
    return strstr(e->message, "does not have the specified index") ||
           strstr(e->message, "Cannot read from backfilling");
}

enum status store_dynamodb_read_failed(struct error *e, const char *table, const char *index) {
    if (e->status == STATUS_INVALID && index && lacks_index(e))
        return error_set_code(e, STATUS_FAILED, STORE_ERROR_NO_INDEX,
                              "table '%s' has no index '%s', or not yet: winner-view create-tables makes it",
                              table, index);
    if (e->status == STATUS_NOT_FOUND)
        e->status = STATUS_FAILED;
    return e->status;
}

enum status store_dynamodb_parse_score(const struct store_dynamodb *d, const json_t *item, enum role role,
                                       struct store_score *score, struct error *e) {
    const char *user_id = dynamodb_get_s(item, "userId");
    *score = (struct store_score){0};
    if (!json_object_size(item))
        return STATUS_OK;
    if (!user_id || !dynamodb_get_n(item, rows_count_name(role), &score->score) ||
        !dynamodb_get_optional_n(item, "updated", &score->updated_ms)) {
        error_set(e, STATUS_FAILED, "a row in table '%s' has no valid %s or updated", d->scores_table,
                  rows_count_name(role));
        error_note_person(e, user_id ? user_id : "");
        return e->status;
    }
    score->user_id = mem_strdup(user_id);
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
            status = store_dynamodb_read_failed(e, d->scores_table, NULL);
        }
        if (!status)
            status = store_dynamodb_parse_score(d, json_object_get(calls[i].reply, "Item"), boards[i].role,
                                                &scores[i], e);
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
        store_dynamodb_read_failed(e, d->contributions_table, NULL);
        return error_wrap(e, "cannot read a contribution from table '%s'", d->contributions_table);
    }
    if (!json_object_size(item))
        return error_set(e, STATUS_NOT_FOUND, "no such product");
    return rows_parse_contribution(d, item, row, e);
}
