#include "server/http/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/live/live.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/http/access_log.h"
#include "server/http/framing.h"
#include "server/http/live.h"
#include "server/http/metrics.h"
#include "server/http/reply.h"
#include "server/listen.h"

enum { TARGET_BYTES = LIMIT_URI_BYTES + 1 };

static bool is_id_character(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           (ch && strchr("-_.:/+=~@", ch));
}

static void copy_method(struct connection *c, const char *method) {
    size_t length = strnlen(method, sizeof c->method - 1);
    memcpy(c->method, method, length);
    c->method[length] = '\0';
}

/* The one that the client sent, if it is harmless in headers and logs. */
static void copy_request_id(struct connection *c) {
    const char *given = c->wishes.request_id;
    c->request_id[0] = '\0';
    size_t length = given ? strnlen(given, LIMIT_REQUEST_ID_BYTES + 1) : 0;
    if (length > LIMIT_REQUEST_ID_BYTES)
        return;
    for (size_t i = 0; i < length; i++)
        if (!is_id_character(given[i]))
            return;
    if (length)
        memcpy(c->request_id, given, length + 1);
}

/* Each problem has an id, so that a report of it can be found in the log. */
static void make_request_id(struct connection *c) {
    uint64_t number[2] = {atomic_fetch_add(&c->http->made_ids, 1), (uint64_t)(uintptr_t)c->http};
    snprintf(c->request_id, sizeof c->request_id, "%016" PRIx64, hash_bytes(number, sizeof number));
}

static enum MHD_Result reply(struct connection *c) {
    struct answer *answer = c->call.answer;
    c->cached = c->call.cached; /* the call may be gone by the time the answer is sent */
    c->cache = c->call.state;
    if (answer->status >= 400 && !c->request_id[0])
        make_request_id(c);
    struct http_reply_extras extras = {
        .request_id = c->request_id[0] ? c->request_id : NULL,
        .close = c->is_last || http_is_last_answer(c),
    };
    enum MHD_Result result = http_reply_queue(c->mhd, &c->call, &c->wishes, &extras, &c->sent);
    answer_unref(answer);
    c->call.answer = NULL;
    return result;
}

static enum MHD_Result reply_problem(struct connection *c, const struct problem *p) {
    c->call.answer = problem_answer(p);
    c->call.cached = false;
    return reply(c);
}

/* Does not touch the call, which may still belong to the api. */
static enum MHD_Result reply_stopping(struct connection *c) {
    struct problem p;
    problem_set(&p, PROBLEM_OVERLOADED, "the server is stopping; try again");
    struct api_call call = {.answer = problem_answer(&p)};
    if (!c->request_id[0])
        make_request_id(c);
    struct http_reply_extras extras = {c->request_id, true};
    enum MHD_Result result = http_reply_queue(c->mhd, &call, &c->wishes, &extras, &c->sent);
    answer_unref(call.answer);
    return result;
}

/* The connection is closed after the stream: its send buffer is too small for other answers. */
static enum MHD_Result reply_live(struct connection *c) {
    struct problem p;
    struct http_reply_extras extras = {.request_id = c->request_id[0] ? c->request_id : NULL, .close = true};
    const struct http_live_options options = {
        .live = c->http->live,
        .loop = c->loop,
        .call = &c->call,
        .extras = &extras,
        .fd = c->fd,
        .head = strcmp(c->method, "HEAD") == 0,
        .close_at_ms = &c->close_at_ms,
        .bytes = &c->sent.bytes,
    };
    enum MHD_Result result;
    c->sent = (struct http_reply_sent){.status = c->call.answer->status};
    bool queued = http_live_queue(c->mhd, &options, &result);
    answer_unref(c->call.answer);
    c->call.answer = NULL;
    if (queued)
        return result;
    if (atomic_load(&c->http->draining))
        return reply_stopping(c);
    problem_set(&p, PROBLEM_OVERLOADED, "too many readers of /live; allowed: %u", c->http->options.max_live);
    return reply_problem(c, &p);
}

/* The request line and the headers, with the empty line. */
static size_t request_header_bytes(struct connection *c) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

/* A connection beyond --connections is for probes. */
static bool is_acceptable(struct connection *c, struct problem *p) {
    return !c->surplus || api_is_operations(c->target, c->target_length) ||
           problem_set(p, PROBLEM_OVERLOADED, "too many connections; allowed: %u",
                       c->http->options.connections);
}

/* After the wait for a call: it has its answer, or the wait was aborted. */
static enum MHD_Result reply_after_wait(struct connection *c) {
    return atomic_load(&c->wait) == WAIT_ABORTED ? reply_stopping(c) : reply(c);
}

/* From now on the answer is made and sent, not the request received. */
static void turn_to_answer(struct connection *c) {
    http_answer_begins(c);
    if (!c->surplus)
        atomic_store_explicit(&c->close_at_ms, c->started_us / 1000 + LIMIT_ANSWER_MS, memory_order_relaxed);
}

/* The whole request has arrived. */
static enum MHD_Result handle(struct connection *c) {
    struct http *http = c->http;
    struct problem p;
    turn_to_answer(c);
    c->asked_bytes += c->skipped_bytes + request_header_bytes(c) + c->body_bytes;
    if (!is_acceptable(c, &p))
        return reply_problem(c, &p);
    if (atomic_load_explicit(&http->stopping, memory_order_relaxed))
        return reply_stopping(c);
    c->call.method = c->method;
    c->call.target = c->target;
    c->call.target_length = c->target_length;
    c->call.routes = http->options.routes;
    c->call.done = http_on_done;
    atomic_store(&c->wait, WAIT_BEGUN);
    atomic_fetch_add(&c->references, 1);
    if (!api_handle(http->api, &c->call,
                    clock_boot_ms())) /* not started_us: the request may have taken long to arrive */
        return http_suspend(c) ? MHD_YES : reply_after_wait(c);
    atomic_fetch_sub(&c->references, 1); /* microhttpd still has its own */
    return c->call.live ? reply_live(c) : reply(c);
}

/* Where microhttpd would find no room for the head of an answer and only close the connection. */
static enum MHD_Result refuse_by_hand(struct connection *c) {
    static const char answer[] = "HTTP/1.1 431 Request Header Fields Too Large\r\n"
                                 "Connection: close\r\nContent-Length: 0\r\n\r\n";
    send(c->fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL); /* the answers before are sent */
    c->sent.status = 431;
    return MHD_NO;
}

/* An answer that is queued before the end of the request makes microhttpd close the connection. */
static enum MHD_Result refuse(struct connection *c, const struct problem *p) {
    turn_to_answer(c);
    c->is_last = true;
    c->wishes = HTTP_REPLY_NO_WISHES;
    return reply_problem(c, p);
}

/* The headers have arrived. Where a proxy may see another body than we do, nothing may follow it. */
static enum MHD_Result begin(struct connection *c, const char *method, const char *version) {
    struct problem p;
    struct framing framing;
    c->has_headers = true;
    c->waited = false;
    c->sent.status = 0;
    c->cached = false;
    c->body_bytes = 0;
    c->call.route = NULL;
    c->request_id[0] = '\0';
    copy_method(c, method);
    c->wishes = HTTP_REPLY_NO_WISHES;
    const struct framing_request request = {
        method, version, c->target_at, c->target, c->target_length, http_reply_read_wish, &c->wishes};
    bool is_good = framing_check(c->mhd, &request, &framing, &p);
    c->is_last = framing.has_body;
    c->skipped_bytes = framing.skipped_bytes;
    if (is_good) {
        copy_request_id(c);
        return MHD_YES;
    }
    return framing.is_full ? refuse_by_hand(c) : refuse(c, &p);
}

/* Called after the headers, for each piece of a body, at the end of the request, and after resuming. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_size, void **request_context) {
    (void)context, (void)mhd, (void)url, (void)upload_data;
    struct connection *c = *request_context;
    if (!c->has_headers)
        return begin(c, method, version);
    if (*upload_size) {
        c->body_bytes += *upload_size;
        *upload_size = 0;
        return c->body_bytes > LIMIT_REQUEST_BODY_BYTES ? MHD_NO : MHD_YES;
    }
    if (!c->waited)
        return handle(c);
    return reply_after_wait(c);
}

static void copy_target(struct connection *c, const char *target) {
    c->target_length = strlen(target);
    size_t kept = c->target_length < TARGET_BYTES ? c->target_length : TARGET_BYTES;
    if (kept >= c->target_capacity) {
        c->target_capacity = kept + 64;
        c->target = mem_resize(c->target, c->target_capacity, 1);
    }
    memcpy(c->target, target, kept);
    c->target[kept] = '\0';
    c->target_at = target;
}

static struct connection *connection_of(struct MHD_Connection *mhd) {
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The request line has arrived; only here the target is still as it was sent. */
static void *on_request_line(void *context, const char *target, struct MHD_Connection *mhd) {
    (void)context;
    struct connection *c = connection_of(mhd);
    c->started_us = clock_boot_us();
    c->has_headers = false;
    int64_t close_at_ms = c->started_us / 1000 + LIMIT_HEADERS_MS;
    if (close_at_ms < atomic_load_explicit(&c->close_at_ms, memory_order_relaxed))
        atomic_store_explicit(&c->close_at_ms, close_at_ms, memory_order_relaxed);
    copy_target(c, target);
    framing_begin(mhd, target);
    return c;
}

static void log_access(const struct connection *c, int64_t now_us) {
    enum http_access_log wanted = c->http->options.access_log;
    bool is_error = wanted == HTTP_ACCESS_LOG_ERRORS && c->sent.status >= 500;
    if (wanted != HTTP_ACCESS_LOG_ALL && !is_error)
        return;
    const struct access_log_entry entry = {
        .method = c->method,
        .target = c->target,
        .status = c->sent.status,
        .us = now_us - c->started_us,
        .bytes = strcmp(c->method, "HEAD") == 0 ? 0 : c->sent.bytes,
        .request_id = c->request_id,
        .cached = c->cached,
        .cache = c->cache,
    };
    if (is_error)
        access_log_write_limited(&entry, now_us / 1000);
    else
        access_log_write(&entry);
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode code) {
    (void)context, (void)mhd, (void)code;
    struct connection *c = *request_context;
    if (!c)
        return;
    int64_t now_us = clock_boot_us();
    if (c->sent.status) { /* 0: the connection ended before the answer */
        http_metrics_request(c->call.route, c->method, c->sent.status, now_us - c->started_us);
        log_access(c, now_us);
    }
    c->sent.status = 0;
    if (c->waited && atomic_load(&c->wait) == WAIT_DONE) { /* the client left before it was resumed */
        answer_unref(c->call.answer);
        c->call.answer = NULL;
    }
    http_answer_ends(c, now_us / 1000);
}

static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context, (void)mhd;
    return strlen(text); /* the api splits the target before it decodes it */
}

static void on_log(void *context, const char *format, va_list args) {
    (void)context;
    char text[512];
    int length = vsnprintf(text, sizeof text, format, args);
    while (length > 0 && (size_t)length < sizeof text && text[length - 1] == '\n')
        text[--length] = '\0';
    log_debug("libmicrohttpd: %s", text);
}

/* microhttpd got it from the loop, on the loop's thread. */
static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct http_loop *loop = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        http_connection_end(*socket_context);
        return;
    }
    *socket_context = loop->adding;
    loop->adding->mhd = mhd;
    loop->adding = NULL;
}

static void take(void *context, int fd) {
    http_loop_add(http_admit(context, fd));
}

/* microhttpd gets no listening socket: when it stops or is full, it loses connections of its own socket and
 * can end the process. Nor a time-out: its own starts anew with every byte. */
static struct MHD_Daemon *start_daemon(struct http_loop *loop) {
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;
    unsigned limit = http_files(loop->http->options.connections);
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, loop->http, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                            NULL, MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)LIMIT_CONNECTION_BYTES, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
                            MHD_OPTION_URI_LOG_CALLBACK, on_request_line, NULL, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, loop->http, MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop,
                            MHD_OPTION_END);
}

static void deinit(struct http *http) {
    acceptor_free(http->acceptor);
    live_free(http->live);
    pthread_cond_destroy(&http->changed);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

static enum status start_parts(struct http *http, int fd, struct error *e) {
    const struct acceptor_options options = {fd, http_files(http->options.connections), take, http_relieve,
                                             http};
    http->live = live_new(http->api, http->options.max_live);
    enum status status = live_start(http->live, e);
    if (!status)
        status = http_loops_start(http, start_daemon, e);
    if (status)
        return status;
    status = acceptor_start(&http->acceptor, &options, e);
    if (status)
        http_loops_end(http);
    return status;
}

struct http *http_new(const struct http_options *options, struct api *api, struct error *e) {
    int fd = listen_open(options->listen, e);
    if (fd < 0)
        return NULL;
    struct http *http = mem_zalloc(sizeof *http);
    http->api = api;
    http->options = *options;
    http->port = listen_port(fd);
    http->is_ipv4 = listen_is_ipv4(fd);
    condition_init(&http->changed);
    pthread_mutex_init(&http->lock, NULL);
    if (start_parts(http, fd, e)) {
        close(fd);
        deinit(http);
        return NULL;
    }
    return http;
}

unsigned http_port(const struct http *http) {
    return http->port;
}

bool http_is_ipv4(const struct http *http) {
    return http->is_ipv4;
}

unsigned http_files(unsigned connections) {
    return connections + LIMIT_PROBE_CONNECTIONS + LIMIT_CLOSING_CONNECTIONS;
}

void http_free(struct http *http) {
    if (!http)
        return;
    if (http->loops)
        http_stop(http, 0);
    deinit(http);
}
