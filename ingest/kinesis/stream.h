/*
 * stream: the Kinesis stream behind a source: its calls, its identity, its shards. Thread-safe.
 *
 * A stream that was deleted and made again under its name is another one, whose records must not be mixed
 * with those of the first. AWS refuses the first one's iterators and positions; emulators may go on with
 * them. So the stream's identity is compared again where a reply may be of another: after each listing, and
 * whenever a reader is in doubt (reader.c). A call that did not find the stream puts all readers in doubt.
 */
#ifndef INGEST_KINESIS_STREAM_H
#define INGEST_KINESIS_STREAM_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

#include "aws/streaming.h"
#include "base/service_clock.h"
#include "ingest/source.h"

#define KINESIS_LEAST_RETENTION_MS (INT64_C(24) * 3600 * 1000)

struct kinesis_stream {
    struct source source; /* first: what callers of ingest/source.h hold */
    struct aws_client *client;
    struct service_clock *clock;
    char *name; /* or its ARN */
    bool is_arn;
    char *resource; /* its ARN, or "stream/<name>": for calls whose body has an iterator or a token only */
    int poll_interval_ms;
    struct kinesis_consumer *consumer; /* that it pushes to; NULL: it is polled */
    _Atomic size_t record_bytes;       /* of the stream's records, on average, as read last; 0: not known */

    pthread_mutex_t lock;         /* guards what follows; a leaf */
    struct store_source identity; /* as identified; without a name: not yet */
    int64_t retention_ms;         /* as described last */
    pthread_cond_t checked;
    uint64_t checks_begun, checks_ended; /* equal: none is under way */
    uint64_t proven;                     /* the last check that found the stream to be the same */
    uint64_t doubted;                    /* only this check or a later one proves anything */
    struct error check;                  /* how the last one ended */
};

/* Takes `body`. `run` as in aws_client_call; `sent_ms` (service clock) may be NULL. */
enum status kinesis_stream_call(struct kinesis_stream *s, const char *operation, json_t *body,
                                int max_attempts, const struct aws_run *run, json_t **reply, int64_t *sent_ms,
                                struct error *e);

/* SubscribeToShard, once. Takes `body`. OK: `*events` is the caller's (aws/streaming.h), to be closed before
 * the source is freed. */
enum status kinesis_stream_subscribe(struct kinesis_stream *s, json_t *body, const struct aws_run *run,
                                     struct aws_stream **events, struct error *e);

/* As identified; without a name: not yet. */
struct store_source kinesis_stream_identity(struct kinesis_stream *s);

/* A request's body that names the stream; the caller's. */
json_t *kinesis_stream_body(const struct kinesis_stream *s);

/* As source_identify and source_list_shards. A listing is checked (kinesis_stream_check) before it is
 * returned. */
enum status kinesis_stream_identify(struct source *source, struct store_source *out, struct error *e);
enum status kinesis_stream_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                                       size_t *n, struct error *e);

/* Whether this is still the stream that was identified, and was when every reply so far arrived. OK; INVALID:
 * another was created with its name; else it is gone or does not answer. Callers share a call, and wait for
 * two at most. Before the identification: OK. */
enum status kinesis_stream_check(struct kinesis_stream *s, struct error *e);

/* Whether a call did not find the stream, or a check found another, since the last check that was OK. */
bool kinesis_stream_is_in_doubt(struct kinesis_stream *s);

/* How long the stream keeps records, as it was at the last identification or check. */
int64_t kinesis_stream_retention_ms(struct kinesis_stream *s);

/* A time in a reply, in milliseconds since the epoch, cut to a whole one; -1 if no clock shows it: it is
 * before 1970 or after 9999. */
int64_t kinesis_stream_time(double ms);

/* What DescribeStreamSummary says: the stream, and how long it keeps records (the least if no number of hours
 * is known). False if its ARN is none: too long, empty, or with a NUL. */
bool kinesis_stream_parse_summary(const json_t *reply, struct store_source *source, int64_t *retention_ms);

/* One of ListShards' Shards or GetRecords' ChildShards. False if its id, or a parent's, is none. */
bool kinesis_stream_parse_shard(const json_t *json, struct source_shard *shard);

#endif
