#include "aws/fetch.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "aws/service_error.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

void aws_fetch_init(struct aws_fetch *f) {
    memset(f, 0, sizeof *f);
    buffer_init(&f->reply, LIMIT_FETCH_BYTES);
    f->told.date_ms = -1;
    f->tries = 1;
    f->stop_fd = -1;
}

void aws_fetch_deinit(struct aws_fetch *f) {
    if (f->reply.data)
        OPENSSL_cleanse(f->reply.data, f->reply.capacity);
    buffer_deinit(&f->reply);
}

static enum status cancelled(struct error *e) {
    return error_set_code(e, STATUS_FAILED, AWS_ERROR_CANCELLED, "the program is stopping");
}

/* True if told to stop within `ms`. */
static bool stopped_within(const struct aws_fetch *f, int ms) {
    struct pollfd fd = {.fd = f->stop_fd, .events = POLLIN};
    return poll(&fd, 1, ms) > 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *context) {
    struct aws_fetch *f = context;
    return buffer_append(&f->reply, data, size * n) ? size * n : 0;
}

static struct curl_slist *list_lines(const char *const *lines) {
    struct curl_slist *list = NULL;
    for (; lines && *lines; lines++) {
        list = curl_slist_append(list, *lines);
        if (!list)
            mem_exhausted();
    }
    return list;
}

static void set_options(CURL *easy, struct aws_fetch *f, struct curl_slist *list, char *problem) {
    curl_easy_setopt(easy, CURLOPT_URL, f->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (f->body) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, f->body);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, f->method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    if (f->direct)
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* empty: not even the environment's */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "winner-view");
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)f->connect_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)f->try_ms);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a name server that is silent must not hold us up */
    if (f->ca_bundle)
        curl_easy_setopt(easy, CURLOPT_CAINFO, f->ca_bundle);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, problem);
}

/* Runs the transfer to its end; false if we were told to stop before that. */
static bool transfer(CURLM *multi, const struct aws_fetch *f, CURLcode *code) {
    struct curl_waitfd stop = {.fd = f->stop_fd, .events = CURL_WAIT_POLLIN};
    unsigned extra = f->stop_fd >= 0 ? 1 : 0;
    for (int running = 1;;) {
        if (stopped_within(f, 0))
            return false;
        curl_multi_perform(multi, &running);
        if (!running)
            break;
        curl_multi_poll(multi, &stop, extra, f->try_ms, NULL);
    }
    int queued;
    const CURLMsg *message = curl_multi_info_read(multi, &queued);
    *code = message ? message->data.result : CURLE_FAILED_INIT;
    return true;
}

static void note_clock(CURL *easy, struct aws_fetch *f, int64_t sent_boot_ms) {
    struct curl_header *header;
    f->told = (struct aws_skew_answer){
        .date_ms = -1,
        .received_ms = clock_real_ms(),
        .elapsed_ms = clock_boot_ms() - sent_boot_ms,
        .has_age = curl_easy_header(easy, "Age", 0, CURLH_HEADER, -1, &header) == CURLHE_OK,
    };
    if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        clock_parse_http(header->value, &f->told.date_ms);
}

static enum status conclude(CURL *easy, struct aws_fetch *f, CURLcode code, const char *problem,
                            struct error *e) {
    curl_off_t connected_us = 0;
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    f->connected = connected_us > 0;
    if (f->reply.overflowed)
        return error_set_code(e, STATUS_FAILED, AWS_ERROR_TOO_LARGE, "the answer is too long");
    if (code != CURLE_OK)
        return error_set_code(e, STATUS_RETRY, AWS_ERROR_NO_ANSWER, "%s",
                              *problem ? problem : curl_easy_strerror(code));
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &f->http_status);
    return STATUS_OK;
}

static enum status try_once(struct aws_fetch *f, struct error *e) {
    char problem[CURL_ERROR_SIZE] = "";
    CURLcode code;
    CURL *easy = curl_easy_init();
    CURLM *multi = curl_multi_init();
    if (!easy || !multi)
        mem_exhausted();
    struct curl_slist *list = list_lines(f->lines);
    buffer_clear(&f->reply);
    f->http_status = 0;
    f->connected = false;
    f->told = (struct aws_skew_answer){.date_ms = -1};
    set_options(easy, f, list, problem);
    curl_multi_add_handle(multi, easy);

    int64_t sent_boot_ms = clock_boot_ms();
    bool ended = transfer(multi, f, &code);
    enum status status = ended ? conclude(easy, f, code, problem, e) : cancelled(e);
    if (status == STATUS_OK)
        note_clock(easy, f, sent_boot_ms);

    curl_multi_remove_handle(multi, easy);
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(list);
    return status;
}

static void init_curl(void) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        mem_exhausted();
}

static bool may_do_better(const struct aws_fetch *f, enum status status) {
    return status == STATUS_RETRY ||
           (status == STATUS_OK && (f->http_status == 429 || f->http_status >= 500));
}

enum status aws_fetch(struct aws_fetch *f, struct error *e) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_curl);
    for (int left = f->tries;;) {
        enum status status = try_once(f, e);
        if (!may_do_better(f, status) || --left <= 0)
            return status;
        if (stopped_within(f, f->pause_ms))
            return cancelled(e);
    }
}
