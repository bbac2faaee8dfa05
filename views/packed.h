/*
 * packed: a row of Contributions in one piece of memory: a shard has many of them. Once the row has changed,
 * it also has the id of the last event that the store's row has, until packed_settle. Not thread-safe.
 */
#ifndef VIEWS_PACKED_H
#define VIEWS_PACKED_H

#include "views/contribution.h"

enum { PACKED_TEXTS = CONTRIBUTION_TEXTS + 1 };

struct packed {
    int64_t place;    /* the store's own: where it found or put the row; 0: not known */
    bool has_changed; /* it is ahead of the store: packed_change came after packed_settle */

    /* private */
    uint32_t capacity;
    uint32_t sizes[PACKED_TEXTS]; /* with the byte that ends it; 0: none */
    int64_t numbers[CONTRIBUTION_NUMBERS];
    char texts[];
};

/* A copy of the row, as the store has it. The caller frees with free(). */
struct packed *packed_new(const struct contribution *row);

/* The row. Its texts are borrowed until the packed row changes. */
struct contribution packed_row(const struct packed *p);
const char *packed_product_id(const struct packed *p);

/* Of the store's row; NULL: there is none, or the row has not changed. */
const char *packed_old_last_event_id(const struct packed *p);

/* Makes it equal to `row`, which is packed_row(p) with some fields set: a text that stayed is still p's.
 * Returns `p`, or frees it and returns another. */
struct packed *packed_change(struct packed *p, const struct contribution *row);

/* The store has it as it is. */
void packed_settle(struct packed *p);

/* Memory that it takes. */
size_t packed_size(const struct packed *p);

#endif
