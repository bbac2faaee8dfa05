/*
 * sale_feed: what was sold since it was asked last: the newest sale, and how many there were. So many sales
 * a second as there may be: it keeps one. Threads of shards note sales, the hub of /live takes them.
 *
 * Closed, it keeps nothing and costs nothing. Thread-safe; a leaf lock, held to exchange a few pointers.
 */
#ifndef API_SALE_FEED_H
#define API_SALE_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "views/apply.h"

struct sale_feed;

/* Some sales, described by the newest. Owns its strings. */
struct sale {
    size_t n; /* 0: nothing was sold, and all else is empty */
    char *product_id;
    char *name;                    /* NULL: it has none */
    char *merchant, *photographer; /* userIds; NULL: nobody, or unknown */
    int64_t time_ms;               /* the event's own */
};

void sale_deinit(struct sale *sale);

/* Closed. */
struct sale_feed *sale_feed_new(void);
void sale_feed_free(struct sale_feed *feed); /* NULL is fine */

/* Opened, it begins empty; sales that were not taken are forgotten. The same again changes nothing. */
void sale_feed_open(struct sale_feed *feed, bool is_open);
bool sale_feed_is_open(const struct sale_feed *feed); /* lock-free */

void sale_feed_note(struct sale_feed *feed, const struct apply_sales *sales);

/* The sales since the last call; the caller frees with sale_deinit. False: there are none. */
bool sale_feed_take(struct sale_feed *feed, struct sale *sale);

#endif
