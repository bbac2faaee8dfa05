/*
 * credits: what a batch of one shard earns: for each contributor and role, on each board that the view keeps,
 * how often, and if the store has watermarks, by the records at which positions.
 *
 * A contributor's positions are kept once. What was earned in a period is a run of them, unless the periods
 * of its events alternate. So a further kind of period costs little memory, and little time. Not thread-safe.
 */
#ifndef VIEWS_CREDITS_H
#define VIEWS_CREDITS_H

#include <stddef.h>

#include "views/fold.h"
#include "views/position.h"
#include "views/store.h"

struct credits;
struct earner; /* a contributor in one role */

/* A purchase. */
struct credits_sale {
    const char *product_id;          /* borrowed for the call, the rest until credits_free */
    int64_t time_ms, period_time_ms; /* timeOrigin; fold_period_time */
    const char *origin;
    const struct position *position; /* NULL of all: positions are not kept */
};

struct credits *credits_new(const struct view_shape *shape, const char *shard_id);
void credits_free(struct credits *c);

/* The sale earns credit: `to`, by role (views/fold.h), and where the view keeps them also its product and the
 * shop. `earners` (by role, NULL at first) remember who earned by this product in this batch. Positions
 * ascend. */
void credits_earn(struct credits *c, const struct credits_sale *sale, const struct fold_credits *to,
                  struct earner *earners[ROLES]);

size_t credits_count(const struct credits *c);

/* What to write: so many as credits_count. Those of one earner lie together, and have the same pointer as
 * user_id. Borrowed until credits_free or until more is earned. */
void credits_list(const struct credits *c, struct store_score_write *writes);

size_t credits_size(const struct credits *c); /* of memory, about, with the writes */

#endif
