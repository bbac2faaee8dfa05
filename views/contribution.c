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

static char **text_field(struct contribution *c, size_t i) {
    return (char **)((char *)c + text_offsets[i]);
}

const char *contribution_text(const struct contribution *c, size_t i) {
    return *(char *const *)((const char *)c + text_offsets[i]);
}

int64_t contribution_number(const struct contribution *c, size_t i) {
    return *(const int64_t *)((const char *)c + number_offsets[i]);
}

void contribution_set_text(struct contribution *c, size_t i, const char *text) {
    free(*text_field(c, i));
    *text_field(c, i) = text ? mem_strdup(text) : NULL;
}

void contribution_set_number(struct contribution *c, size_t i, int64_t number) {
    *(int64_t *)((char *)c + number_offsets[i]) = number;
}

struct contribution *contribution_new(const char *product_id) {
    struct contribution *c = mem_zalloc(sizeof *c);
    c->product_id = mem_strdup(product_id);
    return c;
}

void contribution_free(struct contribution *c) {
    if (!c)
        return;
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        free(*text_field(c, i));
    free(c);
}

void contribution_freep(struct contribution **c) {
    contribution_free(*c);
    *c = NULL;
}

size_t contribution_size(const struct contribution *c) {
    enum { ALLOCATOR_BYTES = 2 * sizeof(size_t) };
    size_t size = sizeof *c;
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        if (contribution_text(c, i))
            size += strlen(contribution_text(c, i)) + 1 + ALLOCATOR_BYTES;
    return size;
}
