/* The identity key, for another view that takes it over. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/limits.h"
#include "views/dynamodb/attributes.h"
#include "views/dynamodb/rows.h"

enum status store_dynamodb_read_identity_key(struct store *store, uint8_t key[STORE_IDENTITY_KEY_BYTES],
                                             struct error *e) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    const struct aws_run run = {.deadline_boot_ms = clock_boot_ms() + LIMIT_CONTACT_MS};
    json_auto_t *item = NULL;
    size_t length = 0;
    enum status status =
        dynamodb_get_item(d->client, d->leases_table, rows_lease_key(ROWS_SOURCE_KEY), &run, &item, e);
    if (status == STATUS_NOT_FOUND)
        return error_set(e, status, "table '%s' does not exist", d->leases_table);
    if (status)
        return error_wrap(e, "cannot read the identity key in table '%s'", d->leases_table);
    if (!json_object_get(item, "identityKey"))
        return error_set(e, STATUS_NOT_FOUND, "table '%s' has no view", d->leases_table);
    if (!dynamodb_get_b(item, "identityKey", key, STORE_IDENTITY_KEY_BYTES, &length) ||
        length != STORE_IDENTITY_KEY_BYTES)
        return error_set(e, STATUS_FAILED, "the identity key in table '%s' is malformed", d->leases_table);
    return STATUS_OK;
}
