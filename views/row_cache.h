/*
 * row_cache: the rows of Contributions that one shard's thread has in memory. A row is kept, which is the
 * cache proper: the store has it so, and it is dropped when it was not used for longest and the rest is too
 * large; or it is held: folded over in the batch under way, and perhaps ahead of the store. Not thread-safe.
 */
#ifndef VIEWS_ROW_CACHE_H
#define VIEWS_ROW_CACHE_H

#include "base/hash.h"
#include "views/board.h"
#include "views/packed.h"

struct earner; /* views/credits.h */

struct row {
    struct packed *packed;

    /* only while it is held: then from zeros on. In a row that is kept they, and what `packed` says of the
     * store's event, are what the batch left */
    struct earner *earners[ROLES];
    uint32_t n_sales, last_sale; /* purchases that were applied; the place of the last in the batch */
    int64_t last_sale_ms;        /* its time */

    /* private */
    size_t bytes;   /* as counted */
    uint64_t batch; /* in which it was held last */
    UT_hash_handle hh;
    struct row *earlier, *later;
};

struct row_cache {
    size_t max_bytes; /* of the rows kept, and of the batch under way if it is smaller than that */
    struct row *rows; /* private: all, by product; the rest is to be read */
    struct row *kept; /* the one not used for longest first */
    struct row *held; /* in the order in which they were taken; for each: DL_FOREACH2(..., later) */
    size_t kept_bytes, held_bytes, n_held;
    size_t most_kept_bytes; /* private: since it rested */
    uint64_t batch;         /* private: the one under way */
};

void row_cache_init(struct row_cache *c, size_t max_bytes);
void row_cache_deinit(struct row_cache *c);

/* Held or kept; NULL: neither. */
struct row *row_cache_find(struct row_cache *c, const char *product_id);

/* The same for many, which is faster: a large cache lies in cold memory, and these waits overlap. */
void row_cache_find_all(struct row_cache *c, const char *const product_ids[], size_t n, struct row *rows[]);

/* Holds it from now on; nothing if it is held. */
void row_cache_hold(struct row_cache *c, struct row *row);

/* A row for a product that has none here, held. */
struct row *row_cache_add(struct row_cache *c, const struct contribution *contribution);

/* What the store has of a row that is held. */
void row_cache_fill(struct row_cache *c, struct row *row, const struct contribution *contribution);

/* A row that is held is so from now on: ahead of the store. Its texts may move. */
void row_cache_change(struct row_cache *c, struct row *row, const struct contribution *contribution);

/* The batch under way has so many bytes: rows that are kept make room for it. */
void row_cache_make_room(struct row_cache *c, size_t bytes);

/* No batch is under way, and none is expected: a shard that is caught up has little use for more than a
 * fourth of the bytes. After a backlog all are dropped: a fourth, spread over the heap, would keep the memory
 * of the others. */
void row_cache_rest(struct row_cache *c);

/* All that are held are as the store has them now. After a small batch a fourth of the bytes is kept, too. */
void row_cache_keep_held(struct row_cache *c);

/* Drops all that are held, or one of them. */
void row_cache_drop_held(struct row_cache *c);
void row_cache_drop(struct row_cache *c, struct row *row);

#endif
