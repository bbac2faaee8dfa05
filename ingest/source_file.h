/*
 * source_file: a file of events, one a line, as a stream of one shard; followed as it grows (design, section
 * 7). See ingest/source.h. A line's byte offset is its sequence number.
 *
 * A missing file is awaited (source_identify says RETRY). One that shrank or was replaced is an error for as
 * long as it is so: positions would mean other lines.
 */
#ifndef INGEST_SOURCE_FILE_H
#define INGEST_SOURCE_FILE_H

#include "ingest/source.h"

/* Touches nothing yet. */
struct source *source_file_new(const char *path);

#endif
