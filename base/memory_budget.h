/*
 * budget: how many bytes of records all shards together may have in memory, and which shard may read next.
 *
 * It counts what is there: the bytes of a reply as they arrive, then the records and batches that they
 * become. What a request might bring is not counted: a reply that hangs costs the others nothing.
 *
 * A reply begins when what is held, what the replies under way are still expected to bring, and what it is
 * expected to bring itself are within the limit; or if none is under way and what is held is below it: what
 * parts in trouble hold for long keeps no large reply, and so none behind it, from beginning. First come,
 * first served: so a dozen replies begin when memory becomes free, and not all that wait. An expectation is
 * no bound: it delays only the beginning of others.
 *
 * Before it grows, a reply asks. Within the limit each may grow. Beyond it only the oldest under way may: it
 * goes on to its end, so one full reply is the most by which replies exceed the limit, and there is always
 * one that ends. Any other is dropped, and is asked for again later: it keeps its turn, so that it is the
 * oldest some time. One that ends, or fails by itself, loses its turn.
 *
 * Work on what has arrived (budget_set) is counted and never waits: it makes memory free. So no part waits
 * for another that waits.
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
    enum { BUDGET_IDLE, BUDGET_WAITING, BUDGET_UNDER_WAY } state;
    size_t bytes;    /* held */
    size_t expected; /* of the reply */
    uint64_t turn;   /* its place in the line, and its age under way; 0: none */
    struct waker *waker;
    struct budget_claim *next;
};

struct budget *budget_new(size_t limit);
void budget_free(struct budget *b); /* nothing may be held */

/* Asks to begin a reply that is expected to take `expected` bytes. True: it is under way. False: it is in the
 * line; `waker` (borrowed) is woken when it may begin: then ask again, or budget_leave. Does not block. */
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
