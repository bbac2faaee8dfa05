/*
 * news: what `/live` says besides the boards, as JSON; references are the caller's. Members are described in
 * openapi.yaml. Thread-safe; nothing blocks.
 */
#ifndef API_NEWS_H
#define API_NEWS_H

#include <jansson.h>

#include "api/sale_feed.h"
#include "api/view.h"

/* `freshness`, of a view that is complete up to `as_of_ms`. */
json_t *news_freshness(const struct view *view, int64_t as_of_ms);

/* `progress`. NULL: the view is caught up, or gets no nearer. `now_ms` is CLOCK_BOOTTIME. */
json_t *news_progress(const struct view *view, int64_t now_ms);

/* `sale`: the newest of some. */
json_t *news_sale(const struct view *view, const struct sale *sale);

#endif
