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

const char *contribution_text(const struct contribution *c, size_t i) {
    return *(const char *const *)((const char *)c + text_offsets[i]);
}

int64_t contribution_number(const struct contribution *c, size_t i) {
    return *(const int64_t *)((const char *)c + number_offsets[i]);
}

void contribution_set_number(struct contribution *c, size_t i, int64_t number) {
    *(int64_t *)((char *)c + number_offsets[i]) = number;
}

void contribution_set_text(struct contribution *c, size_t i, const char *text) {
    *(const char **)((char *)c + text_offsets[i]) = text;
}

struct contribution *contribution_from(const char *const texts[CONTRIBUTION_TEXTS]) {
    size_t sizes[CONTRIBUTION_TEXTS], size = 0;
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        size += sizes[i] = texts[i] ? strlen(texts[i]) + 1 : 0;
    struct contribution *c = mem_alloc(sizeof *c + size);
    *c = (struct contribution){0};
    char *at = (char *)(c + 1);
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++) {
        if (texts[i])
            contribution_set_text(c, i, memcpy(at, texts[i], sizes[i]));
        at += sizes[i];
    }
    return c;
}

void contribution_free(struct contribution *c) {
    free(c);
}

void contribution_freep(struct contribution **c) {
    contribution_free(*c);
    *c = NULL;
}
