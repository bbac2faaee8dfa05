/* The identity key, for another view that takes it over. */
#include <string.h>

#include "base/mem.h"

#include "views/sqlite/internal.h"

enum status store_sqlite_read_identity_key(struct store *store, uint8_t key[STORE_IDENTITY_KEY_BYTES],
                                           struct error *e) {
    _cleanup_(store_sqlite_end_reading) struct store_sqlite_reading r = {0};
    enum status status = store_sqlite_begin_query(
        &r, store, SELECT_IDENTITY_KEY, "SELECT identityKey FROM leases WHERE entityType = 'SOURCE'", e);
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
