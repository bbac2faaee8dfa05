/*
 * apply: one shard's records into the views, exactly once: steps 1 to 4 of views/README.md, "Applying a
 * batch". Step 5, the checkpoint, is written by the lease's owner.
 *
 * Records are folded as they are added, and let go: what stays until the batch is written is what it changes.
 * A store with watermarks needs more: the positions; and, as parts of a batch may be written, the records
 * themselves, to fold them again after a write that failed. Another store writes all of a batch or nothing:
 * the same is written again.
 *
 * The rule that it keeps is "No gap": a row that a batch is folded over reflects every record before the
 * batch. So the rows kept here belong to one tenure of one lease. A row that is folded over counts as kept
 * again only when the store has acknowledged the whole batch. After a failed condition or a write without an
 * answer it is read again.
 *
 * Not thread-safe: it belongs to its shard's thread.
 */
#ifndef VIEWS_APPLY_H
#define VIEWS_APPLY_H

#include "base/fence.h"
#include "base/pulse.h"
#include "views/fold.h"
#include "views/position.h"
#include "views/store.h"

struct apply;
struct budget;        /* base/memory_budget.h */
struct service_clock; /* base/service_clock.h */

struct apply_record {
    struct event event;
    struct position position; /* ascending, and from batch to batch */
};

struct apply_counts {
    size_t applied, duplicate, stale;
    int throttles; /* writes that the store throttled, whatever became of the batch */
};

/* Purchases that the store has newly acknowledged: not duplicates, and each once. One whose answer was lost
 * is in none. */
struct apply_sales {
    size_t n;                           /* at least 1 */
    const struct contribution *product; /* of the newest; borrowed for the call */
    int64_t time_ms;                    /* its timeOrigin */
};

/* Receives the rows that changed, once the store has acknowledged them, on the shard's thread; also those of
 * a batch that failed in the end: products whose contribution or score changed, and people whose score
 * changed in any period, once for each role. Must not block. */
struct apply_listener {
    void (*rows_changed)(void *data, const char *const product_ids[], size_t n_products,
                         const char *const user_ids[], size_t n_users);
    /* Once a batch at most, on the shard's thread. Must not block. NULL: nobody is interested. */
    void (*sold)(void *data, const struct apply_sales *sales);
    void *data;
};

/* For one tenure of the lease of `shard_id`. The pointers are borrowed and outlive it; `listener` may be
 * NULL. `cache_bytes` bounds the rows kept between batches, with the batch under way. */
struct apply *apply_new(struct store *store, const char *shard_id, const struct fence *fence,
                        const struct apply_listener *listener, size_t cache_bytes);
void apply_free(struct apply *a);

/* The pulse beats while a batch takes long but the store answers. NULL: none. */
void apply_set_pulse(struct apply *a, struct pulse *pulse);

/* The memory of a batch counts as held against this budget (borrowed), without waiting for it. NULL: none. */
void apply_set_budget(struct apply *a, struct budget *budget);

/* The service's clock: rows that have expired are not written where that would count wrongly (views/store.h).
 * Borrowed; NULL: all rows are written. */
void apply_set_clock(struct apply *a, struct service_clock *clock);

/* Adds records to the batch under way, or begins one; they are borrowed for the call. On anything but OK none
 * of them was added, and they may be added again (RETRY: after a pause). */
enum status apply_add(struct apply *a, const struct apply_record *records, size_t n, struct error *e);

/* Of the batch under way: memory, about; 0: there is none. */
size_t apply_size(const struct apply *a);

/* Whether the batch under way changes as many rows as one transaction may: by how long the last ones took, so
 * that none takes much longer than LIMIT_TRANSACTION_MS. Never for a store that writes row by row. */
bool apply_is_full(const struct apply *a);

/* Writes the batch under way, and ends it. `checkpoint` (may be NULL): a store whose batches are transactions
 * writes it with the batch.
 *
 * OK: all of it is in the store, and `counts` says what it was. Anything else: some of it may be, and it is
 * still under way. Then call again (RETRY: after a pause); or drop it, and add its
 * records again, in batches of any size, before any later one; or give it up together with the lease. A new
 * owner of the lease does the same after a crash: each row and each watermark has the last record that it
 * counted, so none is counted twice. CONFLICT: somebody else writes these rows: only to drop it helps. */
enum status apply_write(struct apply *a, const struct store_checkpoint *checkpoint,
                        struct apply_counts *counts, struct error *e);

/* No batch is under way, and no records are expected soon: gives memory back. */
void apply_rest(struct apply *a);

/* Ends the batch under way without writing it. */
void apply_drop(struct apply *a);

#endif
