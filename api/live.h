/*
 * live: the boards and their freshness for readers who stay (`GET /live`), as Server-Sent Events (WHATWG
 * HTML, section 9.2, "Server-sent events").
 *
 * One hub serves them all, and promises:
 *
 * - It looks the boards up through the cache, as any reader would, at most every LIMIT_LIVE_BOARD_MS, and
 * only while there are readers. How many they are costs the store nothing.
 *
 * - A board is an event when more of it changed than its asOf; freshness when that changed, at most every
 *   LIMIT_LIVE_FRESHNESS_MS. An event is rendered once, and its bytes are shared.
 *
 * - There is no queue: the hub keeps the latest event of each kind, and a reader who is behind gets those. A
 *   reader gets events in the order of their ids, which grow within a process.
 *
 * - Freshness speaks of the boards as they were sent: every event of the stream before its asOf is in them.
 *
 * - A reader to whom nothing was sent for LIMIT_LIVE_HEARTBEAT_MS gets a comment.
 *
 * The hub knows no HTTP library: a reader is asked for as many bytes as fit (live_read), waits if there are
 * none (live_wait), and is woken. It belongs to one thread at a time, but for `wake`. The hub's own functions
 * may be called from any thread; none blocks, except live_end.
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
    /* Set by the owner: there is something to read. Called once for each live_wait that returned true,
     * outside any lock; until it is called the reader must stay. */
    void (*wake)(struct live_reader *reader);

    /* private */
    struct live *hub;
    struct body *current; /* what is being read, from `offset` on */
    size_t offset;
    uint64_t seen;   /* the id of the last event taken */
    int64_t sent_ms; /* when something was taken last */
    bool waiting;
    struct live_reader *prev, *next;
    struct live_reader *next_awake;
};

/* A hub without a thread: live_step is its owner's to call. Borrows the api. */
struct live *live_new(struct api *api, unsigned max_readers);

/* Gives it one. */
enum status live_start(struct live *live, struct error *e);

/* Does what is due at `now_ms` (CLOCK_BOOTTIME); returns when to call it again at the latest. */
int64_t live_step(struct live *live, int64_t now_ms);

/* The end of all streams: readers are woken, read what they have begun, then LIVE_ENDED. Nobody is still
 * being woken when this returns, and nobody waits any more. Waits for the hub's thread, which waits for
 * nothing. */
void live_end(struct live *live);

/* Ends it, if that was not done. No reader may be left; the api must still be there. NULL is fine. */
void live_free(struct live *live);

/* False: there are `max_readers` already, or the hub has ended. */
bool live_join(struct live *live, struct live_reader *reader, int64_t now_ms);
/* Once, by who has joined; not while it waits. */
void live_leave(struct live_reader *reader);

/* Up to `size` bytes into `out`: how many; 0: nothing now; LIVE_ENDED. */
ssize_t live_read(struct live_reader *reader, int64_t now_ms, char *out, size_t size);

/* After live_read returned 0, and once `wake` may be called. False: there is something by now, read on. */
bool live_wait(struct live_reader *reader);

#endif
