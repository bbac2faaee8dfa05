#include "server/http/internal.h"

#include <sys/socket.h>

#include <utlist.h>

#include "api/live/live.h"
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

/* microhttpd then reads what had arrived and then the end: it answers a request that is there, and closes. */
static void end_idle_connections(struct http_loop *loop) {
    struct connection *c;
    pthread_mutex_lock(&loop->lock);
    DL_FOREACH(loop->connections, c) {
        if (c->phase != PHASE_ANSWER)
            shutdown(c->fd, SHUT_RD);
    }
    pthread_mutex_unlock(&loop->lock);
}

/* Until no connection is left, at most until `until_ms`. `end_idle`: ends idle ones, again and again, for
 * those that become idle meanwhile. */
static void await_connections(struct http *http, int64_t until_ms, bool end_idle) {
    for (int64_t left; acceptor_open(http->acceptor) && (left = until_ms - clock_boot_ms()) > 0;) {
        for (unsigned i = 0; end_idle && i < http->loop_count; i++)
            end_idle_connections(&http->loops[i]);
        pthread_mutex_lock(&http->lock);
        if (acceptor_open(http->acceptor))
            http_wait_ms(http, end_idle ? least(left, LIMIT_END_IDLE_MS) : left);
        pthread_mutex_unlock(&http->lock);
    }
}

void http_stop(struct http *http, int64_t deadline_ms) {
    http_drain_begin(http, deadline_ms);
    /* Clients may have sent requests before they could see that this server stops. */
    await_connections(http, least(deadline_ms, clock_boot_ms() + LIMIT_LAST_REQUESTS_MS), false);
    await_connections(http, deadline_ms, true);
    http_abort_waits(http);
    await_connections(http, clock_boot_ms() + HTTP_STOP_GRACE_MS, true);
    http_abort_waits(http); /* microhttpd must not stop while a connection is being resumed */
    http_loops_end(http);
}
