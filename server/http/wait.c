#include "server/http/internal.h"

#include <utlist.h>

static void count_down(struct http *http) {
    pthread_mutex_lock(&http->lock);
    atomic_fetch_sub(&http->suspended, 1);
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
}

static void resume(struct connection *c) {
    struct http *http = c->http;
    http_loop_resume(c->loop, c->mhd);
    count_down(http);
}

static bool move(struct connection *c, int from, int to) {
    return atomic_compare_exchange_strong(&c->wait, &from, to);
}

/* On a thread of the cache (api/api.h). */
void http_on_done(struct api_call *call) {
    struct connection *c = (struct connection *)((char *)call - offsetof(struct connection, call));
    if (!move(c, WAIT_BEGUN, WAIT_DONE)) { /* it is suspended, and the stop may abort it */
        if (move(c, WAIT_SUSPENDED, WAIT_DONE))
            resume(c);
        else
            answer_unref(call->answer);
    }
    http_connection_unref(c);
}

static void abort_wait(struct connection *c) {
    if (move(c, WAIT_SUSPENDED, WAIT_ABORTED))
        resume(c);
}

/* Counts first and then reads `stopping`; http_abort_waits does the reverse. So either it sees our count, or
 * we see that the server stops. */
static bool may_wait(struct http *http) {
    atomic_fetch_add(&http->suspended, 1);
    if (!atomic_load(&http->stopping))
        return true;
    count_down(http);
    return false;
}

bool http_suspend(struct connection *c) {
    struct http *http = c->http;
    c->waited = true;
    if (!may_wait(http)) {
        move(c, WAIT_BEGUN, WAIT_ABORTED); /* unless the answer has arrived */
        return false;
    }
    MHD_suspend_connection(c->mhd);
    if (!move(c, WAIT_BEGUN, WAIT_SUSPENDED))
        resume(c); /* the answer arrived before */
    else if (atomic_load(&http->stopping))
        abort_wait(c); /* http_abort_waits may have looked before we were suspended */
    return true;
}

/* Finds one and marks it aborted; the caller resumes it outside the lock. It stays in the list until then. */
static struct connection *next_suspended(struct http_loop *loop) {
    struct connection *c;
    pthread_mutex_lock(&loop->lock);
    DL_FOREACH(loop->connections, c) {
        if (move(c, WAIT_SUSPENDED, WAIT_ABORTED))
            break;
    }
    pthread_mutex_unlock(&loop->lock);
    return c;
}

void http_abort_waits(struct http *http) {
    struct connection *c;
    atomic_store(&http->stopping, true);
    for (unsigned i = 0; i < http->loop_count; i++)
        while ((c = next_suspended(&http->loops[i])))
            resume(c);
    pthread_mutex_lock(&http->lock);
    while (atomic_load(&http->suspended)) /* other threads are resuming them */
        http_wait_ms(http, LIMIT_TICK_MS);
    pthread_mutex_unlock(&http->lock);
}
