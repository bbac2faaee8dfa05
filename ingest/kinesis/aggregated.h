/*
 * aggregated: takes apart the records that the Kinesis Producer Library (KPL) packed into one.
 *
 * The format is the library's (awslabs/amazon-kinesis-producer, aggregation-format.md): a magic number of
 * four bytes, a protobuf message (aggregated.proto), and the MD5 of that message. The magic number is not
 * UTF-8, so no event begins with it: data that does is an aggregated record, whole or broken.
 *
 * The library packs by the shards' borders as it knows them. After a resharding, a record may lie in a shard
 * to which some of its parts do not belong; the library notices, and sends those again. So a part whose hash
 * key is outside the shard's range is a stray, to be dropped. A part's hash key is its explicit one, else the
 * MD5 of its partition key as a 128-bit number.
 *
 * Not thread-safe. Bounded: LIMIT_AGGREGATED_PARTS.
 */
#ifndef INGEST_KINESIS_AGGREGATED_H
#define INGEST_KINESIS_AGGREGATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The hash keys of a shard, both included. */
struct aggregated_range {
    bool known;
    unsigned __int128 from, to;
};

struct aggregated_part {
    const char *partition_key; /* "" if it contains U+0000: then it equals no product id */
    const uint8_t *data;
    size_t length;
    unsigned __int128 hash_key;
};

struct aggregated {
    struct aggregated_part *parts; /* in order; they point into `message` and `keys` */
    size_t n;
    size_t bytes; /* of memory, at most */

    void *message; /* private */
    char *keys;
};

enum { AGGREGATED_WHY_SIZE = 128 };

bool aggregated_is_one(const void *data, size_t length);

/* Copies what it needs. False if the record is broken: `why` gets the reason, and nothing is to be freed. */
bool aggregated_open(struct aggregated *a, const void *data, size_t length, char why[AGGREGATED_WHY_SIZE]);
void aggregated_deinit(struct aggregated *a);

/* Of two decimal numbers below 2^128, as Kinesis lists them; not known if either is none, or "". */
struct aggregated_range aggregated_range(const char *starting_hash_key, const char *ending_hash_key);

/* Whether the part belongs to another shard. False if the range is not known. */
bool aggregated_is_stray(const struct aggregated_part *part, const struct aggregated_range *range);

#endif
