/* Reads for serving, on connections of their own, which never wait for the writer: no deadline is needed. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/sqlite/internal.h"

static enum status read_score(struct store_sqlite_reading *r, const char *user_id, const struct board *board,
                              struct store_score *score, struct error *e) {
    char role[BOARD_TEXT_SIZE];
    sqlite3_stmt *s = sqlite_statement(r->c, SELECT_SCORES,
                                       "SELECT score, updated FROM scores WHERE userId = ? AND role = ?", e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, user_id);
    sqlite_bind_text(s, 2, board_format(board, role));
    enum status status = sqlite_step(r->c, s, e);
    if (status)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    *score =
        (struct store_score){mem_strdup(user_id), sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1)};
    sqlite3_reset(s);
    return STATUS_OK;
}

enum status store_sqlite_read_scores(struct store *store, const char *user_id, const struct board boards[],
                                     size_t n, int64_t deadline_boot_ms, struct store_score scores[],
                                     struct error *e) {
    (void)deadline_boot_ms;
    memset(scores, 0, n * sizeof *scores);
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_reading(&r, store, e);
    bool any = false;
    for (size_t i = 0; !status && i < n; i++) {
        status = read_score(&r, user_id, &boards[i], &scores[i], e);
        any |= scores[i].user_id != NULL;
    }
    if (!status)
        return any ? STATUS_OK : error_set(e, STATUS_NOT_FOUND, "no score of this contributor");
    for (size_t i = 0; i < n; i++)
        store_score_deinit(&scores[i]);
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

static const char list_all[] =
    "SELECT " CONTRIBUTION_COLUMNS " FROM contributions WHERE productId > ?1 ORDER BY productId LIMIT ?2";
static const char list_of_creator[] = "SELECT " CONTRIBUTION_COLUMNS " FROM contributions"
                                      " WHERE creator = ?3 AND productId > ?1 ORDER BY productId LIMIT ?2";
static const char list_of_photographer[] =
    "SELECT " CONTRIBUTION_COLUMNS " FROM contributions"
    " WHERE photographer = ?3 AND productId > ?1 ORDER BY productId LIMIT ?2";

static enum status begin_list(struct store_sqlite_reading *r, struct store *store,
                              const struct store_owner *owner, struct error *e) {
    if (!owner)
        return store_sqlite_begin_query(r, store, LIST_CONTRIBUTIONS, list_all, e);
    return owner->role == ROLE_CREATOR
               ? store_sqlite_begin_query(r, store, LIST_OF_CREATOR, list_of_creator, e)
               : store_sqlite_begin_query(r, store, LIST_OF_PHOTOGRAPHER, list_of_photographer, e);
}

enum status store_sqlite_list_contributions(struct store *store, const struct store_owner *owner,
                                            const char *after, size_t limit, int64_t deadline_boot_ms,
                                            struct contribution ***rows, size_t *n, struct error *e) {
    (void)deadline_boot_ms;
    *n = 0;
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = begin_list(&r, store, owner, e);
    if (status)
        return status;
    *rows = mem_zalloc(limit * sizeof **rows);
    sqlite_bind_text(r.s, 1, after ? after : "");
    sqlite3_bind_int64(r.s, 2, (int64_t)limit);
    if (owner)
        sqlite_bind_text(r.s, 3, owner->user_id);
    while (!(status = sqlite_step(r.c, r.s, e)) &&
           !(status = store_sqlite_take_contribution(r.c, r.s, &(*rows)[*n], e)))
        ++*n;
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    while (*n)
        contribution_free((*rows)[--*n]);
    free(*rows);
    *rows = NULL;
    return status;
}
