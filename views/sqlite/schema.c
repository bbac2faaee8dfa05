/* The tables, by version. */
#include <stdio.h>

#include "views/sqlite/internal.h"

/* migrations[n] makes version n + 1 of the tables out of version n. Once released they are never changed,
 * only added to.
 *
 * Contributions have rowids, so they lie in the order of insertion: products that sell well are old and share
 * few pages. Clustered by product id, each would be a page of its own in every transaction. */
static const char *const migrations[] = {
    "CREATE TABLE contributions (productId TEXT PRIMARY KEY, creator TEXT, photographer TEXT,"
    " creatorScore INTEGER NOT NULL, photographerScore INTEGER NOT NULL, lastEventId TEXT NOT NULL,"
    " photographerEventId TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL, createdBy TEXT, "
    "updatedBy TEXT, name TEXT, brand TEXT, category TEXT, image TEXT);"
    "CREATE TABLE scores (userId TEXT NOT NULL, role TEXT NOT NULL, score INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, updatedBy TEXT, PRIMARY KEY (userId, role)) WITHOUT ROWID;"
    "CREATE INDEX scoresByRole ON scores (role, score);"
    "CREATE TABLE leases (leaseKey TEXT PRIMARY KEY, entityType TEXT NOT NULL, leaseOwner TEXT, leaseCounter "
    "INTEGER,"
    " tenure TEXT, checkpoint TEXT, checkpointSubSequenceNumber INTEGER, startAt INTEGER,"
    " ownerSwitchesSinceCheckpoint INTEGER, asOf INTEGER, parentShardId TEXT, childShardIds TEXT,"
    " startingHashKey TEXT, endingHashKey TEXT,"
    " sourceArn TEXT, sourceCreated INTEGER, viewVersion INTEGER, identityKey BLOB) WITHOUT ROWID;",
    "ALTER TABLE leases ADD COLUMN checkpointHash BLOB;",
};
enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

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
    d->version = version;
    return status;
}

enum status store_sqlite_create(struct store *store, const struct store_creation *creation, struct error *e) {
    (void)creation;
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = read_version(&d->writer, &d->version, e);
    if (!status)
        status = refuse_newer(d, d->version, e);
    if (!status)
        status = sqlite_run(&d->writer, "PRAGMA journal_mode=WAL", e);
    if (status || d->version == SCHEMA_VERSION)
        return status;
    status = store_sqlite_begin(d, NULL, e);
    return status ? status : store_sqlite_end(d, NULL, migrate(d, e), e);
}

enum status store_sqlite_check_tables(struct store_sqlite *d, struct error *e) {
    enum status status = read_version(&d->writer, &d->version, e);
    if (!status && d->version < 1)
        return error_set(e, STATUS_NOT_FOUND,
                         "database '%s' has no tables of this program: run the program on it once", d->path);
    return status ? status : refuse_newer(d, d->version, e);
}
