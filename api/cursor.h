/*
 * cursor: where a listing goes on: after a row, whether or not that row is still there.
 *
 * To clients it is opaque: sealed under the store's identity key with its version and its listing, so that
 * one that was made up, changed, cut, or made for another listing, store or version opens nowhere. It holds a
 * place in an order and no time: it never expires, and `limit` may be another one on each page. The same
 * place has the same cursor in every process, so pages that have not changed have not changed in their `next`
 * either.
 *
 * In a key of the cache it stands in the clear, as parts of their own.
 */
#ifndef API_CURSOR_H
#define API_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "api/key.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/seal.h"

enum cursor_listing {
    CURSOR_MERCHANTS, /* what they are sealed as: only ever added to */
    CURSOR_PHOTOGRAPHERS,
    CURSOR_CONTRIBUTIONS,
};

struct cursor {
    int64_t score; /* of the last row that was shown, on a board; the next three are 0 elsewhere */
    int64_t rank;  /* of that row */
    int64_t shown; /* how many were, on all pages up to it */
    char after[LIMIT_KEY_BYTES + 1]; /* its userId or productId, not empty */
};

/* The sealed form; a new string, the caller's. */
char *cursor_seal(const struct sealer *sealer, enum cursor_listing listing, const struct cursor *cursor);

/* False if `sealed` is not a cursor of this listing. */
bool cursor_open(const struct sealer *sealer, enum cursor_listing listing, const char *sealed,
                 struct cursor *cursor);

/* Adds the request's cursor to a key; nothing if none was given. False, with a problem that names it, if it
 * is not one of this listing. */
bool cursor_prepare(const struct sealer *sealer, enum cursor_listing listing, const struct request *request,
                    struct key *key, struct problem *p);

/* The cursor whose parts begin at part `index` of the key; false if there are none: the first page. */
bool cursor_from_key(const char *key, size_t key_length, size_t index, struct cursor *cursor);

#endif
