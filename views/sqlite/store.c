#include "views/sqlite/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/event_id.h"
#include "views/sqlite/internal.h"

_Static_assert((int)STORE_SQLITE_STATEMENTS <= SQLITE_STATEMENTS,
               "a connection has room for every statement");

/* What makes version n + 1 of the tables out of version n. Never changed once released: added to.
 *
 * Contributions have rowids, and so lie in the order in which they came: products that sell well are old, and
 * share few pages. Clustered by product id, each of them would be a page of its own in every transaction. */
static const char *const migrations[] = {
    "CREATE TABLE contributions (productId TEXT PRIMARY KEY, creator TEXT, photographer TEXT,"
    " creatorScore INTEGER NOT NULL, photographerScore INTEGER NOT NULL, lastEventId TEXT NOT NULL,"
    " photographerEventId TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL, createdBy TEXT, "
    "updatedBy TEXT);"
    "CREATE TABLE scores (userId TEXT NOT NULL, role TEXT NOT NULL, score INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, updatedBy TEXT, PRIMARY KEY (userId, role)) WITHOUT ROWID;"
    "CREATE INDEX scoresByRole ON scores (role, score);"
    "CREATE TABLE leases (leaseKey TEXT PRIMARY KEY, entityType TEXT NOT NULL, leaseOwner TEXT, leaseCounter "
    "INTEGER,"
    " tenure TEXT, checkpoint TEXT, checkpointSubSequenceNumber INTEGER, startAt INTEGER,"
    " ownerSwitchesSinceCheckpoint INTEGER, asOf INTEGER, parentShardId TEXT, childShardIds TEXT,"
    " startingHashKey TEXT, endingHashKey TEXT,"
    " sourceArn TEXT, sourceCreated INTEGER, viewVersion INTEGER, identityKey BLOB) WITHOUT ROWID;",
};
enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

/* ---- transactions
 * ----------------------------------------------------------------------------------------------------- */

static enum status refuse(struct error *e, const char *code, const char *why) {
    error_set(e, STATUS_FAILED, "%s", why);
    strcpy(e->code, code);
    return STATUS_FAILED;
}

static enum status may_write(const struct store_sqlite *d, const struct fence *fence, struct error *e) {
    if (atomic_load(&d->cancelled))
        return refuse(e, "Cancelled", "the store was told to end");
    if (!fence_is_open(fence, clock_boot_ms()))
        return refuse(e, "FenceShut", "the lease is not held any more");
    return STATUS_OK;
}

enum status store_sqlite_begin(struct store_sqlite *d, const struct fence *fence, struct error *e) {
    pthread_mutex_lock(&d->write_lock);
    enum status status = may_write(d, fence, e);
    if (!status)
        status = sqlite_run(&d->writer, "BEGIN IMMEDIATE", e);
    if (status)
        pthread_mutex_unlock(&d->write_lock);
    return status;
}

enum status store_sqlite_end(struct store_sqlite *d, const struct fence *fence, enum status status,
                             struct error *e) {
    struct error ignored;
    if (!status)
        status = may_write(d, fence, e);
    if (!status)
        status = sqlite_run(&d->writer, "COMMIT", e);
    if (status)
        sqlite_run(&d->writer, "ROLLBACK", &ignored); /* fails if SQLite has rolled back already */
    pthread_mutex_unlock(&d->write_lock);
    return status;
}

struct sqlite *store_sqlite_take_reader(struct store_sqlite *d, struct error *e) {
    if (atomic_load(&d->cancelled)) {
        refuse(e, "Cancelled", "the store was told to end");
        return NULL;
    }
    pthread_mutex_lock(&d->idle_lock);
    struct sqlite *c = d->idle;
    if (c)
        d->idle = c->next;
    pthread_mutex_unlock(&d->idle_lock);
    if (c)
        return c;

    c = mem_zalloc(sizeof *c);
    if (sqlite_open(c, d->path, LIMIT_SQLITE_READER_CACHE_KIB, e)) {
        free(c);
        return NULL;
    }
    return c;
}

void store_sqlite_give_reader(struct store_sqlite *d, struct sqlite *c) {
    pthread_mutex_lock(&d->idle_lock);
    c->next = d->idle;
    d->idle = c;
    pthread_mutex_unlock(&d->idle_lock);
}

/* ---- a contribution from a row
 * ---------------------------------------------------------------------------------------- */

static char *copy(sqlite3_stmt *s, int column) {
    const char *text = sqlite_text(s, column);
    return text ? mem_strdup(text) : NULL;
}

struct contribution *store_sqlite_contribution(sqlite3_stmt *s) {
    struct contribution *c = mem_zalloc(sizeof *c);
    c->product_id = copy(s, 0);
    c->creator = copy(s, 1);
    c->photographer = copy(s, 2);
    c->last_event_id = copy(s, 3);
    c->photographer_event_id = copy(s, 4);
    c->created_by = copy(s, 5);
    c->updated_by = copy(s, 6);
    c->creator_score = sqlite3_column_int64(s, 7);
    c->photographer_score = sqlite3_column_int64(s, 8);
    c->created_ms = sqlite3_column_int64(s, 9);
    c->updated_ms = sqlite3_column_int64(s, 10);
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
    if (event_id_parse((*row)->last_event_id, strlen((*row)->last_event_id), &id))
        return STATUS_OK;
    status = error_set(e, STATUS_FAILED, "row '%s' in database '%s' has a lastEventId that is none",
                       product_id, c->path);
    contribution_free(*row);
    *row = NULL;
    return status;
}

/* ---- opening
 * ----------------------------------------------------------------------------------------------------------
 */

static enum status read_version(struct sqlite *c, int *version, struct error *e) {
    sqlite3_stmt *s;
    int result = sqlite3_prepare_v2(c->db, "PRAGMA user_version", -1, &s, NULL);
    if (result != SQLITE_OK)
        return sqlite_error(c, result, e);
    enum status status = sqlite_step(c, s, e);
    *version = status ? 0 : sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return status;
}

static enum status refuse_newer(const struct store_sqlite *d, int version, struct error *e) {
    if (version <= SCHEMA_VERSION)
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "database '%s' has tables of version %d, this program knows up to %d: use a newer program, or "
        "another file (--store sqlite:OTHER)",
        d->path, version, SCHEMA_VERSION);
}

static enum status migrate(struct store_sqlite *d, struct error *e) {
    char set_version[64];
    int version;
    enum status status = read_version(&d->writer, &version, e);
    if (!status)
        status = refuse_newer(d, version, e);
    for (; !status && version < SCHEMA_VERSION; version++) {
        snprintf(set_version, sizeof set_version, "PRAGMA user_version = %d", version + 1);
        status = sqlite_run(&d->writer, migrations[version], e);
        if (!status)
            status = sqlite_run(&d->writer, set_version, e);
    }
    return status;
}

static enum status create_tables(struct store *store, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    int version;
    enum status status = read_version(&d->writer, &version, e);
    if (status || version == SCHEMA_VERSION)
        return status;
    status = store_sqlite_begin(d, NULL, e);
    return status ? status : store_sqlite_end(d, NULL, migrate(d, e), e);
}

static void cancel_store(struct store *store) {
    atomic_store(&store_sqlite_of(store)->cancelled, true);
}

static void close_store(struct store *store) {
    struct store_sqlite *d = store_sqlite_of(store);
    store_sqlite_stop_checkpointer(d);
    while (d->idle) {
        struct sqlite *c = d->idle;
        d->idle = c->next;
        sqlite_close(c);
        free(c);
    }
    sqlite_close(&d->writer);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    pthread_mutex_destroy(&d->write_lock);
    pthread_mutex_destroy(&d->idle_lock);
    free(d->path);
    free(d);
}

static const struct store_ops sqlite_ops = {
    .name = "sqlite",
    .index_late = false,
    .snapshot = true,
    .bind = store_sqlite_bind,
    .create = create_tables,
    .read_contributions = store_sqlite_read_contributions,
    .write_batch = store_sqlite_write_batch,
    .read_leases = store_sqlite_read_leases,
    .create_lease = store_sqlite_create_lease,
    .update_lease = store_sqlite_update_lease,
    .delete_lease = store_sqlite_delete_lease,
    .shrink_watermarks = store_sqlite_shrink_watermarks,
    .read_board = store_sqlite_read_board,
    .read_rank = store_sqlite_read_rank,
    .read_scores = store_sqlite_read_scores,
    .read_contribution = store_sqlite_read_contribution,
    .list_contributions = store_sqlite_list_contributions,
    .scan = store_sqlite_scan,
    .cancel = cancel_store,
    .free = close_store,
};

static struct store_sqlite *new_store(const char *path) {
    struct store_sqlite *d = mem_zalloc(sizeof *d);
    d->store.ops = &sqlite_ops;
    d->path = mem_strdup(path);
    d->lock_fd = -1;
    pthread_mutex_init(&d->write_lock, NULL);
    pthread_mutex_init(&d->idle_lock, NULL);
    return d;
}

enum status store_sqlite_open(struct store **store, const char *path, struct error *e) {
    struct store_sqlite *d = new_store(path);
    enum status status = sqlite_open(&d->writer, d->path, LIMIT_SQLITE_WRITER_CACHE_KIB, e);
    if (!status)
        status = create_tables(&d->store, e);
    if (!status)
        status = store_sqlite_start_checkpointer(d, e);
    if (status) {
        close_store(&d->store);
        return error_wrap(e, "cannot open the store");
    }
    *store = &d->store;
    return STATUS_OK;
}

static enum status check_tables(struct store_sqlite *d, struct error *e) {
    int version;
    struct sqlite c = {.path =
                           d->path}; /* not sqlite_open: another program's file is not made into a WAL one */
    int result = sqlite3_open_v2(d->path, &c.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    enum status status = result == SQLITE_OK ? read_version(&c, &version, e) : sqlite_error(&c, result, e);
    sqlite_close(&c);
    if (!status && version < SCHEMA_VERSION)
        return error_set(
            e, STATUS_NOT_FOUND,
            "database '%s' has no tables of this program, or an older one's: start it once on it", d->path);
    return status ? status : refuse_newer(d, version, e);
}

enum status store_sqlite_open_reader(struct store **store, const char *path, struct error *e) {
    if (access(path, F_OK) != 0)
        return error_set(e, STATUS_NOT_FOUND, "cannot open the store: database '%s': %s", path,
                         strerror(errno));
    struct store_sqlite *d = new_store(path);
    enum status status = check_tables(d, e);
    if (status) {
        close_store(&d->store);
        return error_wrap(e, "cannot open the store");
    }
    *store = &d->store;
    return STATUS_OK;
}
