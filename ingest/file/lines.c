#include "ingest/file/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

void lines_init(struct lines *l, int fd, uint64_t offset) {
    *l = (struct lines){.fd = fd, .offset = offset};
}

void lines_deinit(struct lines *l) {
    free(l->buffer);
    free(l->head);
    memset(l, 0, sizeof *l);
}

/* Moves the rest to the front, and makes room for a chunk after it. */
static void make_room(struct lines *l) {
    size_t left = l->end - l->start;
    if (l->start)
        memmove(l->buffer, l->buffer + l->start, left);
    l->start = 0;
    l->end = left;
    if (l->capacity < left + LIMIT_CHUNK_BYTES) {
        l->capacity = left + LIMIT_CHUNK_BYTES;
        l->buffer = mem_resize(l->buffer, l->capacity, 1);
    }
}

/* If the buffer holds nothing but a part of a line that is too long: keeps the beginning, skips the rest. */
static void begin_cutting(struct lines *l) {
    size_t left = l->end - l->start;
    if (!l->cutting && left > LIMIT_LINE_BYTES) {
        l->cutting = true;
        l->cut_from = l->offset;
        free(l->head); /* of an earlier line, whose caller is done with it */
        l->head = mem_dup(l->buffer + l->start, LIMIT_CUT_LINE_BYTES);
    }
    if (l->cutting) {
        l->offset += left;
        l->start = l->end = 0;
    }
}

ssize_t lines_fill(struct lines *l) {
    begin_cutting(l);
    make_room(l);
    ssize_t n;
    do
        n = pread(l->fd, l->buffer + l->end, LIMIT_CHUNK_BYTES, (off_t)(l->offset + l->end));
    while (n < 0 && errno == EINTR);
    if (n > 0)
        l->end += (size_t)n;
    return n;
}

bool lines_next(struct lines *l, struct line *line) {
    size_t left = l->end - l->start;
    const char *begin = l->buffer + l->start, *newline = left ? memchr(begin, '\n', left) : NULL;
    if (!newline)
        return false;
    size_t length = (size_t)(newline - begin);
    if (l->cutting) {
        *line = (struct line){l->cut_from, l->head, LIMIT_CUT_LINE_BYTES, true};
        l->cutting = false; /* `head` is valid until the next line that is too long */
    } else {
        *line = (struct line){l->offset, begin, length, length > LIMIT_LINE_BYTES};
        if (line->cut)
            line->length = LIMIT_CUT_LINE_BYTES;
    }
    l->start += length + 1;
    l->offset += length + 1;
    return true;
}
