#include "api/board_ranks.h"

#include "base/limits.h"

void board_ranks_init(struct board_ranks *r, const struct route_load *load, const struct board *board) {
    *r = (struct board_ranks){
        .load = load, .board = board, .table = rank_tables_acquire(load->view->rank_tables, board)};
}

void board_ranks_deinit(struct board_ranks *r) {
    rank_table_release(r->table);
    r->table = NULL;
}

/* Once a score was beyond what is counted, so are all lower ones: a page counts once. */
enum status board_ranks_find(struct board_ranks *r, int64_t score, const char *user_id,
                             struct board_rank *rank, struct error *e) {
    size_t above = LIMIT_RANKED;
    *rank = (struct board_rank){0};
    if (!r->is_beyond) {
        enum status status = store_read_rank(r->load->view->store, r->board, score, user_id, LIMIT_RANKED,
                                             r->load->deadline_ms, &above, &rank->tied, e);
        if (status != STATUS_OK)
            return status;
    }
    rank->is_counted = above < LIMIT_RANKED;
    r->is_beyond = !rank->is_counted;
    if (rank->is_counted)
        rank->rank = (int64_t)above + 1;
    else if (r->table)
        rank->rank = rank_table_rank(r->table, score);
    return STATUS_OK;
}
