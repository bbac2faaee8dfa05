/* Contributions from rows. A damaged file has any value in any column. */
#include <string.h>

#include "base/mem.h"
#include "views/event_id.h"
#include "views/sqlite/internal.h"

enum status store_sqlite_take_contribution(const struct sqlite *c, sqlite3_stmt *s, struct contribution **row,
                                           struct error *e) {
    const char *texts[CONTRIBUTION_TEXTS];
    struct event_id id;
    for (int i = 0; i < CONTRIBUTION_TEXTS; i++)
        texts[i] = sqlite_text(s, i);
    _cleanup_(contribution_freep) struct contribution *taken = contribution_from(texts);
    for (int i = 0; i < CONTRIBUTION_NUMBERS; i++)
        contribution_set_number(taken, (size_t)i, sqlite3_column_int64(s, CONTRIBUTION_TEXTS + i));
    const char *last = taken->last_event_id;
    if (!taken->product_id || !last || !event_id_parse(last, strlen(last), &id))
        return error_set(e, STATUS_FAILED, "row '%s' in database '%s' has a malformed lastEventId",
                         taken->product_id ? taken->product_id : "", c->path);
    *row = taken;
    taken = NULL;
    return STATUS_OK;
}

enum status store_sqlite_find_contribution(struct sqlite *c, const char *product_id,
                                           struct contribution **row, struct error *e) {
    sqlite3_stmt *s =
        sqlite_statement(c, SELECT_CONTRIBUTION,
                         "SELECT " CONTRIBUTION_COLUMNS ", rowid FROM contributions WHERE productId = ?", e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, product_id);
    enum status status = sqlite_step(c, s, e);
    if (status)
        return status == STATUS_NOT_FOUND ? error_set(e, status, "no such product") : status;
    status = store_sqlite_take_contribution(c, s, row, e);
    if (!status)
        (*row)->place = sqlite3_column_int64(s, CONTRIBUTION_TEXTS + CONTRIBUTION_NUMBERS);
    sqlite3_reset(s);
    return status;
}

enum status store_sqlite_refuse_score(const struct sqlite *c, struct error *e) {
    return error_set(e, STATUS_FAILED, "database '%s' has a score without a userId or a role", c->path);
}
