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

#define WAY_OUT STORE_WAY_OUT("another file (--store sqlite:OTHER)")

/* First use: if there is a record, it stays. */
static enum status write_record(struct sqlite *c, const struct store_wish *wish, struct error *e) {
    uint8_t drawn[STORE_IDENTITY_KEY_BYTES];
    char periods[PERIOD_SET_TEXT_SIZE];
    random_bytes(drawn, sizeof drawn);
    sqlite3_stmt *s = sqlite_statement(c, INSERT_SOURCE,
                                       "INSERT INTO leases (leaseKey, entityType, viewVersion, identityKey,"
                                       " sourceArn, sourceCreated, periods, bestSellers, boardPartitions)"
                                       " VALUES ('" SOURCE_KEY "', 'SOURCE', ?1, ?2, ?3, ?4, ?5, ?6, ?7)"
                                       " ON CONFLICT DO NOTHING",
                                       e);
    if (!s)
        return e->status;
    sqlite3_bind_int64(s, 1, FOLD_VIEW_VERSION);
    sqlite3_bind_blob(s, 2, wish->identity_key ? wish->identity_key : drawn, sizeof drawn, SQLITE_TRANSIENT);
    sqlite_bind_text(s, 3, wish->source->name);
    sqlite3_bind_int64(s, 4, wish->source->created_ms);
    sqlite_bind_text(s, 5, period_set_format(wish->shape.periods, periods));
    sqlite_bind_text(s, 6, store_format_best_sellers(wish->shape.best_sellers));
    sqlite3_bind_int64(s, 7, wish->shape.board_partitions);
    return sqlite_execute(c, s, e);
}

static enum status compare_source(const struct store_sqlite *d, sqlite3_stmt *s,
                                  const struct store_source *source, struct error *e) {
    const char *name = sqlite_text(s, 1);
    int64_t created = sqlite3_column_int64(s, 2);
    char theirs[CLOCK_TEXT_SIZE], ours[CLOCK_TEXT_SIZE];
    if (!source || (strcmp(name, source->name) == 0 && created == source->created_ms))
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "database '%s' belongs to the source '%s' created at %s, not to '%s' created at %s: use another file "
        "(--store sqlite:OTHER), which starts empty",
        d->path, name, clock_format(created, theirs), source->name, clock_format(source->created_ms, ours));
}

static enum status compare_record(const struct store_sqlite *d, sqlite3_stmt *s,
                                  const struct store_wish *wish, struct store_binding *binding,
                                  struct error *e) {
    int64_t version = sqlite3_column_int64(s, 0);
    if (version != FOLD_VIEW_VERSION)
        return error_set(e, STATUS_INVALID,
                         "database '%s' belongs to view version %" PRId64
                         ", this program makes version %d: " WAY_OUT,
                         d->path, version, FOLD_VIEW_VERSION);
    if (!sqlite_text(s, 1) || sqlite3_column_bytes(s, 3) != STORE_IDENTITY_KEY_BYTES ||
        !store_parse_shape(sqlite_text(s, 4), sqlite_text(s, 5), sqlite3_column_int64(s, 6), &binding->shape))
        return error_set(e, STATUS_FAILED, "the record '" SOURCE_KEY "' in database '%s' is malformed",
                         d->path);
    memcpy(binding->identity_key, sqlite3_column_blob(s, 3), STORE_IDENTITY_KEY_BYTES);
    enum status status = compare_source(d, s, wish->source, e);
    _cleanup_(mem_freep) char *place = mem_printf("database '%s'", d->path);
    return status ? status : store_compare_shape(wish, &binding->shape, place, WAY_OUT, e);
}

/* NOT_FOUND: there is none yet. */
static enum status read_record(const struct store_sqlite *d, struct sqlite *c, const struct store_wish *wish,
                               struct store_binding *binding, struct error *e) {
    enum status status = store_sqlite_refuse_older(d, e);
    if (status)
        return status;
    sqlite3_stmt *s = sqlite_statement(
        c, SELECT_SOURCE,
        "SELECT viewVersion, sourceArn, sourceCreated, identityKey, periods, bestSellers, boardPartitions"
        " FROM leases WHERE leaseKey = '" SOURCE_KEY "'",
        e);
    if (!s)
        return e->status;
    status = sqlite_step(c, s, e);
    if (status == STATUS_NOT_FOUND)
        error_set(e, status, "database '%s' has no view yet: a process with a --source begins it", d->path);
    if (!status)
        status = compare_record(d, s, wish, binding, e);
    sqlite3_reset(s);
    return status;
}

static enum status find_record(struct store *store, const struct store_wish *wish,
                               struct store_binding *binding, struct error *e) {
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_reading(&r, store, e);
    return status ? status : read_record(r.d, r.c, wish, binding, e);
}

enum status store_sqlite_bind(struct store *store, const struct store_wish *wish,
                              struct store_binding *binding, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    if (!wish->source)
        return find_record(store, wish, binding, e);
    enum status status = lock_for_filling(d, e);
    if (!status)
        status = store_sqlite_begin(d, NULL, e);
    if (status)
        return status;
    status = write_record(&d->writer, wish, e);
    if (!status)
        status = read_record(d, &d->writer, wish, binding, e);
    return store_sqlite_end(d, NULL, status, e);
}

/* Whatever the view version: all have the key in the same place. */
enum status store_sqlite_read_identity_key(struct store *store, uint8_t key[STORE_IDENTITY_KEY_BYTES],
                                           struct error *e) {
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status =
        store_sqlite_begin_query(&r, store, SELECT_IDENTITY_KEY,
                                 "SELECT identityKey FROM leases WHERE leaseKey = '" SOURCE_KEY "'", e);
    if (!status)
        status = sqlite_step(r.c, r.s, e);
    if (status == STATUS_NOT_FOUND)
        return error_set(e, status, "database '%s' has no view", r.d->path);
    if (status)
        return status;
    if (sqlite3_column_bytes(r.s, 0) != STORE_IDENTITY_KEY_BYTES)
        return error_set(e, STATUS_FAILED, "the identity key in database '%s' is malformed", r.d->path);
    memcpy(key, sqlite3_column_blob(r.s, 0), STORE_IDENTITY_KEY_BYTES);
    return STATUS_OK;
}

enum status store_sqlite_read_consumer(struct store *store, char arn[STORE_CONSUMER_SIZE], struct error *e) {
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(
        &r, store, SELECT_CONSUMER, "SELECT consumerArn FROM leases WHERE leaseKey = '" SOURCE_KEY "'", e);
    if (!status)
        status = sqlite_step(r.c, r.s, e);
    const char *noted = status ? NULL : sqlite_text(r.s, 0);
    if (status == STATUS_NOT_FOUND || (!status && (!noted || strlen(noted) >= STORE_CONSUMER_SIZE)))
        return error_set(e, STATUS_NOT_FOUND, "the view of database '%s' has no consumer", r.d->path);
    if (!status)
        strcpy(arn, noted);
    return status;
}

static enum status update_consumer(struct store_sqlite *d, const char *arn, struct error *e) {
    sqlite3_stmt *s =
        sqlite_statement(&d->writer, UPDATE_CONSUMER,
                         "UPDATE leases SET consumerArn = ?1 WHERE leaseKey = '" SOURCE_KEY "'", e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, arn);
    enum status status = sqlite_execute(&d->writer, s, e);
    if (!status && sqlite3_changes(d->writer.db) == 0)
        return error_set(e, STATUS_NOT_FOUND, "database '%s' has no view", d->path);
    return status;
}

enum status store_sqlite_note_consumer(struct store *store, const char *arn, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = store_sqlite_begin(d, NULL, e);
    return status ? status : store_sqlite_end(d, NULL, update_consumer(d, arn, e), e);
}
