/*
 * budget: how many bytes of records all shards together may have in memory, and which shard may read next.
 *
 * Before a read a shard reserves what the reply may take at most, and waits if that is not free; after the
 * read it sets what the reply really took; and it gives that back when the memory is freed. First come, first
 * served: a large reservation is not overtaken by small ones. If nothing is held at all, the first in line
 * gets its reservation, however large: so a budget smaller than one reply is slow, but never blocks for ever.
 *
 * A shard does not wait while it holds a reservation. One that stops waiting (it has other work) leaves the
 * line, so that it blocks no other; when it asks again it has its former place.
 *
 * The bytes held (winner_view_inflight_bytes) exceed the limit (winner_view_inflight_limit_bytes) where
 * replies are larger than was reserved; then nothing is granted until they are below it again.
 *
 * Thread-safe; a claim is used by one thread at a time. Where a budget is borrowed, NULL means no limit.
 */
#ifndef BASE_MEMORY_BUDGET_H
#define BASE_MEMORY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/waker.h"

struct budget;

/* What one user holds or waits for. Zeroed is nothing. Before its memory is freed: budget_set(b, claim, 0).
 */
struct budget_claim {
    /* private, guarded by the budget */
    size_t bytes;  /* held */
    size_t wanted; /* waited for */
    uint64_t turn; /* its place in the line, kept until a grant was used; 0: none */
    bool waiting;
    struct waker *waker;
    struct budget_claim *next;
};

struct budget *budget_new(size_t limit);
void budget_free(struct budget *b); /* nothing may be held */

/* Reserves `bytes` for a claim that holds nothing. True: it holds them. False: it is in the line; `waker`
 * (borrowed) is woken when it holds them: then ask again, or budget_leave. Does not block. */
bool budget_ask(struct budget *b, struct budget_claim *claim, size_t bytes, struct waker *waker);

/* Leaves the line, and gives back what was granted meanwhile. */
void budget_leave(struct budget *b, struct budget_claim *claim);

/* Sets what the claim holds: less than was reserved, or more without asking; 0 gives it back. A claim that
 * held something loses its place in the line; one that held nothing keeps it. */
void budget_set(struct budget *b, struct budget_claim *claim, size_t bytes);

/* The bytes held, over all claims. For tests. */
size_t budget_held(struct budget *b);

#endif
