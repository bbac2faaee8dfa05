/*
 * apply: a batch of one shard's records into the views, exactly once (design, section 5).
 *
 *   1. read the contributions that the batch touches
 *   2. fold the records over them, in memory
 *   3. write the scores      \ store_write_batch
 *   4. write the contributions /
 *   5. the checkpoint, later, by whoever holds the lease
 *
 * Credit for a record is decided by its product's row as it was before the record, and rows move only after
 * all scores of the batch are in. So whatever is cut short and applied again decides the same, and the
 * watermarks swallow what was counted already.
 *
 * *No gap*: a row that a batch is folded over reflects every record before the batch. So the cache of rows
 * here belongs to one tenure of one lease; rows leave it while a batch is under way and come back only when
 * the store has acknowledged all of that batch. After a failed condition, or no answer, they are read again.
 *
 * Not thread-safe: it belongs to its shard's thread.
 */
#ifndef VIEWS_APPLY_H
#define VIEWS_APPLY_H

#include "base/fence.h"
#include "base/pulse.h"
#include "views/event.h"
#include "views/position.h"
#include "views/store.h"

struct apply;

struct apply_record {
    struct event event;
    struct position position; /* ascending within a batch, and from batch to batch */
};

struct apply_counts {
    size_t applied, duplicate, stale;
    int throttles; /* how often the store answered a write with "slow down", whatever came of the batch */
};

/* Told which rows changed, after the store has acknowledged them, on the shard's thread; also those of a
 * batch that failed in the end. Must not block. */
struct apply_listener {
    void (*rows_changed)(void *data, const char *const product_ids[], size_t n_products,
                         const char *const user_ids[], size_t n_users);
    void *data;
};

/* For one tenure of the lease of `shard_id`. All borrowed, to outlive it; `listener` may be NULL.
 * `cache_bytes` bounds the rows kept between batches. */
struct apply *apply_new(struct store *store, const char *shard_id, const struct fence *fence,
                        const struct apply_listener *listener, size_t cache_bytes);
void apply_free(struct apply *a);

/* Beats while a batch takes long but the store answers; NULL: nobody watches. */
void apply_set_pulse(struct apply *a, struct pulse *pulse);

/* `checkpoint` (may be NULL) is what a store whose batches are transactions writes along.
 *
 * OK: all of it is in the store. Anything else: some of it may be; the same batch, as it is, must be applied
 * again before any later one (RETRY: after a pause), or given up together with the lease. */
enum status apply_batch(struct apply *a, const struct apply_record *records, size_t n,
                        const struct store_checkpoint *checkpoint, struct apply_counts *counts,
                        struct error *e);

#endif
