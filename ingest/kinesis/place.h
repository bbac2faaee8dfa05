/*
 * place: where a reader stands in its shard, and what a reply of the stream moves it to: for a reader that
 * polls (reader.h) and one to which the stream pushes (fan_out.h). Not thread-safe.
 */
#ifndef INGEST_KINESIS_PLACE_H
#define INGEST_KINESIS_PLACE_H

#include <jansson.h>

#include "ingest/kinesis/reply.h"
#include "ingest/kinesis/stream.h"

struct metrics_series;

struct kinesis_place {
    struct kinesis_stream *stream;
    char *shard_id;
    struct aggregated_range range;
    struct source_start next;   /* of the last record that was handed out, and the latest as-of */
    bool from_horizon;          /* reading begins at the trim horizon, whatever `next` is: the rest is lost */
    struct kinesis_reply reply; /* the last one */

    /* private */
    bool is_new;    /* no record has arrived since reading began here */
    bool is_late;   /* and records after `next` may have been trimmed by then */
    int64_t tip_ms; /* as-of of the last reply, if the next is not the end; -1: none */
    struct {
        struct metrics_series *records, *bytes, *parts, *strays, *losses, *loss_time;
    } count;
    char loss[256];
};

/* `shard` and `start` as in source_open. */
void kinesis_place_init(struct kinesis_place *p, struct kinesis_stream *stream,
                        const struct source_shard *shard, const struct source_start *start);
void kinesis_place_deinit(struct kinesis_place *p);

/* Reading begins, or begins again, here. */
void kinesis_place_begin(struct kinesis_place *p);

/* Adds to a request where to begin, in members of these names; or a Timestamp.
 *
 * AT the position, not AFTER it: the parts of an aggregated record share one sequence number, and those not
 * yet handed out must be read again. Those that were are left out of the reply. */
void kinesis_place_write(const struct kinesis_place *p, json_t *body, const char *type_name,
                         const char *sequence_name);

/* Takes the reply's records into `reply`, which must be empty. RETRY: one is malformed. */
enum status kinesis_place_take(struct kinesis_place *p, json_t *json, struct error *e);

/* Moves behind what was taken, and fills `batch` with it; with `ended` also with the children. Before that,
 * it makes sure where it is in doubt that the stream is the one that was identified: if not OK, nothing is
 * moved and `reply` is empty. */
enum status kinesis_place_advance(struct kinesis_place *p, const json_t *json, bool ended,
                                  struct source_batch *batch, struct error *e);

/* The as-of (ingest/README.md) of the reply that was taken: the stream's service reported this lag (-1: none)
 * at `time_ms` or later (service clock; SERVICE_CLOCK_UNKNOWN: nothing is claimed by the lag). */
int64_t kinesis_place_claim(struct kinesis_place *p, int64_t time_ms, int64_t behind_ms, bool ended);

/* A loss, for batch->loss: the records after the last one that was handed out are trimmed. Reading continues
 * at the first that is left. */
void kinesis_place_continue_at_horizon(struct kinesis_place *p, struct source_batch *batch, const char *why);

/* The shard was not found (`e`). It is gone only if the same stream exists and does not list it: a stream
 * that was deleted, or another of its name, proves nothing about this shard's records. */
enum status kinesis_place_take_not_found(struct kinesis_place *p, struct source_batch *batch,
                                         struct error *e);

#endif
