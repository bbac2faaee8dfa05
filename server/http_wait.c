#include "server/http_internal.h"

#include <utlist.h>

static void resume(struct connection *c) {
    struct http *http = c->http;
    MHD_resume_connection(c->mhd);
    pthread_mutex_lock(&http->lock);
    atomic_fetch_sub(&http->suspended, 1);
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
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

enum MHD_Result http_suspend(struct connection *c) {
    struct http *http = c->http;
    c->waited = true;
    atomic_fetch_add(&http->suspended, 1);
    MHD_suspend_connection(c->mhd);
    if (!move(c, WAIT_BEGUN, WAIT_SUSPENDED))
        resume(c); /* done meanwhile */
    else if (atomic_load(&http->stopping))
        abort_wait(c); /* http_stop may have looked before we were suspended */
    return MHD_YES;
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
