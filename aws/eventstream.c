#include "aws/eventstream.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "aws/service_error.h"
#include "base/limits.h"
#include "base/mem.h"

enum { LENGTHS_BYTES = 8, TEXT_TYPE = 7, MOST_TYPES = 10, LENGTH_FIRST = -1 };

/* The bytes of a value, by its type: true, false, byte, short, integer, long, bytes, text, time, UUID. */
static const int value_sizes[MOST_TYPES] = {0, 0, 1, 2, 4, 8, LENGTH_FIRST, LENGTH_FIRST, 8, 16};

static uint32_t read_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t checksum(uint32_t before, const void *bytes, size_t length) {
    return (uint32_t)crc32_z(before, bytes, length);
}

void eventstream_init(struct eventstream *s) {
    *s = (struct eventstream){0};
}

void eventstream_deinit(struct eventstream *s) {
    free(s->body);
    *s = (struct eventstream){0};
}

static void break_off(struct eventstream *s, const char *name, const char *message, struct error *e) {
    s->state = EVENTSTREAM_BROKEN;
    aws_service_error_set(e, name, message);
}

/* A header and its value. */
struct header {
    const uint8_t *name, *value;
    size_t name_length, length;
    int type;
};

/* Reads the header at `*at`, and moves that behind it. False if it does not end before `end`. */
static bool read_header(const uint8_t **at, const uint8_t *end, struct header *h) {
    const uint8_t *p = *at;
    h->name_length = *p++;
    if ((size_t)(end - p) < h->name_length + 1)
        return false;
    h->name = p;
    p += h->name_length;
    h->type = *p++;
    if (h->type >= MOST_TYPES)
        return false;
    if (value_sizes[h->type] != LENGTH_FIRST) {
        h->length = (size_t)value_sizes[h->type];
    } else {
        if (end - p < 2)
            return false;
        h->length = (size_t)p[0] << 8 | p[1];
        p += 2;
    }
    if ((size_t)(end - p) < h->length)
        return false;
    h->value = p;
    *at = p + h->length;
    return true;
}

static bool headers_are_well_formed(const struct eventstream *s) {
    const uint8_t *at = s->body, *end = at + s->headers_length;
    struct header h;
    while (at < end)
        if (!read_header(&at, end, &h))
            return false;
    return true;
}

static void read_prelude(struct eventstream *s, struct error *e) {
    size_t total = read_u32(s->prelude), headers = read_u32(s->prelude + 4);
    if (checksum(0, s->prelude, LENGTHS_BYTES) != read_u32(s->prelude + LENGTHS_BYTES)) {
        break_off(s, AWS_ERROR_CHECKSUM, "the lengths of a message of the stream are damaged", e);
    } else if (total < EVENTSTREAM_PRELUDE_BYTES + EVENTSTREAM_CHECKSUM_BYTES ||
               headers > total - EVENTSTREAM_PRELUDE_BYTES - EVENTSTREAM_CHECKSUM_BYTES) {
        break_off(s, AWS_ERROR_MALFORMED, "the lengths of a message of the stream contradict each other", e);
    } else if (total > LIMIT_EVENTSTREAM_BYTES || headers > LIMIT_EVENTSTREAM_HEADER_BYTES) {
        break_off(s, AWS_ERROR_TOO_LARGE, "a message of the stream is larger than we accept", e);
    } else {
        s->total = total;
        s->headers_length = headers;
        s->state = EVENTSTREAM_BODY;
    }
}

/* The memory is taken once the message goes on: who pauses the stream here has none of it. The system gives
 * the pages of a large block as the bytes arrive. */
static void reserve(struct eventstream *s) {
    size_t needed = s->total - EVENTSTREAM_PRELUDE_BYTES;
    if (needed > s->capacity) {
        free(s->body);
        s->body = mem_alloc(needed);
        s->capacity = needed;
    }
}

static void check_message(struct eventstream *s, struct error *e) {
    size_t length = s->total - EVENTSTREAM_PRELUDE_BYTES - EVENTSTREAM_CHECKSUM_BYTES;
    uint32_t of_prelude = checksum(0, s->prelude, sizeof s->prelude);
    if (checksum(of_prelude, s->body, length) != read_u32(s->body + length))
        break_off(s, AWS_ERROR_CHECKSUM, "a message of the stream is damaged", e);
    else if (!headers_are_well_formed(s))
        break_off(s, AWS_ERROR_MALFORMED, "the headers of a message of the stream are malformed", e);
    else
        s->state = EVENTSTREAM_WHOLE;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t eventstream_take(struct eventstream *s, const void *bytes, size_t length, struct error *e) {
    size_t n = 0;
    switch (s->state) {
    case EVENTSTREAM_PRELUDE:
        n = least(length, sizeof s->prelude - s->received);
        memcpy(s->prelude + s->received, bytes, n);
        s->received += n;
        if (s->received == sizeof s->prelude)
            read_prelude(s, e);
        return n;
    case EVENTSTREAM_BODY:
        reserve(s);
        n = least(length, s->total - s->received);
        memcpy(s->body + (s->received - EVENTSTREAM_PRELUDE_BYTES), bytes, n);
        s->received += n;
        if (s->received == s->total)
            check_message(s, e);
        return n;
    default:
        return 0;
    }
}

size_t eventstream_total(const struct eventstream *s) {
    return s->state == EVENTSTREAM_BODY || s->state == EVENTSTREAM_WHOLE ? s->total : 0;
}

const void *eventstream_payload(const struct eventstream *s, size_t *length) {
    *length = s->total - EVENTSTREAM_PRELUDE_BYTES - s->headers_length - EVENTSTREAM_CHECKSUM_BYTES;
    return s->body + s->headers_length;
}

bool eventstream_header(const struct eventstream *s, const char *name, char *out, size_t size) {
    const uint8_t *at = s->body, *end = at + s->headers_length;
    struct header h;
    *out = '\0';
    while (at < end && read_header(&at, end, &h)) {
        if (h.type != TEXT_TYPE || h.name_length != strlen(name) || memcmp(h.name, name, h.name_length) != 0)
            continue;
        size_t n = least(h.length, size - 1);
        memcpy(out, h.value, n);
        out[n] = '\0';
        return true;
    }
    return false;
}

void eventstream_next(struct eventstream *s) {
    if (s->state != EVENTSTREAM_WHOLE)
        return;
    if (s->capacity > LIMIT_KEPT_BLOCK_BYTES) {
        free(s->body);
        s->body = NULL;
        s->capacity = 0;
    }
    s->state = EVENTSTREAM_PRELUDE;
    s->received = s->total = s->headers_length = 0;
}
