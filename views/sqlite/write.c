/* Writing the views: a batch and its checkpoint are one transaction. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/sqlite/internal.h"

static void note_expiry(struct store_sqlite *d, int64_t expires_ms) {
    if (expires_ms < d->next_expiry_ms)
        d->next_expiry_ms = expires_ms;
}

static enum status write_score(struct store_sqlite *d, const struct store_score_write *w, struct error *e) {
    char role[BOARD_TEXT_SIZE];
    sqlite3_stmt *s =
        sqlite_statement(&d->writer, UPSERT_SCORE,
                         "INSERT INTO scores (userId, role, score, updated, updatedBy, expires)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                         " ON CONFLICT DO UPDATE SET score = score + ?3, updated = ?4, updatedBy = ?5",
                         e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, w->user_id);
    sqlite_bind_text(s, 2, board_format(&w->board, role));
    sqlite3_bind_int64(s, 3, (int64_t)w->n);
    sqlite3_bind_int64(s, 4, w->updated_ms);
    sqlite_bind_text(s, 5, w->updated_by);
    sqlite3_bind_null(s, 6);
    if (w->board.period.kind != PERIOD_ALL_TIME) {
        int64_t expires_ms = period_expires_ms(w->board.period);
        sqlite3_bind_int64(s, 6, expires_ms / 1000);
        note_expiry(d, expires_ms);
    }
    return sqlite_execute(&d->writer, s, e);
}

/* The statements of a contribution number their parameters in the order of CONTRIBUTION_COLUMNS; ?16 is the
 * last event that was folded over, ?17 the rowid, or NULL: it is looked up then. VACUUM may give rows others.
 *
 * An update that sets a column of an index writes the index again, even if the column stays the same. So the
 * first one that fits is taken: a purchase changes neither owner, a photograph only the photographer, and all
 * else of a row changes together with its creator (fold.c). productId stays the same in all. */
#define FOUND                                                                                                \
    "rowid = coalesce(?17, (SELECT rowid FROM contributions WHERE productId = ?1))"                          \
    " AND productId = ?1 AND lastEventId = ?16"

struct update {
    enum store_sqlite_statement number;
    unsigned texts; /* that it uses: a bit each */
    const char *sql;
};

#define TEXT(name) (1u << CONTRIBUTION_##name)
enum {
    ALL_TEXTS = (1u << CONTRIBUTION_TEXTS) - 1,
    COUNTS_TEXTS =
        TEXT(PRODUCT_ID) | TEXT(CREATOR) | TEXT(PHOTOGRAPHER) | TEXT(LAST_EVENT_ID) | TEXT(UPDATED_BY),
    PHOTOGRAPHER_TEXTS = COUNTS_TEXTS | TEXT(PHOTOGRAPHER_EVENT_ID) | TEXT(IMAGE),
};

static const struct update insert = {
    INSERT_CONTRIBUTION,
    ALL_TEXTS,
    "INSERT INTO contributions (" CONTRIBUTION_COLUMNS ")"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING",
};

static const struct update updates[] = {
    {UPDATE_COUNTS, COUNTS_TEXTS,
     "UPDATE contributions SET lastEventId = ?4, updatedBy = ?7, creatorScore = ?12,"
     " photographerScore = ?13, updated = ?15"
     " WHERE " FOUND " AND creator IS ?2 AND photographer IS ?3"},
    {UPDATE_PHOTOGRAPHER, PHOTOGRAPHER_TEXTS,
     "UPDATE contributions SET photographer = ?3, lastEventId = ?4,"
     " photographerEventId = ?5, updatedBy = ?7, image = ?11, creatorScore = ?12,"
     " photographerScore = ?13, updated = ?15"
     " WHERE " FOUND " AND creator IS ?2"},
    {UPDATE_ALL, ALL_TEXTS,
     "UPDATE contributions SET creator = ?2, photographer = ?3, lastEventId = ?4,"
     " photographerEventId = ?5, createdBy = ?6, updatedBy = ?7, name = ?8, brand = ?9,"
     " category = ?10, image = ?11, creatorScore = ?12, photographerScore = ?13, created = ?14,"
     " updated = ?15 WHERE " FOUND},
};

/* `*n` rows were written. */
static enum status run_update(struct sqlite *c, const struct update *update, const struct packed *packed,
                              int *n, struct error *e) {
    enum { OLD_LAST_EVENT_ID = CONTRIBUTION_TEXTS + CONTRIBUTION_NUMBERS + 1, PLACE };
    const struct contribution row = packed_row(packed);
    sqlite3_stmt *s = sqlite_statement(c, update->number, update->sql, e);
    if (!s)
        return e->status;
    for (int i = 0; i < CONTRIBUTION_TEXTS; i++)
        if (update->texts & 1u << i)
            sqlite_bind_text(s, 1 + i, contribution_text(&row, (size_t)i));
    for (int i = 0; i < CONTRIBUTION_NUMBERS; i++)
        sqlite3_bind_int64(s, 1 + CONTRIBUTION_TEXTS + i, contribution_number(&row, (size_t)i));
    if (update != &insert) {
        sqlite_bind_text(s, OLD_LAST_EVENT_ID, packed_old_last_event_id(packed));
        if (row.place)
            sqlite3_bind_int64(s, PLACE, row.place);
        else
            sqlite3_bind_null(s, PLACE);
    }
    enum status status = sqlite_execute(c, s, e);
    *n = sqlite3_changes(c->db);
    return status;
}

static enum status insert_row(struct sqlite *c, struct packed *packed, int *n, struct error *e) {
    enum status status = run_update(c, &insert, packed, n, e);
    if (*n)
        packed->place = sqlite3_last_insert_rowid(c->db);
    return status;
}

static enum status update_row(struct sqlite *c, struct packed *packed, int *n, struct error *e) {
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && !*n && i < sizeof updates / sizeof *updates; i++)
        status = run_update(c, &updates[i], packed, n, e);
    if (status || *n || !packed->place)
        return status;
    packed->place = 0;
    return update_row(c, packed, n, e);
}

/* CONFLICT if the row is not the one that was folded over. */
static enum status write_contribution(struct sqlite *c, struct packed *packed, struct error *e) {
    int n = 0;
    bool was_there = packed_old_last_event_id(packed);
    enum status status = was_there ? update_row(c, packed, &n, e) : insert_row(c, packed, &n, e);
    if (!status && !n)
        status = error_set(e, STATUS_CONFLICT, "row '%s' has changed since it was read",
                           packed_product_id(packed));
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

/* The time by which rows expire: the wall clock's, or that of the latest event here if it is earlier. So
 * neither a clock nor an event of a far future deletes anything. */
static int64_t expiry_time(const struct store_batch *batch) {
    int64_t latest_ms = INT64_MIN, now_ms = clock_real_ms();
    for (size_t i = 0; i < batch->n_scores; i++)
        if (batch->scores[i].updated_ms > latest_ms)
            latest_ms = batch->scores[i].updated_ms;
    return latest_ms < now_ms ? latest_ms : now_ms;
}

/* A batch may delete more rows than it adds: so expired rows never pile up. */
static enum status write_scores(struct store_sqlite *d, const struct store_batch *batch, struct error *e) {
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < batch->n_scores; i++)
        status = write_score(d, &batch->scores[i], e);
    if (!status && batch->n_scores)
        status = store_sqlite_delete_expired(d, expiry_time(batch),
                                             LIMIT_SQLITE_EXPIRED_ROWS + batch->n_scores, e);
    return status;
}

struct placed {
    int64_t place;
    struct packed *packed;
};

/* In the order in which they lie, the new ones by key: neighbours share pages. */
static int compare_places(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return strcmp(packed_product_id(x->packed), packed_product_id(y->packed));
}

static enum status write_contributions(struct sqlite *c, const struct store_batch *batch, struct error *e) {
    size_t n = batch->n_contributions;
    _cleanup_(mem_freep) struct placed *order = mem_alloc(n * sizeof *order);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < n; i++)
        order[i] = (struct placed){batch->contributions[i]->place, batch->contributions[i]};
    qsort(order, n, sizeof *order, compare_places);
    for (size_t i = 0; !status && i < n; i++)
        status = write_contribution(c, order[i].packed, e);
    return status;
}

enum status store_sqlite_write_batch(struct store *store, const struct store_batch *batch,
                                     struct store_context *context, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = store_sqlite_begin(d, context->fence, e);
    if (status)
        return status;
    status = write_scores(d, batch, e);
    if (!status)
        status = write_contributions(&d->writer, batch, e);
    if (!status && batch->checkpoint)
        status = write_checkpoint(&d->writer, batch->shard_id, batch->checkpoint, e);
    return store_sqlite_end(d, context->fence, status, e);
}
