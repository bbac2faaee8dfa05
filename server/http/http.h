/*
 * http: the listening side, over libmicrohttpd: one address, its connections, and how they end.
 *
 * The HTTP threads (one for each processor) wait for nothing but sockets. A request that has to wait for the
 * store is suspended, and resumed by the loader thread that has its answer. Requests are bounded (limits.h):
 * URI, headers, the body that comes with a request (it is ignored), connections, the time that a request may
 * take to come, and the time that its answer may take to be taken.
 *
 * Stopping has phases: serving; http_drain_begin: no new connections, each answer says `Connection: close`,
 * streams end;
 * http_stop: every request that was sent before the first connection was refused gets its answer, if a
 * deadline allows; then whoever still waits for the store is told 503.
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include <stdint.h>

#include "api/api.h"
#include "base/error.h"

enum http_access_log {
    HTTP_ACCESS_LOG_NONE,
    HTTP_ACCESS_LOG_ERRORS, /* answers of 500 and above: what the server could not do */
    HTTP_ACCESS_LOG_ALL,
};

struct http_options {
    const char *listen; /* HOST:PORT; only read by http_new */
    /* Served at once. LIMIT_PROBE_CONNECTIONS more are taken, answered once, 503 unless they ask for a probe,
     * and closed; the rest wait in the kernel's queue. */
    unsigned connections;
    enum http_access_log access_log;
    enum api_routes routes;
    unsigned max_live; /* readers of /live; fewer than `connections` */
};

struct http;

/* Serves from now on. Borrows the api, which must outlive it. NULL on failure. */
struct http *http_new(const struct http_options *options, struct api *api, struct error *e);

/* The port it listens on, also where the options said 0. */
unsigned http_port(const struct http *http);

/* Ends listening, so that whoever could connect before somebody was refused is served
 * (server/http/acceptor.h). Blocks for LIMIT_HANDSHAKE_MS, at most until `deadline_ms` (CLOCK_BOOTTIME). */
void http_drain_begin(struct http *http, int64_t deadline_ms);

/* Begins to drain if that was not done, waits until `deadline_ms` (CLOCK_BOOTTIME) for requests in flight and
 * for what idle connections may just have sent, answers the rest, and returns when no connection and no
 * thread is left: HTTP_STOP_GRACE_MS after the deadline at the latest, if the loads that it gave up keep
 * their own deadlines. */
#define HTTP_STOP_GRACE_MS 500
void http_stop(struct http *http, int64_t deadline_ms);

/* After http_stop; NULL is fine. */
void http_free(struct http *http);

#endif
