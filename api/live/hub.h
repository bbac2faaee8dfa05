/*
 * hub: the boards of all time, or of the period of one kind that is under way, for all who follow them. It
 * reads them only while there are readers, and as often for many as for one.
 *
 * Belongs to the thread that steps it, except for what its parts mark. Nothing blocks.
 */
#ifndef API_LIVE_HUB_H
#define API_LIVE_HUB_H

#include "api/live/channel.h"
#include "api/live/look_up.h"

struct hub {
    struct look_up boards[CHANNEL_BOARDS];
    struct channel channels[2]; /* whole boards, and changes */
};

void hub_init(struct hub *hub, struct live_shared *shared, enum period_kind kind);
void hub_deinit(struct hub *hub);

/* The channel of readers that want changes, or not. */
struct channel *hub_channel(struct hub *hub, bool changes);

/* Does what is due; returns when to call it again at the latest; INT64_MAX: not until a reader joins. */
int64_t hub_step(struct hub *hub, int64_t now_ms);

#endif
