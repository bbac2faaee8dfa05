/*
 * fold: what one event does to the row of its product, and who earns credit for it. This is the meaning of
 * the views: plain C over plain structs, no store, no clock, no JSON. A change here, or to what counts as a
 * valid event (ingest/envelope.c), raises FOLD_VIEW_VERSION: rows made by different rules cannot be mixed.
 */
#ifndef VIEWS_FOLD_H
#define VIEWS_FOLD_H

#include "views/contribution.h"
#include "views/event.h"

#define FOLD_VIEW_VERSION 2

enum fold_outcome {
    FOLD_APPLIED,
    FOLD_DUPLICATE, /* this very event is in the row already */
    FOLD_STALE,     /* a later event is */
};

/* Credits an event earned: one for each role, user ids borrowed from the contribution; NULL: nobody in that
 * role. */
struct fold_credits {
    const char *user_id[ROLES];
};

/* Folds `e` into the row of its product. Unless it is applied, neither `c` nor `credits` says anything new.
 */
enum fold_outcome fold_event(struct contribution *c, const struct event *e, struct fold_credits *credits);

#endif
