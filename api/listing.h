/*
 * listing: what is read page by page: `limit` rows, and a cursor from which the next page continues.
 *
 * A cursor is the place after a row, whether or not that row still exists. To clients it is opaque: sealed
 * under the store's identity key with its version and its listing. A cursor that was invented, changed, cut,
 * or made for another listing, store or version does not open. It holds no time, so it never expires, and
 * `limit` may differ from page to page. The same place has the same cursor in every process, so a page that
 * has not changed keeps its `next`.
 *
 * A cache key of a page has: template, limit; for a later page also score, rank, rows and the id of the last
 * row.
 */
#ifndef API_LISTING_H
#define API_LISTING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/cache_key.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/seal.h"

enum listing { /* the numbers are sealed into cursors: add only at the end */
               LISTING_MERCHANTS,
               LISTING_PHOTOGRAPHERS,
               LISTING_CONTRIBUTIONS,
};

struct listing_cursor {
    /* `score`, `rank` and `rows` are 0 in a listing that is not a board. */
    int64_t score;                   /* of the last row of the page */
    int64_t rank;                    /* of that row */
    int64_t rows;                    /* on all pages up to it */
    char after[LIMIT_KEY_BYTES + 1]; /* its userId or productId, not empty */
};

struct listing_page {
    size_t limit;
    bool is_first;
    struct listing_cursor from; /* zeros on the first page */
};

/* The sealed form; a new string, the caller's. */
char *listing_seal_cursor(const struct sealer *sealer, enum listing listing,
                          const struct listing_cursor *cursor);

/* False if `sealed` is not a cursor of this listing. */
bool listing_open_cursor(const struct sealer *sealer, enum listing listing, const char *sealed,
                         struct listing_cursor *cursor);

/* The JSON of `next`: where the page after `last` and the row `after` begins; null if `after` is NULL. */
json_t *listing_next(const struct sealer *sealer, enum listing listing, struct listing_cursor *last,
                     const char *after);

/* Adds the request's `limit` to a key. False with a problem. */
bool listing_add_limit(const struct request *request, unsigned default_limit, struct cache_key *key,
                       struct problem *p);

/* Adds the page that the request asks for: its `limit` and its `cursor`. False with a problem. */
bool listing_add_page(const struct sealer *sealer, enum listing listing, const struct request *request,
                      unsigned default_limit, struct cache_key *key, struct problem *p);

/* Read the limit or the page from the parts of a cache key. */
size_t listing_limit(const char *const parts[CACHE_KEY_PARTS]);
bool listing_is_first_page(const char *const parts[CACHE_KEY_PARTS]);
void listing_read_page(const char *const parts[CACHE_KEY_PARTS], struct listing_page *page);

#endif
