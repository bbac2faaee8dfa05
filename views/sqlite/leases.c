/* Leases in SQLite. A set of shard ids is kept as text, separated by a comma. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/event_id.h"
#include "views/sqlite/internal.h"

#define LEASE_COLUMNS                                                                                        \
    "leaseKey, leaseOwner, leaseCounter, tenure, checkpoint, checkpointSubSequenceNumber, startAt, "         \
    "ownerSwitchesSinceCheckpoint, asOf, parentShardId, childShardIds, startingHashKey, endingHashKey, "     \
    "checkpointHash, foreignArrivals"
#define LEASE_PARAMETERS "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15"

/* Copied: `text` may be a local of the caller. "" becomes NULL. */
static void bind_copy(sqlite3_stmt *s, int parameter, const char *text) {
    sqlite3_bind_text(s, parameter, *text ? text : NULL, -1, SQLITE_TRANSIENT);
}

static void bind_shards(sqlite3_stmt *s, int parameter, const char shards[][LIMIT_SHARD_ID_BYTES + 1]) {
    char text[2 * LIMIT_SHARD_ID_BYTES + 2];
    snprintf(text, sizeof text, "%s%s%s", shards[0], *shards[0] && *shards[1] ? "," : "", shards[1]);
    bind_copy(s, parameter, text);
}

void store_sqlite_bind_hash(sqlite3_stmt *s, int parameter, const struct digest *hash) {
    if (digest_is_set(hash))
        sqlite3_bind_blob(s, parameter, hash->bytes, sizeof hash->bytes, SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(s, parameter);
}

static void bind_lease(sqlite3_stmt *s, const struct store_lease *lease) {
    char sequence[POSITION_TEXT_SIZE];
    uint32_t sub;
    bind_copy(s, 1, lease->shard_id);
    bind_copy(s, 2, lease->owner);
    sqlite3_bind_int64(s, 3, lease->counter);
    bind_copy(s, 4, lease->tenure);
    bind_copy(s, 5, store_lease_checkpoint(lease, sequence, &sub));
    sqlite3_bind_int64(s, 6, sub);
    sqlite3_bind_null(s, 7);
    if (lease->checkpoint == LEASE_AT_TIMESTAMP)
        sqlite3_bind_int64(s, 7, lease->start_at_ms);
    sqlite3_bind_int64(s, 8, lease->owner_switches);
    sqlite3_bind_null(s, 9);
    if (lease->as_of_ms >= 0)
        sqlite3_bind_int64(s, 9, lease->as_of_ms);
    bind_shards(s, 10, lease->parents);
    bind_shards(s, 11, lease->children);
    bind_copy(s, 12, lease->starting_hash_key);
    bind_copy(s, 13, lease->ending_hash_key);
    store_sqlite_bind_hash(s, 14,
                           lease->checkpoint == LEASE_AT_POSITION ? &lease->hash : &(struct digest){0});
    sqlite3_bind_null(s, 15);
    if (lease->foreign_arrivals)
        sqlite3_bind_int64(s, 15, 1);
}

/* A lease is unreadable if one of its columns is: what would be read of it would be written back, or decide
 * what is read next. NULL is "". */
static bool get_text(sqlite3_stmt *s, int column, char *out, size_t size) {
    const char *text = sqlite_text(s, column);
    size_t length = text ? strlen(text) : 0;
    if (length >= size || length != (size_t)sqlite3_column_bytes(s, column))
        return false;
    memcpy(out, text ? text : "", length + 1);
    return true;
}

/* NULL is `otherwise`. */
static bool get_number(sqlite3_stmt *s, int column, int64_t otherwise, int64_t *number) {
    int type = sqlite3_column_type(s, column);
    *number = type == SQLITE_NULL ? otherwise : sqlite3_column_int64(s, column);
    return type == SQLITE_NULL || type == SQLITE_INTEGER;
}

static bool get_shards(sqlite3_stmt *s, int column, char shards[][LIMIT_SHARD_ID_BYTES + 1]) {
    char text[2 * LIMIT_SHARD_ID_BYTES + 2];
    if (!get_text(s, column, text, sizeof text))
        return false;
    char *rest = text;
    for (int i = 0; i < STORE_LEASE_PARENTS && rest && *text; i++) {
        const char *id = strsep(&rest, ",");
        if (!event_id_is_shard_id(id, strlen(id)))
            return false;
        strcpy(shards[i], id);
    }
    return !rest || !*text;
}

static bool get_checkpoint(sqlite3_stmt *s, struct store_lease *lease) {
    int64_t sub;
    if (sqlite3_column_bytes(s, 13) == DIGEST_BYTES)
        memcpy(lease->hash.bytes, sqlite3_column_blob(s, 13), DIGEST_BYTES);
    return get_number(s, 5, 0, &sub) && sub >= 0 && sub <= UINT32_MAX &&
           store_lease_set_checkpoint(lease, sqlite_text(s, 4), (uint32_t)sub);
}

/* NULL; or the name of the first column that is malformed. */
static const char *get_texts(sqlite3_stmt *s, struct store_lease *lease) {
    if (!get_text(s, 0, lease->shard_id, sizeof lease->shard_id) ||
        !event_id_is_shard_id(lease->shard_id, strlen(lease->shard_id)))
        return "leaseKey";
    if (!get_text(s, 1, lease->owner, sizeof lease->owner))
        return "leaseOwner";
    if (!get_text(s, 3, lease->tenure, sizeof lease->tenure))
        return "tenure";
    if (!get_shards(s, 9, lease->parents))
        return "parentShardId";
    if (!get_shards(s, 10, lease->children))
        return "childShardIds";
    if (!get_text(s, 11, lease->starting_hash_key, sizeof lease->starting_hash_key) ||
        !get_text(s, 12, lease->ending_hash_key, sizeof lease->ending_hash_key))
        return "hash key";
    return NULL;
}

static enum status get_lease(const struct store_sqlite *d, sqlite3_stmt *s, struct store_lease *lease,
                             struct error *e) {
    memset(lease, 0, sizeof *lease);
    int64_t foreign;
    const char *malformed = get_texts(s, lease);
    if (!malformed && !(get_number(s, 2, 0, &lease->counter) && get_number(s, 6, 0, &lease->start_at_ms) &&
                        get_number(s, 7, 0, &lease->owner_switches) &&
                        get_number(s, 8, -1, &lease->as_of_ms) && get_number(s, 14, 0, &foreign)))
        malformed = "number";
    if (!malformed && !get_checkpoint(s, lease))
        malformed = "checkpoint";
    if (malformed)
        return error_set(e, STATUS_FAILED, "lease '%s' in database '%s' has no valid %s", lease->shard_id,
                         d->path, malformed);
    lease->foreign_arrivals = foreign != 0;
    return STATUS_OK;
}

enum status store_sqlite_read_leases(struct store *store, bool consistent, struct store_lease **leases,
                                     size_t *n, struct error *e) {
    (void)consistent; /* always */
    struct store_lease *list = NULL;
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    *n = 0;
    enum status status = store_sqlite_check_files(store_sqlite_of(store), e); /* else they may be old */
    if (!status)
        status = store_sqlite_begin_query(
            &r, store, SELECT_LEASES,
            "SELECT " LEASE_COLUMNS " FROM leases WHERE entityType = 'LEASE' ORDER BY leaseKey", e);
    while (!status && !(status = sqlite_step(r.c, r.s, e))) {
        list = mem_resize(list, *n + 1, sizeof *list);
        status = *n < LIMIT_SHARDS ? get_lease(r.d, r.s, &list[(*n)++], e)
                                   : error_set(e, STATUS_FAILED, "more than %d leases", LIMIT_SHARDS);
    }
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
        status = error_set(e, STATUS_CONFLICT, "lease '%s' exists already", lease->shard_id);
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

/* A batch writes its checkpoint into the lease, perhaps after the caller read the lease. */
static void keep_later_checkpoint(struct store_lease *after, const struct store_lease *found) {
    if (strcmp(after->tenure, found->tenure) == 0 && after->checkpoint != LEASE_SHARD_END &&
        found->checkpoint == LEASE_AT_POSITION &&
        (after->checkpoint != LEASE_AT_POSITION ||
         position_compare(&after->position, &found->position) < 0)) {
        after->checkpoint = LEASE_AT_POSITION;
        after->position = found->position;
        after->hash = found->hash;
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
        status = error_set(e, STATUS_CONFLICT, "lease '%s' has changed since it was read", before->shard_id);
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
        sqlite3_bind_int64(s, 3, before->counter);
        bind_copy(s, 4, before->tenure);
    }
    status = s ? sqlite_execute(&d->writer, s, e) : e->status;
    if (!status && sqlite3_changes(d->writer.db) == 0)
        status = error_set(e, STATUS_CONFLICT, "lease '%s' has changed since it was read", before->shard_id);
    return store_sqlite_end(d, fence, status, e);
}
