/* reader: reads one shard of a Kinesis stream: the functions of struct source_ops (ingest/source.h). */
#ifndef INGEST_KINESIS_READER_H
#define INGEST_KINESIS_READER_H

#include "ingest/source.h"

/* `source` is a struct kinesis_stream. */
struct source_reader *kinesis_reader_open(struct source *source, const struct source_shard *shard,
                                          const struct source_start *start, struct budget *budget);
enum status kinesis_reader_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                                struct error *e);
void kinesis_reader_forget(struct source_reader *reader);
void kinesis_reader_wake(struct source_reader *reader);
void kinesis_reader_close(struct source_reader *reader);

#endif
