/*
 * fan_out: reads one shard of a Kinesis stream that pushes its records to a consumer (enhanced fan-out): the
 * functions of struct source_ops (ingest/source.h). Its rules, and where they come from:
 *
 *   - A subscription lives while the lease's fence is open: a reader whose lease may be lost must not take
 * the shard's subscription from the next owner.
 *   - It begins AT the place (place.h), and then AFTER the continuation number of the last event, for as long
 * as that is fresh. Only a record's position is a checkpoint.
 *   - A call a second. A refusal that passes by itself (ResourceInUse for 5 s after each success, throttles)
 * is waited out at that pace, and a trouble only if it lasts.
 *   - Taken over: by the worker that took the lease, of which this one learns later; or, if the lease is
 * renewed after that, by another program that uses the consumer, which is a trouble. Until that is clear it
 * is not taken back.
 *   - A subscription without events, heartbeats included, is dead, but only while this reader was ready to
 * read: a shard that waits for its store reads nothing, which pauses its own stream and no other.
 *   - A message waits for room in the memory budget before its memory is taken.
 *   - A heartbeat claims the moment at which the stream was found empty before it, less 2 s: never the time
 * at which it was read, for it may have waited. And only if the stream was ready to read for 10 s, and silent
 * before it: else the service may still have been sending what had queued.
 *   - An event without a continuation is the end if it names children, else an error.
 *   - ResourceNotFound: first the consumer is looked for, and registered again; then the shard.
 *
 * It never polls instead. Where the stream refuses to push (no right, no free consumer), the shard waits and
 * the trouble has AWS's reason: polling would take its reads from the programs for whose sake push was
 * chosen, and the operator would not see it. To poll, start without --fan-out.
 */
#ifndef INGEST_KINESIS_FAN_OUT_H
#define INGEST_KINESIS_FAN_OUT_H

#include "ingest/source.h"

/* `source` is a struct kinesis_stream with a consumer. */
struct source_reader *kinesis_fan_out_open(struct source *source, const struct source_shard *shard,
                                           const struct source_start *start, struct budget *budget);
enum status kinesis_fan_out_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                                 struct error *e);
void kinesis_fan_out_forget(struct source_reader *reader);
void kinesis_fan_out_wake(struct source_reader *reader);
void kinesis_fan_out_close(struct source_reader *reader);

#endif
