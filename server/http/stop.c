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

/* Until no connection is left, at most until `until_ms`. `end_idle`: ends idle ones, again and again, for
 * those that become idle meanwhile. */
static void await_connections(struct http *http, int64_t until_ms, bool end_idle) {
    pthread_mutex_lock(&http->lock);
    for (int64_t left; acceptor_open(http->acceptor) && (left = until_ms - clock_boot_ms()) > 0;) {
        if (end_idle)
            end_idle_connections(http);
        http_wait_ms(http, end_idle ? least(left, LIMIT_END_IDLE_MS) : left);
    }
    pthread_mutex_unlock(&http->lock);
}

void http_stop(struct http *http, int64_t deadline_ms) {
    http_drain_begin(http, deadline_ms);
    /* Clients may have sent requests before they could see that this server stops. */
    await_connections(http, least(deadline_ms, clock_boot_ms() + LIMIT_LAST_REQUESTS_MS), false);
    await_connections(http, deadline_ms, true);
    http_abort_waits(http);
    await_connections(http, clock_boot_ms() + HTTP_STOP_GRACE_MS, true);
    http_abort_waits(http); /* microhttpd must not stop while a connection is being resumed */
    http_timekeeper_end(http);
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
}
