/* A copy of a contribution, field by field. */
#ifndef TESTS_UNIT_SUPPORT_CONTRIBUTION_H
#define TESTS_UNIT_SUPPORT_CONTRIBUTION_H

#include "base/mem.h"
#include "views/contribution.h"

static inline struct contribution *contribution_copy(const struct contribution *c) {
    const char *texts[CONTRIBUTION_TEXTS];
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        texts[i] = contribution_text(c, i);
    struct contribution *copy = contribution_from(texts);
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        contribution_set_number(copy, i, contribution_number(c, i));
    return copy;
}

#endif
