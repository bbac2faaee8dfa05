#include "server/http/internal.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/mem.h"
#include "server/http/metrics.h"

enum {
    CLOSE_WAIT = 8, /* the state of RFC 9293, as in netinet/tcp.h, which excludes linux/tcp.h */
    EMPTY_LINE = 2, /* bytes: some clients send one after a request (RFC 9112, section 2.2) */
    LOOKED_AT_ONCE = 64,
    LOOKED_AT_TO_CLOSE = 16,
};

void http_connection_unref(struct connection *c) {
    if (atomic_fetch_sub(&c->references, 1) != 1)
        return;
    free(c->target);
    free(c);
}

/* Phases and queues: all under the loop's lock. */

static void leave_phase(struct connection *c) {
    if (c->phase < PHASE_QUEUES)
        DL_DELETE2(c->loop->queues[c->phase], c, earlier, later);
}

static void enter_phase(struct connection *c, enum phase phase, int64_t now_ms) {
    c->phase = phase;
    c->since_ms = now_ms;
    if (phase < PHASE_QUEUES)
        DL_APPEND2(c->loop->queues[phase], c, earlier, later);
}

static void change_phase(struct connection *c, enum phase phase, int64_t now_ms) {
    leave_phase(c);
    enter_phase(c, phase, now_ms);
}

/* Its place can be given to another connection. */
static void free_place(struct connection *c) {
    atomic_fetch_sub(c->surplus ? &c->http->surplus : &c->http->placed, 1);
}

void http_answer_begins(struct connection *c) {
    pthread_mutex_lock(&c->loop->lock);
    if (c->phase != PHASE_CLOSED)
        change_phase(c, PHASE_ANSWER, 0);
    pthread_mutex_unlock(&c->loop->lock);
}

void http_answer_ends(struct connection *c, int64_t now_ms) {
    pthread_mutex_lock(&c->loop->lock);
    if (c->phase == PHASE_ANSWER && !c->surplus) {
        change_phase(c, PHASE_IDLE, now_ms);
        atomic_store_explicit(&c->close_at_ms, now_ms + LIMIT_KEEP_ALIVE_MS, memory_order_relaxed);
    }
    pthread_mutex_unlock(&c->loop->lock);
}

/* What a client has done since its last request was answered. */
enum sign {
    SIGN_NONE,
    SIGN_BYTES, /* beyond an empty line, of its next request, whether microhttpd has read them or not */
    SIGN_END,   /* it ended its side */
};

static enum sign read_sign(const struct connection *c) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0 || length != sizeof info)
        return SIGN_NONE;
    if (info.tcpi_state == CLOSE_WAIT) /* checked first: tcpi_bytes_received counts the end as a byte */
        return SIGN_END;
    return info.tcpi_bytes_received > c->asked_bytes + EMPTY_LINE ? SIGN_BYTES : SIGN_NONE;
}

/* While draining, a client that has sent more requests ahead gets those answers too. */
bool http_is_last_answer(struct connection *c) {
    if (c->surplus)
        return true;
    return atomic_load_explicit(&c->http->draining, memory_order_relaxed) && read_sign(c) != SIGN_BYTES;
}

/* microhttpd does not say when the first bytes of a request arrive, only when its first line is complete. */
static void begin_request(struct connection *c, int64_t now_ms) {
    change_phase(c, PHASE_REQUEST, now_ms);
    atomic_store_explicit(&c->close_at_ms, now_ms + LIMIT_HEADERS_MS, memory_order_relaxed);
}

/* Places. */

/* Whether microhttpd has not read all of it yet: the request may be complete and only wait for its thread. */
static bool has_unread(const struct connection *c) {
    int unread;
    return ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* Of a connection that is in its phase for long enough. A request that began more than LIMIT_UNDISTURBED_MS
 * ago, or on a place that is kept for probes, has had its time, unless its bytes wait for our thread. */
static bool is_closable(const struct connection *c, int64_t now_ms) {
    bool is_late = c->phase == PHASE_SURPLUS ||
                   (c->phase == PHASE_REQUEST && now_ms - c->since_ms >= LIMIT_UNDISTURBED_MS);
    return is_late ? !has_unread(c) : read_sign(c) != SIGN_BYTES;
}

/* Closes the first of the queue that may be closed and has been there since `until_ms`. The socket is only
 * shut down here; microhttpd then closes it on its thread. */
static bool close_first(struct http_loop *loop, enum phase phase, int64_t until_ms, int64_t now_ms) {
    struct connection *c, *next, *closed = NULL;
    int looked_at = 0;
    pthread_mutex_lock(&loop->lock);
    for (c = loop->queues[phase]; c && !closed && c->since_ms <= until_ms; c = next) {
        next = ++looked_at < LOOKED_AT_TO_CLOSE ? c->later : NULL;
        if (is_closable(c, now_ms))
            closed = c;
        else if (phase == PHASE_IDLE)
            begin_request(c, now_ms);
    }
    if (closed) {
        change_phase(closed, PHASE_CLOSED, now_ms);
        free_place(closed);
        shutdown(closed->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&loop->lock);
    return closed;
}

static int64_t first_since_ms(struct http_loop *loop, enum phase phase) {
    pthread_mutex_lock(&loop->lock);
    const struct connection *c = loop->queues[phase];
    int64_t since_ms = c ? c->since_ms : INT64_MAX;
    pthread_mutex_unlock(&loop->lock);
    return since_ms;
}

/* Closes the connection that is longest in that phase, at least since `until_ms`, of those that may be
 * closed. */
static bool close_longest(struct http *http, enum phase phase, int64_t until_ms, int64_t now_ms) {
    unsigned longest = 0;
    int64_t least_ms = INT64_MAX;
    for (unsigned i = 0; i < http->loop_count; i++) {
        int64_t since_ms = first_since_ms(&http->loops[i], phase);
        if (since_ms < least_ms) {
            least_ms = since_ms;
            longest = i;
        }
    }
    bool closed = false;
    for (unsigned i = 0; i < http->loop_count && !closed && least_ms <= until_ms; i++)
        closed = close_first(&http->loops[(longest + i) % http->loop_count], phase, until_ms, now_ms);
    if (closed)
        http_metrics_closed_for_others(phase == PHASE_IDLE);
    return closed;
}

/* Whether one of --connections is free, or was made free. Clients have LIMIT_UNDISTURBED_MS to send their
 * first request, and between two requests. If all idle connections are younger than that, the oldest of those
 * that have sent nothing is closed: in a flood of silent clients, each client has the time in which
 * --connections others arrive. */
static bool make_place(struct http *http, int64_t now_ms) {
    int64_t second_ago_ms = now_ms - LIMIT_UNDISTURBED_MS;
    return atomic_load(&http->placed) < http->options.connections ||
           close_longest(http, PHASE_REQUEST, second_ago_ms, now_ms) ||
           close_longest(http, PHASE_IDLE, second_ago_ms, now_ms) ||
           close_longest(http, PHASE_REQUEST, now_ms - LIMIT_SILENT_NEWCOMER_MS, now_ms);
}

static struct http_loop *least_busy_loop(struct http *http) {
    struct http_loop *least = http->loops;
    for (unsigned i = 1; i < http->loop_count; i++)
        if (atomic_load(&http->loops[i].open) < atomic_load(&least->open))
            least = &http->loops[i];
    atomic_fetch_add(&least->open, 1);
    return least;
}

/* However young it is: a probe may stand in the kernel's queue behind thousands. */
void http_relieve(void *context) {
    int64_t now_ms = clock_boot_ms();
    close_longest(context, PHASE_SURPLUS, now_ms, now_ms);
}

static void take_place(struct connection *c, int64_t now_ms) {
    struct http *http = c->http;
    c->surplus = !make_place(http, now_ms);
    if (c->surplus && atomic_load(&http->surplus) >= LIMIT_PROBE_CONNECTIONS)
        http_relieve(http);
    atomic_fetch_add(c->surplus ? &http->surplus : &http->placed, 1);
}

struct connection *http_admit(struct http *http, int fd) {
    int64_t now_ms = clock_boot_ms();
    struct connection *c = mem_zalloc(sizeof *c);
    c->http = http;
    c->fd = fd;
    atomic_init(&c->references, 1);
    take_place(c, now_ms);
    c->loop = least_busy_loop(http);
    atomic_init(&c->close_at_ms, now_ms + (c->surplus ? LIMIT_OVERLOADED_MS : LIMIT_HEADERS_MS));
    pthread_mutex_lock(&c->loop->lock);
    DL_APPEND(c->loop->connections, c);
    enter_phase(c, c->surplus ? PHASE_SURPLUS : PHASE_REQUEST, now_ms);
    pthread_mutex_unlock(&c->loop->lock);
    http_metrics_connections(1);
    return c;
}

void http_connection_end(struct connection *c) {
    struct http *http = c->http;
    struct http_loop *loop = c->loop;
    pthread_mutex_lock(&loop->lock);
    if (loop->looked_at == c)
        loop->looked_at = c->next;
    DL_DELETE(loop->connections, c);
    if (c->phase != PHASE_CLOSED)
        free_place(c);
    leave_phase(c);
    pthread_mutex_unlock(&loop->lock);
    atomic_fetch_sub(&loop->open, 1);
    http_metrics_connections(-1);
    http_connection_unref(c);
    if (acceptor_release(http->acceptor) == 0) {
        pthread_mutex_lock(&http->lock);
        pthread_cond_broadcast(&http->changed);
        pthread_mutex_unlock(&http->lock);
    }
}

/* Time limits. */

/* Edge-triggered epoll reports each change once, and microhttpd does not read until nothing is left: it
 * misses a client that ended its side together with a request, or with part of one. The shutdown is another
 * change that it sees. */
static void look_at_sign(struct connection *c, int64_t now_ms) {
    enum sign sign = read_sign(c);
    if (sign == SIGN_END)
        shutdown(c->fd, SHUT_RD);
    else if (sign == SIGN_BYTES && c->phase == PHASE_IDLE)
        begin_request(c, now_ms);
}

static void look_at(struct connection *c, int64_t now_ms) {
    int64_t close_at_ms = atomic_load_explicit(&c->close_at_ms, memory_order_relaxed);
    if (close_at_ms && close_at_ms <= now_ms)
        shutdown(c->fd, SHUT_RDWR);
    else if (c->phase == PHASE_IDLE || c->phase == PHASE_REQUEST)
        look_at_sign(c, now_ms);
}

int64_t http_look_for_late(struct http_loop *loop, int64_t now_ms) {
    if (!loop->looked_at && now_ms < loop->look_ms)
        return loop->look_ms;
    pthread_mutex_lock(&loop->lock);
    if (!loop->looked_at) {
        loop->looked_at = loop->connections;
        loop->look_ms = now_ms + LIMIT_TICK_MS;
    }
    for (int i = 0; loop->looked_at && i < LOOKED_AT_ONCE; i++) { /* others wait for the lock */
        struct connection *c = loop->looked_at;
        loop->looked_at = c->next;
        look_at(c, now_ms);
    }
    int64_t due_ms = loop->looked_at ? now_ms : loop->look_ms;
    pthread_mutex_unlock(&loop->lock);
    return due_ms;
}

void http_wait_ms(struct http *http, int64_t ms) {
    struct timespec end = condition_end(ms);
    pthread_cond_timedwait(&http->changed, &http->lock, &end);
}
