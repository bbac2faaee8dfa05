/*
 * identity: what only this store's processes can make and read: texts sealed under its identity key.
 *
 * Sealed is AES-128-SIV (RFC 5297) with the store's 256-bit key, in base64url: the same text for the same
 * data and purpose in every process, nothing to be read from it, and none that we did not make ever opens.
 * The purpose is associated data: what was sealed for one opens for no other. Thread-safe after identity_new.
 */
#ifndef API_IDENTITY_H
#define API_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define IDENTITY_KEY_BYTES 32

enum identity_purpose {
    IDENTITY_ID,     /* of a contributor: the userId */
    IDENTITY_CURSOR, /* where a listing goes on: api/cursor.h */
};
enum { IDENTITY_PURPOSES = 2 };

struct identity;

/* NULL if OpenSSL has no AES-SIV. */
struct identity *identity_new(const uint8_t key[IDENTITY_KEY_BYTES], struct error *e);
void identity_free(struct identity *identity);

/* The sealed form of `data` (at least one byte); a new string, the caller's. */
char *identity_seal(const struct identity *identity, enum identity_purpose purpose, const void *data,
                    size_t length);

/* What was sealed, and a NUL behind it that `*length` (which may be NULL) does not count; new, the caller's.
 * NULL if `sealed` was not sealed under this key for this purpose. */
char *identity_open(const struct identity *identity, enum identity_purpose purpose, const char *sealed,
                    size_t *length);

#endif
