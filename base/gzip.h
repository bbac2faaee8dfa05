/*
 * gzip: bytes in the format of RFC 1952, in one piece.
 *
 * The same bytes always give the same result: no name and no time is in it. Thread-safe; blocks for nothing
 * but the processor (some 15 ms for a megabyte).
 */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include <stddef.h>

/* New bytes, the caller's to free, their number in `*compressed_length`. */
char *gzip_compress(const void *data, size_t length, size_t *compressed_length);

#endif
