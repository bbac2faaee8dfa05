/*
 * arena: small pieces of memory that are freed together. A piece costs its size, rounded up to 16 bytes. Not
 * thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

/* All zeros: empty. */
struct arena {
    struct arena_block *last; /* private, as the rest */
    size_t used;              /* of the last block */
    size_t bytes;             /* of all blocks */
};

/* Aligned for any type; not zeroed. Valid until arena_clear. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));

/* A copy; NULL of NULL. */
char *arena_strdup(struct arena *a, const char *text);

/* Frees all pieces. */
void arena_clear(struct arena *a);

size_t arena_size(const struct arena *a); /* of memory */

#endif
