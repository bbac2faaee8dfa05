#include "server/http/reply.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/limits.h"
#include "base/mem.h"

/* The forms of an answer. Each has its slot in `attached`. */
enum form {
    FORM_PLAIN,
    FORM_GZIP,
    FORM_UNCHANGED,
};
_Static_assert(FORM_UNCHANGED < ANSWER_ATTACHED, "each form has its slot");

/* A response, and what it is valid for. */
struct finished {
    atomic_uint references;
    bool cached;
    enum cache_state state;
    int64_t age_s;
    size_t bytes; /* of its body */
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

/* A browser must load only what the policy names, must not guess types, and must not send a referrer. */
static void add_for_browsers(struct MHD_Response *response, const struct answer *answer) {
    add(response, "Content-Security-Policy", answer->policy);
    add(response, "X-Content-Type-Options", "nosniff");
    add(response, "Referrer-Policy", "no-referrer");
}

static void add_cross_origin(struct MHD_Response *response, const struct answer *answer) {
    add(response, "Access-Control-Allow-Origin", "*");
    if (answer->preflight) {
        add(response, "Access-Control-Allow-Methods", answer->allow);
        add(response, "Access-Control-Allow-Headers", "*");
        add(response, "Access-Control-Max-Age", "86400");
    } else {
        add(response, "Access-Control-Expose-Headers",
            "ETag, View-As-Of, Date, Age, Cache-Status, Retry-After, X-Request-Id");
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

static void add_representation(struct MHD_Response *response, const struct answer *answer, enum form form) {
    if (answer->content_type && form != FORM_UNCHANGED)
        add(response, "Content-Type", answer->content_type);
    if (form == FORM_GZIP)
        add(response, "Content-Encoding", "gzip");
    if (answer->etag[0]) {
        add(response, "ETag", answer->etag);
        add(response, "Vary", "Accept-Encoding");
    }
}

static void add_headers(struct MHD_Response *response, const struct answer *answer) {
    add(response, "Server", "winner-view");
    if (answer->cache_control)
        add(response, "Cache-Control", answer->cache_control);
    if (answer->has_as_of && answer->as_of[0])
        add(response, "View-As-Of", answer->as_of);
    if (answer->allow)
        add(response, "Allow", answer->allow);
    if (answer->retry_after_s)
        add_number(response, "Retry-After", answer->retry_after_s);
    if (answer->policy)
        add_for_browsers(response, answer);
}

static bool has_request_id(const struct api_call *call, const struct http_reply_extras *extras) {
    return extras->request_id && !call->answer->etag[0];
}

static void add_call_headers(struct MHD_Response *response, const struct api_call *call,
                             const struct http_reply_extras *extras) {
    if (extras->close) /* first: libmicrohttpd forgets a Date that it was given before and adds its own */
        add(response, "Connection", "close");
    add_headers(response, call->answer);
    if (!call->route || !call->route->operations)
        add_cross_origin(response, call->answer);
    if (call->answer->has_as_of) { /* else libmicrohttpd's, by our wall clock */
        char date[CLOCK_TEXT_SIZE];
        add(response, "Date", clock_format_http(api_now(call->api), date));
    }
    if (call->cached) {
        add_number(response, "Age", call->age_ms / 1000);
        add(response, "Cache-Status", cache_status(call->state));
    }
    if (has_request_id(call, extras))
        add(response, "X-Request-Id", extras->request_id);
}

void http_reply_add_headers(struct MHD_Response *response, const struct api_call *call,
                            const struct http_reply_extras *extras) {
    add_representation(response, call->answer, FORM_PLAIN);
    add_call_headers(response, call, extras);
}

static void release_body(void *body) {
    body_unref(body);
}

/* A 304 needs no Content-Length, and 0 is wrong (RFC 9110, section 8.6). But libmicrohttpd 0.9.75 leaves it
 * out only with chunks, or before it closes the connection. The length of the 200, which is allowed, is
 * worse: clients with Node's http_parser (wrk, Node before 14.9) wait for such a body. All read 0 alike, and
 * a cache must not store it (RFC 9111, section 3.2). */
static struct MHD_Response *make_unchanged(void) {
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
#if MHD_VERSION >= 0x00097701
    if (response)
        MHD_set_response_options(response, MHD_RF_HEAD_ONLY_RESPONSE, MHD_RO_END);
#endif
    return response;
}

static struct MHD_Response *make_over_body(struct body *body) {
    body_ref(body);
    return MHD_create_response_from_buffer_with_free_callback_cls(body->length, body->data, release_body,
                                                                  body);
}

static struct MHD_Response *make_response(const struct api_call *call, enum form form,
                                          const struct http_reply_extras *extras, size_t *bytes) {
    struct answer *answer = call->answer;
    struct body *body = form == FORM_GZIP ? answer_gzip(answer) : answer->body;
    struct MHD_Response *response = form == FORM_UNCHANGED ? make_unchanged() : make_over_body(body);
    if (!response)
        mem_exhausted();
    *bytes = form == FORM_UNCHANGED ? 0 : body->length;
    add_representation(response, answer, form);
    add_call_headers(response, call, extras);
    return response;
}

static bool fits(const struct finished *f, const struct api_call *call) {
    return f && f->cached == call->cached &&
           (!call->cached || (f->state == call->state && f->age_s == call->age_ms / 1000));
}

static struct finished *take_finished(const struct api_call *call, enum form form) {
    struct answer *answer = call->answer;
    pthread_mutex_lock(&answer->attached_lock);
    struct finished *f = answer->attached[form];
    if (fits(f, call))
        atomic_fetch_add_explicit(&f->references, 1, memory_order_relaxed);
    else
        f = NULL;
    pthread_mutex_unlock(&answer->attached_lock);
    return f;
}

/* One reference for the answer, one for the caller. */
static struct finished *finish(const struct api_call *call, enum form form) {
    struct answer *answer = call->answer;
    struct finished *f = mem_zalloc(sizeof *f);
    atomic_init(&f->references, 2);
    f->cached = call->cached;
    f->state = call->state;
    f->age_s = call->age_ms / 1000;
    f->response = make_response(call, form, &(struct http_reply_extras){0}, &f->bytes);

    pthread_mutex_lock(&answer->attached_lock);
    struct finished *old = answer->attached[form];
    answer->attached[form] = f;
    answer->free_attached = finished_unref;
    pthread_mutex_unlock(&answer->attached_lock);
    finished_unref(old);
    return f;
}

void http_reply_read_wish(void *context, enum field field, const char *value) {
    struct http_reply_wishes *wishes = context;
    if (field == FIELD_ACCEPT_ENCODING)
        negotiate_codings_add(&wishes->codings, value);
    else if (field == FIELD_IF_NONE_MATCH)
        wishes->is_conditional = true;
    else if (field == FIELD_X_REQUEST_ID && !wishes->request_id)
        wishes->request_id = value;
}

struct match {
    const char *etag;
    struct negotiate_match lines;
};

static enum MHD_Result match_line(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    (void)kind;
    struct match *m = context;
    if (value && strcasecmp(name, "If-None-Match") == 0)
        negotiate_match_add(&m->lines, value, m->etag);
    return MHD_YES;
}

static bool client_has(struct MHD_Connection *connection, const struct http_reply_wishes *wishes,
                       const struct answer *answer) {
    struct match m = {.etag = answer->etag};
    if (wishes->is_conditional)
        MHD_get_connection_values(connection, MHD_HEADER_KIND, match_line, &m);
    return negotiate_matches(&m.lines);
}

static enum form choose_form(struct MHD_Connection *connection, const struct http_reply_wishes *wishes,
                             const struct answer *answer) {
    if (!answer->etag[0])
        return FORM_PLAIN;
    if (client_has(connection, wishes, answer))
        return FORM_UNCHANGED;
    bool is_large = answer->body->length > LIMIT_PLAIN_BYTES;
    return negotiate_gzip(&wishes->codings, is_large) ? FORM_GZIP : FORM_PLAIN;
}

/* The next request for this answer has another cache state, so this response is not shared. Most loaded rows
 * are requested once, and a response takes more memory than a row. */
static bool is_unshared(const struct api_call *call) {
    return call->cached && call->state == CACHE_LOADED;
}

enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct api_call *call,
                                 const struct http_reply_wishes *wishes,
                                 const struct http_reply_extras *extras, struct http_reply_sent *sent) {
    enum form form = choose_form(connection, wishes, call->answer);
    sent->status = form == FORM_UNCHANGED ? MHD_HTTP_NOT_MODIFIED : call->answer->status;
    if (has_request_id(call, extras) || extras->close || is_unshared(call)) {
        struct MHD_Response *response = make_response(call, form, extras, &sent->bytes);
        enum MHD_Result result = MHD_queue_response(connection, sent->status, response);
        MHD_destroy_response(response);
        return result;
    }
    struct finished *f = take_finished(call, form);
    if (!f)
        f = finish(call, form);
    sent->bytes = f->bytes;
    enum MHD_Result result = MHD_queue_response(connection, sent->status, f->response);
    finished_unref(f);
    return result;
}
