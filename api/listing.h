/*
 * listing: what is read page by page: `limit` rows, and a cursor from which the next page continues.
 *
 * A cursor is the place next to a row, whether or not that row still exists. To clients it is opaque: sealed
 * under the store's identity key with its version and its scope, which is what is listed: the parts of a
 * page's cache key before its limit, the kind of the store and its board partitions (they decide the order of
 * rows with equal scores). A cursor that was invented, changed, cut, or made for another scope does not open.
 * It holds no time, so it never expires, and `limit` may differ from page to page. The same place has the
 * same cursor in every process, so a page that has not changed keeps its `next`. Templates and the order of
 * parts must not change: clients keep cursors.
 *
 * A cache key of a page has: template, what is listed, limit; for a later page also the cursor: score, rank,
 * rows, direction and the id of the row.
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
#include "api/view.h"

struct listing_scope {
    uint8_t digest[16]; /* of SHA-256 */
};

struct listing_cursor {
    bool up; /* the page ends before the row instead of beginning after it; only of a board */
    /* `score`, `rank` and `rows` are 0 in a listing that is not a board; the last two in one that goes up. */
    int64_t score;                   /* of the row */
    int64_t rank;                    /* of the row; 0: not known */
    int64_t rows;                    /* of the board up to it; LISTING_UNCOUNTED: not known */
    char after[LIMIT_KEY_BYTES + 1]; /* its userId or productId, or a period; not empty */
};
#define LISTING_UNCOUNTED (-1)

struct listing_page {
    size_t limit;
    bool is_first;
    struct listing_cursor from; /* zeros on the first page */
};

/* `key`: what is listed, and no more. */
void listing_scope_of(const struct view *view, const struct cache_key *key, struct listing_scope *scope);

/* The sealed form; a new string, the caller's. */
char *listing_seal_cursor(const struct sealer *sealer, const struct listing_scope *scope,
                          const struct listing_cursor *cursor);

/* False if `sealed` is not a cursor of this scope. */
bool listing_open_cursor(const struct sealer *sealer, const struct listing_scope *scope, const char *sealed,
                         struct listing_cursor *cursor);

/* The JSON of `next` and `previous`: a cursor at the row `after`; null if that is NULL. `key`: what is
 * listed, and no more. */
json_t *listing_next(const struct view *view, const struct cache_key *key, struct listing_cursor *last,
                     const char *after);

/* The request's `cursor` for what `key` lists; `after` is "" if it has none. False with a problem. */
bool listing_read_cursor(const struct view *view, const struct request *request, const struct cache_key *key,
                         struct listing_cursor *cursor, struct problem *p);

/* Adds the request's `limit` to a key. False with a problem. */
bool listing_add_limit(const struct request *request, unsigned default_limit, struct cache_key *key,
                       struct problem *p);

/* Adds the page that the request asks for, its `limit` and its `cursor`, to what is listed. False with a
 * problem. */
bool listing_add_page(const struct view *view, const struct request *request, unsigned default_limit,
                      struct cache_key *key, struct problem *p);

/* Read the limit or the page from the parts of a cache key, the first of which is the limit. */
size_t listing_limit(const char *const parts[]);
bool listing_is_first_page(const char *const parts[]);
void listing_read_page(const char *const parts[], struct listing_page *page);

#endif
