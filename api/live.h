/*
 * live: the boards and their freshness as a stream (`GET /live`) of Server-Sent Events (WHATWG HTML, section
 * 9.2, "Server-sent events").
 *
 * One hub serves all readers. It promises:
 *
 * - It looks the boards up through the cache, like any request, at most every LIMIT_LIVE_BOARD_MS, and only
 *   while there are readers. The store's load does not depend on how many readers there are.
 *
 * - A board is an event when more of it changed than its asOf. Freshness is an event when it changed, at most
 *   every LIMIT_LIVE_FRESHNESS_MS. An event is rendered once; all readers share its bytes.
 *
 * - There is no queue: the hub keeps the latest event of each kind, and a slow reader gets only those. A
 * reader gets events in the order of their ids, which grow within a process.
 *
 * - Freshness describes the boards as they were sent: every event of the stream before its asOf is in them.
 *
 * - A reader that got nothing for LIMIT_LIVE_HEARTBEAT_MS gets a comment.
 *
 * The hub uses no HTTP library: its owner calls live_read with room for some bytes, calls live_wait if there
 * are none, and gets `wake` later. A reader belongs to one thread at a time, except for `wake`. The hub's own
 * functions may be called from any thread; none blocks, except live_end.
 */
#ifndef API_LIVE_H
#define API_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/answer.h"
#include "api/api.h"

#define LIVE_ENDED (-1)

struct live;

struct live_reader {
    /* Set by the owner; called when there is something to read, once for each live_wait that returned true,
     * outside any lock. The reader must stay until then. */
    void (*wake)(struct live_reader *reader);

    /* private */
    struct live *hub;
    struct body *current; /* being read, from `offset` on; NULL: none */
    size_t offset;
    uint64_t last_id; /* of the last event read */
    int64_t sent_ms;  /* when the reader last got something */
    bool waiting;
    struct live_reader *prev, *next;
    struct live_reader *next_awake;
};

/* A hub without a thread: the owner calls live_step. Borrows the api. */
struct live *live_new(struct api *api, unsigned max_readers);

/* Starts a thread that calls live_step. */
enum status live_start(struct live *live, struct error *e);

/* Does what is due at `now_ms` (CLOCK_BOOTTIME); returns when to call it again at the latest. */
int64_t live_step(struct live *live, int64_t now_ms);

/* Ends all streams: readers are woken, finish the event that they have begun, then get LIVE_ENDED. When this
 * returns, no `wake` is running and no reader waits. Waits for the hub's thread, which blocks on nothing. */
void live_end(struct live *live);

/* Calls live_end if that was not done. No reader may be left; the api must still exist. NULL is fine. */
void live_free(struct live *live);

/* False: there are `max_readers` already, or the hub has ended. */
bool live_join(struct live *live, struct live_reader *reader, int64_t now_ms);
/* Once for each live_join that returned true; not while the reader waits. */
void live_leave(struct live_reader *reader);

/* Copies up to `size` bytes to `out`; returns how many, 0 for nothing now, or LIVE_ENDED. */
ssize_t live_read(struct live_reader *reader, int64_t now_ms, char *out, size_t size);

/* After live_read returned 0, when `wake` may be called. False: there is something to read by now. */
bool live_wait(struct live_reader *reader);

#endif
