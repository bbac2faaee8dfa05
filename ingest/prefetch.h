/*
 * prefetch: reading and decoding ahead of applying, so that the two overlap: a thread that fills batches from
 * a shard's reader, and a short queue of them to whoever applies. Bounded: PREFETCH_ITEMS batches are in
 * memory for a shard, and what they and the reader hold is held of the budget: the reader's bytes until all
 * of them are in batches, a batch's until it is given back. A prefetch waits for the budget only to read
 * more, which ends with the window of the batch that it has begun: that one is handed over as it is, so
 * nobody waits for it in turn.
 *
 * One thread takes (the shard's). What fails is handed over like a batch; the prefetch then goes on from
 * where it stood, when its item is given back: so the taker's pause is the prefetch's.
 */
#ifndef INGEST_PREFETCH_H
#define INGEST_PREFETCH_H

#include "ingest/batch.h"
#include "ingest/source.h"

enum { PREFETCH_ITEMS = 2, PREFETCH_LOSS_SIZE = 256 };

struct prefetch;

struct prefetch_options {
    size_t batch_records;
    int batch_window_ms;   /* how long a batch that is not full waits for more */
    struct budget *budget; /* borrowed; NULL: none */
};

struct prefetch_item {
    enum status status; /* not OK: the source failed so (`error`), and there is nothing else */
    struct error error;
    struct batch batch; /* may be empty: then `as_of_ms` alone is news. The taker may work on it. */
    bool ended;         /* after this batch there is nothing more, ever */
    bool gone;          /* with `ended`: the source does not have the shard any more */
    struct source_shard children[STORE_LEASE_PARENTS]; /* with `ended` */
    size_t n_children;
    char loss[PREFETCH_LOSS_SIZE]; /* not "": records that should have been in this batch, or after it, are
                                      gone */
};

/* `shard` as for source_open. */
struct prefetch *prefetch_start(struct source *source, const struct source_shard *shard,
                                const struct source_start *start, const struct prefetch_options *options);

/* The next item, the prefetch's own until prefetch_give_back; waits for it until CLOCK_BOOTTIME `until_ms`.
 * NULL: none by then, or woken, or none ever (prefetch_is_over tells). */
struct prefetch_item *prefetch_take(struct prefetch *p, int64_t until_ms);

/* The taker's thread. Whether everything was given back and nothing will ever come: the source's end, or
 * prefetch_finish. */
bool prefetch_is_over(const struct prefetch *p);

void prefetch_give_back(struct prefetch *p);

/* The taker's thread. From the next batch that is begun; the time from the one under way. */
void prefetch_set_window(struct prefetch *p, size_t batch_records, int batch_window_ms);

/* Any thread: ends a wait in prefetch_take, now or the next one. */
void prefetch_wake(struct prefetch *p);

/* When its thread last turned: waiting for room and between reads is turning. Any thread. */
int64_t prefetch_alive_ms(const struct prefetch *p);

/* The taker's thread. Reads no more: the batches that are full or begun are handed out, then nothing. Records
 * of the last read that are in no batch yet are dropped: the checkpoint is before them. */
void prefetch_finish(struct prefetch *p);

/* The taker's thread. Waits for the prefetch's, which may be in a call; prefetch_free is quick then. */
void prefetch_end(struct prefetch *p);

/* Waits for its thread. */
void prefetch_free(struct prefetch *p);

#endif
