/*
 * credits: what a batch of one shard earns: for each contributor and role, on each board that the view keeps,
 * the positions of the records that earned it.
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

struct credits *credits_new(const struct view_shape *shape, const char *shard_id);
void credits_free(struct credits *c);

/* The record earns credit: `to`, by role (views/fold.h), and where the view keeps them also its product and
 * the shop. `earners` (by role, NULL at first) remember who earned by this product in this batch. Events are
 * borrowed; positions ascend. */
void credits_earn(struct credits *c, const struct event *event, const struct position *position,
                  const struct fold_credits *to, struct earner *earners[ROLES]);

size_t credits_count(const struct credits *c);

/* What to write: so many as credits_count. Those of one earner lie together, and have the same pointer as
 * user_id. Borrowed until credits_free; after it nothing may be earned. */
void credits_list(const struct credits *c, struct store_score_write *writes);

size_t credits_size(const struct credits *c); /* of memory, about, with the writes */

/* About the memory that a purchase takes; and more if it is the first of its product, or the first of its
 * product in one of the view's shortest periods. */
size_t credits_cost(const struct view_shape *shape, const struct event *event, bool is_new_product,
                    bool is_new_period);

#endif
