#include "tests/unit/support/http.h"

/* Requests that wait for the store, and the end. */

enum { CLIENTS = 100 };

/* It was held for longer than it may take, by a machine that is busy. */
static void assert_load_had_its_own_end(const struct reply *r) {
    assert_problem(r, 503, "store-unavailable");
}

/* Waiting for the store. */

static void a_hundred_requests_that_miss_one_key_cost_one_read(void **state) {
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

static void a_request_that_waits_for_the_store_delays_no_other(void **state) {
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
        if (r.status != 404)
            assert_load_had_its_own_end(&r);
        free(r.body);
        close(fds[i]);
    }
}

static void a_request_to_a_store_that_hangs_is_answered_at_its_deadline(void **state) {
    (void)state;
    int fd = dial();
    scripted_store_hold(f.store);
    int64_t begun_ms = clock_boot_ms();
    struct reply r = exchange(fd, "/scores/merchant");
    assert_problem(&r, 503, "store-unavailable");
    assert_true(clock_boot_ms() - begun_ms < LIMIT_LOAD_MS + 5000);
    free(r.body);
    close(fd);
}

static void a_client_can_close_its_connection_while_its_request_waits(void **state) {
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

static void pipelined_requests_are_answered_in_order(void **state) {
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

/* Stopping. */

static void draining_closes_a_connection_after_its_answer_and_accepts_none(void **state) {
    (void)state;
    int fd = dial();
    struct reply before = exchange(fd, "/scores/merchant");
    http_drain_begin(http, clock_boot_ms() + 5000);
    struct reply after = exchange(fd, "/scores/merchant");
    assert_int_equal(after.status, 200);
    assert_header(&after, "Connection", "close");
    assert_true(is_closed(fd));
    assert_int_equal(dial(), -1);
    free(before.body);
    free(after.body);
    close(fd);
}

/* Requests that were sent ahead are answered too; only the last answer ends the connection. */
static void draining_answers_requests_that_were_sent_ahead(void **state) {
    (void)state;
    int fd = dial();
    scripted_store_hold(f.store);
    send_text(fd, "GET /scores/merchant HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(scripted_store_await_held(f.store, 1));
    http_drain_begin(http, clock_boot_ms() + 5000);
    scripted_store_release(f.store);
    for (int i = 0; i < 3; i++) {
        struct reply r = receive(fd, true);
        assert_int_equal(r.status, 200);
        assert_int_equal(!!header(&r, "Connection"), i == 2);
        free(r.body);
    }
    assert_true(is_closed(fd));
    close(fd);
}

static void *stop_main(void *deadline_ms) {
    http_stop(http, *(int64_t *)deadline_ms);
    return NULL;
}

static void a_stop_waits_for_requests_in_flight(void **state) {
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
    pthread_join(stopper, NULL);
    if (r.status != 200)
        assert_load_had_its_own_end(&r);
    assert_true(clock_boot_ms() < deadline_ms);
    free(r.body);
    close(fd);
}

/* Longer than idle connections are kept. */
static void a_request_in_flight_is_answered_until_the_deadline_of_the_stop(void **state) {
    (void)state;
    pthread_t stopper;
    int fd = dial();
    int64_t deadline_ms = clock_boot_ms() + 60000;
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    scripted_store_hold(f.store);
    send_get(fd, "/scores/merchant");
    assert_true(scripted_store_await_held(f.store, 1));
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, &deadline_ms), 0);
    poll(&answer, 1, LIMIT_HANDSHAKE_MS + LIMIT_LAST_REQUESTS_MS + 100); /* no answer is sent */
    scripted_store_release(f.store);
    struct reply r = receive(fd, true);
    pthread_join(stopper, NULL);
    if (r.status != 200)
        assert_load_had_its_own_end(&r);
    assert_true(clock_boot_ms() < deadline_ms);
    free(r.body);
    close(fd);
}

static void an_idle_connection_is_answered_until_clients_can_see_the_stop(void **state) {
    (void)state;
    pthread_t stopper;
    int fd = dial();
    struct reply before = exchange(fd, "/livez");
    int64_t begun_ms = clock_boot_ms(), deadline_ms = begun_ms + 60000;
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, &deadline_ms), 0);
    for (int refused = 0; !refused;) { /* new connections are refused after a second */
        int other = dial();
        refused = other < 0;
        close(other);
    }
    send_get(fd, "/livez");
    bool in_time =
        clock_boot_ms() < begun_ms + LIMIT_LAST_REQUESTS_MS; /* else this thread was delayed for too long */
    struct reply after = receive(fd, true);
    if (in_time || after.status) {
        assert_int_equal(after.status, 200);
        assert_header(&after, "Connection", "close");
    }
    pthread_join(stopper, NULL);
    free(before.body);
    free(after.body);
    close(fd);
}

static void connections_without_a_request_do_not_delay_the_stop(void **state) {
    (void)state;
    int idle = dial(), partial = dial(), used = dial();
    struct reply r = exchange(used, "/livez");
    send_text(partial, "GET /livez HTTP/1.1\r\nHo");
    int64_t begun_ms = clock_boot_ms();
    http_stop(http, begun_ms + 60000);
    assert_true(clock_boot_ms() - begun_ms < 30000);
    assert_true(is_closed(idle) && is_closed(partial) && is_closed(used));
    free(r.body);
    close(idle);
    close(partial);
    close(used);
}

/* Without chunks it is the connection's end that ends a stream. The idle ones are older than all of them, on
 * every thread. */
static void streams_without_chunks_do_not_delay_the_stop_beside_idle_connections(void **state) {
    (void)state;
    enum { EACH = 4 };
    int fds[2 * EACH];
    for (int i = 0; i < 2 * EACH; i++) {
        fds[i] = dial();
        send_text(fds[i], i < EACH ? "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /live HTTP/1.0\r\n\r\n");
        struct reply r = receive(fds[i], true);
        assert_int_equal(r.status, 200);
        free(r.body);
    }
    int64_t begun_ms = clock_boot_ms();
    http_stop(http, begun_ms + 30000);
    assert_true(clock_boot_ms() - begun_ms < 15000);
    for (int i = 0; i < 2 * EACH; i++)
        close(fds[i]);
}

static void a_request_that_still_waits_at_the_deadline_is_answered_503(void **state) {
    (void)state;
    int fds[20], idle = dial(), answered = 0;
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
        answered += r.status != 0;
        assert_true(is_closed(fds[i]));
        free(r.body);
        close(fds[i]);
    }
    assert_true(answered >= LIMIT_LOADERS); /* at least these requests were waiting for a held load */
    assert_true(is_closed(idle));
    close(idle);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_hundred_requests_that_miss_one_key_cost_one_read),
        TEST(a_request_that_waits_for_the_store_delays_no_other),
        TEST(a_request_to_a_store_that_hangs_is_answered_at_its_deadline),
        TEST(a_client_can_close_its_connection_while_its_request_waits),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(draining_closes_a_connection_after_its_answer_and_accepts_none),
        TEST(draining_answers_requests_that_were_sent_ahead),
        TEST(a_stop_waits_for_requests_in_flight),
        TEST(a_request_in_flight_is_answered_until_the_deadline_of_the_stop),
        TEST(an_idle_connection_is_answered_until_clients_can_see_the_stop),
        TEST(connections_without_a_request_do_not_delay_the_stop),
        TEST(streams_without_chunks_do_not_delay_the_stop_beside_idle_connections),
        TEST(a_request_that_still_waits_at_the_deadline_is_answered_503),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
