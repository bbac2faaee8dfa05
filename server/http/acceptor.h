/*
 * acceptor: takes connections from a listening socket, on a thread of its own, and hands them over.
 *
 * No more than a limit are open at once; whoever comes then waits in the kernel's queue until one is closed.
 * When it ends, no connection is lost that a client believes in: at first no new handshake begins
 * (listen_refuse), those that had begun finish, the queue is emptied, and only then the socket is closed. So
 * a client whose connect() succeeds before another's is refused has been handed over.
 *
 * Thread-safe, but for acceptor_end and acceptor_free, which are for one thread.
 */
#ifndef SERVER_HTTP_ACCEPTOR_H
#define SERVER_HTTP_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

struct acceptor;

struct acceptor_options {
    int fd;         /* listening, non-blocking; closed by the acceptor when it ends */
    unsigned limit; /* connections open at once */
    /* A connection: a non-blocking socket, the callee's to close in any case. False: it was closed at once.
     * On the acceptor's thread. */
    bool (*take)(void *context, int fd, const struct sockaddr *address, socklen_t length);
    void *context;
};

/* *a is set before anything is taken. On failure it is NULL and the socket still the caller's. */
enum status acceptor_start(struct acceptor **a, const struct acceptor_options *options, struct error *e);

/* A connection that was taken has been closed. Returns how many are open now. */
unsigned acceptor_release(struct acceptor *a);

/* Connections taken and not released. */
unsigned acceptor_open(struct acceptor *a);

/* Takes what is on its way, then closes the socket: within LIMIT_HANDSHAKE_MS, unless there are more than the
 * limit; by CLOCK_BOOTTIME `deadline_ms` at the latest. Blocks until that is done, and nothing is taken any
 * more. A second call does nothing. */
void acceptor_end(struct acceptor *a, int64_t deadline_ms);

/* After acceptor_end and the last acceptor_release; NULL is fine. */
void acceptor_free(struct acceptor *a);

#endif
