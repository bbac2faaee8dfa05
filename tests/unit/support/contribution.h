/* Contributions for tests. */
#ifndef TESTS_UNIT_SUPPORT_CONTRIBUTION_H
#define TESTS_UNIT_SUPPORT_CONTRIBUTION_H

#include "base/mem.h"
#include "views/packed.h"

/* Only the product's id is its own: texts that are set are borrowed. */
static inline struct contribution *contribution_new(const char *product_id) {
    return contribution_from((const char *const[CONTRIBUTION_TEXTS]){product_id});
}

static inline struct contribution *contribution_copy(const struct contribution *c) {
    const char *texts[CONTRIBUTION_TEXTS];
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++)
        texts[i] = contribution_text(c, i);
    struct contribution *copy = contribution_from(texts);
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        contribution_set_number(copy, i, contribution_number(c, i));
    return copy;
}

/* The row as it is to be written over one whose last event was `old`; NULL: there is none. */
static inline struct packed *pack_over(const struct contribution *row, const char *old) {
    struct contribution before = *row;
    before.last_event_id = old;
    return packed_change(packed_new(&before), row);
}

#endif
