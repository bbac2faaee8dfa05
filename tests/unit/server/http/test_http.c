#include "tests/unit/support/http.h"

#include <errno.h>

#include "server/descriptors.h"

/* Answers. */

static void an_answer_has_a_cache_status_and_an_age(void **state) {
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

static void the_age_of_a_cached_answer_grows(void **state) {
    (void)state;
    int fd = dial();
    int64_t age_s = 0, passed_ms = 0, begun_ms = clock_boot_ms();
    while (!age_s) {
        struct reply r = exchange(fd, "/scores/merchant");
        age_s = strtol(header(&r, "Age"), NULL, 10);
        free(r.body);
        passed_ms = clock_boot_ms() - begun_ms;
        assert_true(passed_ms < 30000);
    }
    assert_in_range(age_s, 1, passed_ms / 1000);
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

static void a_path_is_given_to_the_api_as_it_was_sent(void **state) {
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
    send_text(fd, "POST /scores HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
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

static void a_request_id_is_repeated_on_answers_that_no_cache_stores_and_made_for_problems(void **state) {
    (void)state;
    int fd = dial();
    send_text(fd, "GET /scores/merchant HTTP/1.1\r\nHost: x\r\nX-Request-Id: a-1.B:2\r\n\r\n");
    struct reply stored = receive(fd, true);
    assert_null(header(&stored, "X-Request-Id"));
    send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: a-1.B:2\r\n\r\n");
    struct reply echoed = receive(fd, true);
    assert_header(&echoed, "X-Request-Id", "a-1.B:2");
    send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: <script>\r\n\r\n");
    struct reply filtered = receive(fd, true);
    assert_null(header(&filtered, "X-Request-Id"));
    struct reply problem = exchange(fd, "/nothing");
    assert_int_equal(strlen(header(&problem, "X-Request-Id")), 16);
    send_text(fd, "GET /nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\n\r\n");
    struct reply own = receive(fd, true);
    assert_header(&own, "X-Request-Id", "mine");
    free(stored.body);
    free(echoed.body);
    free(filtered.body);
    free(problem.body);
    free(own.body);
    close(fd);
}

/* Limits. */

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

static void a_uri_that_is_too_long_is_answered_414(void **state) {
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

static void headers_that_are_too_large_are_answered_431(void **state) {
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

static void assert_last(int fd, struct reply *r) {
    assert_header(r, "Connection", "close");
    assert_null(strstr(strstr(r->head, "\r\nDate:") + 1, "\r\nDate:"));
    assert_true(is_closed(fd));
    free(r->body);
    close(fd);
}

static void a_body_is_ignored_and_its_request_is_the_last(void **state) {
    (void)state;
    static const char *const requests[] = {
        "GET /scores HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /livez HTTP/1.1\r\nHost: "
        "x\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        int fd = dial();
        send_text(fd, requests[i]);
        struct reply r = receive(fd, true);
        assert_int_equal(r.status, 200);
        assert_last(fd, &r);
    }
}

static void a_body_beyond_its_limit_is_refused_before_it_arrives(void **state) {
    (void)state;
    int fd = dial();
    send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n");
    struct reply r = receive(fd, true);
    assert_problem(&r, 413, "content-too-large");
    assert_last(fd, &r);
}

static void chunks_beyond_the_limit_of_a_body_end_the_connection(void **state) {
    (void)state;
    static char body[LIMIT_REQUEST_BODY_BYTES + 1];
    int fd = dial();
    send_text(fd, "GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n");
    send_all(fd, body, sizeof body);
    assert_true(is_closed(fd));
    close(fd);
}

/* Places. Two connections are allowed. */

static void allow_two(void) {
    teardown(NULL);
    start(2, API_ALL);
}

static int dial_and_ask(void) {
    int fd = dial();
    struct reply r = exchange(fd, "/scores/merchant");
    assert_int_equal(r.status, 200);
    assert_null(header(&r, "Connection"));
    free(r.body);
    return fd;
}

static void assert_kept(int fd) {
    struct reply r = exchange(fd, "/livez");
    assert_int_equal(r.status, 200);
    free(r.body);
    close(fd);
}

/* A connection whose request is never done. */
static int read_live(void) {
    int fd = dial();
    send_get(fd, "/live");
    struct reply r = receive(fd, false);
    assert_int_equal(r.status, 200);
    return fd;
}

static bool is_open(int fd) {
    char bytes[4096];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        continue;
    return n < 0 && errno == EAGAIN;
}

/* Newcomers may be silent for a moment. */
static int await_place(void) {
    for (int64_t until = clock_boot_ms() + 30000; clock_boot_ms() < until;) {
        int fd = dial();
        struct reply r = exchange(fd, "/scores/merchant");
        free(r.body);
        if (r.status == 200)
            return fd;
        close(fd);
    }
    fail_msg("no place");
    return -1;
}

/* The places of connections that are closed are used first. */
static void a_newcomer_takes_the_place_of_the_longest_idle_connection(void **state) {
    (void)state;
    allow_two();
    int longest = dial_and_ask(), idle = dial_and_ask(), fd;
    struct reply r = {0};
    for (int64_t until = clock_boot_ms() + 30000; r.status != 200 && clock_boot_ms() < until; close(fd)) {
        free(r.body);
        fd = dial();
        r = exchange(fd, "/scores/merchant");
    }
    assert_int_equal(r.status, 200);
    assert_null(header(&r, "Connection"));
    assert_true(is_closed(longest));
    assert_kept(idle);
    free(r.body);
    close(longest);
}

static void a_newcomer_takes_the_place_of_a_silent_one_first(void **state) {
    (void)state;
    allow_two();
    int silent = dial();
    int idle = dial_and_ask(), fd = await_place();
    assert_true(is_closed(silent));
    assert_kept(idle);
    close(silent);
    close(fd);
}

static void silent_newcomers_push_out_the_oldest_of_them_and_no_request(void **state) {
    (void)state;
    allow_two();
    int live = read_live(), silent[20], asking;
    for (int i = 0; i < 20; i++)
        silent[i] = dial();
    asking = await_place();
    assert_true(is_closed(silent[0]));
    assert_true(is_open(live));
    for (int i = 0; i < 20; i++)
        close(silent[i]);
    close(asking);
    close(live);
}

static void only_probes_are_answered_while_all_connections_are_in_use(void **state) {
    (void)state;
    allow_two();
    int live[] = {read_live(), read_live()}, probing = dial(), other;
    struct reply probe = exchange(probing, "/livez");
    assert_int_equal(probe.status, 200);
    assert_last(probing, &probe);
    other = dial();
    struct reply refused = exchange(other, "/scores/merchant");
    assert_problem(&refused, 503, "overloaded");
    assert_non_null(header(&refused, "Retry-After"));
    assert_last(other, &refused);
    for (int i = 0; i < 2; i++) {
        assert_true(is_open(live[i]));
        close(live[i]);
    }
}

static void silent_clients_do_not_take_the_reserve_for_probes(void **state) {
    (void)state;
    enum { SILENT = 4 * LIMIT_PROBE_CONNECTIONS };
    descriptors_raise();
    allow_two();
    int live[] = {read_live(), read_live()}, silent[SILENT];
    for (int i = 0; i < SILENT; i++)
        silent[i] = dial();
    int64_t begun_ms = clock_boot_ms();
    assert_int_equal(status_of("/livez"), 200);
    assert_true(clock_boot_ms() - begun_ms < SILENT / LIMIT_PROBE_CONNECTIONS * LIMIT_OVERLOADED_MS / 2);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    close(live[0]);
    close(live[1]);
}

static void connections_are_served_again_when_others_have_closed(void **state) {
    (void)state;
    allow_two();
    int live[] = {read_live(), read_live()}, fd = dial();
    close(live[0]);
    close(live[1]);
    struct reply r;
    for (int64_t until = clock_boot_ms() + 30000;;
         close(fd), fd = dial()) { /* until the server has noticed that they are closed */
        r = exchange(fd, "/scores/merchant");
        if (r.status == 200 || clock_boot_ms() > until)
            break;
        free(r.body);
    }
    assert_int_equal(r.status, 200);
    assert_null(header(&r, "Connection"));
    free(r.body);
    close(fd);
}

/* The descriptors in the largest epoll set of this process (proc(5), fdinfo). */
static int largest_epoll_set(void) {
    int largest = 0;
    for (int fd = 0; fd < 256; fd++) {
        char path[64], line[256];
        int n = 0;
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file))
            n += strncmp(line, "tfd:", 4) == 0;
        if (file)
            fclose(file);
        largest = n > largest ? n : largest;
    }
    return largest;
}

/* Here the client's descriptors stand between the server's, which are all odd, or all even. */
static void connections_are_spread_evenly_over_the_threads(void **state) {
    (void)state;
    enum { MANY = 24 };
    int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = dial_and_ask();
    int threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int waker = 1;
    assert_in_range(largest_epoll_set(), 1, (MANY + threads - 1) / threads + waker);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
}

/* Each byte would restart an idle time-out. */
static void a_request_whose_headers_arrive_too_slowly_ends_its_connection(void **state) {
    (void)state;
    int64_t begun_ms = clock_boot_ms(); /* before they are taken */
    int fresh = dial(), kept = dial_and_ask();
    send_text(fresh, "GET /livez HTTP/1.1\r\nX-Slow: ");
    send_text(kept, "G");
    do {
        send(fresh, "x", 1, MSG_NOSIGNAL);
        send(kept, "E", 1, MSG_NOSIGNAL);
    } while (poll(&(struct pollfd){.fd = kept, .events = POLLIN}, 1, 500) == 0);
    int64_t took_ms = clock_boot_ms() - begun_ms;
    assert_true(is_closed(fresh));
    assert_true(is_closed(kept));
    assert_in_range(took_ms, LIMIT_HEADERS_MS, LIMIT_HEADERS_MS + LIMIT_TICK_MS + 20000);
    close(fresh);
    close(kept);
}

/* Counting. */

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

static void an_address_in_use_is_an_error(void **state) {
    (void)state;
    struct error e;
    char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%u", http_port(http));
    struct http_options options = {text, 10, HTTP_ACCESS_LOG_NONE, API_ALL, 4};
    assert_null(http_new(&options, f.api, &e));
    assert_non_null(strstr(e.message, text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(requests_are_counted_by_route_and_never_by_path),
        TEST(an_answer_has_a_cache_status_and_an_age),
        TEST(the_age_of_a_cached_answer_grows),
        TEST(head_is_get_without_the_body),
        TEST(a_connection_is_kept_unless_it_is_of_http_1_0),
        TEST(a_path_is_given_to_the_api_as_it_was_sent),
        TEST(other_methods_get_405_and_options_204),
        TEST(a_request_id_is_repeated_on_answers_that_no_cache_stores_and_made_for_problems),
        TEST(a_uri_that_is_too_long_is_answered_414),
        TEST(headers_that_are_too_large_are_answered_431),
        TEST(a_body_is_ignored_and_its_request_is_the_last),
        TEST(a_body_beyond_its_limit_is_refused_before_it_arrives),
        TEST(chunks_beyond_the_limit_of_a_body_end_the_connection),
        TEST(a_newcomer_takes_the_place_of_the_longest_idle_connection),
        TEST(a_newcomer_takes_the_place_of_a_silent_one_first),
        TEST(silent_newcomers_push_out_the_oldest_of_them_and_no_request),
        TEST(only_probes_are_answered_while_all_connections_are_in_use),
        TEST(silent_clients_do_not_take_the_reserve_for_probes),
        TEST(connections_are_served_again_when_others_have_closed),
        TEST(connections_are_spread_evenly_over_the_threads),
        TEST(a_request_whose_headers_arrive_too_slowly_ends_its_connection),
        TEST(an_address_in_use_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
