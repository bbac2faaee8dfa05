/*
 * identity_from: the identity key of the view that --identity-from names, so that a view that is rebuilt
 * beside it gives people the same ids, and reads its cursors where kind of store and board partitions are the
 * same.
 */
#ifndef SERVER_IDENTITY_FROM_H
#define SERVER_IDENTITY_FROM_H

#include "base/error.h"
#include "server/backend.h"
#include "server/options.h"
#include "views/store.h"

/* Reads it, whatever the other view's version. Blocks. `backend` has the AWS settings. INVALID: there is no
 * such view. */
enum status identity_from_read(const struct options *options, const struct backend *backend,
                               uint8_t key[STORE_IDENTITY_KEY_BYTES], struct error *e);

#endif
