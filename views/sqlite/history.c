/* What was counted period by period, and the shop's sales. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "views/sqlite/internal.h"

/* The boards of one kind of period lie between ?2 and ?3, which is the board of `before`, or where the kind
 * ends (board_range). */
static const char contributor_history[] = "SELECT role, score FROM scores WHERE userId = ?1"
                                          " AND role > ?2 AND role < ?3 ORDER BY role DESC LIMIT ?4";
static const char shop_history[] = "SELECT role, sum(score) FROM scores WHERE role > ?2 AND role < ?3"
                                   " GROUP BY role ORDER BY role DESC LIMIT ?4";

static enum status take_row(struct sqlite *c, sqlite3_stmt *s, struct store_history *history,
                            struct error *e) {
    struct board board;
    if (!board_parse(sqlite_text(s, 0), &board))
        return error_set(e, STATUS_FAILED, "database '%s' has a row of no period: '%s'", c->path,
                         sqlite_text(s, 0));
    history->items[history->n++] = (struct store_count){board.period, sqlite3_column_int64(s, 1)};
    return STATUS_OK;
}

static enum status take_rows(struct store_sqlite_reading *r, struct store_history *history, struct error *e) {
    enum status status;
    while (!(status = sqlite_step(r->c, r->s, e)))
        if ((status = take_row(r->c, r->s, history, e)))
            break;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    store_history_deinit(history);
    return status;
}

enum status store_sqlite_read_history(struct store *store, const char *user_id, enum role role,
                                      enum period_kind kind, const struct period *before, size_t limit,
                                      int64_t deadline_boot_ms, struct store_history *history,
                                      struct error *e) {
    (void)deadline_boot_ms;
    char first[BOARD_TEXT_SIZE], end[BOARD_TEXT_SIZE];
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(&r, store, user_id ? SELECT_HISTORY : SELECT_SHOP_HISTORY,
                                                  user_id ? contributor_history : shop_history, e);
    if (status)
        return status;
    board_range(role, kind, first, end);
    if (before)
        board_format(&(struct board){role, *before}, end);
    if (user_id)
        sqlite_bind_text(r.s, 1, user_id);
    sqlite_bind_text(r.s, 2, first);
    sqlite_bind_text(r.s, 3, end);
    sqlite3_bind_int64(r.s, 4, (int64_t)limit);
    *history = (struct store_history){.items = mem_alloc(limit * sizeof *history->items + 1)};
    return take_rows(&r, history, e);
}

enum status store_sqlite_read_sales(struct store *store, struct period period, int64_t deadline_boot_ms,
                                    int64_t *sales, struct error *e) {
    (void)deadline_boot_ms;
    const struct board board = {ROLE_SHOP, period};
    char role[BOARD_TEXT_SIZE];
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status =
        store_sqlite_begin_query(&r, store, SELECT_SALES, "SELECT sum(score) FROM scores WHERE role = ?1", e);
    if (status)
        return status;
    sqlite_bind_text(r.s, 1, board_format(&board, role));
    status = sqlite_step(r.c, r.s, e);
    if (status)
        return status;
    *sales = sqlite3_column_int64(r.s, 0); /* 0 if there is no row */
    return STATUS_OK;
}
