/* event: what happened to a product, as the fold sees it: valid (ingest/envelope.h decides that), and named.
 */
#ifndef VIEWS_EVENT_H
#define VIEWS_EVENT_H

#include <stdint.h>

enum event_kind {
    EVENT_CREATE,   /* the origin registers the product */
    EVENT_IMAGE,    /* the origin photographed it */
    EVENT_PURCHASE, /* it was bought once */
};

/* Strings are borrowed from whoever made it. */
struct event {
    enum event_kind kind;
    const char *id; /* event_id.h; well-formed */
    const char *product_id;
    const char *origin; /* the contributor's userId */
    int64_t time_ms;    /* timeOrigin, since the epoch */
};

#endif
