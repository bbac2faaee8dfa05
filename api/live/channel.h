/*
 * channel: one way to follow the boards of a hub: as whole boards, or as a board and then its changes. It
 * decides when a board that was looked up becomes an event, and which.
 *
 * Freshness describes the boards as the channel sent them: a change that is not due yet is not in them.
 *
 * Belongs to the thread that steps the hubs, except for what is marked. Nothing blocks.
 */
#ifndef API_LIVE_CHANNEL_H
#define API_LIVE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "api/live/event_log.h"
#include "api/live/shared.h"

enum { CHANNEL_BOARDS = 2 }; /* in the order of enum live_event */

/* A board as it was sent. */
struct channel_board {
    struct answer *sent; /* NULL: none yet */
    int64_t as_of_ms;    /* up to when it is complete */
    int64_t next_ms;     /* when the next event of it may be sent */
    bool is_looked_up;   /* since the channel has readers */
};

struct channel {
    struct live_shared *shared;
    bool has_changes; /* else whole boards */
    struct channel_board boards[CHANNEL_BOARDS];
    int64_t as_of_ms; /* of the last freshness event */
    bool caught_up;

    /* Guarded by the lock. */
    struct event_log log;
    unsigned readers;
    enum { CHANNEL_GOES_ON, CHANNEL_BEGINS_AGAIN, CHANNEL_BEGINS_ANEW } begins; /* with its first reader */
    int64_t freshness_ms; /* when the freshness event was made */
};

void channel_init(struct channel *c, struct live_shared *shared, bool has_changes);
void channel_deinit(struct channel *c);

/* A reader arrives, under the lock. The first one wakes the channel: anew, if it does not go on from an event
 * (`resumes`). */
void channel_join(struct channel *c, bool resumes, int64_t now_ms);

/* To be called first in each step. False: there are no readers. `*begins`: they are new, look up the boards
 * at once. */
bool channel_begin_step(struct channel *c, bool *begins);

/* A board was looked up; NULL: it could not be read. Makes an event of it if it changed and that is due. */
void channel_offer(struct channel *c, int board, struct answer *answer, int64_t now_ms);

/* Makes a freshness event if that is due. */
void channel_publish_freshness(struct channel *c, int64_t now_ms);

#endif
