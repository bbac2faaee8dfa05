/* Leases and the record of what the store belongs to, in SQLite. Sets of shard ids are kept as text, comma
 * between. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/random.h"
#include "views/fold.h"
#include "views/sqlite/internal.h"

#define SOURCE_KEY "winner-view#source"

/* ---- the writer's lock
 * ------------------------------------------------------------------------------------------------ */

static void read_holder(int fd, char *out, size_t size) {
    ssize_t n = pread(fd, out, size - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* Held until the store is freed or the process ends, however it ends. */
static enum status lock_for_filling(struct store_sqlite *d, struct error *e) {
    _cleanup_(mem_freep) char *path = mem_printf("%s.lock", d->path);
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

/* ---- what the store belongs to
 * ---------------------------------------------------------------------------------------- */

static enum status insert_record(struct sqlite *c, struct error *e) {
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    random_bytes(key, sizeof key);
    sqlite3_stmt *s = sqlite_statement(c, INSERT_SOURCE,
                                       "INSERT INTO leases (leaseKey, entityType, viewVersion, identityKey)"
                                       " VALUES ('" SOURCE_KEY "', 'SOURCE', ?1, ?2) ON CONFLICT DO NOTHING",
                                       e);
    if (!s)
        return e->status;
    sqlite_bind_int(s, 1, FOLD_VIEW_VERSION);
    sqlite3_bind_blob(s, 2, key, sizeof key, SQLITE_TRANSIENT);
    return sqlite_execute(c, s, e);
}

static enum status update_record(struct sqlite *c, const struct store_source *source, struct error *e) {
    sqlite3_stmt *s =
        sqlite_statement(c, UPDATE_SOURCE,
                         "UPDATE leases SET sourceArn = ?1, sourceCreated = ?2 WHERE leaseKey = '" SOURCE_KEY
                         "' AND sourceArn IS NULL",
                         e);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, source->name);
    sqlite_bind_int(s, 2, source->created_ms);
    return sqlite_execute(c, s, e);
}

static enum status compare_record(struct store_sqlite *d, sqlite3_stmt *s, const struct store_source *source,
                                  struct error *e) {
    const char *name = sqlite_text(s, 1);
    int64_t version = sqlite3_column_int64(s, 0), created = sqlite3_column_int64(s, 2);
    char theirs[CLOCK_TEXT_SIZE], ours[CLOCK_TEXT_SIZE];
    if (version != FOLD_VIEW_VERSION)
        return error_set(e, STATUS_INVALID,
                         "database '%s' belongs to view version %" PRId64
                         ", this program makes version %d: use another "
                         "file (--store sqlite:OTHER) and let it replay",
                         d->path, version, FOLD_VIEW_VERSION);
    if (!source || (name && strcmp(name, source->name) == 0 && created == source->created_ms))
        return STATUS_OK;
    return error_set(
        e, STATUS_INVALID,
        "database '%s' belongs to the source '%s' created at %s, not to '%s' created at %s: use another file "
        "(--store sqlite:OTHER), which starts empty",
        d->path, name ? name : "", clock_format(created, theirs), source->name,
        clock_format(source->created_ms, ours));
}

static enum status read_record(struct store_sqlite *d, const struct store_source *source,
                               uint8_t *identity_key, struct error *e) {
    sqlite3_stmt *s = sqlite_statement(
        &d->writer, SELECT_SOURCE,
        "SELECT viewVersion, sourceArn, sourceCreated, identityKey FROM leases WHERE leaseKey = '" SOURCE_KEY
        "'",
        e);
    if (!s)
        return e->status;
    enum status status = sqlite_step(&d->writer, s, e);
    if (!status && sqlite3_column_bytes(s, 3) != STORE_IDENTITY_KEY_BYTES)
        status = error_set(e, STATUS_FAILED, "the identity key in database '%s' is not one", d->path);
    if (!status) {
        memcpy(identity_key, sqlite3_column_blob(s, 3), STORE_IDENTITY_KEY_BYTES);
        status = compare_record(d, s, source, e);
    }
    sqlite3_reset(s);
    return status;
}

enum status store_sqlite_bind(struct store *store, const struct store_source *source, uint8_t *identity_key,
                              struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = source ? lock_for_filling(d, e) : STATUS_OK;
    if (!status)
        status = store_sqlite_begin(d, NULL, e);
    if (status)
        return status;
    status = insert_record(&d->writer, e);
    if (!status && source)
        status = update_record(&d->writer, source, e);
    if (!status)
        status = read_record(d, source, identity_key, e);
    return store_sqlite_end(d, NULL, status, e);
}

/* ---- a lease as a row
 * ------------------------------------------------------------------------------------------------- */

#define LEASE_COLUMNS                                                                                        \
    "leaseKey, leaseOwner, leaseCounter, tenure, checkpoint, checkpointSubSequenceNumber, startAt, "         \
    "ownerSwitchesSinceCheckpoint, asOf, parentShardId, childShardIds, startingHashKey, endingHashKey"
#define LEASE_PARAMETERS "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13"

/* Copied: the text may be made for the call. "" is NULL. */
static void bind_copy(sqlite3_stmt *s, int parameter, const char *text) {
    sqlite3_bind_text(s, parameter, *text ? text : NULL, -1, SQLITE_TRANSIENT);
}

static void bind_shards(sqlite3_stmt *s, int parameter, const char shards[][LIMIT_SHARD_ID_BYTES + 1]) {
    char text[2 * LIMIT_SHARD_ID_BYTES + 2];
    snprintf(text, sizeof text, "%s%s%s", shards[0], *shards[0] && *shards[1] ? "," : "", shards[1]);
    bind_copy(s, parameter, text);
}

static void bind_lease(sqlite3_stmt *s, const struct store_lease *lease) {
    char sequence[POSITION_TEXT_SIZE];
    uint32_t sub;
    bind_copy(s, 1, lease->shard_id);
    bind_copy(s, 2, lease->owner);
    sqlite_bind_int(s, 3, lease->counter);
    bind_copy(s, 4, lease->tenure);
    bind_copy(s, 5, store_lease_checkpoint(lease, sequence, &sub));
    sqlite_bind_int(s, 6, sub);
    sqlite3_bind_null(s, 7);
    if (lease->checkpoint == LEASE_AT_TIMESTAMP)
        sqlite_bind_int(s, 7, lease->start_at_ms);
    sqlite_bind_int(s, 8, lease->owner_switches);
    sqlite3_bind_null(s, 9);
    if (lease->as_of_ms >= 0)
        sqlite_bind_int(s, 9, lease->as_of_ms);
    bind_shards(s, 10, lease->parents);
    bind_shards(s, 11, lease->children);
    bind_copy(s, 12, lease->starting_hash_key);
    bind_copy(s, 13, lease->ending_hash_key);
}

static void get_text(sqlite3_stmt *s, int column, char *out, size_t size) {
    const char *text = sqlite_text(s, column);
    snprintf(out, size, "%s", text ? text : "");
}

static void get_shards(sqlite3_stmt *s, int column, char shards[][LIMIT_SHARD_ID_BYTES + 1]) {
    const char *text = sqlite_text(s, column);
    const char *comma = text ? strchr(text, ',') : NULL;
    if (text)
        snprintf(shards[0], LIMIT_SHARD_ID_BYTES + 1, "%.*s",
                 (int)(comma ? comma - text : LIMIT_SHARD_ID_BYTES), text);
    if (comma)
        snprintf(shards[1], LIMIT_SHARD_ID_BYTES + 1, "%s", comma + 1);
}

static enum status get_lease(const struct store_sqlite *d, sqlite3_stmt *s, struct store_lease *lease,
                             struct error *e) {
    memset(lease, 0, sizeof *lease);
    get_text(s, 0, lease->shard_id, sizeof lease->shard_id);
    get_text(s, 1, lease->owner, sizeof lease->owner);
    lease->counter = sqlite3_column_int64(s, 2);
    get_text(s, 3, lease->tenure, sizeof lease->tenure);
    lease->start_at_ms = sqlite3_column_int64(s, 6);
    lease->owner_switches = sqlite3_column_int64(s, 7);
    lease->as_of_ms = sqlite3_column_type(s, 8) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 8);
    get_shards(s, 9, lease->parents);
    get_shards(s, 10, lease->children);
    get_text(s, 11, lease->starting_hash_key, sizeof lease->starting_hash_key);
    get_text(s, 12, lease->ending_hash_key, sizeof lease->ending_hash_key);
    if (store_lease_set_checkpoint(lease, sqlite_text(s, 4), (uint32_t)sqlite3_column_int64(s, 5)))
        return STATUS_OK;
    return error_set(e, STATUS_FAILED, "lease '%s' in database '%s' has no checkpoint that is one",
                     lease->shard_id, d->path);
}

/* ---- reading and writing leases
 * --------------------------------------------------------------------------------------- */

enum status store_sqlite_read_leases(struct store *store, struct store_lease **leases, size_t *n,
                                     struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    struct store_lease *list = NULL;
    enum status status;
    struct sqlite *c = store_sqlite_take_reader(d, e);
    if (!c)
        return e->status;

    sqlite3_stmt *s = sqlite_statement(
        c, SELECT_LEASES, "SELECT " LEASE_COLUMNS " FROM leases WHERE entityType = 'LEASE' ORDER BY leaseKey",
        e);
    *n = 0;
    for (status = s ? STATUS_OK : e->status; !status && !(status = sqlite_step(c, s, e));) {
        list = mem_resize(list, *n + 1, sizeof *list);
        status = *n < LIMIT_SHARDS ? get_lease(d, s, &list[(*n)++], e)
                                   : error_set(e, STATUS_FAILED, "more than %d leases", LIMIT_SHARDS);
    }
    if (s)
        sqlite3_reset(s);
    store_sqlite_give_reader(d, c);
    if (status != STATUS_NOT_FOUND) {
        free(list);
        return status;
    }
    *leases = list ? list : mem_zalloc(1);
    return STATUS_OK;
}

enum status store_sqlite_create_lease(struct store *store, const struct store_lease *lease, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = store_sqlite_begin(d, NULL, e);
    if (status)
        return status;
    sqlite3_stmt *s =
        sqlite_statement(&d->writer, INSERT_LEASE,
                         "INSERT INTO leases (" LEASE_COLUMNS ", entityType) VALUES (" LEASE_PARAMETERS
                         ", 'LEASE') ON CONFLICT DO NOTHING",
                         e);
    if (s)
        bind_lease(s, lease);
    status = s ? sqlite_execute(&d->writer, s, e) : e->status;
    if (!status && sqlite3_changes(d->writer.db) == 0)
        status = error_set(e, STATUS_CONFLICT, "lease '%s' is there already", lease->shard_id);
    return store_sqlite_end(d, NULL, status, e);
}

static enum status find_lease(struct store_sqlite *d, const char *shard_id, struct store_lease *found,
                              struct error *e) {
    sqlite3_stmt *s = sqlite_statement(
        &d->writer, SELECT_LEASE,
        "SELECT " LEASE_COLUMNS " FROM leases WHERE leaseKey = ? AND entityType = 'LEASE'", e);
    memset(found, 0, sizeof *found);
    if (!s)
        return e->status;
    sqlite_bind_text(s, 1, shard_id);
    enum status status = sqlite_step(&d->writer, s, e);
    if (!status)
        status = get_lease(d, s, found, e);
    sqlite3_reset(s);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool is_what_was_read(const struct store_lease *found, const struct store_lease *before) {
    return *found->shard_id && strcmp(found->owner, before->owner) == 0 &&
           found->counter == before->counter && strcmp(found->tenure, before->tenure) == 0;
}

/* Batches write their checkpoint themselves, and may have got further than whoever renews the lease knew. */
static void keep_later_checkpoint(struct store_lease *after, const struct store_lease *found) {
    if (strcmp(after->tenure, found->tenure) == 0 && after->checkpoint != LEASE_SHARD_END &&
        found->checkpoint == LEASE_AT_POSITION &&
        (after->checkpoint != LEASE_AT_POSITION ||
         position_compare(&after->position, &found->position) < 0)) {
        after->checkpoint = LEASE_AT_POSITION;
        after->position = found->position;
    }
}

static enum status write_lease(struct store_sqlite *d, const struct store_lease *after, struct error *e) {
    sqlite3_stmt *s = sqlite_statement(
        &d->writer, UPDATE_LEASE,
        "UPDATE leases SET (" LEASE_COLUMNS ") = (" LEASE_PARAMETERS ") WHERE leaseKey = ?1", e);
    if (!s)
        return e->status;
    bind_lease(s, after);
    return sqlite_execute(&d->writer, s, e);
}

enum status store_sqlite_update_lease(struct store *store, const struct store_lease *before,
                                      const struct store_lease *after, const struct fence *fence,
                                      struct store_lease *found, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    struct store_lease merged = *after;
    enum status status = store_sqlite_begin(d, fence, e);
    if (status)
        return status;
    status = find_lease(d, before->shard_id, found, e);
    if (!status && !is_what_was_read(found, before))
        status = error_set(e, STATUS_CONFLICT, "lease '%s' is not what was read", before->shard_id);
    if (!status) {
        keep_later_checkpoint(&merged, found);
        status = write_lease(d, &merged, e);
    }
    return store_sqlite_end(d, fence, status, e);
}

enum status store_sqlite_delete_lease(struct store *store, const struct store_lease *before,
                                      const struct fence *fence, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = store_sqlite_begin(d, fence, e);
    if (status)
        return status;
    sqlite3_stmt *s = sqlite_statement(&d->writer, DELETE_LEASE,
                                       "DELETE FROM leases WHERE leaseKey = ?1 AND entityType = 'LEASE' AND"
                                       " leaseOwner IS ?2 AND leaseCounter = ?3 AND tenure IS ?4",
                                       e);
    if (s) {
        bind_copy(s, 1, before->shard_id);
        bind_copy(s, 2, before->owner);
        sqlite_bind_int(s, 3, before->counter);
        bind_copy(s, 4, before->tenure);
    }
    status = s ? sqlite_execute(&d->writer, s, e) : e->status;
    if (!status && sqlite3_changes(d->writer.db) == 0)
        status = error_set(e, STATUS_CONFLICT, "lease '%s' is not what was read", before->shard_id);
    return store_sqlite_end(d, fence, status, e);
}

/* Batches are transactions here, their checkpoints in them: there are no watermarks. */
enum status store_sqlite_shrink_watermarks(struct store *store, const char *shard_id,
                                           const struct fence *fence, struct store_shrinking *shrinking,
                                           struct error *e) {
    (void)store, (void)shard_id, (void)fence, (void)e;
    shrinking->done = true;
    return STATUS_OK;
}
