#include "views/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status store_bind(struct store *store, const struct store_wish *wish, struct store_binding *binding,
                       struct error *e) {
    enum status status = store->ops->bind(store, wish, binding, e);
    if (!status && !store->shape.board_partitions) /* once: it never changes, and other threads read it */
        store->shape = binding->shape;
    return status;
}

enum status store_read_identity_key(struct store *store, uint8_t key[STORE_IDENTITY_KEY_BYTES],
                                    struct error *e) {
    return store->ops->read_identity_key(store, key, e);
}

enum status store_note_consumer(struct store *store, const char *arn, struct error *e) {
    return store->ops->note_consumer(store, arn, e);
}

enum status store_read_consumer(struct store *store, char arn[STORE_CONSUMER_SIZE], struct error *e) {
    return store->ops->read_consumer(store, arn, e);
}

const struct view_shape *store_shape(const struct store *store) {
    return &store->shape;
}

const char *store_format_best_sellers(bool best_sellers) {
    return best_sellers ? "on" : "off";
}

bool store_parse_shape(const char *periods, const char *best_sellers, int64_t board_partitions,
                       struct view_shape *shape) {
    *shape = (struct view_shape){0};
    if (!periods || !period_set_parse(periods, &shape->periods) || !best_sellers || board_partitions < 1 ||
        board_partitions > LIMIT_BOARD_PARTITIONS)
        return false;
    shape->best_sellers = strcmp(best_sellers, store_format_best_sellers(true)) == 0;
    shape->board_partitions = (unsigned)board_partitions;
    return shape->best_sellers || strcmp(best_sellers, store_format_best_sellers(false)) == 0;
}

static enum status refuse_option(const char *place, const char *option, const char *kept, const char *given,
                                 const char *way_out, struct error *e) {
    return error_set(e, STATUS_INVALID,
                     "the view in %s was made with %s %s, not %s, for good: leave the option out, or %s",
                     place, option, kept, given, way_out);
}

enum status store_compare_shape(const struct store_wish *wish, const struct view_shape *kept,
                                const char *place, const char *way_out, struct error *e) {
    const struct view_shape *given = &wish->shape;
    char theirs[PERIOD_SET_TEXT_SIZE], ours[PERIOD_SET_TEXT_SIZE];
    if (wish->wants_periods && given->periods != kept->periods)
        return refuse_option(place, "--periods", period_set_format(kept->periods, theirs),
                             period_set_format(given->periods, ours), way_out, e);
    if (wish->wants_best_sellers && given->best_sellers != kept->best_sellers)
        return refuse_option(place, "--best-sellers", store_format_best_sellers(kept->best_sellers),
                             store_format_best_sellers(given->best_sellers), way_out, e);
    if (wish->wants_board_partitions && given->board_partitions != kept->board_partitions) {
        snprintf(theirs, sizeof theirs, "%u", kept->board_partitions);
        snprintf(ours, sizeof ours, "%u", given->board_partitions);
        return refuse_option(place, "--board-partitions", theirs, ours, way_out, e);
    }
    return STATUS_OK;
}

const char *store_kind(const struct store *store) {
    return store->ops->name;
}

enum status store_create(struct store *store, const struct store_creation *creation, struct error *e) {
    static const struct store_creation one_partition = {.board_partitions = 1};
    return store->ops->create(store, creation ? creation : &one_partition, e);
}

enum status store_read_contributions(struct store *store, const char *const ids[], size_t n,
                                     struct contribution *rows[], struct store_context *context,
                                     struct error *e) {
    return store->ops->read_contributions(store, ids, n, rows, context, e);
}

enum status store_write_batch(struct store *store, const struct store_batch *batch,
                              struct store_context *context, struct error *e) {
    return store->ops->write_batch(store, batch, context, e);
}

static const char *const sentinels[] = {
    [LEASE_TRIM_HORIZON] = "TRIM_HORIZON",
    [LEASE_AT_TIMESTAMP] = "AT_TIMESTAMP",
    [LEASE_SHARD_END] = "SHARD_END",
};

const char *store_lease_checkpoint(const struct store_lease *lease, char out[POSITION_TEXT_SIZE],
                                   uint32_t *sub) {
    bool at = lease->checkpoint == LEASE_AT_POSITION;
    *sub = at ? position_sub_sequence(&lease->position) : 0;
    return at ? position_sequence(&lease->position, out) : sentinels[lease->checkpoint];
}

bool store_lease_set_checkpoint(struct store_lease *lease, const char *text, uint32_t sub) {
    for (size_t i = 0; text && i < sizeof sentinels / sizeof *sentinels; i++)
        if (sentinels[i] && strcmp(text, sentinels[i]) == 0) {
            lease->checkpoint = (enum lease_checkpoint)i;
            lease->ended_at_ms = lease->checkpoint == LEASE_SHARD_END ? lease->ended_at_ms : 0;
            return true;
        }
    lease->checkpoint = LEASE_AT_POSITION;
    lease->ended_at_ms = 0;
    return text && position_parse(text, strlen(text), sub, &lease->position);
}

enum status store_read_leases(struct store *store, bool consistent, struct store_lease **leases, size_t *n,
                              struct error *e) {
    return store->ops->read_leases(store, consistent, leases, n, e);
}

enum status store_create_lease(struct store *store, const struct store_lease *lease, struct error *e) {
    return store->ops->create_lease(store, lease, e);
}

enum status store_update_lease(struct store *store, const struct store_lease *before,
                               const struct store_lease *after, const struct fence *fence,
                               struct store_lease *found, struct error *e) {
    return store->ops->update_lease(store, before, after, fence, found, e);
}

enum status store_delete_lease(struct store *store, const struct store_lease *before,
                               const struct fence *fence, struct error *e) {
    return store->ops->delete_lease(store, before, fence, e);
}

bool store_has_watermarks(const struct store *store) {
    return store->ops->remove_watermarks;
}

enum status store_remove_watermarks(struct store *store, const char *const shard_ids[], size_t n,
                                    int64_t now_ms, const struct store_pacer *pacer, struct error *e) {
    return store->ops->remove_watermarks(store, shard_ids, n, now_ms, pacer, e);
}

enum status store_read_board(struct store *store, const struct board *board, const struct store_place *from,
                             enum store_direction direction, size_t limit, int64_t deadline_boot_ms,
                             struct store_board *rows, struct error *e) {
    return store->ops->read_board(store, board, from, direction, limit, deadline_boot_ms, rows, e);
}

void store_board_deinit(struct store_board *board) {
    for (size_t i = 0; i < board->n; i++)
        store_score_deinit(&board->items[i]);
    free(board->items);
    *board = (struct store_board){0};
}

enum status store_read_rank(struct store *store, const struct board *board, int64_t score,
                            const char *user_id, size_t max, int64_t deadline_boot_ms, size_t *above,
                            bool *tied, struct error *e) {
    return store->ops->read_rank(store, board, score, user_id, max, deadline_boot_ms, above, tied, e);
}

enum status store_count_board(struct store *store, const struct board *board, struct store_pass *pass,
                              int64_t deadline_boot_ms, struct store_score_counts *counts, struct error *e) {
    return store->ops->count_board(store, board, pass, deadline_boot_ms, counts, e);
}

void store_pass_deinit(struct store_pass *pass) {
    free(pass->user_id);
    pass->user_id = NULL;
}

void store_score_counts_deinit(struct store_score_counts *counts) {
    free(counts->items);
    *counts = (struct store_score_counts){0};
}

void store_score_counts_add(struct store_score_counts *counts, int64_t score, int64_t contributors) {
    size_t n = counts->n;
    if (n && counts->items[n - 1].score == score)
        counts->items[n - 1].contributors += contributors;
    else if (contributors)
        counts->items[counts->n++] = (struct store_score_count){score, contributors};
}

enum status store_read_scores(struct store *store, const char *user_id, const struct board boards[], size_t n,
                              int64_t deadline_boot_ms, struct store_score scores[], struct error *e) {
    return store->ops->read_scores(store, user_id, boards, n, deadline_boot_ms, scores, e);
}

enum status store_read_history(struct store *store, const char *user_id, enum role role,
                               enum period_kind kind, const struct period *before, size_t limit,
                               int64_t deadline_boot_ms, struct store_history *history, struct error *e) {
    return store->ops->read_history(store, user_id, role, kind, before, limit, deadline_boot_ms, history, e);
}

const char *store_shop_user_id(unsigned k, char out[STORE_SHOP_SIZE]) {
    snprintf(out, STORE_SHOP_SIZE, "SHOP/%u", k % STORE_SHOP_ROWS);
    return out;
}

void store_history_deinit(struct store_history *history) {
    free(history->items);
    *history = (struct store_history){0};
}

enum status store_read_sales(struct store *store, struct period period, int64_t deadline_boot_ms,
                             int64_t *sales, struct error *e) {
    return store->ops->read_sales(store, period, deadline_boot_ms, sales, e);
}

void store_score_deinit(struct store_score *score) {
    free(score->user_id);
    *score = (struct store_score){0};
}

enum status store_read_contribution(struct store *store, const char *product_id, int64_t deadline_boot_ms,
                                    struct contribution **row, struct error *e) {
    return store->ops->read_contribution(store, product_id, deadline_boot_ms, row, e);
}

enum status store_list_contributions(struct store *store, const struct store_owner *owner, const char *after,
                                     size_t limit, int64_t deadline_boot_ms, struct contribution ***rows,
                                     size_t *n, struct error *e) {
    return store->ops->list_contributions(store, owner, after, limit, deadline_boot_ms, rows, n, e);
}

enum status store_scan(struct store *store, const struct store_visitor *visitor, struct error *e) {
    return store->ops->scan(store, visitor, e);
}

bool store_is_snapshot(const struct store *store) {
    return store->ops->snapshot;
}

bool store_is_index_late(const struct store *store) {
    return store->ops->index_late;
}

void store_cancel(struct store *store) {
    store->ops->cancel(store);
}

void store_free(struct store *store) {
    if (store)
        store->ops->free(store);
}
