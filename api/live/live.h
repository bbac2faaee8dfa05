/*
 * live: the boards and their freshness as a stream (`GET /live`) of Server-Sent Events (WHATWG HTML, section
 * 9.2, "Server-sent events"): of all time, or of the period of a kind that is under way.
 *
 * One hub for each kind in use serves all its readers, and one thread steps all hubs. They promise:
 *
 * - A board is looked up through the cache, like any request, at most every LIMIT_LIVE_BOARD_MS, and only
 *   while there are readers. The store's load does not depend on how many readers there are.
 *
 * - Readers get whole boards, at most every LIMIT_LIVE_WHOLE_MS. With `changes` they get whole boards first
 *   and then what changed (api/live/changes.h), at most every LIMIT_LIVE_BOARD_MS and, but for single large
 *   ones, LIMIT_LIVE_CHANGE_BYTES a second for each board. A period that begins is a whole board. A board is
 *   an event when more of it changed than its asOf. Freshness is an event when it changed, at most every
 *   LIMIT_LIVE_FRESHNESS_MS. These times are counted in ticks (api/live/tick.h). An event is rendered once;
 *   all readers of a hub share its bytes.
 *
 * - There is no queue for a reader: a hub keeps the latest event of each kind, and the changes of a while, in
 *   bounds (api/live/event_log.h). A reader that is behind, or has returned with the id of the last event
 *   that it got, gets the changes since then in their order, or whole boards where they are gone.
 *
 * - A reader gets events in the order of their ids. An id that is not of this stream counts as none.
 *
 * - Freshness describes the boards as they were sent: every event of the stream before its asOf is in them.
 *
 * - A reader that got nothing for LIMIT_LIVE_HEARTBEAT_MS gets a comment.
 *
 * It uses no HTTP library: its owner calls live_read with room for some bytes, calls live_wait if there
 * are none, and gets `wake` later. A reader belongs to one thread at a time, except for `wake`. The functions
 * of `struct live` may be called from any thread; none blocks, except live_end.
 */
#ifndef API_LIVE_LIVE_H
#define API_LIVE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/answer.h"
#include "api/api.h"

#define LIVE_ENDED (-1)
#define LIVE_EPOCH_SIZE 9 /* of an id, with its NUL */
#define LIVE_ID_SIZE (LIVE_EPOCH_SIZE + 21)

/* In the order in which a new reader gets them. */
enum live_event {
    LIVE_MERCHANT,
    LIVE_PHOTOGRAPHER,
    LIVE_ROWS,
    LIVE_SALE,
    LIVE_PROGRESS,
    LIVE_FRESHNESS,
    LIVE_EVENTS,
};

struct live;
struct channel;

/* What a reader follows. Borrowed for the call. */
struct live_wishes {
    enum period_kind kind;
    bool changes;
    const char *last_event_id; /* NULL: none */
};

struct live_reader {
    /* Set by the owner; called when there is something to read, once for each live_wait that returned true,
     * outside any lock. The reader must stay until then. */
    void (*wake)(struct live_reader *reader);

    /* private */
    struct live *live;
    struct channel *channel;
    struct body *current; /* being read, from `offset` on; NULL: none */
    size_t offset;
    bool starts;     /* with the present state */
    uint64_t number; /* of the last event read */
    int64_t sent_ms; /* when the reader last got something */
    bool waiting;
    struct live_reader *prev, *next;
    struct live_reader *next_awake;
};

/* Hubs without a thread: the owner calls live_step. Borrows the api. */
struct live *live_new(struct api *api, unsigned max_readers);

/* Starts a thread that calls live_step. */
enum status live_start(struct live *live, struct error *e);

/* Does what is due at `now_ms` (CLOCK_BOOTTIME); returns when to call it again at the latest. */
int64_t live_step(struct live *live, int64_t now_ms);

/* Ends all streams: readers are woken, finish the event that they have begun, then get LIVE_ENDED. When this
 * returns, no `wake` is running and no reader waits. Waits for the thread, which blocks on nothing. */
void live_end(struct live *live);

/* Calls live_end if that was not done. No reader may be left; the api must still exist. NULL is fine. */
void live_free(struct live *live);

/* False: there are `max_readers` already, or live_end was called. */
bool live_join(struct live *live, struct live_reader *reader, const struct live_wishes *wishes,
               int64_t now_ms);
/* Once for each live_join that returned true; not while the reader waits. */
void live_leave(struct live_reader *reader);

/* Copies up to `size` bytes to `out`; returns how many, 0 for nothing now, or LIVE_ENDED. */
ssize_t live_read(struct live_reader *reader, int64_t now_ms, char *out, size_t size);

/* After live_read returned 0, when `wake` may be called. False: there is something to read by now. */
bool live_wait(struct live_reader *reader);

#endif
