/*
 * http_internal: what the files of http share, and nobody else includes: http.c (answers, requests, start),
 * server/http/wait.c (requests that wait for the store), server/http/connections.c (connections and their
 * times), server/http/stop.c (the end).
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
#include "server/http/acceptor.h"
#include "server/http/http.h"
#include "server/http/reply.h"

/* Between the HTTP thread, which suspends a connection, and the loader, which resumes it: whoever moves the
 * state on second knows that the other was there. */
enum wait {
    WAIT_BEGUN,     /* asked the api; the connection is not suspended yet */
    WAIT_SUSPENDED, /* whoever comes next resumes it */
    WAIT_DONE,      /* the call has its answer */
    WAIT_ABORTED,   /* stopping: it waits no longer, without an answer; the call still belongs to the api */
};

/* One client. Belongs to one HTTP thread, but for what is atomic. One reference for microhttpd, one for a
 * call that the api has. */
struct connection {
    struct http *http;
    struct MHD_Connection *mhd;
    int fd;
    atomic_uint references;
    struct connection *prev, *next; /* in http->connections, under its lock */
    /* When it will have taken too long over what it does now: sending a request, taking the answer, being
     * idle. 0: it may. */
    _Atomic int64_t close_at_ms;
    atomic_bool busy; /* a request is there, and not answered */
    _Atomic int wait;

    /* the request */
    int64_t started_us;
    bool has_headers;
    bool waited;
    bool surplus;                /* one more than --connections when it came */
    struct http_reply_sent sent; /* its answer; status 0: none yet */
    bool cached;                 /* it came through the cache, like this */
    enum cache_state cache;
    size_t body_bytes;
    uint64_t asked_bytes; /* of all requests of the connection so far, without what chunks cost */
    size_t target_length; /* as sent; more than LIMIT_URI_BYTES: `target` is cut */
    size_t target_capacity;
    char *target;
    char method[16];
    char request_id[LIMIT_REQUEST_ID_BYTES + 1]; /* "": none */
    struct api_call call;
};

struct http {
    struct api *api;
    struct live *live;
    struct http_options options;
    struct MHD_Daemon *daemon;
    struct acceptor *acceptor; /* owns the listening socket; counts connections from accept to close */
    unsigned port;
    atomic_bool draining;
    atomic_bool stopping;  /* nobody waits for the store any more */
    atomic_uint suspended; /* connections; from before they are until MHD_resume_connection has returned */
    atomic_uint open;      /* in `connections` */
    _Atomic uint64_t made_ids;

    pthread_mutex_t lock;   /* guards the rest; a leaf */
    pthread_cond_t changed; /* nobody is suspended or no connection is left; or the timekeeper is to end */
    struct connection *connections;
    bool timekeeper_ends;
    pthread_t timekeeper;
    struct pulse timekeeper_pulse;
};

/* ---- server/http/wait.c
 * -------------------------------------------------------------------------------------- */

/* The api will call http_on_done: the connection sleeps until then, or until http_abort_waits. On its HTTP
 * thread. False: nobody may wait any more, it is to be answered now. */
bool http_suspend(struct connection *c);

/* api_call.done; on a loader thread. */
void http_on_done(struct api_call *call);

/* Whoever waits is resumed without an answer, and from now on nobody waits any more. */
void http_abort_waits(struct http *http);

/* ---- server/http/connections.c
 * ------------------------------------------------------------------------------- */

/* acceptor_options.take. */
bool http_take(void *context, int fd, const struct sockaddr *address, socklen_t length);

/* Of microhttpd: a connection begins, and ends. */
void http_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);

void http_connection_unref(struct connection *c);

/* Whether the answer to the present request is the connection's last. */
bool http_is_last_answer(struct connection *c);

/* Waits for `changed`, at most so long; under the lock. */
void http_wait_ms(struct http *http, int64_t ms);

/* The thread that shuts down connections that take too long. */
enum status http_timekeeper_start(struct http *http, struct error *e);
void http_timekeeper_end(struct http *http);

#endif
