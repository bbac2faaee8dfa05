/*
 * batch: a run of one shard's records on its way into the views: decoded, in order, with its dead letters.
 * Bounded by whoever adds (batch_is_full). Not thread-safe.
 */
#ifndef INGEST_BATCH_H
#define INGEST_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/deadletter/deadletter.h"
#include "ingest/envelope.h"
#include "ingest/source.h"
#include "views/apply.h"

struct batch {
    const char *shard_id; /* borrowed */
    size_t max, capacity;

    struct envelope *envelopes; /* own what `records` point to */
    struct apply_record *records;
    size_t n_records;
    struct deadletter_letter *letters; /* own their data and detail */
    size_t n_letters;
    size_t n_skipped;

    size_t n;              /* all of them */
    size_t bytes;          /* of memory that they own: what events keep, what dead letters hold */
    struct position last;  /* of the last record of any kind */
    int64_t as_of_ms;      /* once this batch is in, the views are as of then; -1: it does not tell */
    int64_t began_boot_ms; /* when the first record was added */
};

void batch_init(struct batch *b, const char *shard_id, size_t max);
void batch_deinit(struct batch *b);

/* Empties it, for the next run. */
void batch_clear(struct batch *b);

/* Of an empty one: it is full with so many from now on. */
void batch_set_max(struct batch *b, size_t max);

bool batch_is_full(const struct batch *b);
void batch_add(struct batch *b, const struct source_record *record, int64_t now_boot_ms);

#endif
