#include "server/http/internal.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/mem.h"
#include "base/thread.h"
#include "server/http/metrics.h"

void http_connection_unref(struct connection *c) {
    if (atomic_fetch_sub(&c->references, 1) != 1)
        return;
    free(c->target);
    free(c);
}

bool http_take(void *context, int fd, const struct sockaddr *address, socklen_t length) {
    struct http *http = context;
    return MHD_add_connection(http->daemon, fd, address, length) == MHD_YES;
}

static void open_connection(struct http *http, struct MHD_Connection *mhd, void **socket_context) {
    struct connection *c = mem_zalloc(sizeof *c);
    c->http = http;
    c->mhd = mhd;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    atomic_init(&c->references, 1);
    c->surplus = atomic_fetch_add(&http->open, 1) >= http->options.connections;
    atomic_init(&c->close_at_ms, clock_boot_ms() + (c->surplus ? LIMIT_OVERLOADED_MS : LIMIT_HEADERS_MS));
    *socket_context = c;
    http_metrics_connections(1);
    pthread_mutex_lock(&http->lock);
    DL_APPEND(http->connections, c);
    pthread_mutex_unlock(&http->lock);
}

static void close_connection(struct http *http, struct connection *c) {
    atomic_fetch_sub(&http->open, 1);
    http_metrics_connections(-1);
    pthread_mutex_lock(&http->lock);
    DL_DELETE(http->connections, c);
    if (acceptor_release(http->acceptor) == 0)
        pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
    http_connection_unref(c);
}

void http_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(context, mhd, socket_context);
    else if (*socket_context)
        close_connection(context, *socket_context);
}

/* Whether the client has sent more than the present request, whether microhttpd has read it or not. */
static bool has_sent_more(const struct connection *c) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && length == sizeof info &&
           info.tcpi_bytes_received > c->asked_bytes;
}

/* While draining, a client that has sent more requests ahead gets those answers too. */
bool http_is_last_answer(struct connection *c) {
    if (c->surplus)
        return true;
    return atomic_load_explicit(&c->http->draining, memory_order_relaxed) && !has_sent_more(c);
}

/* microhttpd's own time-out starts anew with every byte: a client that sends its headers slowly would never
 * reach it. The socket is only shut down here; its HTTP thread closes it. */
static void shut_if_late(const struct connection *c, int64_t now_ms) {
    int64_t close_at_ms = atomic_load_explicit(&c->close_at_ms, memory_order_relaxed);
    if (close_at_ms && close_at_ms <= now_ms)
        shutdown(c->fd, SHUT_RDWR);
}

/* Edge-triggered epoll reports each change once, and microhttpd stops reading after a request: it misses a
 * client that ended its side together with the request. The shutdown is another change that it sees. */
static void shut_if_ended(const struct connection *c) {
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
    if (!atomic_load(&c->busy) && poll(&p, 1, 0) > 0 && (p.revents & POLLRDHUP))
        shutdown(c->fd, SHUT_RD);
}

void http_wait_ms(struct http *http, int64_t ms) {
    struct timespec end = condition_end(ms);
    pthread_cond_timedwait(&http->changed, &http->lock, &end);
}

static void *timekeeper_main(void *argument) {
    struct http *http = argument;
    pulse_watch(&http->timekeeper_pulse, "HTTP timekeeper", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    pthread_mutex_lock(&http->lock);
    while (!http->timekeeper_ends) {
        pulse_beat(&http->timekeeper_pulse, clock_boot_ms());
        http_wait_ms(http, LIMIT_TICK_MS);
        struct connection *c;
        int64_t now_ms = clock_boot_ms();
        DL_FOREACH(http->connections, c) {
            shut_if_late(c, now_ms);
            shut_if_ended(c);
        }
    }
    pthread_mutex_unlock(&http->lock);
    pulse_unwatch(&http->timekeeper_pulse);
    return NULL;
}

enum status http_timekeeper_start(struct http *http, struct error *e) {
    return thread_start(&http->timekeeper, "http timekeeper", timekeeper_main, http, e);
}

void http_timekeeper_end(struct http *http) {
    pthread_mutex_lock(&http->lock);
    http->timekeeper_ends = true;
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
    pthread_join(http->timekeeper, NULL);
}
