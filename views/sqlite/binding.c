/* What the store belongs to: the record in `leases`, and the lock of the process that fills the store. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "views/fold.h"
#include "views/sqlite/internal.h"

#define SOURCE_KEY "winner-view#source"

static void read_holder(int fd, char *out, size_t size) {
    ssize_t n = pread(fd, out, size - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* The lock of the one process that fills the store: held until the store is freed or the process ends. */
static enum status lock_for_filling(struct store_sqlite *d, struct error *e) {
    /* beside the file that a symbolic link leads to: one lock, whichever path was given */
    _cleanup_(mem_freep) char *path = mem_printf("%s.lock", sqlite3_db_filename(d->writer.db, "main"));
    char holder[32];
    if (d->lock_fd >= 0)
        return STATUS_OK;

    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0)
        return error_set(e, STATUS_FAILED, "cannot open the lock '%s': %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        read_holder(fd, holder, sizeof holder);
        close(fd);
        return error_set(
            e, STATUS_INVALID,
            "database '%s' is being filled by process %s: only one at a time may (to serve from it as well: "
            "--source none)",
            d->path, holder);
    }
    int length = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, holder, (size_t)length, 0) != length) {
        error_set(e, STATUS_FAILED, "cannot write the lock '%s': %s", path, strerror(errno));
        close(fd);
        return STATUS_FAILED;
    }
    d->lock_fd = fd;
    return STATUS_OK;
}

/* A record without a source is of an earlier program, which made one to serve from. */
static enum status write_record(struct sqlite *c, const struct store_source *source, struct error *e) {
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    random_bytes(key, sizeof key);
    sqlite3_stmt *s = sqlite_statement(
        c, INSERT_SOURCE,
        "INSERT INTO leases (leaseKey, entityType, viewVersion, identityKey, sourceArn, sourceCreated)"
        " VALUES ('" SOURCE_KEY "', 'SOURCE', ?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
        " SET sourceArn = ?3, sourceCreated = ?4 WHERE sourceArn IS NULL",
        e);
    if (!s)
        return e->status;
    sqlite3_bind_int64(s, 1, FOLD_VIEW_VERSION);
    sqlite3_bind_blob(s, 2, key, sizeof key, SQLITE_TRANSIENT);
    sqlite_bind_text(s, 3, source->name);
    sqlite3_bind_int64(s, 4, source->created_ms);
    return sqlite_execute(c, s, e);
}

static enum status update_record(struct sqlite *c, const struct store_source *source, struct error *e) {
    sqlite3_stmt *s = sqlite_statement(
        c, UPDATE_SOURCE,
        "UPDATE leases SET sourceArn = ?1, sourceCreated = ?2 WHERE leaseKey = '" SOURCE_KEY "'", e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, source->name);
    sqlite3_bind_int64(s, 2, source->created_ms);
    return sqlite_execute(c, s, e);
}

static enum status compare_record(struct store_sqlite *d, sqlite3_stmt *s, const struct store_source *source,
                                  bool *stale, struct error *e) {
    const char *name = sqlite_text(s, 1);
    int64_t version = sqlite3_column_int64(s, 0), created = sqlite3_column_int64(s, 2);
    char theirs[CLOCK_TEXT_SIZE], ours[CLOCK_TEXT_SIZE];
    if (version != FOLD_VIEW_VERSION)
        return error_set(e, STATUS_INVALID,
                         "database '%s' belongs to view version %" PRId64
                         ", this program makes version %d: use another "
                         "file (--store sqlite:OTHER) and let it replay",
                         d->path, version, FOLD_VIEW_VERSION);
    enum store_record record = source ? store_compare_source(source, name, created) : STORE_RECORD_SAME;
    *stale = record == STORE_RECORD_STALE;
    if (record != STORE_RECORD_OTHER)
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "database '%s' belongs to the source '%s' created at %s, not to '%s' created at %s: use another file "
        "(--store sqlite:OTHER), which starts empty",
        d->path, name, clock_format(created, theirs), source->name, clock_format(source->created_ms, ours));
}

/* NOT_FOUND: there is none yet. */
static enum status read_record(struct store_sqlite *d, struct sqlite *c, const struct store_source *source,
                               uint8_t *identity_key, bool *stale, struct error *e) {
    sqlite3_stmt *s = sqlite_statement(c, SELECT_SOURCE,
                                       "SELECT viewVersion, sourceArn, sourceCreated, identityKey FROM leases"
                                       " WHERE leaseKey = '" SOURCE_KEY "' AND sourceArn IS NOT NULL",
                                       e);
    if (!s)
        return e->status;
    enum status status = sqlite_step(c, s, e);
    if (status == STATUS_NOT_FOUND)
        error_set(e, status, "database '%s' has no view yet: a process with a --source begins it", d->path);
    if (!status && sqlite3_column_bytes(s, 3) != STORE_IDENTITY_KEY_BYTES)
        status = error_set(e, STATUS_FAILED, "the identity key in database '%s' is malformed", d->path);
    if (!status) {
        memcpy(identity_key, sqlite3_column_blob(s, 3), STORE_IDENTITY_KEY_BYTES);
        status = compare_record(d, s, source, stale, e);
    }
    sqlite3_reset(s);
    return status;
}

static enum status find_record(struct store *store, uint8_t *identity_key, struct error *e) {
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_reading(&r, store, e);
    bool stale;
    return status ? status : read_record(r.d, r.c, NULL, identity_key, &stale, e);
}

enum status store_sqlite_bind(struct store *store, const struct store_wish *wish,
                              struct store_binding *binding, struct error *e) {
    const struct store_source *source = wish->source;
    uint8_t *identity_key = binding->identity_key;
    binding->shape = wish->shape;
    struct store_sqlite *d = store_sqlite_of(store);
    if (!source)
        return find_record(store, identity_key, e);
    enum status status = lock_for_filling(d, e);
    if (!status)
        status = store_sqlite_begin(d, NULL, e);
    if (status)
        return status;
    bool stale = false;
    status = write_record(&d->writer, source, e);
    if (!status)
        status = read_record(d, &d->writer, source, identity_key, &stale, e);
    if (!status && stale)
        status = update_record(&d->writer, source, e);
    return store_sqlite_end(d, NULL, status, e);
}
