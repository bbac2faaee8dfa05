/*
 * http_internal: shared by the files of http alone: http.c (requests, answers, start), wait.c (requests that
 * wait for the store), connections.c (connections and their time limits), stop.c (the end).
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

/* The HTTP thread suspends a connection after it called the api, so that an answer from the cache needs no
 * suspension. The loader may have the answer before that. The one that changes WAIT_BEGUN first leaves the
 * resuming to the other. */
enum wait {
    WAIT_BEGUN,     /* the api was called; the connection is not suspended yet */
    WAIT_SUSPENDED, /* the next change of state resumes it */
    WAIT_DONE,      /* the call has its answer */
    WAIT_ABORTED,   /* the server stops: answered without the call, which still belongs to the api */
};

/* One client. Belongs to one HTTP thread; other threads use the atomic fields. One reference for microhttpd,
 * one for a call that the api has. */
struct connection {
    struct http *http;
    struct MHD_Connection *mhd;
    int fd;
    atomic_uint references;
    struct connection *prev, *next; /* in http->connections, under its lock */
    /* When the client has taken too long to send a request, to read the answer, or to be idle
     * (CLOCK_BOOTTIME). 0: no limit. */
    _Atomic int64_t close_at_ms;
    atomic_bool busy; /* a request has arrived and is not answered */
    _Atomic int wait;

    /* The present request. */
    int64_t started_us;
    bool has_headers;
    bool waited;
    bool is_last;                /* the connection is closed after its answer */
    bool surplus;                /* there were --connections already when it arrived */
    struct http_reply_sent sent; /* the answer; status 0: none yet */
    bool cached;                 /* the cache gave the answer, in state `cache` */
    enum cache_state cache;
    size_t body_bytes;
    uint64_t asked_bytes; /* of all requests of the connection so far, without the framing of chunks */
    size_t target_length; /* as sent; more than LIMIT_URI_BYTES: `target` is cut */
    size_t target_capacity;
    char *target;
    const char *target_at; /* where microhttpd had it */
    char method[16];
    char request_id[LIMIT_REQUEST_ID_BYTES + 1]; /* "": none */
    struct http_reply_wishes wishes;
    struct api_call call;
};

struct http {
    struct api *api;
    struct live *live;
    struct http_options options;
    struct MHD_Daemon *daemon;
    struct acceptor *acceptor; /* owns the listening socket; counts connections from accept to close */
    unsigned port;
    bool is_ipv4;
    atomic_bool draining;
    atomic_bool stopping;  /* no request may wait for the store any more */
    atomic_uint suspended; /* connections, counted from before MHD_suspend_connection until
                              MHD_resume_connection returns */
    atomic_uint open;      /* in `connections` */
    _Atomic uint64_t made_ids;

    pthread_mutex_t lock;   /* guards the rest; a leaf */
    pthread_cond_t changed; /* no connection is suspended, or none is left, or the timekeeper must end */
    struct connection *connections;
    bool timekeeper_ends;
    pthread_t timekeeper;
    struct pulse timekeeper_pulse;
};

/* wait.c. Suspends the connection until the api calls http_on_done, or until http_abort_waits. On its HTTP
 * thread. False: the server stops, answer now. */
bool http_suspend(struct connection *c);

/* api_call.done; on a thread of the cache. */
void http_on_done(struct api_call *call);

/* Resumes every suspended connection without an answer; from now on none is suspended. */
void http_abort_waits(struct http *http);

/* connections.c. acceptor_options.take. */
bool http_take(void *context, int fd, const struct sockaddr *address, socklen_t length);

/* Called by microhttpd when a connection begins and when it ends. */
void http_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);

void http_connection_unref(struct connection *c);

/* Whether the answer to the present request is the connection's last. */
bool http_is_last_answer(struct connection *c);

/* Waits for `changed`, at most `ms`. Under the lock. */
void http_wait_ms(struct http *http, int64_t ms);

/* The thread that shuts down connections that take too long. */
enum status http_timekeeper_start(struct http *http, struct error *e);
void http_timekeeper_end(struct http *http);

#endif
