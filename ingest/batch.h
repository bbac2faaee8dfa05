/*
 * batch: consecutive records of one shard, decoded, with their dead letters, to be folded together. It is
 * full when it has so many records, or bytes. Then the caller adds no more. Its memory grows with what is
 * added; after a large batch it is freed. Not thread-safe.
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

/* When a batch is full. */
struct batch_limits {
    size_t records; /* of all kinds */
    size_t bytes;
};

struct batch {
    const char *shard_id; /* borrowed */
    struct batch_limits limits;

    struct apply_record *records;
    char **strings; /* what each of `records` points into */
    size_t n_records, records_capacity;
    struct deadletter_letter *letters; /* own their data and detail */
    size_t n_letters, letters_capacity;
    size_t n_skipped;

    bool foreign_arrivals; /* an event's arrival is not this source's (ingest/envelope.h) */
    size_t n;              /* all of them */
    size_t bytes;          /* of memory that events and dead letters own */
    struct position last;  /* of the last record of any kind */
    struct digest hash;    /* of the source's bytes up to its end (source_hash) */
    int64_t as_of_ms;      /* of the views once this batch is applied; -1: not known */
    int64_t bytes_left;    /* of the source, after it or somewhat later; 0: none, or not known */
};

void batch_init(struct batch *b, const char *shard_id);
void batch_deinit(struct batch *b);

/* Empties it, to be filled again. */
void batch_clear(struct batch *b);

/* A new batch has none: it is full. */
void batch_set_limits(struct batch *b, const struct batch_limits *limits);

bool batch_is_full(const struct batch *b);
void batch_add(struct batch *b, const struct source_record *record);

#endif
