/* Reading and writing the views: a batch and its checkpoint are one transaction. */
#include <string.h>

#include "base/mem.h"
#include "views/sqlite/internal.h"

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

static enum status write_score(struct sqlite *c, const struct store_score_write *w, struct error *e) {
    char role[BOARD_TEXT_SIZE];
    sqlite3_stmt *s = sqlite_statement(
        c, UPSERT_SCORE,
        "INSERT INTO scores (userId, role, score, updated, updatedBy) VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT DO UPDATE SET score = score + ?3, updated = ?4, updatedBy = ?5",
        e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, w->user_id);
    sqlite_bind_text(s, 2, board_format(&w->board, role));
    sqlite3_bind_int64(s, 3, (int64_t)w->n_positions);
    sqlite3_bind_int64(s, 4, w->updated_ms);
    sqlite_bind_text(s, 5, w->updated_by);
    return sqlite_execute(c, s, e);
}

static const char insert_contribution[] = "INSERT INTO contributions (" CONTRIBUTION_COLUMNS
                                          ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                                          " ?14, ?15)"
                                          " ON CONFLICT DO NOTHING";
/* Without productId, which stays the same: SQLite would update its index for it. */
static const char update_contribution[] =
    "UPDATE contributions SET creator = ?2, photographer = ?3, lastEventId = ?4, photographerEventId = ?5,"
    " createdBy = ?6, updatedBy = ?7, name = ?8, brand = ?9, category = ?10, image = ?11, creatorScore = ?12,"
    " photographerScore = ?13, created = ?14, updated = ?15 WHERE productId = ?1 AND lastEventId = ?16";

/* CONFLICT if the row is not the one that was folded over. */
static enum status write_contribution(struct sqlite *c, const struct store_contribution_write *w,
                                      struct error *e) {
    const struct contribution *row = w->row;
    sqlite3_stmt *s = w->old_last_event_id ? sqlite_statement(c, UPDATE_CONTRIBUTION, update_contribution, e)
                                           : sqlite_statement(c, INSERT_CONTRIBUTION, insert_contribution, e);
    if (!s)
        return e->status;
    int parameter = 1;
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        sqlite_bind_text(s, parameter++, contribution_text(row, i));
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        sqlite3_bind_int64(s, parameter++, contribution_number(row, i));
    if (w->old_last_event_id)
        sqlite_bind_text(s, parameter, w->old_last_event_id);

    enum status status = sqlite_execute(c, s, e);
    if (!status && sqlite3_changes(c->db) == 0)
        status = error_set(e, STATUS_CONFLICT, "row '%s' has changed since it was read", row->product_id);
    return status;
}

/* If the lease is of another tenure, the whole batch is rolled back. */
static enum status write_checkpoint(struct sqlite *c, const char *shard_id,
                                    const struct store_checkpoint *checkpoint, struct error *e) {
    char sequence[POSITION_TEXT_SIZE];
    sqlite3_stmt *s = sqlite_statement(
        c, UPDATE_CHECKPOINT,
        "UPDATE leases SET checkpoint = ?1, checkpointSubSequenceNumber = ?2,"
        " checkpointHash = ?5, ownerSwitchesSinceCheckpoint = 0 WHERE leaseKey = ?3 AND tenure = ?4",
        e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, position_sequence(&checkpoint->position, sequence));
    sqlite3_bind_int64(s, 2, position_sub_sequence(&checkpoint->position));
    sqlite_bind_text(s, 3, shard_id);
    sqlite_bind_text(s, 4, checkpoint->tenure);
    store_sqlite_bind_hash(s, 5, &checkpoint->hash);
    enum status status = sqlite_execute(c, s, e);
    if (!status && sqlite3_changes(c->db) == 0) {
        status = error_set_code(e, STATUS_FAILED, "LeaseLost", "the lease of shard '%s' is no longer held",
                                shard_id);
    }
    return status;
}

enum status store_sqlite_write_batch(struct store *store, const struct store_batch *batch,
                                     struct store_context *context, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = store_sqlite_begin(d, context->fence, e);
    if (status)
        return status;
    for (size_t i = 0; !status && i < batch->n_scores; i++)
        status = write_score(&d->writer, &batch->scores[i], e);
    for (size_t i = 0; !status && i < batch->n_contributions; i++)
        status = write_contribution(&d->writer, &batch->contributions[i], e);
    if (!status && batch->checkpoint)
        status = write_checkpoint(&d->writer, batch->shard_id, batch->checkpoint, e);
    return store_sqlite_end(d, context->fence, status, e);
}
