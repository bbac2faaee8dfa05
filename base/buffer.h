/*
 * buffer: bytes that grow, up to a maximum that is set when the buffer is made.
 *
 * What would go over the maximum is not appended, and the buffer is `overflowed` from then on: so a writer
 * appends freely and asks once at its end. `data` is always terminated by a NUL that `length` does not count.
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
/* Empties it, keeps the memory. */
void buffer_clear(struct buffer *b);

/* Each says whether the buffer still holds everything that was appended. */
bool buffer_append(struct buffer *b, const void *data, size_t length);
bool buffer_puts(struct buffer *b, const char *s);
bool buffer_putc(struct buffer *b, char c);
bool buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Gives the bytes away (free() them), never NULL; the buffer is empty then. */
char *buffer_detach(struct buffer *b);

#endif
