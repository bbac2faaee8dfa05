#include "base/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_BYTES = 64 * 1024 };

struct arena_block {
    struct arena_block *before;
    size_t size; /* of `bytes` */
    alignas(max_align_t) char bytes[];
};

static size_t round_up(size_t size) {
    return (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static void add_block(struct arena *a, size_t least) {
    size_t size =
        least < BLOCK_BYTES - sizeof(struct arena_block) ? BLOCK_BYTES - sizeof(struct arena_block) : least;
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
