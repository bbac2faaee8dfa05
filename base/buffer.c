#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void buffer_init(struct buffer *b, size_t max) {
    memset(b, 0, sizeof *b);
    b->max = max;
}

void buffer_deinit(struct buffer *b) {
    free(b->data);
    memset(b, 0, sizeof *b);
}

void buffer_clear(struct buffer *b) {
    b->length = 0;
    b->overflowed = false;
    if (b->data)
        b->data[0] = '\0';
}

static bool reserve(struct buffer *b, size_t more) {
    if (b->overflowed || more > b->max - b->length) {
        b->overflowed = true;
        return false;
    }
    size_t wanted = b->length + more + 1;
    if (wanted <= b->capacity)
        return true;
    size_t capacity = b->capacity ? b->capacity * 2 : 256;
    if (capacity > b->max + 1)
        capacity = b->max + 1;
    if (capacity < wanted)
        capacity = wanted;
    b->data = mem_resize(b->data, capacity, 1);
    b->capacity = capacity;
    return true;
}

bool buffer_append(struct buffer *b, const void *data, size_t length) {
    if (!reserve(b, length))
        return false;
    if (length)
        memcpy(b->data + b->length, data, length);
    b->length += length;
    b->data[b->length] = '\0';
    return true;
}

bool buffer_puts(struct buffer *b, const char *s) {
    return buffer_append(b, s, strlen(s));
}

bool buffer_putc(struct buffer *b, char c) {
    return buffer_append(b, &c, 1);
}

bool buffer_printf(struct buffer *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !reserve(b, (size_t)n))
        return false;

    va_start(args, format);
    vsnprintf(b->data + b->length, (size_t)n + 1, format, args);
    va_end(args);
    b->length += (size_t)n;
    return true;
}

char *buffer_detach(struct buffer *b) {
    char *data = b->data ? b->data : mem_zalloc(1);
    size_t max = b->max;
    buffer_init(b, max);
    return data;
}
