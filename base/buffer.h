/*
 * buffer: bytes that grow, up to a maximum that is set when the buffer is made.
 *
 * An append that would exceed the maximum appends nothing, and marks the buffer as `overflowed`: a writer
 * appends without checks and looks at that once at the end. `data` always ends with a NUL that `length` does
 * not count.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data; /* NULL until something is appended */
    size_t length;
    size_t capacity;
    size_t max;
    bool overflowed;
};

void buffer_init(struct buffer *b, size_t max);
void buffer_deinit(struct buffer *b);
/* Empties the buffer and keeps its memory. */
void buffer_clear(struct buffer *b);

/* Each returns whether the buffer holds everything that was appended so far. */
bool buffer_append(struct buffer *b, const void *data, size_t length);
bool buffer_puts(struct buffer *b, const char *s);
bool buffer_putc(struct buffer *b, char c);
bool buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Returns the bytes, never NULL, which are the caller's to free; the buffer is empty then. */
char *buffer_detach(struct buffer *b);

#endif
