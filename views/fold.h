/*
 * fold: what one event does to the row of its product, and who earns credit for it (views/README.md, "What
 * an event means"). Plain C over plain structs: no store, no clock, no JSON. A change here, or to what is a
 * valid event (ingest/envelope.c), raises FOLD_VIEW_VERSION: rows made by different rules cannot be mixed.
 */
#ifndef VIEWS_FOLD_H
#define VIEWS_FOLD_H

#include <stdint.h>

#include "views/board.h"
#include "views/contribution.h"

#define FOLD_VIEW_VERSION 3

enum event_kind {
    EVENT_CREATE,   /* the origin registers the product */
    EVENT_IMAGE,    /* the origin photographed it */
    EVENT_PURCHASE, /* it was bought once */
};

/* A valid event (ingest/envelope.h). Strings are borrowed. */
struct event {
    enum event_kind kind;
    const char *id; /* views/event_id.h */
    const char *product_id;
    const char *origin; /* the contributor's userId */
    int64_t time_ms;    /* timeOrigin, since the epoch */
    int64_t arrived_ms; /* at the stream that took it first; -1: unknown */

    /* What the product is. NULL: the kind has none. */
    const char *name, *brand, *category; /* EVENT_CREATE */
    const char *image;                   /* EVENT_IMAGE */
};

enum fold_outcome {
    FOLD_APPLIED,
    FOLD_DUPLICATE, /* this very event is in the row already */
    FOLD_STALE,     /* a later event is */
};

/* Who earned credit, by role: user ids borrowed from the contribution; NULL: nobody. */
struct fold_credits {
    const char *user_id[PEOPLE_ROLES];
};

/* The time that decides in which periods the event counts: when it happened, if it arrived within an hour
 * after that; else when it arrived. From the record alone, so that a replay decides the same. */
int64_t fold_period_time(const struct event *e);

/* Folds `e` into the row of its product, which borrows texts of the event. The row changes, and `credits` has
 * any, only with FOLD_APPLIED. */
enum fold_outcome fold_event(struct contribution *c, const struct event *e, struct fold_credits *credits);

#endif
