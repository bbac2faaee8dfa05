#include "ingest/file/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

void lines_deinit(struct lines *l) {
    free(l->buffer);
    free(l->head);
    memset(l, 0, sizeof *l);
}

/* Moves the rest to the front, with the bytes before it, and makes room for a chunk after it. */
static void make_room(struct lines *l) {
    size_t left = l->end - l->start, behind = l->start < LINES_BEHIND ? l->start : LINES_BEHIND;
    if (l->start > behind)
        memmove(l->buffer, l->buffer + l->start - behind, behind + left);
    l->start = behind;
    l->end = behind + left;
    if (l->capacity < l->end + LIMIT_CHUNK_BYTES) {
        l->capacity = l->end + LIMIT_CHUNK_BYTES;
        l->buffer = mem_resize(l->buffer, l->capacity, 1);
    }
}

static ssize_t read_at(int fd, const struct iovec *parts, int n, uint64_t offset) {
    ssize_t got;
    do
        got = preadv(fd, parts, n, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

bool lines_init(struct lines *l, int fd, uint64_t offset) {
    *l = (struct lines){.fd = fd, .offset = offset};
    make_room(l);
    l->start = l->end = offset < LINES_BEHIND ? offset : LINES_BEHIND;
    const struct iovec part = {l->buffer, l->end};
    errno = 0;
    return read_at(fd, &part, 1, offset - l->end) == (ssize_t)l->end;
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
        l->start = l->end;
    }
}

/* The bytes before the chunk are read again together with it, and once more after it. So a chunk of a file
 * that was written over, even during the read, is noticed. */
ssize_t lines_fill(struct lines *l) {
    char before[LINES_BEHIND], after[LINES_BEHIND];
    begin_cutting(l);
    make_room(l);
    const size_t n = l->end < LINES_BEHIND ? l->end : LINES_BEHIND;
    const char *behind = l->buffer + l->end - n;
    const uint64_t offset = l->offset + (l->end - l->start) - n;
    const struct iovec parts[] = {{before, n}, {l->buffer + l->end, LIMIT_CHUNK_BYTES}}, again = {after, n};

    ssize_t got = read_at(l->fd, parts, 2, offset);
    if (got < 0)
        return -1;
    if ((size_t)got < n || memcmp(before, behind, n) != 0)
        return LINES_CHANGED;
    got -= (ssize_t)n;
    if (got > 0 && (read_at(l->fd, &again, 1, offset) < (ssize_t)n || memcmp(after, behind, n) != 0))
        return LINES_CHANGED;
    l->end += (size_t)got;
    return got;
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

size_t lines_behind(const struct lines *l, uint64_t offset, const char **bytes) {
    if (offset > l->offset || l->offset - offset > l->start)
        return 0;
    size_t at = l->start - (size_t)(l->offset - offset), n = at < LINES_BEHIND ? at : LINES_BEHIND;
    *bytes = l->buffer + at - n;
    return n == LINES_BEHIND || n == offset ? n : 0;
}
