#include "aws/fetch.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/scripted_http.h"

static void prepare(struct aws_fetch *f, const char *url) {
    support_clear_environment();
    aws_fetch_init(f);
    f->exchange.method = "GET";
    f->exchange.url = url;
    f->exchange.connect_ms = 2000;
    f->exchange.attempt_ms = 5000;
    f->pause_ms = 1;
}

static void request_and_answer_of_a_fetch_are_transferred_unchanged(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{404, "not here", NULL}};
    struct scripted_http *server = scripted_http_start(script, 1);
    const char *const lines[] = {"X-One: 1", "Authorization: a token", NULL};
    struct aws_fetch f;
    prepare(&f, scripted_http_url(server, "/a/b?c=d"));
    f.exchange.method = "POST";
    f.exchange.lines = lines;
    f.exchange.body = "x=y";
    f.exchange.length = 3;
    f.tries = 3;
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(f.exchange.http_status, 404);
    assert_string_equal(f.exchange.reply.data, "not here");
    assert_int_equal(scripted_http_count(server), 1); /* a refusal is an answer and is not retried */
    const char *request = scripted_http_request(server, 0);
    assert_int_equal(strncmp(request, "POST /a/b?c=d HTTP/1.1\r\n", 24), 0);
    assert_contains(request, "\r\nX-One: 1\r\n");
    assert_contains(request, "\r\nAuthorization: a token\r\n");
    assert_contains(request, "\r\n\r\nx=y");
    aws_fetch_deinit(&f);
    scripted_http_stop(server);
}

static void a_fetch_from_an_overloaded_or_broken_server_is_retried_a_few_times(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{500, "", NULL}, {429, "", NULL}, {200, "good", NULL}};
    struct scripted_http *server = scripted_http_start(script, 3);
    struct aws_fetch f;
    prepare(&f, scripted_http_url(server, "/"));
    f.tries = 2;
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(f.exchange.http_status, 429);
    assert_int_equal(scripted_http_count(server), 2);
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(f.exchange.http_status, 200);
    assert_string_equal(f.exchange.reply.data, "good");
    aws_fetch_deinit(&f);
    scripted_http_stop(server);
}

static void the_clock_of_the_server_is_read_from_its_answer(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {
        {200, "", "Date: Mon, 23 Nov 2026 04:36:00 GMT"},
        {403, "", "Date: Mon, 23 Nov 2026 04:36:01 GMT\r\nAge: 1"},
        {200, "", NULL},
        {200, "", "Date: Mon, 23 Nov 2026 04:36:00 GMT"},
    };
    struct scripted_http *server = scripted_http_start(script, 4);
    struct aws_fetch f;
    char url[64];
    int64_t began_ms = clock_real_ms();
    snprintf(url, sizeof url, "%s", scripted_http_url(server, "/"));
    prepare(&f, url);
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(f.clock.date_ms, INT64_C(1795408560000));
    assert_false(f.clock.has_age);
    assert_in_range(f.clock.received_ms, began_ms, clock_real_ms());
    assert_in_range(f.clock.elapsed_ms, 0, clock_real_ms() - began_ms + 1); /* two clocks, each cut to ms */
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(f.clock.date_ms, INT64_C(1795408561000));
    assert_true(f.clock.has_age);
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(f.clock.date_ms, -1);
    assert_false(f.clock.has_age);
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    scripted_http_stop(server);
    assert_int_equal(aws_fetch(&f, NULL), STATUS_RETRY);
    assert_int_equal(f.clock.date_ms, -1);
    aws_fetch_deinit(&f);
}

static void a_redirect_is_not_followed(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{302, "", "Location: /elsewhere"}};
    struct scripted_http *server = scripted_http_start(script, 1);
    struct aws_fetch f;
    prepare(&f, scripted_http_url(server, "/"));
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(f.exchange.http_status, 302);
    assert_int_equal(scripted_http_count(server), 1);
    aws_fetch_deinit(&f);
    scripted_http_stop(server);
}

static void a_fetch_whose_answer_is_too_long_fails(void **state) {
    (void)state;
    static char body[LIMIT_FETCH_BYTES + 2];
    memset(body, ' ', sizeof body - 1);
    const struct scripted_answer script[] = {{200, body, NULL}};
    struct scripted_http *server = scripted_http_start(script, 1);
    struct aws_fetch f;
    struct error e;
    prepare(&f, scripted_http_url(server, "/"));
    assert_int_equal(aws_fetch(&f, &e), STATUS_FAILED);
    assert_string_equal(e.code, "ReplyTooLarge");
    aws_fetch_deinit(&f);
    body[LIMIT_FETCH_BYTES] = '\0'; /* the maximum length */
    aws_fetch_init(&f);
    prepare(&f, scripted_http_url(server, "/"));
    assert_int_equal(aws_fetch(&f, &e), STATUS_OK);
    aws_fetch_deinit(&f);
    scripted_http_stop(server);
}

static void a_server_that_does_not_answer_is_distinguished_from_one_that_does_not_listen(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{SCRIPTED_HTTP_SILENCE, NULL, NULL}};
    struct scripted_http *server = scripted_http_start(script, 1);
    struct aws_fetch f;
    struct error e;
    char url[64];
    snprintf(url, sizeof url, "%s", scripted_http_url(server, "/"));
    prepare(&f, url);
    f.exchange.attempt_ms = 500; /* long enough to send the request */
    f.tries = 2;
    assert_int_equal(aws_fetch(&f, &e), STATUS_RETRY);
    assert_string_equal(e.code, "NoAnswer");
    assert_true(f.exchange.connected);
    scripted_http_await(server, 2); /* the second request may arrive after its time-out */
    assert_int_equal(scripted_http_count(server), 2);
    scripted_http_stop(server);
    assert_int_equal(aws_fetch(&f, &e), STATUS_RETRY);
    assert_false(f.exchange.connected);
    aws_fetch_deinit(&f);
}

struct stopper {
    struct scripted_http *server;
    int fd;
};

/* True if the main thread sleeps, as the kernel reports it. */
static bool main_sleeps(void) {
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    FILE *f = fopen(path, "re");
    bool read = f && fgets(line, sizeof line, f);
    if (f)
        fclose(f);
    return read && strstr(line, ") S ");
}

/* Stops the fetch when it waits for the answer and no timer of libcurl (200 ms, while it connects) wakes it
 * any more: then only the descriptor can wake it. */
static void *stop_once_asked(void *context) {
    const struct stopper *s = context;
    uint64_t one = 1;
    scripted_http_await(s->server, 1);
    for (int64_t awake_ms = clock_boot_ms(); clock_boot_ms() - awake_ms < 500; poll(NULL, 0, 5))
        if (!main_sleeps())
            awake_ms = clock_boot_ms();
    return write(s->fd, &one, sizeof one) == sizeof one ? NULL : context;
}

static void a_running_fetch_ends_when_its_stop_descriptor_is_readable(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{SCRIPTED_HTTP_SILENCE, NULL, NULL}};
    struct scripted_http *server = scripted_http_start(script, 1);
    struct stopper stopper = {server, eventfd(0, EFD_CLOEXEC)};
    struct aws_fetch f;
    struct error e;
    pthread_t thread;
    prepare(&f, scripted_http_url(server, "/"));
    f.exchange.connect_ms = f.exchange.attempt_ms = 60000; /* its own time-out does not end it */
    f.tries = 100;
    f.stop_fd = stopper.fd;
    int64_t began_ms = clock_boot_ms();
    assert_int_equal(pthread_create(&thread, NULL, stop_once_asked, &stopper), 0);
    assert_int_equal(aws_fetch(&f, &e), STATUS_FAILED);
    assert_string_equal(e.code, "Cancelled");
    assert_true(clock_boot_ms() - began_ms < 20000);
    pthread_join(thread, NULL);

    assert_int_equal(aws_fetch(&f, &e), STATUS_FAILED); /* and the next fetch does not begin */
    assert_int_equal(scripted_http_count(server), 1);
    aws_fetch_deinit(&f);
    scripted_http_stop(server);
    close(stopper.fd);
}

static void a_fetch_uses_the_proxy_unless_it_is_direct(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{200, "", NULL}};
    struct scripted_http *server = scripted_http_start(script, 1), *proxy = scripted_http_start(script, 1);
    struct aws_fetch f;
    char url[64];
    snprintf(url, sizeof url, "%s", scripted_http_url(server, "/"));
    prepare(&f, url);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    setenv("http_proxy", scripted_http_url(proxy, ""), 1);
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(scripted_http_count(proxy), 1);
    assert_int_equal(scripted_http_count(server), 0);
    f.exchange.direct = true;
    assert_int_equal(aws_fetch(&f, NULL), STATUS_OK);
    assert_int_equal(scripted_http_count(proxy), 1);
    assert_int_equal(scripted_http_count(server), 1);
    unsetenv("http_proxy");
    aws_fetch_deinit(&f);
    scripted_http_stop(server);
    scripted_http_stop(proxy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_and_answer_of_a_fetch_are_transferred_unchanged),
        cmocka_unit_test(a_fetch_from_an_overloaded_or_broken_server_is_retried_a_few_times),
        cmocka_unit_test(the_clock_of_the_server_is_read_from_its_answer),
        cmocka_unit_test(a_redirect_is_not_followed),
        cmocka_unit_test(a_fetch_whose_answer_is_too_long_fails),
        cmocka_unit_test(a_server_that_does_not_answer_is_distinguished_from_one_that_does_not_listen),
        cmocka_unit_test(a_running_fetch_ends_when_its_stop_descriptor_is_readable),
        cmocka_unit_test(a_fetch_uses_the_proxy_unless_it_is_direct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
