/*
 * batch: consecutive records of one shard, decoded, with their dead letters, to be applied together. The
 * caller stops adding when it is full. Not thread-safe.
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
    size_t bytes;          /* of memory that events and dead letters own */
    struct position last;  /* of the last record of any kind */
    struct digest hash;    /* of the source's bytes up to its end (source_hash) */
    int64_t as_of_ms;      /* of the views once this batch is applied; -1: not known */
    int64_t began_boot_ms; /* when the first record was added */
};

void batch_init(struct batch *b, const char *shard_id, size_t max);
void batch_deinit(struct batch *b);

/* Empties it, to be filled again. */
void batch_clear(struct batch *b);

/* Only while it is empty. */
void batch_set_max(struct batch *b, size_t max);

bool batch_is_full(const struct batch *b);
void batch_add(struct batch *b, const struct source_record *record, int64_t now_boot_ms);

#endif
