/*
 * What the parts of source_kinesis share: ingest/kinesis/source.c is the stream, ingest/kinesis/reader.c
 * reads a shard, ingest/kinesis/reply.c takes a reply apart, ingest/kinesis/refusal.c knows what an error
 * means.
 */
#ifndef INGEST_KINESIS_INTERNAL_H
#define INGEST_KINESIS_INTERNAL_H

#include <jansson.h>
#include <pthread.h>

#include "aws/client.h"
#include "base/metrics.h"
#include "base/waker.h"
#include "ingest/budget.h"
#include "ingest/kinesis/aggregated.h"
#include "ingest/kinesis/read_rate.h"
#include "ingest/source.h"

/* ---- the stream --------------------------------------------------------------------------------------- */

struct kinesis {
    struct source source;
    struct aws_client *client;
    char *stream;
    bool is_arn;
    char *resource; /* its ARN, or "stream/<name>": for calls that have an iterator or a token only */
    int poll_interval_ms;

    pthread_mutex_t lock;     /* guards what follows; a leaf */
    int64_t created_ms;       /* as source_identify told it first; -1: not asked yet */
    int64_t retention_ms;     /* -1: not known */
    int64_t retention_due_ms; /* when to ask again */
};

/* What DescribeStreamSummary says. */
struct kinesis_summary {
    char arn[sizeof((struct store_source *)NULL)->name];
    int64_t created_ms;
    int64_t retention_ms;
};

/* The caller's `body` is taken. `run` as in aws_client_call; `sent_ms` may be NULL. */
enum status kinesis_call(struct kinesis *k, const char *operation, json_t *body, int max_attempts,
                         const struct aws_run *run, json_t **reply, int64_t *sent_ms, struct error *e);
json_t *kinesis_stream_body(const struct kinesis *k);
enum status kinesis_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                                size_t *n, struct error *e);
bool kinesis_parse_shard(const json_t *json, struct source_shard *shard);

/* Whether this is still the stream that was identified: OK; NOT_FOUND: it is gone; INVALID: another one has
 * its name. */
enum status kinesis_check_same(struct kinesis *k, struct error *e);

/* How long records are kept, asked for at most every LIMIT_RETENTION_MS; -1 if that cannot be told now. */
int64_t kinesis_retention_ms(struct kinesis *k, int64_t now_boot_ms);

/* ---- what a refusal means ----------------------------------------------------------------------------- */

enum kinesis_refusal {
    KINESIS_OTHER,            /* as its status says */
    KINESIS_THROTTLED,        /* slow down */
    KINESIS_EXPIRED_ITERATOR, /* ask for another */
    KINESIS_NOT_FOUND,        /* the shard is gone, or the stream */
    /* only of a position that was asked for */
    KINESIS_OUT_OF_RETENTION, /* a position whose record has been trimmed */
    KINESIS_FOREIGN_POSITION, /* a position of another stream */
    KINESIS_PAST_THE_END,     /* a position after which the closed shard has nothing */
};

/* Of an error of GetShardIterator or GetRecords. */
enum kinesis_refusal kinesis_refusal(const struct error *e);

/* ---- a shard's reader --------------------------------------------------------------------------------- */

/* Where the data of a record (or of all parts of one) is. */
struct kinesis_block {
    uint8_t *data; /* NULL for an aggregated record: its parts have it */
    char *partition_key;
    struct aggregated aggregated;
};

struct kinesis_reader {
    struct source_reader reader;
    struct kinesis *kinesis;
    char *shard_id;
    struct aggregated_range range;
    struct source_start next; /* what was handed out last: what comes after is new */
    bool from_horizon; /* the next iterator begins at the trim horizon all the same: the rest is lost */
    char *iterator;    /* NULL: to be asked for */
    struct read_rate rate;
    struct waker waker;
    struct budget *budget;
    struct budget_claim claim;
    int64_t began_ms; /* the last read */
    bool behind;      /* it left something to read, or nothing is known */
    int empty_reads;  /* in a row, with a lag that retention does not allow */
    struct {
        struct metrics_series *throttles, *records, *bytes, *parts, *strays, *expired, *losses;
    } count;

    /* What the last read handed out. */
    struct kinesis_block *blocks;
    size_t n_blocks;
    struct source_record *records;
    size_t n, capacity;
    struct source_shard *children;
    char loss[256];
};

/* What one reply brought beside its records. */
struct kinesis_reply {
    size_t bytes;            /* of data, as the shard's 2 MB a second count it */
    size_t held;             /* of memory */
    size_t n;                /* records, those too that were handed out before */
    int64_t last_arrival_ms; /* -1: there are no records */
};

/* Takes the records of `reply` that are after what was handed out, and their data out of it as it goes. RETRY
 * if it is no reply. */
enum status kinesis_take_records(struct kinesis_reader *r, json_t *reply, struct kinesis_reply *out,
                                 struct error *e);
/* The reply's ChildShards. */
void kinesis_take_children(struct kinesis_reader *r, const json_t *reply, struct source_batch *batch);
void kinesis_free_records(struct kinesis_reader *r);

/* The source's own functions, of ingest/kinesis/reader.c. */
struct source_reader *kinesis_open(struct source *source, const struct source_shard *shard,
                                   const struct source_start *start, struct budget *budget);
enum status kinesis_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                         struct error *e);
void kinesis_forget(struct source_reader *reader);
void kinesis_wake(struct source_reader *reader);
void kinesis_close(struct source_reader *reader);

#endif
