/*
 * feed: reading and decoding ahead of applying, so that the two overlap: a thread that fills batches from a
 * shard's reader, and a short queue of them to whoever applies. Bounded: FEED_ITEMS batches are in memory for
 * a shard, and what they and the reader hold is held of the budget: the reader's bytes until all of them are
 * in batches, a batch's until it is given back. A feed waits for the budget only to read more, which ends
 * with the window of the batch that it has begun: that one is handed over as it is, so nobody waits for it in
 * turn.
 *
 * One thread takes (the shard's). What fails is handed over like a batch; the feed then goes on from where it
 * stood, when its item is given back: so the taker's pause is the feed's.
 */
#ifndef INGEST_FEED_H
#define INGEST_FEED_H

#include "ingest/batch.h"
#include "ingest/source.h"

enum { FEED_ITEMS = 2, FEED_LOSS_SIZE = 256 };

struct feed;

struct feed_options {
    size_t batch_records;
    int batch_window_ms;   /* how long a batch that is not full waits for more */
    struct budget *budget; /* borrowed; NULL: none */
};

struct feed_item {
    enum status status; /* not OK: the source failed so (`error`), and there is nothing else */
    struct error error;
    struct batch batch; /* may be empty: then `as_of_ms` alone is news. The taker may work on it. */
    bool ended;         /* after this batch there is nothing more, ever */
    bool gone;          /* with `ended`: the source does not have the shard any more */
    struct source_shard children[STORE_LEASE_PARENTS]; /* with `ended` */
    size_t n_children;
    char
        loss[FEED_LOSS_SIZE]; /* not "": records that should have been in this batch, or after it, are gone */
};

/* `shard` as for source_open. */
struct feed *feed_start(struct source *source, const struct source_shard *shard,
                        const struct source_start *start, const struct feed_options *options);

/* The next item, the feed's own until feed_give_back; waits for it until CLOCK_BOOTTIME `until_ms`. NULL:
 * none by then, or woken, or none ever (feed_is_over tells). */
struct feed_item *feed_take(struct feed *f, int64_t until_ms);

/* The taker's thread. Whether everything was given back and nothing will ever come: the source's end, or
 * feed_finish. */
bool feed_is_over(const struct feed *f);

void feed_give_back(struct feed *f);

/* The taker's thread. From the next batch that is begun; the time from the one under way. */
void feed_set_window(struct feed *f, size_t batch_records, int batch_window_ms);

/* Any thread: ends a wait in feed_take, now or the next one. */
void feed_wake(struct feed *f);

/* When its thread last turned: waiting for room and between reads is turning. Any thread. */
int64_t feed_alive_ms(const struct feed *f);

/* The taker's thread. Reads no more: the batches that are full or begun are handed out, then nothing. Records
 * of the last read that are in no batch yet are dropped: the checkpoint is before them. */
void feed_finish(struct feed *f);

/* The taker's thread. Waits for the feed's, which may be in a call; feed_free is quick then. */
void feed_end(struct feed *f);

/* Waits for its thread. */
void feed_free(struct feed *f);

#endif
