/* Boards: rows in order, ranks, and counts. The index's order is (role, score, userId). */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/sqlite/internal.h"

static const char board_down[] = "SELECT userId, score, updated FROM scores"
                                 " WHERE role = ?1 AND (score, userId) < (?2, ?3)"
                                 " ORDER BY score DESC, userId DESC LIMIT ?4";
static const char board_up[] = "SELECT userId, score, updated FROM scores"
                               " WHERE role = ?1 AND (score, userId) > (?2, ?3)"
                               " ORDER BY score, userId LIMIT ?4";

static enum status take_row(const struct sqlite *c, sqlite3_stmt *s, struct store_board *rows,
                            struct error *e) {
    const char *user_id = sqlite_text(s, 0);
    if (!user_id)
        return store_sqlite_refuse_score(c, e);
    rows->items[rows->n++] = (struct store_score){
        .user_id = mem_strdup(user_id),
        .score = sqlite3_column_int64(s, 1),
        .updated_ms = sqlite3_column_int64(s, 2),
    };
    return STATUS_OK;
}

enum status store_sqlite_read_board(struct store *store, const struct board *board,
                                    const struct store_place *from, enum store_direction direction,
                                    size_t limit, int64_t deadline_boot_ms, struct store_board *rows,
                                    struct error *e) {
    (void)deadline_boot_ms;
    bool down = direction == STORE_DOWN;
    char role[BOARD_TEXT_SIZE];
    *rows = (struct store_board){0};
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(&r, store, down ? SELECT_BOARD : SELECT_BOARD_UP,
                                                  down ? board_down : board_up, e);
    if (status)
        return status;
    sqlite_bind_text(r.s, 1, board_format(board, role));
    sqlite3_bind_int64(r.s, 2, from ? from->score : down ? INT64_MAX : INT64_MIN);
    sqlite_bind_text(r.s, 3, from ? from->user_id : "");
    sqlite3_bind_int64(r.s, 4, (int64_t)limit);
    rows->items = mem_alloc(limit * sizeof *rows->items);
    while (!(status = sqlite_step(r.c, r.s, e)) && !(status = take_row(r.c, r.s, rows, e)))
        ;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    store_board_deinit(rows);
    return status;
}

/* The userId whose row does not count; "": all do. */
static const char *unlisted(const struct board *board) {
    return role_is_listed(board->role, CONTRIBUTION_UNKNOWN) ? "" : CONTRIBUTION_UNKNOWN;
}

enum status store_sqlite_read_rank(struct store *store, const struct board *board, int64_t score,
                                   const char *user_id, size_t max, int64_t deadline_boot_ms, size_t *above,
                                   bool *tied, struct error *e) {
    (void)deadline_boot_ms;
    char role[BOARD_TEXT_SIZE];
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(
        &r, store, SELECT_RANK,
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM scores WHERE role = ?1 AND score > ?2"
        " AND userId NOT IN (?4, ?5) LIMIT ?3)),"
        " EXISTS (SELECT 1 FROM scores WHERE role = ?1 AND score = ?2 AND userId NOT IN (?4, ?5))",
        e);
    if (status)
        return status;
    sqlite_bind_text(r.s, 1, board_format(board, role));
    sqlite3_bind_int64(r.s, 2, score);
    sqlite3_bind_int64(r.s, 3, (int64_t)max);
    sqlite_bind_text(r.s, 4, user_id);
    sqlite_bind_text(r.s, 5, unlisted(board));
    status = sqlite_step(r.c, r.s, e);
    if (status)
        return status;
    *above = (size_t)sqlite3_column_int64(r.s, 0);
    *tied = sqlite3_column_int(r.s, 1);
    return STATUS_OK;
}

/* One page. The lowest userId of its lowest score is its last row. */
static const char count_page[] =
    "SELECT score, count(*), sum(userId <> ?5), min(userId) FROM"
    " (SELECT score, userId FROM scores WHERE role = ?1 AND (score, userId) < (?2, ?3)"
    " ORDER BY score DESC, userId DESC LIMIT ?4) GROUP BY score ORDER BY score DESC";

static enum status add_group(const struct sqlite *c, sqlite3_stmt *s, struct store_pass *pass,
                             struct store_score_counts *counts, struct error *e) {
    const char *user_id = sqlite_text(s, 3);
    if (!user_id)
        return store_sqlite_refuse_score(c, e);
    store_pass_deinit(pass);
    pass->score = sqlite3_column_int64(s, 0);
    pass->user_id = mem_strdup(user_id);
    counts->rows += (size_t)sqlite3_column_int64(s, 1);
    store_score_counts_add(counts, pass->score, sqlite3_column_int64(s, 2));
    return STATUS_OK;
}

static void move_pass(struct store_pass *pass, struct store_pass *to) {
    store_pass_deinit(pass);
    *pass = *to;
    to->user_id = NULL;
}

enum status store_sqlite_count_board(struct store *store, const struct board *board, struct store_pass *pass,
                                     int64_t deadline_boot_ms, struct store_score_counts *counts,
                                     struct error *e) {
    (void)deadline_boot_ms;
    char role[BOARD_TEXT_SIZE];
    *counts = (struct store_score_counts){0};
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(&r, store, COUNT_BOARD, count_page, e);
    if (status)
        return status;
    sqlite_bind_text(r.s, 1, board_format(board, role));
    sqlite3_bind_int64(r.s, 2, pass->user_id ? pass->score : INT64_MAX);
    sqlite3_bind_text(r.s, 3, pass->user_id ? pass->user_id : "", -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(r.s, 4, LIMIT_RANK_PAGE_ROWS);
    sqlite_bind_text(r.s, 5, unlisted(board));
    counts->items = mem_alloc(LIMIT_RANK_PAGE_ROWS * sizeof *counts->items);
    _cleanup_(store_pass_deinit) struct store_pass after = {0}; /* of a page that fails there is nothing */
    while (!(status = sqlite_step(r.c, r.s, e)) && !(status = add_group(r.c, r.s, &after, counts, e)))
        ;
    if (status != STATUS_NOT_FOUND) {
        store_score_counts_deinit(counts);
        return status;
    }
    counts->units = (double)counts->rows;
    after.is_done = counts->rows < LIMIT_RANK_PAGE_ROWS;
    move_pass(pass, &after);
    return STATUS_OK;
}
