#include "server/http.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <utlist.h>

#include "server/base/clock.h"
#include "server/base/hash.h"
#include "server/base/limits.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/http_metrics.h"
#include "server/http_reply.h"
#include "server/listen.h"

enum { TICK_MS = 1000, BODY_BYTES = 65536, TARGET_BYTES = LIMIT_URI_BYTES + 1 };

/* Between the HTTP thread, which suspends a connection, and the loader, which resumes it: whoever moves the
 * state on second knows that the other was there. */
enum wait {
    WAIT_BEGUN,     /* asked the api; the connection is not suspended yet */
    WAIT_SUSPENDED, /* whoever comes next resumes it */
    WAIT_DONE,      /* the call has its answer */
    WAIT_ABORTED,   /* stopping: resumed without an answer; the call still belongs to the api */
};

/* One client. Belongs to one HTTP thread, but for what is atomic. One reference for microhttpd, one for a
 * call that the api has. */
struct connection {
    struct http *http;
    struct MHD_Connection *mhd;
    int fd;
    atomic_uint references;
    struct connection *prev, *next; /* in http->connections, under its lock */
    _Atomic int64_t close_at_ms;    /* unless headers are complete by then; 0: they are */
    atomic_bool busy;               /* a request is being answered */
    _Atomic int wait;

    /* the request */
    int64_t started_us;
    bool has_headers;
    bool waited;
    unsigned status; /* of its answer; 0: none yet */
    size_t body_bytes;
    size_t target_length; /* as sent; more than LIMIT_URI_BYTES: `target` is cut */
    size_t target_capacity;
    char *target;
    char method[16];
    char request_id[LIMIT_REQUEST_ID_BYTES + 1]; /* "": none */
    struct api_call call;
};

struct http {
    struct api *api;
    struct http_options options;
    struct MHD_Daemon *daemon;
    unsigned port;
    int listen_fd; /* libmicrohttpd closes it */
    atomic_bool draining;
    atomic_bool stopping;  /* nobody waits for the store any more */
    atomic_uint suspended; /* connections; until MHD_resume_connection has returned */
    atomic_uint open;
    _Atomic uint64_t made_ids;

    pthread_mutex_t lock;   /* guards the rest; a leaf */
    pthread_cond_t changed; /* while draining: a request was finished; or the timekeeper is to end */
    struct connection *connections;
    bool timekeeper_ends;
    pthread_t timekeeper;
};

static void connection_unref(struct connection *c) {
    if (atomic_fetch_sub(&c->references, 1) != 1)
        return;
    free(c->target);
    free(c);
}

/* ---- answering ---------------------------------------------------------------------------------------- */

static bool is_id_character(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           (ch && strchr("-_.:/+=~@", ch));
}

/* The client's own, if it is harmless to repeat in headers and logs. */
static void read_request_id(struct connection *c) {
    const char *given = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, "X-Request-Id");
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

/* Problems are what people ask about: each has an id. */
static void make_request_id(struct connection *c) {
    uint64_t number[2] = {atomic_fetch_add(&c->http->made_ids, 1), (uint64_t)(uintptr_t)c->http};
    snprintf(c->request_id, sizeof c->request_id, "%016" PRIx64, hash_bytes(number, sizeof number));
}

static enum MHD_Result reply(struct connection *c) {
    struct answer *answer = c->call.answer;
    c->status = answer->status;
    if (answer->status >= 400 && !c->request_id[0])
        make_request_id(c);
    struct http_reply_extras extras = {
        .request_id = c->request_id[0] ? c->request_id : NULL,
        .close = atomic_load_explicit(&c->http->draining, memory_order_relaxed),
    };
    enum MHD_Result result = http_reply_queue(c->mhd, &c->call, &extras);
    answer_unref(answer);
    c->call.answer = NULL;
    return result;
}

static enum MHD_Result reply_problem(struct connection *c, const struct problem *p) {
    c->call.answer = problem_answer(p);
    c->call.cached = false;
    return reply(c);
}

/* The call may still be the api's: it is not touched. */
static enum MHD_Result reply_stopping(struct connection *c) {
    struct problem p;
    problem_set(&p, PROBLEM_OVERLOADED,
                "the server is stopping; ask again, it may be another one that answers");
    struct api_call call = {.answer = problem_answer(&p)};
    if (!c->request_id[0])
        make_request_id(c);
    c->status = call.answer->status;
    struct http_reply_extras extras = {c->request_id, true};
    enum MHD_Result result = http_reply_queue(c->mhd, &call, &extras);
    answer_unref(call.answer);
    return result;
}

/* ---- waiting for the store ---------------------------------------------------------------------------- */

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
static void on_done(struct api_call *call) {
    struct connection *c = (struct connection *)((char *)call - offsetof(struct connection, call));
    if (!move(c, WAIT_BEGUN, WAIT_DONE)) { /* it is suspended by now, and only stopping can interfere */
        if (move(c, WAIT_SUSPENDED, WAIT_DONE))
            resume(c);
        else
            answer_unref(call->answer);
    }
    connection_unref(c);
}

static void abort_wait(struct connection *c) {
    if (move(c, WAIT_SUSPENDED, WAIT_ABORTED))
        resume(c);
}

static enum MHD_Result suspend(struct connection *c) {
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

/* ---- requests ----------------------------------------------------------------------------------------- */

static size_t header_bytes(struct connection *c) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t total = info ? info->header_size : 0;
    return total > c->target_length ? total - c->target_length : 0;
}

/* Whether the request keeps within its limits; those of the target itself are the api's. */
static bool is_acceptable(struct connection *c, struct problem *p) {
    size_t bytes = header_bytes(c);
    if (c->target_length <= LIMIT_URI_BYTES && bytes > LIMIT_HEADER_BYTES) {
        problem_set(p, PROBLEM_HEADERS_TOO_LARGE, "the headers have %zu bytes; allowed: %d", bytes,
                    LIMIT_HEADER_BYTES);
        return false;
    }
    if (atomic_load_explicit(&c->http->open, memory_order_relaxed) > c->http->options.connections &&
        !api_is_operations(c->target, c->target_length)) {
        problem_set(p, PROBLEM_OVERLOADED, "too many connections; allowed: %u", c->http->options.connections);
        return false;
    }
    return true;
}

static enum MHD_Result handle(struct connection *c) {
    struct http *http = c->http;
    struct problem p;
    read_request_id(c);
    c->call.route = NULL;
    if (!is_acceptable(c, &p))
        return reply_problem(c, &p);
    c->call.method = c->method;
    c->call.target = c->target;
    c->call.target_length = c->target_length;
    c->call.routes = http->options.routes;
    c->call.done = on_done;
    atomic_store(&c->wait, WAIT_BEGUN);
    atomic_fetch_add(&c->references, 1);
    if (!api_handle(http->api, &c->call, c->started_us / 1000))
        return suspend(c);
    atomic_fetch_sub(&c->references, 1); /* microhttpd still has its own */
    return reply(c);
}

static enum MHD_Result begin(struct connection *c, const char *method) {
    c->has_headers = true;
    c->waited = false;
    c->status = 0;
    c->body_bytes = 0;
    snprintf(c->method, sizeof c->method, "%s", method);
    atomic_store_explicit(&c->close_at_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&c->busy, true, memory_order_relaxed);
    return MHD_YES;
}

/* Called when the headers are there, for each piece of a body, at the end of the request, and after resuming.
 * A reply is queued at the end only: queued earlier, it would cost the connection. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_size, void **request_context) {
    (void)context, (void)mhd, (void)url, (void)version, (void)upload_data;
    struct connection *c = *request_context;
    if (!c->has_headers)
        return begin(c, method);
    if (*upload_size) {
        c->body_bytes += *upload_size;
        *upload_size = 0;
        return c->body_bytes > BODY_BYTES ? MHD_NO : MHD_YES;
    }
    if (!c->waited)
        return handle(c);
    return atomic_load(&c->wait) == WAIT_ABORTED ? reply_stopping(c) : reply(c);
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
}

static struct connection *connection_of(struct MHD_Connection *mhd) {
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* The request line is there; this is the only moment at which the target is as it was sent. */
static void *on_request_line(void *context, const char *target, struct MHD_Connection *mhd) {
    (void)context;
    struct connection *c = connection_of(mhd);
    c->started_us = clock_boot_us();
    c->has_headers = false;
    int64_t close_at_ms = c->started_us / 1000 + LIMIT_HEADERS_MS;
    if (close_at_ms < atomic_load_explicit(&c->close_at_ms, memory_order_relaxed))
        atomic_store_explicit(&c->close_at_ms, close_at_ms, memory_order_relaxed);
    copy_target(c, target);
    return c;
}

static void log_access(const struct connection *c, int64_t us) {
    char status[16], ms[32];
    enum http_access_log wanted = c->http->options.access_log;
    if (wanted == HTTP_ACCESS_LOG_NONE || (wanted == HTTP_ACCESS_LOG_ERRORS && c->status < 500))
        return;
    snprintf(status, sizeof status, "%u", c->status);
    snprintf(ms, sizeof ms, "%.3f", (double)us / 1000);
    log_write(c->status < 500 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
              LOG_FIELDS("method", c->method, "target", c->target, "status", status, "ms", ms, "request_id",
                         c->request_id),
              "request");
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **request_context,
                         enum MHD_RequestTerminationCode code) {
    (void)mhd, (void)code;
    struct http *http = context;
    struct connection *c = *request_context;
    if (!c)
        return;
    int64_t now_us = clock_boot_us();
    if (c->status) { /* else it never got as far as an answer */
        http_metrics_request(c->call.route, c->method, c->status, now_us - c->started_us);
        log_access(c, now_us - c->started_us);
    }
    c->status = 0;
    if (c->waited && atomic_load(&c->wait) == WAIT_DONE) { /* the client left before it could be told */
        answer_unref(c->call.answer);
        c->call.answer = NULL;
    }
    atomic_store_explicit(&c->close_at_ms, now_us / 1000 + LIMIT_KEEP_ALIVE_MS + LIMIT_HEADERS_MS,
                          memory_order_relaxed);
    atomic_store(&c->busy, false);
    if (atomic_load(&http->draining)) {
        pthread_mutex_lock(&http->lock);
        pthread_cond_broadcast(&http->changed);
        pthread_mutex_unlock(&http->lock);
    }
}

/* ---- connections -------------------------------------------------------------------------------------- */

static void open_connection(struct http *http, struct MHD_Connection *mhd, void **socket_context) {
    struct connection *c = mem_zalloc(sizeof *c);
    c->http = http;
    c->mhd = mhd;
    c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    atomic_init(&c->references, 1);
    atomic_init(&c->close_at_ms, clock_boot_ms() + LIMIT_HEADERS_MS);
    *socket_context = c;
    atomic_fetch_add(&http->open, 1);
    http_metrics_connections(1);
    pthread_mutex_lock(&http->lock);
    DL_APPEND(http->connections, c);
    pthread_mutex_unlock(&http->lock);
}

static void close_connection(struct http *http, struct connection *c) {
    pthread_mutex_lock(&http->lock);
    DL_DELETE(http->connections, c);
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
    atomic_fetch_sub(&http->open, 1);
    http_metrics_connections(-1);
    connection_unref(c);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(context, mhd, socket_context);
    else if (*socket_context)
        close_connection(context, *socket_context);
}

/* microhttpd's own time-out starts anew with every byte: a client that dribbles its headers would never meet
 * it. The socket is only shut down here; it is closed, after on_connection, by the thread it belongs to. */
static void shut_late_connections(struct http *http, int64_t now_ms) {
    struct connection *c;
    DL_FOREACH(http->connections, c) {
        int64_t close_at_ms = atomic_load_explicit(&c->close_at_ms, memory_order_relaxed);
        if (close_at_ms && close_at_ms <= now_ms)
            shutdown(c->fd, SHUT_RDWR);
    }
}

/* `changed` is awaited for at most so long; under the lock. */
static void wait_ms(struct http *http, int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&http->changed, &http->lock, &until);
}

static void *timekeeper_main(void *argument) {
    struct http *http = argument;
    pthread_mutex_lock(&http->lock);
    while (!http->timekeeper_ends) {
        wait_ms(http, TICK_MS);
        shut_late_connections(http, clock_boot_ms());
    }
    pthread_mutex_unlock(&http->lock);
    return NULL;
}

/* ---- life --------------------------------------------------------------------------------------------- */

static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context, (void)mhd;
    return strlen(text); /* the api decodes, once, what it has split */
}

static void on_log(void *context, const char *format, va_list args) {
    (void)context;
    char text[512];
    int length = vsnprintf(text, sizeof text, format, args);
    while (length > 0 && (size_t)length < sizeof text && text[length - 1] == '\n')
        text[--length] = '\0';
    log_debug("libmicrohttpd: %s", text);
}

static struct MHD_Daemon *start_daemon(struct http *http, int fd) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = processors > 1 ? (unsigned)processors : 1;
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC;
    /* The limit is dealt out to the threads, and connections are not dealt out evenly. */
    unsigned limit = http->options.connections + LIMIT_PROBE_CONNECTIONS;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
                            threads > 1 ? threads : 0, MHD_OPTION_CONNECTION_LIMIT, limit,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_CONNECTION_BYTES,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(LIMIT_KEEP_ALIVE_MS / 1000),
                            MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK,
                            on_request_line, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
}

static void init(struct http *http) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&http->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&http->lock, NULL);
}

static void deinit(struct http *http) {
    pthread_cond_destroy(&http->changed);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

static void end_timekeeper(struct http *http) {
    pthread_mutex_lock(&http->lock);
    http->timekeeper_ends = true;
    pthread_cond_broadcast(&http->changed);
    pthread_mutex_unlock(&http->lock);
    pthread_join(http->timekeeper, NULL);
}

struct http *http_new(const struct http_options *options, struct api *api, struct error *e) {
    int fd = listen_open(options->listen, e);
    if (fd < 0)
        return NULL;
    struct http *http = mem_zalloc(sizeof *http);
    http->api = api;
    http->options = *options;
    http->port = listen_port(fd);
    http->listen_fd = fd;
    init(http);
    int code = pthread_create(&http->timekeeper, NULL, timekeeper_main, http);
    if (code) {
        error_set(e, STATUS_FAILED, "cannot start a thread: %s", strerror(code));
        close(fd);
        deinit(http);
        return NULL;
    }
    http->daemon = start_daemon(http, fd);
    if (!http->daemon) {
        error_set(e, STATUS_FAILED, "cannot start libmicrohttpd on '%s'", options->listen);
        close(fd);
        end_timekeeper(http);
        deinit(http);
        return NULL;
    }
    return http;
}

unsigned http_port(const struct http *http) {
    return http->port;
}

/* Not MHD_quiesce_daemon: it takes the socket out of an epoll set while the set's thread does so too, and
 * whoever comes second aborts the process (libmicrohttpd 0.9.75 to 1.0). Instead the number, which is
 * libmicrohttpd's to close, becomes that of something that nobody connects to and that is never readable. */
static void stop_listening(int listen_fd) {
    int nothing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (nothing < 0 || dup3(nothing, listen_fd, O_CLOEXEC) < 0)
        log_warn("cannot stop listening: %s", strerror(errno));
    if (nothing >= 0)
        close(nothing);
}

void http_drain_begin(struct http *http) {
    if (atomic_exchange(&http->draining, true))
        return;
    stop_listening(http->listen_fd);
}

static bool is_busy(struct http *http) {
    struct connection *c;
    DL_FOREACH(http->connections, c) {
        if (atomic_load(&c->busy))
            return true;
    }
    return false;
}

static void wait_until_idle(struct http *http, int64_t deadline_ms) {
    pthread_mutex_lock(&http->lock);
    for (int64_t left; is_busy(http) && (left = deadline_ms - clock_boot_ms()) > 0;)
        wait_ms(http, left);
    pthread_mutex_unlock(&http->lock);
}

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

static void abort_all(struct http *http) {
    struct connection *c;
    atomic_store(&http->stopping, true);
    while ((c = next_suspended(http)))
        resume(c);
    pthread_mutex_lock(&http->lock);
    while (atomic_load(&http->suspended)) /* somebody else is about to resume it */
        wait_ms(http, TICK_MS);
    pthread_mutex_unlock(&http->lock);
}

void http_stop(struct http *http, int64_t deadline_ms) {
    http_drain_begin(http);
    wait_until_idle(http, deadline_ms);
    abort_all(http);
    wait_until_idle(http, clock_boot_ms() + HTTP_STOP_GRACE_MS);
    end_timekeeper(http);
    MHD_stop_daemon(http->daemon);
    http->daemon = NULL;
}

void http_free(struct http *http) {
    if (!http)
        return;
    if (http->daemon)
        http_stop(http, 0);
    deinit(http);
}
