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

static enum status find_rows(struct sqlite *c, const char *const ids[], size_t n, struct contribution *rows[],
                             struct error *e) {
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < n; i++) {
        status = store_sqlite_find_contribution(c, ids[i], &rows[i], e);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    for (size_t i = 0; status && i < n; i++)
        contribution_freep(&rows[i]);
    return status;
}

static enum status find_rows_to_serve(struct store *store, const char *const ids[], size_t n,
                                      struct contribution *rows[], struct error *e) {
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_reading(&r, store, e);
    return status ? status : find_rows(r.c, ids, n, rows, e);
}

/* Who fills the store reads on the writer's connection, under its fence. Others do not wait for the writer.
 */
enum status store_sqlite_read_contributions(struct store *store, const char *const ids[], size_t n,
                                            struct contribution *rows[], struct store_context *context,
                                            struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    memset(rows, 0, n * sizeof *rows);
    if (context->deadline_boot_ms)
        return find_rows_to_serve(store, ids, n, rows, e);
    enum status status = store_sqlite_begin(d, context->fence, e);
    if (status)
        return status;
    status = store_sqlite_end(d, context->fence, find_rows(&d->writer, ids, n, rows, e), e);
    for (size_t i = 0; status && i < n; i++)
        contribution_freep(&rows[i]);
    return status;
}

enum status store_sqlite_refuse_score(const struct sqlite *c, struct error *e) {
    return error_set(e, STATUS_FAILED, "database '%s' has a score without a userId or a role", c->path);
}
