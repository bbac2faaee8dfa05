/*
 * identity: opaque ids for contributors.
 *
 * An id is the userId under AES-128-SIV (RFC 5297) with the store's 256-bit identity key, in base64url: the
 * same id for the same contributor in every process, nothing to be read from it, and none that we did not
 * make ever opens. Thread-safe after identity_new.
 */
#ifndef API_IDENTITY_H
#define API_IDENTITY_H

#include <stdint.h>

#include "server/base/error.h"

#define IDENTITY_KEY_BYTES 32

struct identity;

/* NULL if OpenSSL has no AES-SIV. */
struct identity *identity_new(const uint8_t key[IDENTITY_KEY_BYTES], struct error *e);
void identity_free(struct identity *identity);

/* The id of a userId (not empty); a new string, the caller's. */
char *identity_seal(const struct identity *identity, const char *user_id);

/* The userId of an id; a new string, the caller's. NULL if `id` is not one that was sealed under this key. */
char *identity_open(const struct identity *identity, const char *id);

#endif
