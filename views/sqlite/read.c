/* The serving side of the SQLite store: on connections of its own, which never wait for the writer. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/sqlite/internal.h"

/* Every row of a statement that selects userId, score, updated; there is room for them. */
static enum status collect_scores(struct sqlite *c, sqlite3_stmt *s, struct store_board *board,
                                  struct error *e) {
    enum status status;
    while (!(status = sqlite_step(c, s, e))) {
        board->items[board->n++] = (struct store_score){
            .user_id = mem_strdup(sqlite_text(s, 0)),
            .score = sqlite3_column_int64(s, 1),
            .updated_ms = sqlite3_column_int64(s, 2),
        };
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The index's order: (role, score), and userId because that is the rest of the table's key. */
enum status store_sqlite_read_board(struct store *store, enum role role, const struct store_place *after,
                                    size_t limit, int64_t deadline_boot_ms, struct store_board *board,
                                    struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    (void)deadline_boot_ms; /* it waits for nobody */
    *board = (struct store_board){0};
    struct sqlite *c = store_sqlite_take_reader(d, e);
    if (!c)
        return e->status;
    sqlite3_stmt *s = sqlite_statement(c, SELECT_BOARD,
                                       "SELECT userId, score, updated FROM scores"
                                       " WHERE role = ?1 AND (score, userId) < (?2, ?3)"
                                       " ORDER BY score DESC, userId DESC LIMIT ?4",
                                       e);
    enum status status = s ? STATUS_OK : e->status;
    if (s) {
        sqlite_bind_text(s, 1, role_name(role));
        sqlite_bind_int(s, 2, after ? after->score : INT64_MAX);
        sqlite_bind_text(s, 3, after ? after->user_id : "");
        sqlite_bind_int(s, 4, (int64_t)limit);
        board->items = mem_alloc(limit * sizeof *board->items);
        status = collect_scores(c, s, board, e);
    }
    store_sqlite_give_reader(d, c);
    if (status)
        store_board_deinit(board);
    return status;
}

static enum status count_rows(struct sqlite *c, sqlite3_stmt *s, size_t *count, struct error *e) {
    enum status status = s ? sqlite_step(c, s, e) : e->status;
    if (!status)
        *count = (size_t)sqlite3_column_int64(s, 0);
    if (s)
        sqlite3_reset(s);
    return status;
}

enum status store_sqlite_read_rank(struct store *store, enum role role, int64_t score, const char *user_id,
                                   size_t max, int64_t deadline_boot_ms, size_t *above, bool *tied,
                                   struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    size_t others = 0;
    (void)deadline_boot_ms;
    struct sqlite *c = store_sqlite_take_reader(d, e);
    if (!c)
        return e->status;
    sqlite3_stmt *s =
        sqlite_statement(c, SELECT_ABOVE,
                         "SELECT count(*) FROM (SELECT 1 FROM scores WHERE role = ? AND score > ?"
                         " AND userId <> '" CONTRIBUTION_UNKNOWN "' LIMIT ?)",
                         e);
    if (s) {
        sqlite_bind_text(s, 1, role_name(role));
        sqlite_bind_int(s, 2, score);
        sqlite_bind_int(s, 3, (int64_t)max);
    }
    enum status status = count_rows(c, s, above, e);
    if (!status) {
        s = sqlite_statement(
            c, SELECT_TIED,
            "SELECT count(*) FROM (SELECT 1 FROM scores WHERE role = ? AND score = ? AND userId <> ?"
            " AND userId <> '" CONTRIBUTION_UNKNOWN "' LIMIT 1)",
            e);
        if (s) {
            sqlite_bind_text(s, 1, role_name(role));
            sqlite_bind_int(s, 2, score);
            sqlite_bind_text(s, 3, user_id);
        }
        status = count_rows(c, s, &others, e);
    }
    *tied = others > 0;
    store_sqlite_give_reader(d, c);
    return status;
}

enum status store_sqlite_read_scores(struct store *store, const char *user_id, int64_t deadline_boot_ms,
                                     struct store_score scores[ROLES], struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    (void)deadline_boot_ms;
    memset(scores, 0, ROLES * sizeof *scores);
    struct sqlite *c = store_sqlite_take_reader(d, e);
    if (!c)
        return e->status;
    sqlite3_stmt *s =
        sqlite_statement(c, SELECT_SCORES, "SELECT role, score, updated FROM scores WHERE userId = ?", e);
    enum status status = s ? STATUS_OK : e->status;
    bool any = false;
    if (s)
        sqlite_bind_text(s, 1, user_id);
    while (!status && !(status = sqlite_step(c, s, e))) {
        enum role role = role_from_name(sqlite_text(s, 0));
        scores[role] =
            (struct store_score){mem_strdup(user_id), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2)};
        any = true;
    }
    store_sqlite_give_reader(d, c);
    if (status == STATUS_NOT_FOUND)
        return any ? STATUS_OK : error_set(e, STATUS_NOT_FOUND, "no score of this contributor");
    for (int role = 0; role < ROLES; role++)
        store_score_deinit(&scores[role]);
    return status;
}

enum status store_sqlite_read_contribution(struct store *store, const char *product_id,
                                           int64_t deadline_boot_ms, struct contribution **row,
                                           struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    (void)deadline_boot_ms;
    struct sqlite *c = store_sqlite_take_reader(d, e);
    if (!c)
        return e->status;
    enum status status = store_sqlite_find_contribution(c, product_id, row, e);
    store_sqlite_give_reader(d, c);
    return status;
}

enum status store_sqlite_list_contributions(struct store *store, const char *after, size_t limit,
                                            int64_t deadline_boot_ms, struct contribution ***rows, size_t *n,
                                            struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    (void)deadline_boot_ms;
    *n = 0;
    struct sqlite *c = store_sqlite_take_reader(d, e);
    if (!c)
        return e->status;
    sqlite3_stmt *s = sqlite_statement(c, LIST_CONTRIBUTIONS,
                                       "SELECT " CONTRIBUTION_COLUMNS " FROM contributions"
                                       " WHERE productId > ?1 ORDER BY productId LIMIT ?2",
                                       e);
    enum status status = s ? STATUS_OK : e->status;
    *rows = mem_zalloc(limit * sizeof **rows);
    if (s) {
        sqlite_bind_text(s, 1, after ? after : "");
        sqlite_bind_int(s, 2, (int64_t)limit);
    }
    while (!status && !(status = sqlite_step(c, s, e)))
        (*rows)[(*n)++] = store_sqlite_contribution(s);
    store_sqlite_give_reader(d, c);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    while (*n)
        contribution_free((*rows)[--*n]);
    free(*rows);
    *rows = NULL;
    return status;
}
