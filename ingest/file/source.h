/*
 * source_file: a file of events, one a line, read as a stream of one shard and followed as it grows. See
 * ingest/source.h. A line's byte offset is its sequence number.
 *
 * While the file is missing, calls return RETRY. If it shrank or was replaced, reads fail for as long as that
 * is so: the positions would mean other lines.
 */
#ifndef INGEST_FILE_SOURCE_H
#define INGEST_FILE_SOURCE_H

#include "base/service_clock.h"
#include "ingest/source.h"

/* Does not open the file yet. `clock` (borrowed): how fresh a look at its end is. */
struct source *source_file_new(const char *path, struct service_clock *clock);

#endif
