/*
 * feed: reading and decoding ahead of applying, so that the two overlap: a thread that fills batches from a
 * shard's reader, and a short queue of them to whoever applies. Bounded: FEED_ITEMS batches are in memory for
 * a shard.
 *
 * One thread takes (the shard's). What fails is handed over like a batch; the feed then goes on from where it
 * stood, when its item is given back: so the taker's pause is the feed's.
 */
#ifndef INGEST_FEED_H
#define INGEST_FEED_H

#include "ingest/batch.h"
#include "ingest/source.h"

enum { FEED_ITEMS = 2 };

struct feed;

struct feed_options {
    size_t batch_records;
    int batch_window_ms; /* how long a batch that is not full waits for more */
};

struct feed_item {
    enum status status; /* not OK: the source failed so (`error`), and there is nothing else */
    struct error error;
    struct batch batch; /* may be empty: then `as_of_ms` alone is news. The taker may work on it. */
    bool ended;         /* after this batch there is nothing more, ever */
    struct source_shard children[STORE_LEASE_PARENTS]; /* with `ended` */
    size_t n_children;
};

/* Borrows shard_id. */
struct feed *feed_start(struct source *source, const char *shard_id, const struct source_start *start,
                        const struct feed_options *options);

/* The next item, the feed's own until feed_give_back; waits for it until CLOCK_BOOTTIME `until_ms`. NULL:
 * none by then, or woken, or none ever (after feed_finish). */
struct feed_item *feed_take(struct feed *f, int64_t until_ms);
void feed_give_back(struct feed *f);

/* Any thread: ends a wait in feed_take, now or the next one. */
void feed_wake(struct feed *f);

/* The taker's thread. Reads no more: the batches that are full or begun are handed out, then nothing. Records
 * of the last read that are in no batch yet are dropped: the checkpoint is before them. */
void feed_finish(struct feed *f);

/* Waits for its thread. */
void feed_free(struct feed *f);

#endif
