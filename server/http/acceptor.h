/*
 * acceptor: accepts connections from a listening socket, on a thread of its own, and hands them over.
 *
 * At most `limit` connections are open at once; further clients stay in the kernel's queue until one is
 * closed. The end loses no connection that a client considers open: first no new handshake begins
 * (listen_refuse), then those that had begun finish, then the queue is emptied, and then the socket is
 * closed. So a client whose connect() succeeded before another one was refused has been handed over.
 *
 * Thread-safe, except acceptor_end and acceptor_free, which are for one thread.
 */
#ifndef SERVER_HTTP_ACCEPTOR_H
#define SERVER_HTTP_ACCEPTOR_H

#include <stdint.h>

#include "base/error.h"

struct acceptor;

struct acceptor_options {
    int fd;         /* listening, non-blocking; closed by the acceptor when it ends */
    unsigned limit; /* connections open at once */
    /* Called on the acceptor's thread with a non-blocking socket, which is the callee's from then on. */
    void (*take)(void *context, int fd);
    /* Called on the acceptor's thread now and then while `limit` connections are open and a client waits: may
     * close one. */
    void (*relieve)(void *context);
    void *context;
};

/* Sets *a before it accepts. On failure *a is NULL and the socket still belongs to the caller. */
enum status acceptor_start(struct acceptor **a, const struct acceptor_options *options, struct error *e);

/* To be called when a connection has been closed. Returns how many are open now. */
unsigned acceptor_release(struct acceptor *a);

/* Connections that were accepted and not released. */
unsigned acceptor_open(struct acceptor *a);

/* Accepts the connections that have begun, then closes the socket: within LIMIT_HANDSHAKE_MS, unless there
 * are more than `limit`; at `deadline_ms` (CLOCK_BOOTTIME) at the latest. Blocks until then. A second call
 * does nothing. */
void acceptor_end(struct acceptor *a, int64_t deadline_ms);

/* After acceptor_end and the last acceptor_release; NULL is fine. */
void acceptor_free(struct acceptor *a);

#endif
