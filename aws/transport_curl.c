#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/transport.h"
#include "aws/trust.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

struct aws_session {
    CURLM *multi;
    CURL *idle[LIMIT_AWS_CONCURRENCY]; /* kept because each remembers its TLS sessions */
    size_t idle_count;
    struct aws_exchange *finished;  /* by aws_session_finish, maybe not due yet; in no order */
    struct aws_exchange *streaming; /* the exchange under way, if its answer may be a stream */
};

static void init_curl(void) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        mem_exhausted();
}

static void init_curl_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
}

static CURL *new_easy(void) {
    CURL *easy = curl_easy_init();
    if (!easy)
        mem_exhausted();
    return easy;
}

void aws_transport_system_trust(const char **file, const char **folder) {
    char *found_file = NULL, *found_folder = NULL;
    init_curl_once();
    CURL *easy = new_easy();
    curl_easy_getinfo(easy, CURLINFO_CAINFO, &found_file);
    curl_easy_getinfo(easy, CURLINFO_CAPATH, &found_folder);
    curl_easy_cleanup(easy);
    *file = found_file;
    *folder = found_folder;
}

struct aws_session *aws_session_new(void) {
    init_curl_once();
    struct aws_session *s = mem_zalloc(sizeof *s);
    s->multi = curl_multi_init();
    if (!s->multi)
        mem_exhausted();
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)LIMIT_AWS_IDLE_CONNECTIONS);
    curl_multi_setopt(s->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return s;
}

void aws_session_free(struct aws_session *session) {
    if (!session)
        return;
    while (session->idle_count > 0)
        curl_easy_cleanup(session->idle[--session->idle_count]);
    curl_multi_cleanup(session->multi);
    free(session);
}

static bool is_success(const struct aws_exchange *x) {
    return x->http_status >= 200 && x->http_status <= 299;
}

/* Whether the head of a stream has arrived. */
static bool has_begun(const struct aws_exchange *x) {
    return x->streams && x->headers_ended && is_success(x);
}

/* What is paused is kept by libcurl, and given again. */
static bool must_pause(const struct aws_exchange *x, size_t more) {
    return has_begun(x) && x->reply.length && x->reply.length + more > LIMIT_AWS_STREAM_BYTES;
}

static size_t on_body(char *data, size_t size, size_t n, void *context) {
    struct aws_exchange *x = context;
    if (must_pause(x, size * n)) {
        x->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    if (!buffer_append(&x->reply, data, size * n))
        return 0; /* ends the transfer */
    x->dropped = x->arrived && !x->arrived(x->receiver, x->reply.length);
    return x->dropped ? 0 : size * n;
}

/* One header line of an answer, not terminated. A status line begins an answer, and voids an interim one
 * (1xx). An empty line ends its headers. */
static size_t on_header(char *data, size_t size, size_t n, void *context) {
    struct aws_exchange *x = context;
    size_t length = size * n;
    char line[512];
    if (length >= sizeof line)
        return length; /* none that we read is so long */
    memcpy(line, data, length);
    line[length] = '\0';
    line[strcspn(line, "\r\n")] = '\0';

    char *colon = strchr(line, ':');
    if (strncmp(line, "HTTP/", 5) == 0) {
        aws_exchange_forget_headers(x);
        x->headers_ended = false;
    } else if (!*line) {
        x->headers_ended = true;
        curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->http_status);
    } else if (colon) {
        *colon = '\0';
        aws_exchange_header(x, line, colon + 1 + strspn(colon + 1, " \t"));
    }
    return length;
}

static CURL *take_easy(struct aws_session *s) {
    if (s->idle_count > 0)
        return s->idle[--s->idle_count];
    return new_easy();
}

/* Returns the exchange's handle to the session. */
static void release(struct aws_session *s, struct aws_exchange *x) {
    CURL *easy = x->easy;
    if (!easy)
        return;
    curl_multi_remove_handle(s->multi, easy);
    if (s->streaming == x)
        s->streaming = NULL;
    curl_slist_free_all(x->list);
    x->easy = x->list = NULL;
    curl_easy_reset(easy);
    if (s->idle_count < LIMIT_AWS_CONCURRENCY)
        s->idle[s->idle_count++] = easy;
    else
        curl_easy_cleanup(easy);
}

static struct curl_slist *list_lines(const char *const *lines) {
    struct curl_slist *list = NULL;
    for (; lines && *lines; lines++) {
        struct curl_slist *longer = curl_slist_append(list, *lines);
        if (!longer)
            mem_exhausted();
        list = longer;
    }
    return list;
}

static CURLcode on_tls(CURL *easy, void *connection, void *trust) {
    (void)easy;
    aws_trust_apply(trust, connection);
    return CURLE_OK;
}

/* Of an exchange without `trust` libcurl reads the system's certificates, for each connection. */
static CURLcode set_trust(CURL *easy, struct aws_trust *trust) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    return code ? code : curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, trust);
}

/* HTTP/2 where TLS agrees on it. The connection is a new one, for those that are kept speak HTTP/1.1; and it
 * is not used again: a silent one must not be. */
static CURLcode set_streaming(CURL *easy) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 0L);
    if (!code)
        code = curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 0L);
    return code ? code : curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

/* The first option that libcurl refuses, or CURLE_OK. */
static CURLcode set_options(CURL *easy, struct aws_exchange *x) {
    CURLcode code = CURLE_OK;
#define SET(option, value) (code = code ? code : curl_easy_setopt(easy, (option), (value)))
    SET(CURLOPT_URL, x->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (x->body) { /* for NULL libcurl would read the standard input */
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->length);
        SET(CURLOPT_POSTFIELDS, x->body);
    }
    SET(CURLOPT_CUSTOMREQUEST, x->method ? x->method : "POST");
    if (x->direct)
        SET(CURLOPT_PROXY, ""); /* overrides the environment */
    SET(CURLOPT_USERAGENT, "winner-view");
    SET(CURLOPT_HTTPHEADER, (struct curl_slist *)x->list);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's answer is not the service's */
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)x->connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)x->attempt_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)LIMIT_AWS_SLOW_BYTES);
    SET(CURLOPT_LOW_SPEED_TIME, (long)x->slow_s);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a silent name server must not delay a time-out or a cancel */
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_ERRORBUFFER, x->problem);
    SET(CURLOPT_PRIVATE, x);
#undef SET
    code = code || !x->streams ? code : set_streaming(easy);
    return code || !x->trust ? code : set_trust(easy, x->trust);
}

_Static_assert(sizeof((struct aws_exchange *)0)->problem >= CURL_ERROR_SIZE,
               "libcurl writes its message there");

void aws_session_send(struct aws_session *session, struct aws_exchange *x) {
    x->easy = take_easy(session);
    x->list = list_lines(x->lines);
    session->streaming = x->streams ? x : NULL;
    CURLcode code = set_options(x->easy, x);
    if (code == CURLE_OK && curl_multi_add_handle(session->multi, x->easy) != CURLM_OK)
        code = CURLE_FAILED_INIT;
    if (code != CURLE_OK) {
        release(session, x);
        aws_exchange_fail(x, curl_easy_strerror(code));
        aws_session_finish(session, x, 0);
    }
}

void aws_session_finish(struct aws_session *session, struct aws_exchange *x, int64_t delay_ms) {
    x->due_ms = clock_boot_ms() + delay_ms;
    x->next = session->finished;
    session->finished = x;
}

/* Removes `x` from the list of finished exchanges; false if it is not there. */
static bool unlink_finished(struct aws_session *s, const struct aws_exchange *x) {
    struct aws_exchange **at = &s->finished;
    while (*at && *at != x)
        at = &(*at)->next;
    if (!*at)
        return false;
    *at = x->next;
    return true;
}

/* The finished exchange that is due first; NULL: none. */
static struct aws_exchange *first_finished(const struct aws_session *s) {
    struct aws_exchange *first = s->finished;
    for (struct aws_exchange *x = first; x; x = x->next)
        if (x->due_ms <= first->due_ms) /* of equals the one that was added first */
            first = x;
    return first;
}

/* What has arrived stays: events, which may say why the stream ends. */
static void conclude_stream(struct aws_exchange *x, CURLcode code) {
    x->result = code == CURLE_OK ? AWS_EXCHANGE_ANSWERED : AWS_EXCHANGE_NO_ANSWER;
    if (!x->problem[0])
        snprintf(x->problem, sizeof x->problem, "%s", curl_easy_strerror(code));
}

static void conclude(struct aws_exchange *x, CURLcode code) {
    curl_off_t connected_us = 0;
    if (x->begun) {
        conclude_stream(x, code);
        return;
    }
    curl_easy_getinfo(x->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (code == CURLE_OK && !x->headers_ended) { /* libcurl takes this for an answer without a body */
        aws_exchange_fail(x, "the connection was closed within the headers of the answer");
    } else if (code == CURLE_OK || x->reply.overflowed || x->dropped) {
        x->result = x->reply.overflowed ? AWS_EXCHANGE_TOO_LARGE
                    : x->dropped        ? AWS_EXCHANGE_DROPPED
                                        : AWS_EXCHANGE_ANSWERED;
        curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->http_status);
    } else {
        char problem[sizeof x->problem];
        memcpy(problem, x->problem, sizeof problem);
        aws_exchange_fail(x, problem[0] ? problem : curl_easy_strerror(code));
    }
    x->connected = connected_us > 0;
}

/* The exchange whose stream has just begun; NULL: none. */
static struct aws_exchange *next_begun(struct aws_session *s) {
    struct aws_exchange *x = s->streaming;
    if (!x || x->begun || !has_begun(x))
        return NULL;
    x->begun = true;
    x->result = AWS_EXCHANGE_ANSWERED;
    return x;
}

static struct aws_exchange *next_finished(struct aws_session *s) {
    struct aws_exchange *x = first_finished(s);
    if (x && x->due_ms <= clock_boot_ms()) {
        unlink_finished(s, x);
        return x;
    }
    int running, queued;
    curl_multi_perform(s->multi, &running);
    x = next_begun(s);
    if (x)
        return x;
    for (CURLMsg *message; (message = curl_multi_info_read(s->multi, &queued));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &x);
        conclude(x, code);
        release(s, x);
        return x;
    }
    return NULL;
}

static int poll_ms(const struct aws_session *s, int64_t timeout_ms) {
    const struct aws_exchange *first = first_finished(s);
    if (first) {
        int64_t left = first->due_ms - clock_boot_ms();
        timeout_ms = left < timeout_ms ? left : timeout_ms;
    }
    if (timeout_ms < 0)
        return 0;
    return timeout_ms < LIMIT_AWS_ATTEMPT_MS ? (int)timeout_ms : LIMIT_AWS_ATTEMPT_MS;
}

struct aws_exchange *aws_session_wait(struct aws_session *session, int64_t timeout_ms, int stop_fd) {
    struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
    struct aws_exchange *x = next_finished(session);
    if (!x) {
        curl_multi_poll(session->multi, &stop, stop_fd >= 0, poll_ms(session, timeout_ms), NULL);
        x = next_finished(session);
    }
    if (x && x->filter)
        x->filter(x, x->filter_context);
    return x;
}

/* A pause may end with what libcurl kept for it. */
static void end_pause(struct aws_exchange *x) {
    if (!x->paused)
        return;
    x->paused = false;
    curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

bool aws_session_read(struct aws_session *session, struct aws_exchange *x, int64_t timeout_ms, int stop_fd) {
    struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
    const struct clock_reading before = clock_read();
    if (!x->easy)
        return false;
    end_pause(x);
    if (next_finished(session))
        return false;
    if (x->reply.length)
        return true;
    x->empty = before;
    curl_multi_poll(session->multi, &stop, stop_fd >= 0, poll_ms(session, timeout_ms), NULL);
    return !next_finished(session);
}

void aws_session_wake(struct aws_session *session) {
    curl_multi_wakeup(session->multi);
}

void aws_session_abandon(struct aws_session *session, struct aws_exchange *x) {
    unlink_finished(session, x);
    release(session, x);
}

static void send_over_curl(const struct aws_transport *transport, struct aws_session *session,
                           struct aws_exchange *x) {
    (void)transport;
    aws_session_send(session, x);
}

const struct aws_transport aws_transport_curl = {.send = send_over_curl};
