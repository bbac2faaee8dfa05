/*
 * event_log: the events of one stream of /live, numbered in their order, rendered once for all readers.
 *
 * Events that follow from one another are kept in order (event_log_put), the last LIMIT_LIVE_HISTORY of them
 * within LIMIT_LIVE_HISTORY_BYTES. Of the others only the latest of each kind is kept (event_log_replace). A
 * reader that has everything up to a number reads what is after it; if some of that is gone
 * (event_log_has_lost), or if it is new, it reads the present state (event_log_start) and goes on from there.
 *
 * The id of an event is `<epoch>-<number>`: it says that the reader has everything up to there. A log gets a
 * new epoch, unpredictable, whenever its numbers begin anew.
 *
 * Not thread-safe: the caller holds a lock. Nothing here blocks.
 */
#ifndef API_LIVE_EVENT_LOG_H
#define API_LIVE_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/answer.h"
#include "api/live/live.h"
#include "base/limits.h"

struct event_log_entry {
    uint64_t number; /* 0: not an event, a part of the present state only */
    enum live_event kind;
    struct body *data; /* of the present state, JSON on one line; NULL in `kept` */
    struct body *text; /* with event, id and data, as it is sent; NULL: number 0 */
};

struct event_log {
    char epoch[LIVE_EPOCH_SIZE];
    uint64_t last; /* the greatest number; 0: none */
    uint64_t lost; /* the greatest number of those that were removed from `kept` */
    struct event_log_entry present[LIVE_EVENTS];
    struct event_log_entry kept[LIMIT_LIVE_HISTORY]; /* a ring */
    size_t first, n, bytes;
    struct body *start; /* made when it is asked for; NULL: not since the last change */
};

/* The name of the event. */
const char *live_event_name(enum live_event kind);

void event_log_init(struct event_log *log);
void event_log_deinit(struct event_log *log);

/* Forgets all and begins a new epoch. */
void event_log_clear(struct event_log *log);

/* Adds an event that every reader gets; returns the bytes of its text. The data is copied. */
size_t event_log_put(struct event_log *log, enum live_event kind, const struct body *data);

/* Adds an event that takes the place of the one before of its kind, also for readers that have not read that.
 * Keeps a reference to the data. */
void event_log_replace(struct event_log *log, enum live_event kind, struct body *data);

/* What readers begin with, without an event; NULL: nothing. Keeps a reference to the data. */
void event_log_set_state(struct event_log *log, enum live_event kind, struct body *data);

/* The event after this number; NULL: none. Borrowed until the log changes. */
const struct event_log_entry *event_log_next(const struct event_log *log, uint64_t number);

/* Whether some event after this number is gone. */
bool event_log_has_lost(const struct event_log *log, uint64_t number);

/* Everything that is present, as events; the last one has the id of `log->last`. Borrowed until the log
 * changes. NULL: nothing is present. */
struct body *event_log_start(struct event_log *log);
bool event_log_has_start(const struct event_log *log);

/* The number of an id of this log from which a reader can go on. False: there is none in the text (NULL: no
 * text), or events after it are gone. */
bool event_log_find(const struct event_log *log, const char *id, uint64_t *number);

#endif
