/*
 * lines: the whole lines of a growing file, read in chunks from an offset on. Not thread-safe.
 *
 * A last line without its newline is not handed out yet. A line longer than LIMIT_LINE_BYTES is cut, and
 * handed out once its end was read.
 *
 * Each chunk is read together with the bytes before it, which were read earlier. If they are not the same
 * any more, the file was truncated or rewritten, and the chunk is dropped.
 */
#ifndef INGEST_FILE_LINES_H
#define INGEST_FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"

enum {
    LINES_BEHIND = LIMIT_BEHIND_BYTES, /* number of bytes before a place that are compared */
    LINES_CHANGED = -2,
};

struct lines {
    int fd; /* borrowed */
    char *buffer;
    size_t capacity;
    size_t start, end; /* the part that is not handed out yet. Before `start`: the file's bytes before it */
    uint64_t offset;   /* of buffer[start] in the file */
    bool cutting;      /* skipping the rest of a line that is too long */
    uint64_t cut_from; /* its offset */
    char *head;        /* its beginning */
};

struct line {
    uint64_t offset;
    const char *data; /* borrowed until the next lines_fill; without the newline */
    size_t length;
    bool cut; /* `data` is only the beginning */
};

/* From `offset`, which is the beginning of a line: reads the bytes before it, too. False if the file
 * is shorter (errno 0), or cannot be read. */
bool lines_init(struct lines *l, int fd, uint64_t offset);
void lines_deinit(struct lines *l);

/* Reads one more chunk. Returns the number of bytes, 0 at the end of the file, -1 (errno) on failure, or
 * LINES_CHANGED: then nothing of it is handed out, and `l` is of no more use.
 * Lines that lines_next has not returned yet are kept, up to LIMIT_LINE_BYTES of them. */
ssize_t lines_fill(struct lines *l);

/* False if no whole line is left of what was read. */
bool lines_next(struct lines *l, struct line *line);

/* The file's bytes before `offset`: LINES_BEHIND, or all if there are fewer. `offset`: the end of a line
 * that was handed out since the last lines_fill, or of the last one before that. Returns their number, 0 if
 * they are not kept. */
size_t lines_behind(const struct lines *l, uint64_t offset, const char **bytes);

#endif
