/*
 * lines: the whole lines of a growing file, read in chunks from an offset on. Not thread-safe.
 *
 * A last line without its newline is not handed out yet. A line longer than LIMIT_LINE_BYTES is cut, and
 * handed out once its end was read.
 */
#ifndef INGEST_FILE_LINES_H
#define INGEST_FILE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lines {
    int fd; /* borrowed */
    char *buffer;
    size_t capacity;
    size_t start, end; /* the part of the buffer that is not handed out yet */
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

/* From `offset`, which is the beginning of a line. */
void lines_init(struct lines *l, int fd, uint64_t offset);
void lines_deinit(struct lines *l);

/* Reads one more chunk. Returns the number of bytes, 0 at the end of the file, negative (errno) on failure.
 * Lines that lines_next has not returned yet are kept, up to LIMIT_LINE_BYTES of them. */
ssize_t lines_fill(struct lines *l);

/* False if no whole line is left of what was read. */
bool lines_next(struct lines *l, struct line *line);

#endif
