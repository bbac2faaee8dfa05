/*
 * gzip: compresses bytes into the format of RFC 1952, in one piece.
 *
 * The result depends on the bytes only: it holds no name and no time. Thread-safe; takes some 15 ms of
 * processor time for a megabyte.
 */
#ifndef BASE_GZIP_H
#define BASE_GZIP_H

#include <stddef.h>

/* New bytes, the caller's to free, their number in `*compressed_length`. */
char *gzip_compress(const void *data, size_t length, size_t *compressed_length);

#endif
