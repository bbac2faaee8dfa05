#include "server/identity_from.h"

#include "views/dynamodb/store.h"
#include "views/sqlite/store.h"

static enum status open_other(const struct options *options, const struct backend *backend,
                              struct store **store, struct error *e) {
    const char *path = options_of_kind(options->identity_from, "sqlite");
    const struct store_dynamodb_options tables = {
        .stage = options_of_kind(options->identity_from, "dynamodb"),
    };
    return path ? store_sqlite_open_reader(store, path, e)
                : store_dynamodb_open(store, &tables, backend->aws, NULL, e);
}

enum status identity_from_read(const struct options *options, const struct backend *backend,
                               uint8_t key[STORE_IDENTITY_KEY_BYTES], struct error *e) {
    struct store *store = NULL;
    enum status status = open_other(options, backend, &store, e);
    if (!status)
        status = store_read_identity_key(store, key, e);
    store_free(store);
    if (!status)
        return STATUS_OK;
    error_wrap(e, "--identity-from %s", options->identity_from);
    return status == STATUS_NOT_FOUND ? (e->status = STATUS_INVALID) : status;
}
