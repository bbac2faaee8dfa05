#include "server/http/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/waker.h"
#include "server/listen.h"

/* Why no more connections can be accepted now. */
enum outcome {
    OUTCOME_EMPTY, /* the queue is empty */
    OUTCOME_FULL,  /* `limit` connections are open */
    OUTCOME_SHORT, /* the system has no descriptor or no memory left */
};

struct acceptor {
    struct acceptor_options options;
    struct waker waker;
    pthread_t thread;
    atomic_uint open;
    bool ended;        /* the thread was joined; for the owner */
    bool short_logged; /* for the thread */
    atomic_bool ending;
    int64_t end_by_ms; /* set before `ending` */
};

unsigned acceptor_open(struct acceptor *a) {
    return atomic_load(&a->open);
}

unsigned acceptor_release(struct acceptor *a) {
    unsigned before = atomic_fetch_sub(&a->open, 1);
    if (before >= a->options.limit)
        waker_wake(&a->waker);
    return before - 1;
}

static void log_short(struct acceptor *a, int code) {
    if (!a->short_logged)
        log_warn("cannot accept connections: %s", strerror(code));
    a->short_logged = true;
}

/* Accepts all connections in the queue; sets *any if there was one. */
static enum outcome accept_queued(struct acceptor *a, bool *any) {
    while (acceptor_open(a) < a->options.limit) {
        int fd = accept4(a->options.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            a->short_logged = false;
            *any = true;
            atomic_fetch_add(&a->open, 1);
            a->options.take(a->options.context, fd);
        } else if (errno == EAGAIN) {
            return OUTCOME_EMPTY;
        } else if (errno != ECONNABORTED && errno != EINTR) { /* those concern one client that has left */
            log_short(a, errno);
            return OUTCOME_SHORT;
        }
    }
    return OUTCOME_FULL;
}

static bool has_queued(const struct acceptor *a) {
    return poll(&(struct pollfd){.fd = a->options.fd, .events = POLLIN}, 1, 0) > 0;
}

/* Until another attempt can succeed. acceptor_release wakes it when it is full. */
static void await_more(struct acceptor *a, enum outcome outcome, int64_t until_ms) {
    int64_t pause_ms = LIMIT_ACCEPT_PAUSE_MS;
    if (outcome == OUTCOME_FULL && !has_queued(a)) {
        outcome = OUTCOME_EMPTY;
    } else if (outcome == OUTCOME_FULL) {
        a->options.relieve(a->options.context);
        pause_ms = LIMIT_RELIEVE_PAUSE_MS;
    }
    if (outcome != OUTCOME_EMPTY && until_ms > clock_boot_ms() + pause_ms)
        until_ms = clock_boot_ms() + pause_ms;
    waker_wait(&a->waker, until_ms, outcome == OUTCOME_EMPTY ? a->options.fd : -1);
}

/* A handshake that has begun needs one more packet from its client: it gets LIMIT_HANDSHAKE_MS. */
static void accept_last(struct acceptor *a) {
    bool refuses = listen_refuse(a->options.fd);
    int64_t quiet_ms = clock_boot_ms();
    for (;;) {
        bool any = false;
        enum outcome outcome = accept_queued(a, &any);
        int64_t now_ms = clock_boot_ms(), until_ms = a->end_by_ms;
        if (any)
            quiet_ms = now_ms;
        if (outcome == OUTCOME_EMPTY && quiet_ms + LIMIT_HANDSHAKE_MS < until_ms)
            until_ms = quiet_ms + LIMIT_HANDSHAKE_MS;
        if (now_ms >= until_ms || (outcome == OUTCOME_EMPTY && !refuses))
            return;
        await_more(a, outcome, until_ms);
    }
}

static void *acceptor_main(void *argument) {
    struct acceptor *a = argument;
    while (!atomic_load(&a->ending)) {
        bool any = false;
        await_more(a, accept_queued(a, &any), INT64_MAX);
    }
    accept_last(a);
    close(a->options.fd);
    return NULL;
}

enum status acceptor_start(struct acceptor **out, const struct acceptor_options *options, struct error *e) {
    struct acceptor *a = *out = mem_zalloc(sizeof *a);
    a->options = *options;
    waker_init(&a->waker);
    enum status status = thread_start(&a->thread, "acceptor", acceptor_main, a, e);
    if (!status)
        return STATUS_OK;
    waker_deinit(&a->waker);
    free(a);
    *out = NULL;
    return status;
}

void acceptor_end(struct acceptor *a, int64_t deadline_ms) {
    if (a->ended)
        return;
    a->end_by_ms = deadline_ms;
    atomic_store(&a->ending, true);
    waker_wake(&a->waker);
    pthread_join(a->thread, NULL);
    a->ended = true;
}

void acceptor_free(struct acceptor *a) {
    if (!a)
        return;
    acceptor_end(a, clock_boot_ms());
    waker_deinit(&a->waker);
    free(a);
}
