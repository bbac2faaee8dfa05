/* The tables, by version. */
#include <stdio.h>

#include "views/sqlite/internal.h"

/* The first version of the tables that this program makes. Those of before have views of before, which
 * cannot be continued: they are filled anew, in another file. */
enum { FIRST_VERSION = 3 };

/* migrations[n] makes version FIRST_VERSION + n of the tables: the first out of nothing, each other out of
 * the one before. Once released they are never changed, only added to.
 *
 * Contributions have rowids, so they lie in the order of insertion: products that sell well are old and share
 * few pages. Clustered by product id, each would be a page of its own in every transaction. Scores are
 * clustered by contributor: the periods of one lie together, as a history. Their index names userId, which is
 * in it anyway: SQLite uses a row value (score, userId) only as far as the named columns go. */
static const char *const migrations[] = {
    "CREATE TABLE contributions (productId TEXT PRIMARY KEY, creator TEXT, photographer TEXT,"
    " creatorScore INTEGER NOT NULL, photographerScore INTEGER NOT NULL, lastEventId TEXT NOT NULL,"
    " photographerEventId TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL, createdBy TEXT,"
    " updatedBy TEXT, name TEXT, brand TEXT, category TEXT, image TEXT);"
    "CREATE INDEX productsByCreator ON contributions (creator, productId) WHERE creator IS NOT NULL;"
    "CREATE INDEX productsByPhotographer ON contributions (photographer, productId)"
    " WHERE photographer IS NOT NULL;"
    "CREATE TABLE scores (userId TEXT NOT NULL, role TEXT NOT NULL, score INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, updatedBy TEXT, expires INTEGER, PRIMARY KEY (userId, role)) WITHOUT ROWID;"
    "CREATE INDEX scoresByRole ON scores (role, score, userId);"
    "CREATE TABLE leases (leaseKey TEXT PRIMARY KEY, entityType TEXT NOT NULL, leaseOwner TEXT,"
    " leaseCounter INTEGER, tenure TEXT, checkpoint TEXT, checkpointSubSequenceNumber INTEGER,"
    " checkpointHash BLOB, startAt INTEGER, ownerSwitchesSinceCheckpoint INTEGER, asOf INTEGER,"
    " foreignArrivals INTEGER, parentShardId TEXT, childShardIds TEXT, startingHashKey TEXT,"
    " endingHashKey TEXT, sourceArn TEXT, sourceCreated INTEGER, viewVersion INTEGER, identityKey BLOB,"
    " periods TEXT, bestSellers TEXT, boardPartitions INTEGER) WITHOUT ROWID;",
    "ALTER TABLE leases ADD COLUMN consumerArn TEXT;",
};
enum { SCHEMA_VERSION = FIRST_VERSION - 1 + sizeof migrations / sizeof *migrations };

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

static enum status refuse_newer(const struct store_sqlite *d, struct error *e) {
    if (d->version <= SCHEMA_VERSION)
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "database '%s' has tables of version %d, this program knows up to %d: use a newer program, or "
        "another file (--store sqlite:OTHER)",
        d->path, d->version, SCHEMA_VERSION);
}

enum status store_sqlite_refuse_older(const struct store_sqlite *d, struct error *e) {
    if (!d->version || d->version >= FIRST_VERSION)
        return STATUS_OK;
    return error_set(e, STATUS_INVALID,
                     "database '%s' has tables of version %d, this program's begin with %d: " STORE_WAY_OUT(
                         "another file (--store sqlite:OTHER)"),
                     d->path, d->version, FIRST_VERSION);
}

static enum status migrate(struct store_sqlite *d, struct error *e) {
    char set_version[64];
    enum status status = read_version(&d->writer, &d->version, e);
    if (!status)
        status = refuse_newer(d, e);
    size_t next = d->version < FIRST_VERSION ? 0 : (size_t)(d->version - FIRST_VERSION + 1);
    for (; !status && next < sizeof migrations / sizeof *migrations; next++) {
        d->version = FIRST_VERSION + (int)next;
        snprintf(set_version, sizeof set_version, "PRAGMA user_version = %d", d->version);
        status = sqlite_run(&d->writer, migrations[next], e);
        if (!status)
            status = sqlite_run(&d->writer, set_version, e);
    }
    return status;
}

enum status store_sqlite_create(struct store *store, const struct store_creation *creation, struct error *e) {
    (void)creation;
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = read_version(&d->writer, &d->version, e);
    if (!status)
        status = refuse_newer(d, e);
    if (!status)
        status = store_sqlite_refuse_older(d, e);
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
    return status ? status : refuse_newer(d, e);
}
