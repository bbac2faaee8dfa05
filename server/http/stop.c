#include "server/http/internal.h"

#include <sys/socket.h>

#include <utlist.h>

#include "api/live.h"
#include "base/clock.h"

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

void http_drain_begin(struct http *http, int64_t deadline_ms) {
    if (atomic_load(&http->draining))
        return;
    acceptor_end(http->acceptor, deadline_ms);
    atomic_store(&http->draining, true);
    live_end(http->live);
}

/* microhttpd then reads what had arrived and then the end: it answers a request that is there, and closes.
 * Under the lock. */
static void end_idle_connections(struct http *http) {
    struct connection *c;
    DL_FOREACH(http->connections, c) {
        if (!atomic_load(&c->busy))
            shutdown(c->fd, SHUT_RD);
    }
}

/* Until no connection is left. It repeats, for connections that become idle meanwhile. */
static void end_connections(struct http *http, int64_t deadline_ms) {
    pthread_mutex_lock(&http->lock);
    for (int64_t left; acceptor_open(http->acceptor) && (left = deadline_ms - clock_boot_ms()) > 0;) {
        end_idle_connections(http);
        http_wait_ms(http, least(left, LIMIT_END_IDLE_MS));
    }
    pthread_mutex_unlock(&http->lock);
}

/* For requests that clients sent before they could see that this server stops. */
static void await_last_requests(struct http *http, int64_t deadline_ms) {
    int64_t until_ms = least(deadline_ms, clock_boot_ms() + LIMIT_LAST_REQUESTS_MS);
    pthread_mutex_lock(&http->lock);
    for (int64_t left; acceptor_open(http->acceptor) && (left = until_ms - clock_boot_ms()) > 0;)
        http_wait_ms(http, left);
    pthread_mutex_unlock(&http->lock);
}

void http_stop(struct http *http, int64_t deadline_ms) {
    http_drain_begin(http, deadline_ms);
    await_last_requests(http, deadline_ms);
    end_connections(http, deadline_ms);
    http_abort_waits(http);
    end_connections(http, clock_boot_ms() + HTTP_STOP_GRACE_MS);
    http_abort_waits(http); /* microhttpd must not stop while a connection is being resumed */
    http_timekeeper_end(http);
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
}
