/* Every row of the SQLite store, for an audit: in one read transaction, so that all of it is of one moment.
 * While that lasts the write-ahead log grows, and nobody waits. */
#include "views/sqlite/internal.h"

static enum status scan_scores(struct sqlite *c, const struct store_visitor *visitor, bool after,
                               struct error *e) {
    sqlite3_stmt *s = sqlite_statement(c, SCAN_SCORES, "SELECT role, userId, score FROM scores", e);
    enum status status = s ? STATUS_OK : e->status;
    while (!status && !(status = sqlite_step(c, s, e)))
        visitor->score(visitor->data, sqlite_text(s, 0), sqlite_text(s, 1), sqlite3_column_int64(s, 2),
                       after);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status scan_contributions(struct sqlite *c, const struct store_visitor *visitor,
                                      struct error *e) {
    sqlite3_stmt *s =
        sqlite_statement(c, SCAN_CONTRIBUTIONS, "SELECT " CONTRIBUTION_COLUMNS " FROM contributions", e);
    enum status status = s ? STATUS_OK : e->status;
    while (!status && !(status = sqlite_step(c, s, e))) {
        struct contribution *row = store_sqlite_contribution(s);
        visitor->contribution(visitor->data, row);
        contribution_free(row);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status store_sqlite_scan(struct store *store, const struct store_visitor *visitor, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    struct error ignored;
    struct sqlite *c = store_sqlite_take_reader(d, e);
    if (!c)
        return e->status;
    enum status status = sqlite_run(c, "BEGIN", e);
    if (!status) {
        status = scan_scores(c, visitor, false, e);
        if (!status)
            status = scan_contributions(c, visitor, e);
        if (!status)
            status = scan_scores(c, visitor, true, e);
        sqlite_run(c, "ROLLBACK", &ignored); /* nothing was written */
    }
    store_sqlite_give_reader(d, c);
    return status;
}
