/*
 * reply: a reply of GetRecords, taken apart into records. A record that the KPL packed becomes its parts,
 * less those that belong to another shard (ingest/kinesis/aggregated.h). Owns what the records point to. Not
 * thread-safe.
 */
#ifndef INGEST_KINESIS_REPLY_H
#define INGEST_KINESIS_REPLY_H

#include <jansson.h>

#include "ingest/kinesis/aggregated.h"
#include "ingest/source.h"

/* A record as the stream stores it. */
struct kinesis_block {
    uint8_t *data; /* NULL for an aggregated record: its parts have it */
    char *partition_key;
    struct aggregated aggregated;
};

/* Zeroed is an empty one. */
struct kinesis_reply {
    struct source_record *records; /* ascending, all after the position that was read last */
    size_t n, capacity;
    struct source_shard *children;
    size_t n_children;

    struct kinesis_block *blocks;
    size_t n_blocks;          /* as the stream counts records; those before the position, too */
    struct position first;    /* of the first of them */
    size_t bytes;             /* of data, as the shard's 2 MB a second count it */
    size_t memory_bytes;      /* that all of it takes */
    size_t n_parts, n_strays; /* of aggregated records; dropped of those */
    int64_t first_arrival_ms, last_arrival_ms; /* -1: unknown, or there are no records */
};

/* Fills an empty `r`, and takes the data out of `json` as it goes. `after` (NULL: nothing): records up to
 * there were read before, and are left out. RETRY if a record is malformed: then `r` has those before it. */
enum status kinesis_reply_take(struct kinesis_reply *r, json_t *json, const struct position *after,
                               const struct aggregated_range *range, struct error *e);

/* Its ChildShards. */
void kinesis_reply_take_children(struct kinesis_reply *r, const json_t *json);

void kinesis_reply_deinit(struct kinesis_reply *r);

#endif
