/* A contribution from a row. */
#include <string.h>

#include "base/mem.h"
#include "views/event_id.h"
#include "views/sqlite/internal.h"

struct contribution *store_sqlite_contribution(sqlite3_stmt *s) {
    struct contribution *c = mem_zalloc(sizeof *c);
    for (int i = 0; i < CONTRIBUTION_TEXTS; i++)
        contribution_set_text(c, (size_t)i, sqlite_text(s, i));
    for (int i = 0; i < CONTRIBUTION_NUMBERS; i++)
        contribution_set_number(c, (size_t)i, sqlite3_column_int64(s, CONTRIBUTION_TEXTS + i));
    return c;
}

enum status store_sqlite_find_contribution(struct sqlite *c, const char *product_id,
                                           struct contribution **row, struct error *e) {
    struct event_id id;
    sqlite3_stmt *s = sqlite_statement(
        c, SELECT_CONTRIBUTION, "SELECT " CONTRIBUTION_COLUMNS " FROM contributions WHERE productId = ?", e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, product_id);
    enum status status = sqlite_step(c, s, e);
    if (status)
        return status == STATUS_NOT_FOUND ? error_set(e, status, "no such product") : status;

    *row = store_sqlite_contribution(s);
    sqlite3_reset(s);
    const char *text = (*row)->last_event_id; /* NULL only in a damaged file */
    if (text && event_id_parse(text, strlen(text), &id))
        return STATUS_OK;
    contribution_freep(row);
    return error_set(e, STATUS_FAILED, "row '%s' in database '%s' has a malformed lastEventId", product_id,
                     c->path);
}
