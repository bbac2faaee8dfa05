/* Reads for serving, on connections of their own, which never wait for the writer: no deadline is needed. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/sqlite/internal.h"

/* The index's order: (role, score), then userId, the rest of the table's key. */
enum status store_sqlite_read_board(struct store *store, enum role role, const struct store_place *after,
                                    size_t limit, int64_t deadline_boot_ms, struct store_board *board,
                                    struct error *e) {
    (void)deadline_boot_ms;
    *board = (struct store_board){0};
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(&r, store, SELECT_BOARD,
                                                  "SELECT userId, score, updated FROM scores"
                                                  " WHERE role = ?1 AND (score, userId) < (?2, ?3)"
                                                  " ORDER BY score DESC, userId DESC LIMIT ?4",
                                                  e);
    if (status)
        return status;
    sqlite_bind_text(r.s, 1, role_name(role));
    sqlite3_bind_int64(r.s, 2, after ? after->score : INT64_MAX);
    sqlite_bind_text(r.s, 3, after ? after->user_id : "");
    sqlite3_bind_int64(r.s, 4, (int64_t)limit);
    board->items = mem_alloc(limit * sizeof *board->items);
    while (!(status = sqlite_step(r.c, r.s, e)))
        board->items[board->n++] = (struct store_score){
            .user_id = mem_strdup(sqlite_text(r.s, 0)),
            .score = sqlite3_column_int64(r.s, 1),
            .updated_ms = sqlite3_column_int64(r.s, 2),
        };
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    store_board_deinit(board);
    return status;
}

enum status store_sqlite_read_rank(struct store *store, enum role role, int64_t score, const char *user_id,
                                   size_t max, int64_t deadline_boot_ms, size_t *above, bool *tied,
                                   struct error *e) {
    (void)deadline_boot_ms;
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(
        &r, store, SELECT_RANK,
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM scores WHERE role = ?1 AND score > ?2"
        " AND userId <> '" CONTRIBUTION_UNKNOWN "' LIMIT ?3)),"
        " EXISTS (SELECT 1 FROM scores WHERE role = ?1 AND score = ?2"
        " AND userId NOT IN (?4, '" CONTRIBUTION_UNKNOWN "'))",
        e);
    if (status)
        return status;
    sqlite_bind_text(r.s, 1, role_name(role));
    sqlite3_bind_int64(r.s, 2, score);
    sqlite3_bind_int64(r.s, 3, (int64_t)max);
    sqlite_bind_text(r.s, 4, user_id);
    status = sqlite_step(r.c, r.s, e);
    if (status)
        return status;
    *above = (size_t)sqlite3_column_int64(r.s, 0);
    *tied = sqlite3_column_int(r.s, 1);
    return STATUS_OK;
}

enum status store_sqlite_read_scores(struct store *store, const char *user_id, int64_t deadline_boot_ms,
                                     struct store_score scores[ROLES], struct error *e) {
    (void)deadline_boot_ms;
    memset(scores, 0, ROLES * sizeof *scores);
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(
        &r, store, SELECT_SCORES, "SELECT role, score, updated FROM scores WHERE userId = ?", e);
    if (status)
        return status;
    bool any = false;
    sqlite_bind_text(r.s, 1, user_id);
    while (!(status = sqlite_step(r.c, r.s, e))) {
        scores[role_from_name(sqlite_text(r.s, 0))] = (struct store_score){
            mem_strdup(user_id), sqlite3_column_int64(r.s, 1), sqlite3_column_int64(r.s, 2)};
        any = true;
    }
    if (status == STATUS_NOT_FOUND)
        return any ? STATUS_OK : error_set(e, STATUS_NOT_FOUND, "no score of this contributor");
    for (int role = 0; role < ROLES; role++)
        store_score_deinit(&scores[role]);
    return status;
}

enum status store_sqlite_read_contribution(struct store *store, const char *product_id,
                                           int64_t deadline_boot_ms, struct contribution **row,
                                           struct error *e) {
    (void)deadline_boot_ms;
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_reading(&r, store, e);
    return status ? status : store_sqlite_find_contribution(r.c, product_id, row, e);
}

enum status store_sqlite_list_contributions(struct store *store, const char *after, size_t limit,
                                            int64_t deadline_boot_ms, struct contribution ***rows, size_t *n,
                                            struct error *e) {
    (void)deadline_boot_ms;
    *n = 0;
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(&r, store, LIST_CONTRIBUTIONS,
                                                  "SELECT " CONTRIBUTION_COLUMNS " FROM contributions"
                                                  " WHERE productId > ?1 ORDER BY productId LIMIT ?2",
                                                  e);
    if (status)
        return status;
    *rows = mem_zalloc(limit * sizeof **rows);
    sqlite_bind_text(r.s, 1, after ? after : "");
    sqlite3_bind_int64(r.s, 2, (int64_t)limit);
    while (!(status = sqlite_step(r.c, r.s, e)))
        (*rows)[(*n)++] = store_sqlite_contribution(r.s);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    while (*n)
        contribution_free((*rows)[--*n]);
    free(*rows);
    *rows = NULL;
    return status;
}
