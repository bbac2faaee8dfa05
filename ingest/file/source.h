/*
 * source_file: a file of events, one a line, read as a stream of one shard and followed as it grows. See
 * ingest/source.h. A line's byte offset is its sequence number.
 *
 * While the file is missing, calls return RETRY. It is recognized by its first line, and by the bytes
 * before the place where a reader stands. A copy is read on, also one that takes the place of the file
 * while it is read. If the bytes have changed (it was truncated, filled again, replaced), or there are NUL
 * bytes in place of lines, reads fail and return nothing for as long as that is so.
 *
 * A byte order mark before the first line is left out. A blank line is a record that is skipped.
 */
#ifndef INGEST_FILE_SOURCE_H
#define INGEST_FILE_SOURCE_H

#include "base/service_clock.h"
#include "ingest/source.h"

/* Does not open the file yet. `clock` (borrowed): what as-of times are read from. */
struct source *source_file_new(const char *path, struct service_clock *clock);

#endif
