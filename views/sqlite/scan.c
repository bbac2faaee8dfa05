/* Every row, for an audit: in one read transaction, so that all rows are of one moment. Writers go on; the
 * write-ahead log grows until the scan ends. */
#include "base/mem.h"
#include "views/sqlite/internal.h"

static enum status scan_scores(struct sqlite *c, const struct store_visitor *visitor, bool after,
                               struct error *e) {
    sqlite3_stmt *s = sqlite_statement(c, SCAN_SCORES, "SELECT role, userId, score, expires FROM scores", e);
    enum status status = s ? STATUS_OK : e->status;
    while (!status && !(status = sqlite_step(c, s, e))) {
        const struct store_row row = {sqlite_text(s, 0), sqlite_text(s, 1), sqlite3_column_int64(s, 2),
                                      sqlite3_column_int64(s, 3)}; /* 0 for NULL */
        if (row.role && row.user_id)
            visitor->score(visitor->data, &row, after);
        else
            status = store_sqlite_refuse_score(c, e);
    }
    sqlite3_reset(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status scan_contributions(struct sqlite *c, const struct store_visitor *visitor,
                                      struct error *e) {
    sqlite3_stmt *s =
        sqlite_statement(c, SCAN_CONTRIBUTIONS, "SELECT " CONTRIBUTION_COLUMNS " FROM contributions", e);
    enum status status = s ? STATUS_OK : e->status;
    while (!status && !(status = sqlite_step(c, s, e))) {
        _cleanup_(contribution_freep) struct contribution *row = NULL;
        status = store_sqlite_take_contribution(c, s, &row, e);
        if (!status)
            visitor->contribution(visitor->data, row);
    }
    sqlite3_reset(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status store_sqlite_scan(struct store *store, const struct store_visitor *visitor, struct error *e) {
    struct error ignored;
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_reading(&r, store, e);
    if (!status)
        status = sqlite_run(r.c, "BEGIN", e);
    if (status)
        return status;
    status = scan_scores(r.c, visitor, false, e);
    if (!status)
        status = scan_contributions(r.c, visitor, e);
    if (!status)
        status = scan_scores(r.c, visitor, true, e);
    sqlite_run(r.c, "ROLLBACK", &ignored); /* nothing was written */
    return status;
}
