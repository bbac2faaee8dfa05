#include "server/http/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

void http_loop_resume(struct http_loop *loop, struct MHD_Connection *mhd) {
    MHD_resume_connection(mhd);
    atomic_store(&loop->resumes, true);
    waker_wake(&loop->waker);
}

void http_loop_add(struct connection *c) {
    struct http_loop *loop = c->loop;
    pthread_mutex_lock(&loop->lock);
    c->next_newcomer = loop->newcomers;
    loop->newcomers = c;
    atomic_store(&loop->has_newcomers, true);
    pthread_mutex_unlock(&loop->lock);
    waker_wake(&loop->waker);
}

static struct connection *take_newcomers(struct http_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    struct connection *last = loop->newcomers, *first = NULL;
    loop->newcomers = NULL;
    atomic_store(&loop->has_newcomers, false);
    pthread_mutex_unlock(&loop->lock);
    while (last) { /* into the order of their arrival */
        struct connection *before = last->next_newcomer;
        last->next_newcomer = first;
        first = last;
        last = before;
    }
    return first;
}

/* microhttpd closes the socket if it refuses it. It uses the address only to count connections by it. */
static void add_newcomers(struct http_loop *loop) {
    static const struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    struct connection *c = atomic_load(&loop->has_newcomers) ? take_newcomers(loop) : NULL;
    while (c) {
        struct connection *next = c->next_newcomer;
        loop->adding = c;
        MHD_add_connection(loop->daemon, c->fd, &unspecified, sizeof unspecified);
        if (loop->adding)
            http_connection_end(c); /* it never began */
        loop->adding = NULL;
        c = next;
    }
}

static bool has_more_to_do(struct http_loop *loop) {
    MHD_UNSIGNED_LONG_LONG left_ms;
    return MHD_get_timeout(loop->daemon, &left_ms) == MHD_YES && left_ms == 0;
}

/* Waits for events, at most `wait_ms`, and handles them. microhttpd 0.9.75 takes up to EVENTS from epoll; if
 * it gets as many, it waits once more before it handles them (MHD_epoll), for up to the whole time-out. So
 * where that many can be ready, this waits by poll, which takes no events, and microhttpd does not wait. */
static void turn(struct http_loop *loop, int wait_ms) {
    enum { EVENTS = 128, OWN = 1 };
    if (atomic_load_explicit(&loop->open, memory_order_relaxed) + OWN >= EVENTS) {
        struct pollfd p = {.fd = loop->epoll_fd, .events = POLLIN};
        /* The waker's event may be gone: MHD_run_wait first looks for resumed connections and then takes
         * events. */
        if (!atomic_exchange(&loop->resumes, false) && !has_more_to_do(loop))
            poll(&p, 1, wait_ms);
        wait_ms = 0;
    }
    MHD_run_wait(loop->daemon, wait_ms);
}

static void *loop_main(void *argument) {
    struct http_loop *loop = argument;
    int64_t wait_ms = 0;
    pulse_watch(&loop->pulse, "HTTP thread", LIMIT_LOOP_STUCK_MS, clock_boot_ms());
    while (!atomic_load_explicit(&loop->ends, memory_order_relaxed)) {
        turn(loop, (int)wait_ms);
        int64_t now_ms = clock_boot_ms();
        pulse_beat(&loop->pulse, now_ms);
        add_newcomers(loop);
        wait_ms = http_look_for_late(loop, now_ms) - now_ms;
    }
    pulse_unwatch(&loop->pulse);
    return NULL;
}

/* microhttpd ignores events without a pointer. Edge-triggered: it need not be read. */
static enum status watch_waker(struct http_loop *loop, struct error *e) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->waker.fd, &event) != 0)
        return error_set(e, STATUS_FAILED, "cannot watch an eventfd: %s", strerror(errno));
    return STATUS_OK;
}

static enum status start_loop(struct http_loop *loop, struct error *e) {
    const union MHD_DaemonInfo *info =
        loop->daemon ? MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info)
        return error_set(e, STATUS_FAILED, "cannot start libmicrohttpd");
    loop->epoll_fd = info->epoll_fd;
    enum status status = watch_waker(loop, e);
    return status ? status : thread_start(&loop->thread, "http", loop_main, loop, e);
}

static void deinit_loop(struct http_loop *loop) {
    add_newcomers(loop); /* so that microhttpd closes them */
    MHD_stop_daemon(loop->daemon);
    waker_deinit(&loop->waker);
    pthread_mutex_destroy(&loop->lock);
}

static void end_loops(struct http *http, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        atomic_store(&http->loops[i].ends, true);
        waker_wake(&http->loops[i].waker);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(http->loops[i].thread, NULL);
    for (unsigned i = 0; i < count; i++)
        deinit_loop(&http->loops[i]);
    free(http->loops);
    http->loops = NULL;
}

enum status http_loops_start(struct http *http, struct MHD_Daemon *(*start_daemon)(struct http_loop *),
                             struct error *e) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    http->loop_count = processors > 1 ? (unsigned)processors : 1;
    http->loops = mem_zalloc(http->loop_count * sizeof *http->loops);
    for (unsigned i = 0; i < http->loop_count; i++) {
        struct http_loop *loop = &http->loops[i];
        loop->http = http;
        pthread_mutex_init(&loop->lock, NULL);
        waker_init(&loop->waker);
        loop->daemon = start_daemon(loop);
        enum status status = start_loop(loop, e);
        if (status) {
            deinit_loop(loop);
            end_loops(http, i);
            return status;
        }
    }
    return STATUS_OK;
}

void http_loops_end(struct http *http) {
    end_loops(http, http->loop_count);
}
