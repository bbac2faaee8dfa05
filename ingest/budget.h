/*
 * budget: how many bytes of records may be in memory at once, over all shards, and whose turn it is.
 *
 * Whoever is about to read reserves as much as a reply may take, waits while there is not so much, says what
 * it really was, and gives it back once that memory is free. First come, first served: whoever waits for much
 * is not overtaken by those who want little. If nothing at all is held, the first in line goes, however much
 * it wants: so a budget below one reply is slow, never a standstill.
 *
 * Nobody waits while holding a reservation, and whoever stops waiting (it has something else to do) leaves
 * the line, so that it blocks nobody meanwhile; it finds its place again when it comes back.
 *
 * What is held (winner_view_inflight_bytes) may go above the limit (winner_view_inflight_limit_bytes) by what
 * turned out larger than reserved; then nothing is granted until it is below again.
 *
 * Thread-safe; a claim belongs to one thread, or to one at a time. Where a budget is borrowed, NULL is one
 * without a limit.
 */
#ifndef INGEST_BUDGET_H
#define INGEST_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/waker.h"

struct budget;

/* What somebody holds or waits for. Zeroed is nothing. Before it goes away: budget_set(b, claim, 0). */
struct budget_claim {
    /* private, guarded by the budget */
    size_t bytes;  /* held */
    size_t wanted; /* waited for */
    uint64_t turn; /* its place in the line, kept until a grant was used; 0: none yet */
    bool waiting;
    struct waker *waker;
    struct budget_claim *next;
};

struct budget *budget_new(size_t limit);
void budget_free(struct budget *b); /* nothing may be held */

/* Reserves `bytes` for a claim that holds nothing. True: it holds them now. False: it stands in line, and
 * `waker` (borrowed) is woken when it holds them; ask again then, or budget_leave. Does not block. */
bool budget_ask(struct budget *b, struct budget_claim *claim, size_t bytes, struct waker *waker);

/* Out of the line, and a grant that came meanwhile is given back. */
void budget_leave(struct budget *b, struct budget_claim *claim);

/* What the claim holds from now on: less than was reserved, or more without asking; 0 gives it back. If it
 * held something, its turn is over; one that held nothing keeps its place in the line. */
void budget_set(struct budget *b, struct budget_claim *claim, size_t bytes);

/* At this moment, over all claims. */
size_t budget_held(struct budget *b);

#endif
