/*
 * aggregated: records that the Kinesis Producer Library (KPL) packed into one, taken apart.
 *
 * The format is the library's own (awslabs/amazon-kinesis-producer, aggregation-format.md): a magic of four
 * bytes, a protobuf message (aggregated.proto), and the MD5 of that message. Its magic is not UTF-8, so no
 * event begins like it: what does is an aggregated record, whole or broken.
 *
 * The library packs by where it believes the shards' borders to be. After a resharding a record may lie in a
 * shard that some of its parts do not belong to; the library notices and sends those again. So a part whose
 * hash key is not the shard's is a stray, to be dropped. A part's hash key is its explicit one, else the MD5
 * of its partition key as a 128-bit number.
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
    struct aggregated_part *parts; /* in their order; what they point to belongs to the record */
    size_t n;
    size_t bytes; /* of memory that all of it takes, at most */

    void *message; /* private */
    char *keys;
};

enum { AGGREGATED_WHY_SIZE = 128 };

bool aggregated_is_one(const void *data, size_t length);

/* Copies what it needs. False if the record is broken: `why` says in which way, and there is nothing to
 * deinit. */
bool aggregated_open(struct aggregated *a, const void *data, size_t length, char why[AGGREGATED_WHY_SIZE]);
void aggregated_deinit(struct aggregated *a);

/* Two decimal numbers below 2^128, as Kinesis lists them; a range that is not (or "") is not known. */
struct aggregated_range aggregated_range(const char *starting_hash_key, const char *ending_hash_key);

/* Whether the part belongs to another shard. Nothing does while the range is not known. */
bool aggregated_is_stray(const struct aggregated_part *part, const struct aggregated_range *range);

#endif
