/*
 * seal: texts that only the processes of one store can make and read.
 *
 * Data is sealed with AES-128-SIV (RFC 5297) under the store's 256-bit identity key, and written in
 * base64url. The same data has the same sealed form in every process. The data is padded first, so that the
 * length of the sealed form says little: it has 107, 192, 363, 704, 1387 or 2838 characters. Anything that
 * was not sealed under this key does not open. The purpose is associated data: what was sealed for one
 * purpose does not open for another.
 *
 * A sealer is thread-safe.
 */
#ifndef API_SEAL_H
#define API_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

#define SEAL_KEY_BYTES 32
#define SEAL_LONGEST_BYTES (LIMIT_KEY_BYTES + 64) /* of data: a key of the store, and what a cursor adds */

enum seal_purpose {
    SEAL_ID,     /* a contributor's id; the data is the userId */
    SEAL_CURSOR, /* where a listing continues (api/listing.h) */
};
enum { SEAL_PURPOSES = 2 };

struct sealer;

/* NULL if OpenSSL has no AES-SIV. */
struct sealer *seal_new(const uint8_t key[SEAL_KEY_BYTES], struct error *e);
void seal_free(struct sealer *sealer); /* NULL is fine */

/* The sealed form of `data` (not empty; the last byte is not a NUL); a new string, the caller's. Data beyond
 * SEAL_LONGEST_BYTES, which only a row that somebody else wrote can have, is not padded. */
char *seal_make(const struct sealer *sealer, enum seal_purpose purpose, const void *data, size_t length);

/* The data, new, the caller's; NULL if `sealed` was not sealed under this key for this purpose. A NUL follows
 * the data. `*length` does not count it; `length` may be NULL. Data that was sealed without padding, as by
 * earlier versions, opens too: clients keep ids. */
char *seal_open(const struct sealer *sealer, enum seal_purpose purpose, const char *sealed, size_t *length);

#endif
