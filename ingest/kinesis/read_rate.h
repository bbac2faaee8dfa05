/*
 * read_rate: when a shard may be read again. Pure arithmetic; not thread-safe.
 *
 * Kinesis lets all readers of a shard together make 5 GetRecords calls and take 2 MB a second (Kinesis Data
 * Streams quotas; after a read of 10 MB the shard refuses others for 5 s). A reader that is behind reads as
 * fast as that allows; one at the tip every poll interval. While throttled the pauses grow, up to
 * LIMIT_THROTTLE_MS, with jitter; they shrink step by step with each read that works.
 */
#ifndef INGEST_KINESIS_READ_RATE_H
#define INGEST_KINESIS_READ_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_RATE_CALLS 5

struct read_rate {
    int64_t next_ms; /* the earliest time of the next read */

    /* private */
    int64_t poll_interval_ms;
    int64_t calls_ms[READ_RATE_CALLS]; /* when the last reads began: a ring */
    unsigned oldest_call;
    int64_t bytes_until_ms; /* until then the reads so far use the shard's 2 MB a second */
    int64_t throttle_ms;    /* the extra pause while throttled; 0: none */
};

void read_rate_init(struct read_rate *r, int64_t poll_interval_ms);

/* A read that began at `now_ms` returned `bytes`; `behind`: there is more to read now. */
void read_rate_after_read(struct read_rate *r, int64_t now_ms, size_t bytes, bool behind);

/* A read was refused as too fast; `random` is any random number. */
void read_rate_after_throttle(struct read_rate *r, int64_t now_ms, uint32_t random);

#endif
