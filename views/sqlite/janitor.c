/* Deletes the rows of periods that have expired: some with each batch, in its transaction. So it needs no
 * thread, never waits for a batch nor makes one wait for long, and follows a replay. */
#include <stdio.h>

#include "views/sqlite/internal.h"

/* The boards of one role and one kind of period: as texts they lie together, in order of time. */
struct boards {
    char first[BOARD_TEXT_SIZE], end[BOARD_TEXT_SIZE];
};

/* The oldest one that has rows, and when they expire. NOT_FOUND: none has. */
static enum status find_oldest(struct sqlite *c, const struct boards *boards, char role[BOARD_TEXT_SIZE],
                               int64_t *expires_ms, struct error *e) {
    sqlite3_stmt *s = sqlite_statement(c, SELECT_OLDEST_BOARD,
                                       "SELECT role, expires FROM scores INDEXED BY scoresByRole"
                                       " WHERE role >= ?1 AND role < ?2 ORDER BY role LIMIT 1",
                                       e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, boards->first);
    sqlite_bind_text(s, 2, boards->end);
    enum status status = sqlite_step(c, s, e);
    if (status)
        return status;
    snprintf(role, BOARD_TEXT_SIZE, "%s", sqlite_text(s, 0));
    *expires_ms = sqlite3_column_type(s, 1) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(s, 1) * 1000;
    sqlite3_reset(s);
    return STATUS_OK;
}

/* At most `*left` rows of the board, which it lessens by those. */
static enum status delete_rows(struct sqlite *c, const char *role, size_t *left, struct error *e) {
    sqlite3_stmt *s = sqlite_statement(c, DELETE_EXPIRED,
                                       "DELETE FROM scores WHERE role = ?1 AND userId IN"
                                       " (SELECT userId FROM scores INDEXED BY scoresByRole"
                                       " WHERE role = ?1 LIMIT ?2)",
                                       e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, role);
    sqlite3_bind_int64(s, 2, (int64_t)*left);
    enum status status = sqlite_execute(c, s, e);
    if (!status)
        *left -= (size_t)sqlite3_changes(c->db);
    return status;
}

/* `*next_ms` is lowered to when the oldest board that stays expires. */
static enum status delete_boards(struct sqlite *c, const struct boards *boards, int64_t now_ms, size_t *left,
                                 int64_t *next_ms, struct error *e) {
    char role[BOARD_TEXT_SIZE];
    int64_t expires_ms = 0;
    enum status status = STATUS_OK;
    while (!status && *left && !(status = find_oldest(c, boards, role, &expires_ms, e)) &&
           expires_ms <= now_ms)
        status = delete_rows(c, role, left, e);
    if (!status && expires_ms > now_ms && expires_ms < *next_ms)
        *next_ms = expires_ms;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* If something was deleted, the next batch looks again: this one may yet be rolled back. */
enum status store_sqlite_delete_expired(struct store_sqlite *d, int64_t now_ms, size_t max, struct error *e) {
    enum status status = STATUS_OK;
    int64_t next_ms = INT64_MAX;
    size_t left = max;
    if (now_ms < d->next_expiry_ms)
        return STATUS_OK;
    for (enum role role = 0; role < ROLES; role++)
        for (enum period_kind kind = PERIOD_HOUR; !status && kind < PERIOD_KINDS; kind++) {
            struct boards boards;
            board_range(role, kind, boards.first, boards.end);
            status = delete_boards(&d->writer, &boards, now_ms, &left, &next_ms, e);
        }
    d->next_expiry_ms = !status && left == max ? next_ms : INT64_MIN;
    return status;
}
