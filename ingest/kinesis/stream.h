/*
 * stream: the Kinesis stream behind a source: its calls, its identity, its shards. Thread-safe.
 */
#ifndef INGEST_KINESIS_STREAM_H
#define INGEST_KINESIS_STREAM_H

#include <jansson.h>
#include <pthread.h>

#include "aws/client.h"
#include "ingest/source.h"

struct kinesis_stream {
    struct source source; /* first: what callers of ingest/source.h hold */
    struct aws_client *client;
    char *name; /* or its ARN */
    bool is_arn;
    char *resource; /* its ARN, or "stream/<name>": for calls whose body has an iterator or a token only */
    int poll_interval_ms;

    pthread_mutex_t lock;     /* guards what follows; a leaf */
    int64_t created_ms;       /* as kinesis_stream_identify read it first; -1: not read yet */
    int64_t retention_ms;     /* -1: not known */
    int64_t retention_due_ms; /* when to read it again */
};

/* Takes `body`. `run` as in aws_client_call; `sent_ms` (service clock) may be NULL. */
enum status kinesis_stream_call(struct kinesis_stream *s, const char *operation, json_t *body,
                                int max_attempts, const struct aws_run *run, json_t **reply, int64_t *sent_ms,
                                struct error *e);

/* A request's body that names the stream; the caller's. */
json_t *kinesis_stream_body(const struct kinesis_stream *s);

/* As source_identify and source_list_shards. */
enum status kinesis_stream_identify(struct source *source, struct store_source *out, struct error *e);
enum status kinesis_stream_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                                       size_t *n, struct error *e);

/* Whether this is still the stream that was identified: OK; NOT_FOUND: it was deleted; INVALID: it was
 * deleted, and another was created with its name. */
enum status kinesis_stream_check_same(struct kinesis_stream *s, struct error *e);

/* How long the stream keeps records; read at most every LIMIT_RETENTION_MS. -1: not known. */
int64_t kinesis_stream_retention_ms(struct kinesis_stream *s, int64_t now_boot_ms);

/* One of ListShards' Shards or GetRecords' ChildShards. False if its id is too long. */
bool kinesis_stream_parse_shard(const json_t *json, struct source_shard *shard);

#endif
