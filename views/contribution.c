#include "views/contribution.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool contribution_is_unknown(const char *user_id) {
    return user_id && strcmp(user_id, CONTRIBUTION_UNKNOWN) == 0;
}

const char *const contribution_text_names[CONTRIBUTION_TEXTS] = {
    "productId", "creator", "photographer", "lastEventId", "photographerEventId", "createdBy", "updatedBy",
    "name",      "brand",   "category",     "image"};
static const size_t text_offsets[CONTRIBUTION_TEXTS] = {
    offsetof(struct contribution, product_id),
    offsetof(struct contribution, creator),
    offsetof(struct contribution, photographer),
    offsetof(struct contribution, last_event_id),
    offsetof(struct contribution, photographer_event_id),
    offsetof(struct contribution, created_by),
    offsetof(struct contribution, updated_by),
    offsetof(struct contribution, name),
    offsetof(struct contribution, brand),
    offsetof(struct contribution, category),
    offsetof(struct contribution, image),
};

const char *const contribution_number_names[CONTRIBUTION_NUMBERS] = {"creatorScore", "photographerScore",
                                                                     "created", "updated"};
static const size_t number_offsets[CONTRIBUTION_NUMBERS] = {
    offsetof(struct contribution, creator_score),
    offsetof(struct contribution, photographer_score),
    offsetof(struct contribution, created_ms),
    offsetof(struct contribution, updated_ms),
};

static const char **text_field(struct contribution *c, size_t i) {
    return (const char **)((char *)c + text_offsets[i]);
}

const char *contribution_text(const struct contribution *c, size_t i) {
    return *(const char *const *)((const char *)c + text_offsets[i]);
}

int64_t contribution_number(const struct contribution *c, size_t i) {
    return *(const int64_t *)((const char *)c + number_offsets[i]);
}

void contribution_set_number(struct contribution *c, size_t i, int64_t number) {
    *(int64_t *)((char *)c + number_offsets[i]) = number;
}

/* The product's id lies behind the row: it is a key, and never moves. */
struct contribution *contribution_new(const char *product_id) {
    size_t size = product_id ? strlen(product_id) + 1 : 0;
    struct contribution *c = mem_alloc(sizeof *c + size);
    *c = (struct contribution){0};
    if (product_id)
        c->product_id = memcpy(c + 1, product_id, size);
    return c;
}

/* There is room. */
static void append(struct contribution *c, size_t i, const char *text, size_t size) {
    *text_field(c, i) = memcpy(c->texts + c->used, text, size);
    c->used += size;
}

static size_t size_of(const char *text) {
    return text ? strlen(text) + 1 : 0;
}

/* Moves the texts into a block that has room for `more`. The old block is the caller's. */
static void move_texts(struct contribution *c, size_t more) {
    enum { SPARE = 64 }; /* a new row gets its texts one after the other */
    size_t size = more + SPARE;
    for (size_t i = CONTRIBUTION_PRODUCT_ID + 1; i < CONTRIBUTION_TEXTS; i++)
        size += size_of(contribution_text(c, i));
    c->texts = mem_alloc(size);
    c->size = size;
    c->used = 0;
    for (size_t i = CONTRIBUTION_PRODUCT_ID + 1; i < CONTRIBUTION_TEXTS; i++)
        if (contribution_text(c, i))
            append(c, i, contribution_text(c, i), size_of(contribution_text(c, i)));
}

/* In place if the old text was as long: ids seldom change their length. */
void contribution_set_text(struct contribution *c, enum contribution_field i, const char *text) {
    const char *old = contribution_text(c, i);
    size_t size = size_of(text);
    if (!text) {
        *text_field(c, i) = NULL;
    } else if (size_of(old) >= size) {
        memmove(c->texts + (old - c->texts), text, size);
    } else if (c->size - c->used >= size) {
        append(c, i, text, size);
    } else {
        char *block = c->texts; /* `text` may lie in it */
        *text_field(c, i) = NULL;
        move_texts(c, size);
        append(c, i, text, size);
        free(block);
    }
}

struct contribution *contribution_from(const char *const texts[CONTRIBUTION_TEXTS]) {
    struct contribution *c = contribution_new(texts[CONTRIBUTION_PRODUCT_ID]);
    for (size_t i = CONTRIBUTION_PRODUCT_ID + 1; i < CONTRIBUTION_TEXTS; i++)
        *text_field(c, i) = texts[i];
    move_texts(c, 0);
    return c;
}

void contribution_free(struct contribution *c) {
    if (!c)
        return;
    free(c->texts);
    free(c);
}

void contribution_freep(struct contribution **c) {
    contribution_free(*c);
    *c = NULL;
}

size_t contribution_size(const struct contribution *c) {
    enum { ALLOCATOR_BYTES = 2 * sizeof(size_t) };
    return sizeof *c + size_of(c->product_id) + c->size + 2 * ALLOCATOR_BYTES;
}
