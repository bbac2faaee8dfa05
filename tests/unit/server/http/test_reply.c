#include "tests/unit/support/api.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/http.h"

/* A real server over a scripted store; what matters here is that many ask for many forms of one answer. */

enum { MERCHANTS = 10, REPLY_BYTES = 65536 };

static struct fixture f;
static struct http *http;

static int setup(void **state) {
    (void)state;
    struct api_options options = support_options();
    struct http_options http_options = {"127.0.0.1:0", 1024, HTTP_ACCESS_LOG_NONE, API_ALL, 4};
    struct error e;
    support_init(&f, &options, false);
    support_set_as_of(&f, support_now());
    for (int i = 0; i < MERCHANTS; i++) {
        char user_id[64];
        snprintf(user_id, sizeof user_id, "widget/merchant/1000000%02d/Ann", i);
        scripted_store_set_score(f.store, ROLE_CREATOR, user_id, 42);
    }
    http = http_new(&http_options, f.api, &e);
    assert_non_null(http);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    http_free(http);
    support_deinit(&f);
    return 0;
}

struct reply {
    char head[4096];
    char body[REPLY_BYTES];
    size_t body_length;
};

static size_t read_all(int fd, char *out, size_t size) {
    size_t length = 0;
    for (ssize_t n; length < size && (n = read(fd, out + length, size - length)) > 0;)
        length += (size_t)n;
    return length;
}

/* One request on a connection of its own; false if anything is wrong with it: this runs on many threads. */
static bool ask(const char *target, const char *headers, struct reply *r) {
    static const char end[] = "\r\n\r\n";
    char text[REPLY_BYTES];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(http))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", target,
                     headers);
    bool sent = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
    size_t length = sent ? read_all(fd, text, sizeof text) : 0;
    close(fd);
    char *found = memmem(text, length, end, sizeof end - 1);
    if (!found || (size_t)(found - text) + sizeof end > sizeof r->head)
        return false;
    size_t head_length = (size_t)(found - text) + sizeof end - 1;
    memcpy(r->head, text, head_length);
    r->head[head_length] = '\0';
    r->body_length = length - head_length;
    memcpy(r->body, text + head_length, r->body_length);
    return true;
}

static bool is_plain(const struct reply *r) {
    return strstr(r->head, "HTTP/1.1 200 ") == r->head && !strstr(r->head, "Content-Encoding") &&
           strstr(r->head, "Vary: Accept-Encoding\r\n") && r->body_length > 1024 && r->body[0] == '{';
}

static bool is_gzip(const struct reply *r) {
    return strstr(r->head, "HTTP/1.1 200 ") == r->head && strstr(r->head, "Content-Encoding: gzip\r\n") &&
           strstr(r->head, "Vary: Accept-Encoding\r\n") && memcmp(r->body, "\x1f\x8b", 2) == 0;
}

static bool is_unchanged(const struct reply *r) {
    return strstr(r->head, "HTTP/1.1 304 ") == r->head && !strstr(r->head, "Content-Type") &&
           strstr(r->head, "ETag: W/\"") && strstr(r->head, "View-As-Of: ") && r->body_length == 0;
}

/* Tests. */

static const struct {
    const char *headers;
    bool (*is_right)(const struct reply *r);
} wishes[] = {
    {"", is_plain},
    {"Accept-Encoding: gzip, br\r\n", is_gzip},
    {"If-None-Match: *\r\n", is_unchanged},
    {"Accept-Encoding: gzip\r\nIf-None-Match: \"x\", *\r\n", is_gzip}, /* "*" is valid only alone */
    {"Accept-Encoding: gzip\r\nIf-None-Match: *\r\n", is_unchanged},
    {"X-Request-Id: a\r\n", is_plain},
    {"X-Request-Id: a\r\nAccept-Encoding: gzip\r\n", is_gzip},
    {"X-Request-Id: a\r\nIf-None-Match: *\r\n", is_unchanged},
};
enum { WISHES = sizeof wishes / sizeof *wishes };

static void each_request_is_answered_in_the_form_that_its_headers_select(void **state) {
    (void)state;
    static struct reply r;
    for (size_t round = 0; round < 2; round++) /* made, then shared */
        for (size_t i = 0; i < WISHES; i++)
            if (!ask("/scores/merchant", wishes[i].headers, &r) || !wishes[i].is_right(&r))
                fail_msg("%s: %s", wishes[i].headers, r.head);
}

static void a_header_that_is_sent_twice_is_one_list(void **state) {
    (void)state;
    static struct reply r;
    assert_true(ask("/scores/merchant", "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", &r));
    assert_true(is_gzip(&r));
    assert_true(ask("/scores/merchant", "If-None-Match: *\r\nIf-None-Match: \"x\"\r\n", &r));
    assert_true(is_plain(&r)); /* "*" is valid only alone */
}

static void every_if_none_match_header_is_compared(void **state) {
    (void)state;
    static struct reply r;
    static const char others[] = "If-None-Match: \"1\"\r\nIf-None-Match: \"2\"\r\nIf-None-Match: \"3\"\r\n"
                                 "If-None-Match: \"4\"\r\nIf-None-Match: \"5\"\r\n";
    char headers[sizeof others + 64], etag[ANSWER_ETAG_SIZE];
    assert_true(ask("/scores/merchant", others, &r));
    assert_true(is_plain(&r));
    assert_int_equal(sscanf(strstr(r.head, "ETag: "), "ETag: %31s", etag), 1);
    snprintf(headers, sizeof headers, "%sIf-None-Match: %s\r\n", others, etag);
    assert_true(ask("/scores/merchant", headers, &r));
    assert_true(is_unchanged(&r));
}

enum { THREADS = 8, ROUNDS = 40 };

static void *ask_for_all_forms(void *first) {
    struct reply *r = mem_alloc(sizeof *r);
    uintptr_t wrong = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t k = (i + (size_t)(uintptr_t)first) % WISHES;
        wrong += !ask("/scores/merchant", wishes[k].headers, r) || !wishes[k].is_right(r);
        if (i % 8 == 0) {
            char *user_ids[] = {"widget/merchant/100000000/Ann"};
            api_rows_changed(f.api, NULL, 0, (const char *const *)user_ids, 1); /* a new answer is loaded */
        }
    }
    free(r);
    return (void *)wrong;
}

static void many_threads_get_all_forms_of_one_answer_at_once(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_all_forms, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static void a_304_is_counted_with_its_status(void **state) {
    (void)state;
    static struct reply r;
    assert_true(ask("/scores/photographer", "If-None-Match: *\r\n", &r));
    assert_true(is_unchanged(&r));
    assert_true(ask("/metrics", "", &r));
    r.body[r.body_length < REPLY_BYTES ? r.body_length : REPLY_BYTES - 1] = '\0';
    assert_non_null(strstr(r.body, "winner_view_http_requests_total{route=\"/scores/photographer\",method="
                                   "\"GET\",status=\"304\"} 1\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_request_is_answered_in_the_form_that_its_headers_select),
        TEST(a_header_that_is_sent_twice_is_one_list),
        TEST(every_if_none_match_header_is_compared),
        TEST(many_threads_get_all_forms_of_one_answer_at_once),
        TEST(a_304_is_counted_with_its_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
