/*
 * read_size: how many records the next read of a shard asks for. Pure arithmetic; not thread-safe.
 *
 * A shard gives 2 MB a second in 5 reads (ingest/kinesis/read_rate.h). So a reply of 1 MiB is full speed if
 * it arrives within half a second, and a larger one only takes more memory. GetRecords' Limit is chosen for
 * replies of 1 MiB by the average record. The first read of a reader asks for few records: their size is only
 * guessed, and the store may refuse them (ingest/prefetch.h).
 *
 * The number is halved after a reply that was slow, too large, or dropped for lack of memory, down to one
 * record: so a slow line gets through, too. It is doubled after each reply that was fast.
 */
#ifndef INGEST_KINESIS_READ_SIZE_H
#define INGEST_KINESIS_READ_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct read_size {
    int records; /* the next read's Limit: 1 to 10,000, GetRecords' own maximum */

    /* private */
    size_t record_bytes; /* on average; 0: not known */
    size_t last_bytes;   /* of the last reply */
    bool began;          /* there was a reply with records */
    int halvings;
};

/* `record_bytes`: the average of other shards of the stream, to guess by; 0: not known. */
void read_size_init(struct read_size *s, size_t record_bytes);

/* A reply of `n` records with `bytes` of data took `took_ms`. */
void read_size_after_reply(struct read_size *s, size_t n, size_t bytes, int64_t took_ms);

/* A read ended without a reply after `took_ms`. */
void read_size_after_failure(struct read_size *s, int64_t took_ms);

/* Whether a reply under way may have so many bytes: no more than a few for the first one, unless it is one
 * record. If not, read_size_halve. */
bool read_size_accepts(const struct read_size *s, size_t bytes);

/* A reply was too large. False: it is one record already. */
bool read_size_halve(struct read_size *s);

/* The data that the next reply is expected to bring: with a backlog as much as is asked for, else as much as
 * the last one. */
size_t read_size_expected(const struct read_size *s, bool behind);

#endif
