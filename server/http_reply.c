#include "server/http_reply.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/base/mem.h"

/* A response, and for which requests it is right. */
struct finished {
    atomic_uint references;
    bool cached;
    enum cache_state state;
    int64_t age_s;
    struct MHD_Response *response;
};

static void finished_unref(void *pointer) {
    struct finished *f = pointer;
    if (!f || atomic_fetch_sub_explicit(&f->references, 1, memory_order_acq_rel) != 1)
        return;
    MHD_destroy_response(f->response);
    free(f);
}

static void add(struct MHD_Response *response, const char *name, const char *value) {
    if (MHD_add_response_header(response, name, value) != MHD_YES)
        mem_exhausted(); /* our own headers are well-formed */
}

static void add_cross_origin(struct MHD_Response *response, const struct answer *answer) {
    add(response, "Access-Control-Allow-Origin", "*");
    if (answer->preflight) {
        add(response, "Access-Control-Allow-Methods", answer->allow);
        add(response, "Access-Control-Allow-Headers", "*");
        add(response, "Access-Control-Max-Age", "86400");
    } else {
        add(response, "Access-Control-Expose-Headers",
            "ETag, View-As-Of, Age, Cache-Status, Retry-After, X-Request-Id");
    }
}

/* RFC 9211. */
static const char *cache_status(enum cache_state state) {
    static const char *const texts[CACHE_STATES] = {
        [CACHE_FRESH] = "winner-view; hit",
        [CACHE_STALE] = "winner-view; hit; detail=stale-while-revalidate",
        [CACHE_STALE_ON_ERROR] = "winner-view; hit; detail=stale-if-error",
        [CACHE_LOADED] = "winner-view; fwd=miss",
        [CACHE_COLLAPSED] = "winner-view; fwd=miss; collapsed",
    };
    return texts[state];
}

static void add_number(struct MHD_Response *response, const char *name, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    add(response, name, text);
}

static void add_headers(struct MHD_Response *response, const struct answer *answer) {
    if (answer->content_type)
        add(response, "Content-Type", answer->content_type);
    if (answer->cache_control)
        add(response, "Cache-Control", answer->cache_control);
    if (answer->has_as_of && answer->as_of[0])
        add(response, "View-As-Of", answer->as_of);
    if (answer->allow)
        add(response, "Allow", answer->allow);
    if (answer->retry_after_s)
        add_number(response, "Retry-After", answer->retry_after_s);
    add_cross_origin(response, answer);
}

static void release_body(void *body) {
    body_unref(body);
}

static struct MHD_Response *make_response(const struct api_call *call,
                                          const struct http_reply_extras *extras) {
    struct body *body = body_ref(call->answer->body);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(body->length, body->data, release_body, body);
    if (!response)
        mem_exhausted();
    add_headers(response, call->answer);
    if (call->cached) {
        add_number(response, "Age", call->age_ms / 1000);
        add(response, "Cache-Status", cache_status(call->state));
    }
    if (extras->request_id)
        add(response, "X-Request-Id", extras->request_id);
    if (extras->close)
        add(response, "Connection", "close");
    return response;
}

/* ---- shared responses --------------------------------------------------------------------------------- */

static bool fits(const struct finished *f, const struct api_call *call) {
    return f && f->cached == call->cached &&
           (!call->cached || (f->state == call->state && f->age_s == call->age_ms / 1000));
}

static struct finished *take_finished(const struct api_call *call) {
    struct answer *answer = call->answer;
    pthread_mutex_lock(&answer->attached_lock);
    struct finished *f = answer->attached;
    if (fits(f, call))
        atomic_fetch_add_explicit(&f->references, 1, memory_order_relaxed);
    else
        f = NULL;
    pthread_mutex_unlock(&answer->attached_lock);
    return f;
}

/* One reference for the answer, one for the caller. */
static struct finished *finish(const struct api_call *call) {
    struct answer *answer = call->answer;
    struct finished *f = mem_zalloc(sizeof *f);
    atomic_init(&f->references, 2);
    f->cached = call->cached;
    f->state = call->state;
    f->age_s = call->age_ms / 1000;
    f->response = make_response(call, &(struct http_reply_extras){0});

    pthread_mutex_lock(&answer->attached_lock);
    struct finished *old = answer->attached;
    answer->attached = f;
    answer->free_attached = finished_unref;
    pthread_mutex_unlock(&answer->attached_lock);
    finished_unref(old);
    return f;
}

enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct api_call *call,
                                 const struct http_reply_extras *extras) {
    if (extras->request_id || extras->close) {
        struct MHD_Response *response = make_response(call, extras);
        enum MHD_Result result = MHD_queue_response(connection, call->answer->status, response);
        MHD_destroy_response(response);
        return result;
    }
    struct finished *f = take_finished(call);
    if (!f)
        f = finish(call);
    enum MHD_Result result = MHD_queue_response(connection, call->answer->status, f->response);
    finished_unref(f);
    return result;
}
