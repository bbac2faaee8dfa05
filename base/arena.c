#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { LEAST_BYTES = 4 * 1024, MOST_BYTES = 64 * 1024 }; /* of a block, unless a piece is larger */

struct arena_block {
    struct arena_block *before;
    size_t size; /* of `bytes` */
    alignas(max_align_t) char bytes[];
};

static size_t round_up(size_t size) {
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

/* As large as all before it: a small arena stays small. */
static size_t next_size(const struct arena *a, size_t least) {
    size_t size = a->bytes < LEAST_BYTES ? LEAST_BYTES : a->bytes > MOST_BYTES ? MOST_BYTES : a->bytes;
    size -= sizeof(struct arena_block);
    return size < least ? least : size;
}

static void add_block(struct arena *a, size_t least) {
    size_t size = next_size(a, least);
    struct arena_block *block = mem_alloc(sizeof *block + size);
    block->before = a->last;
    block->size = size;
    a->last = block;
    a->used = 0;
    a->bytes += sizeof *block + size;
}

void *arena_alloc(struct arena *a, size_t size) {
    size = round_up(size);
    if (!a->last || a->last->size - a->used < size)
        add_block(a, size);
    void *piece = a->last->bytes + a->used;
    a->used += size;
    return piece;
}

char *arena_strdup(struct arena *a, const char *text) {
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(arena_alloc(a, size), text, size);
}

void arena_clear(struct arena *a) {
    for (struct arena_block *block = a->last, *before; block; block = before) {
        before = block->before;
        free(block);
    }
    *a = (struct arena){0};
}

size_t arena_size(const struct arena *a) {
    return a->bytes;
}
