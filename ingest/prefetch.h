/*
 * prefetch: reads and decodes ahead while the shard applies. A thread fills batches from a shard's reader
 * into a queue of at most PREFETCH_ITEMS items: what one read brought is one item, or several. Their memory
 * counts against the budget: the reader's bytes until all of its last read is in batches, a batch's until it
 * is given back. Where the budget has no room for more, an item says so: so that the shard writes what it
 * holds, and no shard waits for another that waits, too.
 *
 * A shard whose batch cannot be applied must not keep memory that others need. So it may drop all that was
 * read ahead (prefetch_rewind), to read it again from the position up to which all is applied. From then on,
 * until prefetch_resume, the prefetch is stepwise: it makes one small read, and the next only when that item
 * was given back. The batches may end at other records than before. That is safe, as it is after a crash: a
 * batch may begin anywhere (views/README.md).
 *
 * One thread, the shard's, takes the items. A failure is an item, too. The prefetch reads again, from where
 * it stood, once that item is given back: so the shard's pause after a failure is also a pause of the reads.
 */
#ifndef INGEST_PREFETCH_H
#define INGEST_PREFETCH_H

#include "ingest/batch.h"
#include "ingest/source.h"

enum { PREFETCH_ITEMS = 2, PREFETCH_LOSS_SIZE = 256 };

struct prefetch;

struct prefetch_options {
    struct batch_limits limits; /* of an item */
    struct budget *budget;      /* borrowed; NULL: none */
    const struct fence *fence;  /* borrowed; of the shard's lease; NULL: always open */
};

struct prefetch_item {
    enum status status; /* not OK: the source failed (`error`), and the item holds nothing else */
    struct error error;
    struct batch batch; /* the taker may change it; may be empty, and bring only `as_of_ms` */
    bool more;          /* the next item is expected to bring records at once */
    bool no_room;       /* nothing was read: the budget has no room */
    bool ended;         /* nothing comes after this item, ever */
    bool gone;          /* with `ended`: the source no longer has the shard */
    struct source_shard children[STORE_LEASE_PARENTS]; /* with `ended` */
    size_t n_children;
    char loss[PREFETCH_LOSS_SIZE]; /* why records of this batch, or after it, are lost; "": none are */
    unsigned generation;           /* private: of the reader that filled it */
};

/* Starts the thread. `shard` as for source_open; source and budget are borrowed, the rest is copied. */
struct prefetch *prefetch_start(struct source *source, const struct source_shard *shard,
                                const struct source_start *start, const struct prefetch_options *options);

/* The next item, borrowed until prefetch_give_back. Waits for it until CLOCK_BOOTTIME `until_ms`. NULL: there
 * was none by then, or prefetch_wake ended the wait, or none will come (prefetch_is_over). */
struct prefetch_item *prefetch_take(struct prefetch *p, int64_t until_ms);

/* Whether all items were given back and none will come: after the shard's end, once that item was given back;
 * or after prefetch_finish. The taker's thread. */
bool prefetch_is_over(const struct prefetch *p);

/* Gives back the item that was taken, and its memory. The taker's thread. */
void prefetch_give_back(struct prefetch *p);

/* Voids every item that was not given back, and reads again from `start`, stepwise, at CLOCK_BOOTTIME
 * `then_ms`. The taker's thread; an item that it holds is given back next. */
void prefetch_rewind(struct prefetch *p, const struct source_start *start, int64_t then_ms);

/* After a rewind: reads ahead again. The taker's thread. */
void prefetch_resume(struct prefetch *p);

/* Ends a wait of prefetch_take, the current or the next one. Any thread. */
void prefetch_wake(struct prefetch *p);

/* When its loop last turned; it turns while it waits, too. Any thread. */
int64_t prefetch_alive_ms(const struct prefetch *p);

/* Reads no more: hands out the items that are filled, and nothing after them. Records of the last
 * read that are in no item yet are dropped: the checkpoint is before them. The taker's thread. */
void prefetch_finish(struct prefetch *p);

/* Waits for the prefetch's thread, which may be in a call; prefetch_free does not wait then. The taker's
 * thread. */
void prefetch_end(struct prefetch *p);

/* Waits for its thread. */
void prefetch_free(struct prefetch *p);

#endif
