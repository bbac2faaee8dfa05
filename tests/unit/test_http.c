#include "tests/unit/test_api_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/base/limits.h"
#include "server/http.h"

/* A real server on the loopback address over a scripted store, and clients that see every byte. */

enum { CLIENTS = 100 };

static struct fixture f;
static struct http *http;

static void start(unsigned connections, enum api_routes routes) {
    struct api_options options = support_options();
    struct http_options http_options = {"127.0.0.1:0", connections, HTTP_ACCESS_LOG_NONE, routes};
    struct error e;
    support_init(&f, &options, false);
    support_set_as_of(&f, clock_real_ms());
    scripted_store_set_score(f.store, ROLE_CREATOR, "widget/merchant/100000001/Ann", 42);
    scripted_store_set_contribution(f.store, "a/b", "widget/merchant/100000001/Ann", NULL, 1);
    http = http_new(&http_options, f.api, &e);
    assert_non_null(http);
}

static int setup(void **state) {
    (void)state;
    start(1024, API_ALL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    scripted_store_release(f.store);
    http_free(http);
    support_deinit(&f);
    return 0;
}

/* ---- a client ----------------------------------------------------------------------------------------- */

struct reply {
    unsigned status; /* 0: the connection was closed instead */
    char head[8192];
    char *body; /* of the promised length; NULL if none was read */
    size_t length;
};

static int dial(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(http))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static void send_all(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the reply, or its absence, tells */
        text += n;
        length -= (size_t)n;
    }
}

static void send_text(int fd, const char *text) {
    send_all(fd, text, strlen(text));
}

static void send_get(int fd, const char *target) {
    char text[512];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    send_text(fd, text);
}

/* The value of a header, NULL if there is none; good until the next call. */
static const char *header(const struct reply *r, const char *name) {
    static char value[512];
    size_t length = strlen(name);
    for (const char *line = r->head; (line = strstr(line, "\r\n"));) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + length + 2, "\r"), line + length + 2);
            return value;
        }
    }
    return NULL;
}

static bool read_head(int fd, struct reply *r) {
    size_t length = 0;
    while (length < 4 || memcmp(r->head + length - 4, "\r\n\r\n", 4) != 0) {
        assert_true(length + 1 < sizeof r->head);
        if (read(fd, r->head + length, 1) != 1)
            return false;
        r->head[++length] = '\0';
    }
    return sscanf(r->head, "HTTP/1.1 %u", &r->status) == 1 || sscanf(r->head, "HTTP/1.0 %u", &r->status) == 1;
}

static struct reply receive(int fd, bool with_body) {
    struct reply r = {0};
    if (!read_head(fd, &r))
        return (struct reply){0};
    const char *promised = header(&r, "Content-Length");
    r.length = promised ? strtoul(promised, NULL, 10) : 0;
    if (with_body) {
        r.body = mem_zalloc(r.length + 1);
        for (size_t got = 0; got < r.length;) {
            ssize_t n = read(fd, r.body + got, r.length - got);
            assert_true(n > 0);
            got += (size_t)n;
        }
    }
    return r;
}

static struct reply exchange(int fd, const char *target) {
    send_get(fd, target);
    return receive(fd, true);
}

static bool is_closed(int fd) {
    char byte;
    return read(fd, &byte, 1) <= 0;
}

static bool is_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void assert_header(const struct reply *r, const char *name, const char *expected) {
    const char *value = header(r, name);
    if (!value)
        fail_msg("no %s in %s", name, r->head);
    assert_string_equal(value, expected);
}

static void assert_problem(const struct reply *r, unsigned status, const char *type) {
    assert_int_equal(r->status, status);
    assert_header(r, "Content-Type", "application/problem+json");
    json_t *json = json_loads(r->body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "type")), type);
    json_decref(json);
}

/* One request on a connection of its own; only the status matters. */
static unsigned status_of(const char *target) {
    int fd = dial();
    struct reply r = exchange(fd, target);
    free(r.body);
    close(fd);
    return r.status;
}

/* ---- answers ------------------------------------------------------------------------------------------ */

static void an_answer_says_where_it_came_from_and_how_old_it_is(void **state) {
    (void)state;
    int fd = dial();
    struct reply miss = exchange(fd, "/scores/merchant"), hit = exchange(fd, "/scores/merchant");
    assert_int_equal(miss.status, 200);
    assert_header(&miss, "Cache-Status", "winner-view; fwd=miss");
    assert_header(&hit, "Cache-Status", "winner-view; hit");
    assert_header(&hit, "Age", "0");
    assert_header(&hit, "Content-Type", "application/json");
    assert_header(&hit, "Cache-Control", "public, max-age=60");
    assert_header(&hit, "Access-Control-Allow-Origin", "*");
    assert_non_null(header(&hit, "View-As-Of"));
    assert_non_null(header(&hit, "Date"));
    assert_null(header(&hit, "Connection"));
    assert_null(header(&hit, "X-Request-Id"));
    assert_string_equal(miss.body, hit.body);
    free(miss.body);
    free(hit.body);
    close(fd);
}

static void the_age_of_a_kept_answer_grows(void **state) {
    (void)state;
    int fd = dial();
    char age[16] = "0";
    int64_t begun_ms = clock_boot_ms();
    while (strcmp(age, "0") == 0) {
        struct reply r = exchange(fd, "/scores/merchant");
        snprintf(age, sizeof age, "%s", header(&r, "Age"));
        free(r.body);
        assert_true(clock_boot_ms() - begun_ms < 10000);
    }
    assert_string_equal(age, "1");
    assert_int_equal(scripted_store_reads(f.store), 1);
    close(fd);
}

static void head_is_get_without_the_body(void **state) {
    (void)state;
    int fd = dial();
    struct reply get = exchange(fd, "/scores/merchant");
    send_text(fd, "HEAD /scores/merchant HTTP/1.1\r\nHost: x\r\n\r\n");
    struct reply head = receive(fd, false), after = exchange(fd, "/livez");
    assert_int_equal(head.status, 200);
    assert_int_equal(head.length, get.length);
    assert_int_equal(after.status, 200); /* nothing was left over in between */
    free(get.body);
    free(after.body);
    close(fd);
}

static void a_connection_is_kept_unless_it_is_of_http_1_0(void **state) {
    (void)state;
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        struct reply r = exchange(fd, "/livez");
        assert_int_equal(r.status, 200);
        free(r.body);
    }
    send_text(fd, "GET /scores/merchant HTTP/1.0\r\n\r\n");
    struct reply r = receive(fd, true);
    assert_int_equal(r.status, 200);
    assert_true(is_closed(fd));
    free(r.body);
    close(fd);
}

static void a_path_reaches_the_api_as_it_was_sent(void **state) {
    (void)state;
    assert_int_equal(status_of("/contributions/a%2Fb"), 200);
    assert_int_equal(status_of("/contributions/a/b"), 404);
    assert_int_equal(status_of("/contributions/a%252Fb"), 404);
    assert_int_equal(status_of("/contributions/%00"), 400);
    assert_int_equal(status_of("/scores/merchant?limit=%31"), 200);
    assert_int_equal(status_of("/scores/merchant?limit=1&limit=2"), 400);
    assert_int_equal(status_of("/scores/merchant?limit=+1"), 400);
}

static void other_methods_get_405_and_options_204(void **state) {
    (void)state;
    int fd = dial();
    send_text(fd, "POST /scores HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    struct reply post = receive(fd, true);
    assert_problem(&post, 405, "method-not-allowed");
    assert_header(&post, "Allow", "GET, HEAD, OPTIONS");
    send_text(fd, "OPTIONS /scores HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n");
    struct reply options = receive(fd, true);
    assert_int_equal(options.status, 204);
    assert_header(&options, "Allow", "GET, HEAD, OPTIONS");
    assert_header(&options, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    free(post.body);
    free(options.body);
    close(fd);
}

static void a_request_id_is_repeated_if_it_is_harmless_and_made_for_problems(void **state) {
    (void)state;
    int fd = dial();
    send_text(fd, "GET /scores/merchant HTTP/1.1\r\nHost: x\r\nX-Request-Id: a-1.B:2\r\n\r\n");
    struct reply echoed = receive(fd, true);
    assert_header(&echoed, "X-Request-Id", "a-1.B:2");
    send_text(fd, "GET /scores/merchant HTTP/1.1\r\nHost: x\r\nX-Request-Id: <script>\r\n\r\n");
    struct reply filtered = receive(fd, true);
    assert_null(header(&filtered, "X-Request-Id"));
    struct reply problem = exchange(fd, "/nothing");
    assert_int_equal(strlen(header(&problem, "X-Request-Id")), 16);
    send_text(fd, "GET /nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\n\r\n");
    struct reply own = receive(fd, true);
    assert_header(&own, "X-Request-Id", "mine");
    free(echoed.body);
    free(filtered.body);
    free(problem.body);
    free(own.body);
    close(fd);
}

/* ---- limits ------------------------------------------------------------------------------------------- */

static struct reply get_sized(size_t target_length, size_t header_length) {
    size_t size = target_length + header_length + 256;
    char *text = mem_zalloc(size), *target = mem_zalloc(target_length + 1),
         *filler = mem_zalloc(header_length + 1);
    memset(target, 'a', target_length);
    memcpy(target, "/livez?x=", target_length < 9 ? target_length : 9);
    memset(filler, 'b', header_length);
    int n = snprintf(text, size, "GET %s HTTP/1.1\r\nHost: x\r\nX-Filler: %s\r\n\r\n", target, filler);
    int fd = dial();
    send_all(fd, text, (size_t)n);
    struct reply r = receive(fd, true);
    close(fd);
    free(text);
    free(target);
    free(filler);
    return r;
}

static void a_uri_that_is_too_long_is_refused_by_us(void **state) {
    (void)state;
    static const size_t too_long[] = {LIMIT_URI_BYTES + 1, 12000, 20000};
    for (size_t i = 0; i < sizeof too_long / sizeof *too_long; i++) {
        struct reply r = get_sized(too_long[i], 10);
        assert_problem(&r, 414, "uri-too-long");
        free(r.body);
    }
    struct reply r = get_sized(LIMIT_URI_BYTES, 10);
    assert_problem(&r, 400, "invalid-parameter");
    free(r.body);
}

static void headers_that_are_too_large_are_refused_by_us(void **state) {
    (void)state;
    static const size_t too_large[] = {LIMIT_HEADER_BYTES, 20000, 30000};
    for (size_t i = 0; i < sizeof too_large / sizeof *too_large; i++) {
        struct reply r = get_sized(6, too_large[i]);
        assert_problem(&r, 431, "headers-too-large");
        free(r.body);
    }
    struct reply r = get_sized(6, LIMIT_HEADER_BYTES - 256);
    assert_int_equal(r.status, 200);
    free(r.body);
    r = get_sized(LIMIT_URI_BYTES, LIMIT_HEADER_BYTES - 256); /* both at their limit at once */
    assert_problem(&r, 400, "invalid-parameter");
    free(r.body);
}

static void a_body_is_ignored_within_reason(void **state) {
    (void)state;
    int fd = dial();
    send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    struct reply r = receive(fd, true), after = exchange(fd, "/livez");
    assert_int_equal(r.status, 200);
    assert_int_equal(after.status, 200);
    free(r.body);
    free(after.body);

    static char megabyte[1 << 20];
    send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
    send_all(fd, megabyte, sizeof megabyte);
    assert_true(is_closed(fd));
    close(fd);
}

static void with_all_connections_taken_only_probes_are_answered(void **state) {
    (void)state;
    teardown(state);
    start(2, API_ALL);
    int fds[2] = {dial(), dial()};
    for (int i = 0; i < 2; i++) {
        struct reply r = exchange(fds[i], "/scores/merchant");
        assert_int_equal(r.status, 200);
        free(r.body);
    }
    assert_int_equal(status_of("/livez"), 200);
    int fd = dial();
    struct reply r = exchange(fd, "/scores/merchant");
    assert_problem(&r, 503, "overloaded");
    assert_non_null(header(&r, "Retry-After"));
    free(r.body);
    close(fd);
    close(fds[0]);
    close(fds[1]);
}

/* Each byte would start an idle time-out anew. */
static void headers_that_dribble_in_end_the_connection(void **state) {
    (void)state;
    int64_t begun_ms = clock_boot_ms(); /* before it is taken */
    int fd = dial();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    send_text(fd, "GET /livez HTTP/1.1\r\nX-Slow: ");
    do
        send_text(fd, "x");
    while (poll(&p, 1, 500) == 0);
    int64_t took_ms = clock_boot_ms() - begun_ms;
    assert_true(is_closed(fd));
    assert_true(took_ms >= LIMIT_HEADERS_MS && took_ms < LIMIT_HEADERS_MS + 5000);
    close(fd);
}

/* ---- waiting for the store ---------------------------------------------------------------------------- */

static void a_hundred_who_miss_the_same_thing_cost_one_read(void **state) {
    (void)state;
    int fds[CLIENTS];
    scripted_store_hold(f.store);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = dial();
        send_get(fds[i], "/scores/merchant");
    }
    assert_true(scripted_store_await_held(f.store, 1));
    for (int i = 0; i < CLIENTS; i++)
        assert_false(is_readable(fds[i]));
    scripted_store_release(f.store);
    for (int i = 0; i < CLIENTS; i++) {
        struct reply r = receive(fds[i], true);
        assert_int_equal(r.status, 200);
        assert_non_null(strstr(r.body, "\"Ann\""));
        free(r.body);
        close(fds[i]);
    }
    assert_int_equal(scripted_store_reads(f.store), 1);
}

static void who_waits_for_the_store_is_in_nobodys_way(void **state) {
    (void)state;
    int fds[20];
    assert_int_equal(status_of("/scores/photographer"), 200);
    scripted_store_hold(f.store);
    for (int i = 0; i < 20; i++) {
        char target[32];
        snprintf(target, sizeof target, "/contributions/%d", i);
        fds[i] = dial();
        send_get(fds[i], target);
    }
    assert_true(scripted_store_await_held(f.store, LIMIT_LOADERS));
    assert_int_equal(status_of("/livez"), 200);
    assert_int_equal(status_of("/scores/photographer"), 200); /* a hit */
    scripted_store_release(f.store);
    for (int i = 0; i < 20; i++) {
        struct reply r = receive(fds[i], true);
        assert_int_equal(r.status, 404);
        free(r.body);
        close(fds[i]);
    }
}

static void a_store_that_hangs_costs_a_client_the_deadline(void **state) {
    (void)state;
    int fd = dial();
    scripted_store_hold(f.store);
    int64_t begun_ms = clock_boot_ms();
    struct reply r = exchange(fd, "/scores/merchant");
    assert_problem(&r, 503, "store-unavailable");
    assert_true(clock_boot_ms() - begun_ms < LIMIT_LOAD_MS + 2000);
    free(r.body);
    close(fd);
}

static void a_client_that_leaves_while_it_waits_harms_nobody(void **state) {
    (void)state;
    scripted_store_hold(f.store);
    for (int i = 0; i < 20; i++) {
        int fd = dial();
        send_get(fd, "/scores/merchant");
        close(fd);
    }
    assert_true(scripted_store_await_held(f.store, 1));
    scripted_store_release(f.store);
    assert_int_equal(status_of("/scores/merchant"), 200);
}

static void requests_may_be_pipelined(void **state) {
    (void)state;
    int fd = dial();
    send_text(fd, "GET /scores/merchant HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /contributions/nope HTTP/1.1\r\nHost: x\r\n\r\n");
    static const unsigned expected[] = {200, 200, 404};
    for (int i = 0; i < 3; i++) {
        struct reply r = receive(fd, true);
        assert_int_equal(r.status, expected[i]);
        free(r.body);
    }
    close(fd);
}

/* ---- stopping ----------------------------------------------------------------------------------------- */

static void draining_closes_after_each_answer_and_takes_no_more(void **state) {
    (void)state;
    int fd = dial();
    struct reply before = exchange(fd, "/scores/merchant");
    http_drain_begin(http);
    struct reply after = exchange(fd, "/scores/merchant");
    assert_int_equal(after.status, 200);
    assert_header(&after, "Connection", "close");
    assert_true(is_closed(fd));
    assert_int_equal(dial(), -1);
    free(before.body);
    free(after.body);
    close(fd);
}

static void *stop_main(void *deadline_ms) {
    http_stop(http, *(int64_t *)deadline_ms);
    return NULL;
}

static void stopping_lets_requests_in_flight_finish(void **state) {
    (void)state;
    pthread_t stopper;
    int fd = dial();
    int64_t deadline_ms = clock_boot_ms() + 60000;
    scripted_store_hold(f.store);
    send_get(fd, "/scores/merchant");
    assert_true(scripted_store_await_held(f.store, 1));
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, &deadline_ms), 0);
    scripted_store_release(f.store);
    struct reply r = receive(fd, true);
    assert_int_equal(r.status, 200);
    pthread_join(stopper, NULL);
    assert_true(clock_boot_ms() < deadline_ms);
    free(r.body);
    close(fd);
}

static void whoever_still_waits_when_time_is_up_is_told_so(void **state) {
    (void)state;
    int fds[20], idle = dial();
    scripted_store_hold(f.store);
    for (int i = 0; i < 20; i++) {
        fds[i] = dial();
        char target[32];
        snprintf(target, sizeof target, "/contributions/%d", i / 2);
        send_get(fds[i], target);
    }
    assert_true(scripted_store_await_held(f.store, LIMIT_LOADERS));
    http_stop(http, clock_boot_ms());
    for (int i = 0; i < 20; i++) {
        struct reply r = receive(fds[i], true);
        if (r.status) { /* 0: its request had not been read when the server stopped */
            assert_problem(&r, 503, "overloaded");
            assert_header(&r, "Connection", "close");
        }
        assert_true(r.status || i >= LIMIT_LOADERS);
        assert_true(is_closed(fds[i]));
        free(r.body);
        close(fds[i]);
    }
    assert_true(is_closed(idle));
    close(idle);
}

/* ---- counting ----------------------------------------------------------------------------------------- */

static void requests_are_counted_by_route_and_never_by_path(void **state) {
    (void)state;
    int fd = dial();
    static const char *const targets[] = {"/contributions/a%2Fb", "/contributions/xyz", "/somewhere/else"};
    for (size_t i = 0; i < 3; i++) {
        struct reply r = exchange(fd, targets[i]);
        free(r.body);
    }
    struct reply r = exchange(fd, "/metrics");
    assert_non_null(strstr(r.body, "winner_view_http_requests_total{route=\"/contributions/"
                                   "{productId}\",method=\"GET\",status=\"200\"} "));
    assert_non_null(strstr(
        r.body, "winner_view_http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} "));
    assert_non_null(strstr(
        r.body, "winner_view_http_request_duration_seconds_count{route=\"/contributions/{productId}\"} "));
    assert_non_null(strstr(r.body, "winner_view_http_connections 1\n"));
    assert_null(strstr(r.body, "somewhere"));
    free(r.body);
    close(fd);
}

static void an_address_that_is_taken_is_an_error(void **state) {
    (void)state;
    struct error e;
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", http_port(http));
    struct http_options options = {text, 10, HTTP_ACCESS_LOG_NONE, API_ALL};
    assert_null(http_new(&options, f.api, &e));
    assert_non_null(strstr(e.message, text));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(requests_are_counted_by_route_and_never_by_path),
        TEST(an_answer_says_where_it_came_from_and_how_old_it_is),
        TEST(the_age_of_a_kept_answer_grows),
        TEST(head_is_get_without_the_body),
        TEST(a_connection_is_kept_unless_it_is_of_http_1_0),
        TEST(a_path_reaches_the_api_as_it_was_sent),
        TEST(other_methods_get_405_and_options_204),
        TEST(a_request_id_is_repeated_if_it_is_harmless_and_made_for_problems),
        TEST(a_uri_that_is_too_long_is_refused_by_us),
        TEST(headers_that_are_too_large_are_refused_by_us),
        TEST(a_body_is_ignored_within_reason),
        TEST(with_all_connections_taken_only_probes_are_answered),
        TEST(headers_that_dribble_in_end_the_connection),
        TEST(a_hundred_who_miss_the_same_thing_cost_one_read),
        TEST(who_waits_for_the_store_is_in_nobodys_way),
        TEST(a_store_that_hangs_costs_a_client_the_deadline),
        TEST(a_client_that_leaves_while_it_waits_harms_nobody),
        TEST(requests_may_be_pipelined),
        TEST(draining_closes_after_each_answer_and_takes_no_more),
        TEST(stopping_lets_requests_in_flight_finish),
        TEST(whoever_still_waits_when_time_is_up_is_told_so),
        TEST(an_address_that_is_taken_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
