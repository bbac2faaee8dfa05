/*
 * budget: how many bytes of records all shards together may have in memory, and which shard may read next.
 *
 * It counts what has arrived: the bytes of a reply, then the records and batches that they become. It does
 * not count what a request may still bring: a reply that hangs takes no memory from the others.
 *
 * A reply begins if the limit allows the sum of what is held, what the replies under way are still expected
 * to bring, and what this one is expected to bring. It also begins if no reply is under way and less than the
 * limit is held: else memory that a shard in trouble holds for long would keep a large reply, and all behind
 * it, from beginning. Replies begin in the order in which they asked. So when memory becomes free, some of
 * those that wait begin, not all. An expectation is no bound: it only delays other replies, and it ends once
 * nothing has arrived for LIMIT_SILENT_MS: those that wait see that when they ask again.
 *
 * A reply asks before it grows. Within the limit each may grow. Beyond the limit only the oldest reply under
 * way may grow, to its end. So replies exceed the limit by one full reply at most, and one always ends. Any
 * other is dropped, and requested again later. It keeps its turn, so in time it is the oldest. A reply that
 * ends, or fails by itself, loses its turn.
 *
 * Work on what has arrived (budget_set) is counted and never waits: it frees memory. So nothing waits for
 * something that waits, too.
 *
 * Thread-safe; one thread at a time uses a claim. Nothing here blocks. Where a budget is borrowed, NULL means
 * no limit.
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
    enum { BUDGET_IDLE, BUDGET_WAITING, BUDGET_UNDER_WAY } state;
    size_t bytes;    /* held */
    int64_t grew_ms; /* the reply, or when it began */
    size_t expected; /* of the reply */
    uint64_t turn;   /* its place in the line, and its age under way; 0: none */
    struct waker *waker;
    struct budget_claim *next;
};

/* `limit` in bytes. */
struct budget *budget_new(size_t limit);
void budget_free(struct budget *b); /* nothing may be held */

/* Asks to begin a reply that is expected to take `expected` bytes. True: it is under way. False: it waits in
 * the line; `waker` (borrowed) is woken when it is under way. Then ask again, or call budget_leave. */
bool budget_begin(struct budget *b, struct budget_claim *claim, size_t expected, struct waker *waker);

/* The reply under way takes so many bytes now. False: it must be dropped, and no longer counts. */
bool budget_grow(struct budget *b, struct budget_claim *claim, size_t bytes);

/* The claim leaves the line, or a reply under way is dropped, and holds nothing. It keeps its turn. */
void budget_leave(struct budget *b, struct budget_claim *claim);

/* Sets what the claim holds, without asking; 0 gives it back. A reply under way has ended then. */
void budget_set(struct budget *b, struct budget_claim *claim, size_t bytes);

/* The bytes held, over all claims. For tests. */
size_t budget_held(struct budget *b);

#endif
