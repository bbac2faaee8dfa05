/*
 * common_events: the events that are of no period: sales, and the progress of a view that catches up. All who
 * follow changes get the same ones, whichever boards they follow: each sale that the api reports, at most one
 * every LIMIT_LIVE_SALE_MS, and the latest progress, at most every LIMIT_LIVE_PROGRESS_MS.
 *
 * Belongs to the thread that steps the hubs. Nothing blocks.
 */
#ifndef API_LIVE_COMMON_EVENTS_H
#define API_LIVE_COMMON_EVENTS_H

#include "api/live/hub.h"

struct common_events {
    bool follows; /* the api collects sales */
    int64_t sale_ms, progress_ms;
};

/* Does what is due; returns when to call it again; INT64_MAX: not until somebody follows. */
int64_t common_events_step(struct common_events *events, struct live_shared *shared,
                           struct hub hubs[PERIOD_KINDS], bool has_followers, int64_t now_ms);

#endif
