/*
 * lines: whole lines of a growing file, from an offset on, in chunks. Knows nothing of events. Not
 * thread-safe.
 *
 * A line without its newline yet is left alone. A line longer than LIMIT_LINE_BYTES is handed out cut, once
 * its end is there.
 */
#ifndef INGEST_LINES_H
#define INGEST_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lines {
    int fd; /* borrowed */
    char *buffer;
    size_t capacity;
    size_t start, end; /* what of the buffer was read and not yet handed out */
    uint64_t offset;   /* of buffer[start] in the file */
    uint64_t cut_from; /* the offset of a line that is being passed over as too long */
    bool cutting;
    char *head; /* the beginning of that line */
};

struct line {
    uint64_t offset;
    const char *data; /* borrowed until the next lines_fill; without the newline */
    size_t length;
    bool cut; /* `data` is only the beginning */
};

/* From `offset`, which is the beginning of a line. */
void lines_init(struct lines *l, int fd, uint64_t offset);
void lines_deinit(struct lines *l);

/* Reads a chunk more: how many bytes, 0 at the end of the file, negative (errno) if that failed. Lines that
 * were not taken stay, as long as they are no more than LIMIT_LINE_BYTES. */
ssize_t lines_fill(struct lines *l);

/* The next whole line of what was read; false if there is none. */
bool lines_next(struct lines *l, struct line *line);

#endif
