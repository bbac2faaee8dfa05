/*
 * http: one address that serves the api over libmicrohttpd, its connections, and how they end.
 *
 * The HTTP threads (one for each processor) block on sockets only. A request that waits for the store is
 * suspended; the thread that has its answer resumes it. limits.h bounds the URI, the headers, the body
 * of a request (which is ignored), the connections, and the time to send a request and to read its answer.
 *
 * The phases of a stop:
 *   http_drain_begin  no new connection; each answer says `Connection: close`; streams of /live end
 *   http_stop         every request that was sent before the first connection was refused is answered, if
 *                     the deadline allows; requests that still wait for the store then are answered 503
 */
#ifndef SERVER_HTTP_HTTP_H
#define SERVER_HTTP_HTTP_H

#include <stdbool.h>
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
    /* Connections that are served. When all are in use, one is closed for the newcomer:
     *   1. the one whose incomplete request is the oldest, if it began more than a second ago;
     *   2. else the longest idle between two requests, if for more than a second;
     *   3. else the oldest that has sent nothing, if it is silent for LIMIT_SILENT_NEWCOMER_MS.
     * One whose request is being answered is never closed, nor one whose bytes wait to be read. If none can
     * be closed, LIMIT_PROBE_CONNECTIONS more are accepted, answered once (503, but for probes) and closed;
     * when these are in use too, the oldest without a whole request is closed at once: the kernel's queue is
     * in the order of arrival, and a probe may stand in it behind thousands. */
    unsigned connections;
    enum http_access_log access_log;
    enum api_routes routes;
    unsigned max_live; /* readers of /live; fewer than `connections` */
};

struct http;

/* Serves from now on. Borrows the api, which must outlive it. NULL on failure. */
struct http *http_new(const struct http_options *options, struct api *api, struct error *e);

/* The most sockets of clients that are open at once. */
unsigned http_files(unsigned connections);

/* The port that it listens on, which the system chose if `listen` has port 0. */
unsigned http_port(const struct http *http);

/* Whether it accepts IPv4 alone, as it does for [::] where the kernel has no IPv6. */
bool http_is_ipv4(const struct http *http);

/* Stops listening. A client whose connect() succeeded before another one was refused is still served
 * (server/http/acceptor.h). Blocks for LIMIT_HANDSHAKE_MS, at most until `deadline_ms` (CLOCK_BOOTTIME). */
void http_drain_begin(struct http *http, int64_t deadline_ms);

/* Calls http_drain_begin if it was not called, waits until `deadline_ms` (CLOCK_BOOTTIME) for requests in
 * flight and for requests that idle connections may just have sent, answers the rest, and returns when no
 * connection and no thread is left: HTTP_STOP_GRACE_MS after the deadline at the latest, if abandoned loads
 * keep their own deadlines. */
#define HTTP_STOP_GRACE_MS 500
void http_stop(struct http *http, int64_t deadline_ms);

/* After http_stop; NULL is fine. */
void http_free(struct http *http);

#endif
