/*
 * look_up: one board, read again and again through the cache as any request does, without waiting.
 *
 * Belongs to the thread that steps the hubs, except for what is marked. Nothing blocks.
 */
#ifndef API_LIVE_LOOK_UP_H
#define API_LIVE_LOOK_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "api/live/shared.h"
#include "views/period.h"

struct look_up {
    struct live_shared *shared;
    char target[48];
    int64_t next_ms; /* when to look it up next, at the earliest (CLOCK_BOOTTIME) */

    /* Guarded by the lock. */
    enum { LOOK_UP_IDLE, LOOK_UP_IN_FLIGHT, LOOK_UP_RETURNED } state;
    struct answer *returned; /* NULL: the board could not be read */

    struct api_call call; /* the api's in flight */
};

/* `word`: merchant or photographer. The period is the one under way at each look-up. */
void look_up_init(struct look_up *l, struct live_shared *shared, const char *word, enum period_kind kind);
void look_up_deinit(struct look_up *l);

/* Looks the board up if that is due and none is in flight. The waker is woken when it has returned. */
void look_up_begin(struct look_up *l, int64_t now_ms);

/* Whether one has returned since the last call. Then `*answer` is the board, a reference, the caller's; NULL:
 * it could not be read. */
bool look_up_take(struct look_up *l, struct answer **answer);

#endif
