/*
 * http_internal: shared by the files of http alone: http.c (requests, answers, start), loop.c (the HTTP
 * threads), wait.c (requests that wait for the store), connections.c (connections, their places and time
 * limits), stop.c (the end).
 */
#ifndef SERVER_HTTP_INTERNAL_H
#define SERVER_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "base/limits.h"
#include "base/pulse.h"
#include "base/waker.h"
#include "server/http/acceptor.h"
#include "server/http/http.h"
#include "server/http/reply.h"

/* The HTTP thread suspends a connection after it called the api, so that an answer from the cache needs no
 * suspension. The loader may have the answer before that. The one that changes WAIT_BEGUN first leaves the
 * resuming to the other. */
enum wait {
    WAIT_BEGUN,     /* the api was called; the connection is not suspended yet */
    WAIT_SUSPENDED, /* the next change of state resumes it */
    WAIT_DONE,      /* the call has its answer */
    WAIT_ABORTED,   /* the server stops: answered without the call, which still belongs to the api */
};

/* What a connection does. Those of the first three phases may be closed for a newcomer. Their loop has a
 * queue for each of these phases, the connection that is longest in its phase first. */
enum phase {
    PHASE_SURPLUS, /* accepted beyond --connections; its request has not arrived as a whole */
    PHASE_REQUEST, /* its request has not arrived as a whole, or not at all if it is its first */
    PHASE_IDLE,    /* answered; nothing of its next request has been noticed */
    PHASE_ANSWER,  /* its request has arrived and is not answered */
    PHASE_CLOSED,  /* its socket was shut down for a newcomer */

    PHASE_QUEUES = PHASE_ANSWER, /* their number */
};

/* One client. Belongs to one HTTP thread; other threads use the atomic fields, and those that its loop's lock
 * guards. One reference for microhttpd, one for a call that the api has. */
struct connection {
    struct http *http;
    struct http_loop *loop;
    struct MHD_Connection *mhd; /* NULL: its thread has not taken it over yet */
    int fd;
    atomic_uint references;

    /* Guarded by the loop's lock. */
    struct connection *prev, *next; /* in loop->connections */
    enum phase phase;
    int64_t since_ms;                   /* CLOCK_BOOTTIME */
    struct connection *earlier, *later; /* in the queue of its phase */
    struct connection *next_newcomer;   /* in loop->newcomers */
    uint64_t asked_bytes; /* of all requests so far, without the framing of chunks; changed by its thread in
                             PHASE_ANSWER, when no other reads it */

    /* When the client has taken too long to send a request, to read the answer, or to be idle
     * (CLOCK_BOOTTIME). 0: no limit. */
    _Atomic int64_t close_at_ms;
    _Atomic int wait;

    /* The present request. */
    int64_t started_us;
    bool has_headers;
    bool waited;
    bool is_last; /* the connection is closed after its answer */
    bool surplus; /* there were --connections already when it arrived, and none could be closed */
    struct http_reply_sent sent; /* the answer; status 0: none yet */
    bool cached;                 /* the cache gave the answer, in state `cache` */
    enum cache_state cache;
    size_t skipped_bytes; /* before its request line */
    size_t body_bytes;
    size_t target_length; /* as sent; more than LIMIT_URI_BYTES: `target` is cut */
    size_t target_capacity;
    char *target;
    const char *target_at; /* where microhttpd had it */
    char method[16];
    char request_id[LIMIT_REQUEST_ID_BYTES + 1]; /* "": none */
    struct http_reply_wishes wishes;
    struct api_call call;
};

/* An HTTP thread. Those of microhttpd are not used: they divide connections by descriptor number, not by
 * load, and can wait while there are events (turn() in loop.c). */
struct http_loop {
    struct http *http;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* the daemon's, which has the waker too */
    pthread_t thread;
    struct waker waker; /* a newcomer, a connection to resume, or the end */
    struct pulse pulse;
    atomic_bool ends;
    atomic_uint open; /* connections */
    atomic_bool has_newcomers;
    atomic_bool resumes; /* a connection was resumed since the thread last looked */

    /* Used by its thread alone. */
    struct connection *adding;    /* in MHD_add_connection */
    struct connection *looked_at; /* the next one whose time limits are checked; NULL: none before look_ms */
    int64_t look_ms;

    pthread_mutex_t lock;           /* guards the rest; a leaf */
    struct connection *connections; /* in the order of their arrival */
    struct connection *queues[PHASE_QUEUES];
    struct connection *newcomers; /* not taken over yet; the last one first */
};

struct http {
    struct api *api;
    struct live *live;
    struct http_options options;
    struct acceptor *acceptor; /* owns the listening socket; counts connections from accept to close */
    struct http_loop *loops;
    unsigned loop_count;
    unsigned port;
    bool is_ipv4;
    atomic_bool draining;
    atomic_bool stopping;  /* no request may wait for the store any more */
    atomic_uint suspended; /* connections, counted from before MHD_suspend_connection until
                              MHD_resume_connection returns */
    atomic_uint placed;    /* connections within --connections, except those of PHASE_CLOSED */
    atomic_uint surplus;   /* those beyond, with the same exception */
    _Atomic uint64_t made_ids;

    pthread_mutex_t lock;   /* for `changed`; a leaf */
    pthread_cond_t changed; /* no connection is suspended, or none is left */
};

/* loop.c. Starts a thread for each processor. `start_daemon`: starts microhttpd without threads. */
enum status http_loops_start(struct http *http, struct MHD_Daemon *(*start_daemon)(struct http_loop *),
                             struct error *e);

/* Ends the threads and closes the connections that are left, none of which may be suspended. */
void http_loops_end(struct http *http);

/* Hands a connection to its thread. */
void http_loop_add(struct connection *c);

/* MHD_resume_connection. Any thread. */
void http_loop_resume(struct http_loop *loop, struct MHD_Connection *mhd);

/* wait.c. Suspends the connection until the api calls http_on_done, or until http_abort_waits. On its HTTP
 * thread. False: the server stops, answer now. */
bool http_suspend(struct connection *c);

/* api_call.done; on a thread of the cache. */
void http_on_done(struct api_call *call);

/* Resumes every suspended connection without an answer; from now on none is suspended. */
void http_abort_waits(struct http *http);

/* connections.c. Makes a connection for the thread that has the fewest; if --connections are in use, closes
 * another one for it (http.h). On the acceptor's thread. */
struct connection *http_admit(struct http *http, int fd);

/* acceptor_options.relieve: of those beyond --connections, closes the oldest whose request has not arrived.
 */
void http_relieve(void *context);

/* The end of a connection. On its thread; its socket is closed afterwards. */
void http_connection_end(struct connection *c);

void http_connection_unref(struct connection *c);

/* Whether the answer to the present request is the connection's last. */
bool http_is_last_answer(struct connection *c);

/* To be called when the whole request has arrived, and when its answer was sent. On its thread. */
void http_answer_begins(struct connection *c);
void http_answer_ends(struct connection *c, int64_t now_ms);

/* Checks the time limits of some connections and shuts down those that are late. On the loop's thread, at
 * each turn. Returns when to call it next (CLOCK_BOOTTIME). */
int64_t http_look_for_late(struct http_loop *loop, int64_t now_ms);

/* Waits for `changed`, at most `ms`. Under the lock. */
void http_wait_ms(struct http *http, int64_t ms);

#endif
