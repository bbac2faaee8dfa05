#include "server/http/internal.h"

#include <utlist.h>

static void uncount(struct http *http) {
    pthread_mutex_lock(&http->lock);
    atomic_fetch_sub(&http->suspended, 1);
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
}

static void resume(struct connection *c) {
    struct http *http = c->http;
    MHD_resume_connection(c->mhd);
    uncount(http);
}

static bool move(struct connection *c, int from, int to) {
    return atomic_compare_exchange_strong(&c->wait, &from, to);
}

/* On a loader thread. */
void http_on_done(struct api_call *call) {
    struct connection *c = (struct connection *)((char *)call - offsetof(struct connection, call));
    if (!move(c, WAIT_BEGUN, WAIT_DONE)) { /* it is suspended by now, and only stopping can interfere */
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

/* Counts first and asks then, http_abort_waits the other way round: so either it waits for us, or we see that
 * nobody waits any more. */
static bool may_wait(struct http *http) {
    atomic_fetch_add(&http->suspended, 1);
    if (!atomic_load(&http->stopping))
        return true;
    uncount(http);
    return false;
}

bool http_suspend(struct connection *c) {
    struct http *http = c->http;
    c->waited = true;
    if (!may_wait(http)) {
        move(c, WAIT_BEGUN, WAIT_ABORTED); /* unless it is done meanwhile */
        return false;
    }
    MHD_suspend_connection(c->mhd);
    if (!move(c, WAIT_BEGUN, WAIT_SUSPENDED))
        resume(c); /* done meanwhile */
    else if (atomic_load(&http->stopping))
        abort_wait(c); /* http_stop may have looked before we were suspended */
    return true;
}

/* ---- stopping ----------------------------------------------------------------------------------------- */

/* A connection that was moved to aborted is resumed outside the lock, one at a time: it stays where it is
 * until then. */
static struct connection *next_suspended(struct http *http) {
    struct connection *c;
    pthread_mutex_lock(&http->lock);
    DL_FOREACH(http->connections, c) {
        if (move(c, WAIT_SUSPENDED, WAIT_ABORTED))
            break;
    }
    pthread_mutex_unlock(&http->lock);
    return c;
}

void http_abort_waits(struct http *http) {
    struct connection *c;
    atomic_store(&http->stopping, true);
    while ((c = next_suspended(http)))
        resume(c);
    pthread_mutex_lock(&http->lock);
    while (atomic_load(&http->suspended)) /* somebody else is about to resume it */
        http_wait_ms(http, LIMIT_TICK_MS);
    pthread_mutex_unlock(&http->lock);
}
