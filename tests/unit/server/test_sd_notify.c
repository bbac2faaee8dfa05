#include "server/sd_notify.h"

#include <stddef.h>

#include "tests/unit/support/sd_notify.h"

static void a_message_is_one_datagram_to_the_named_path(void **state) {
    struct manager *m = *state;
    struct notify n;
    struct error e;
    manager_listen(m, false);
    assert_int_equal(notify_open(&n, &e), STATUS_OK);
    assert_int_equal(notify_send(&n, "READY=1\nSTATUS=here", &e), STATUS_OK);
    manager_assert_next(m, "READY=1\nSTATUS=here");
    notify_close(&n);
}

static void a_socket_name_after_an_at_sign_is_abstract(void **state) {
    struct manager *m = *state;
    struct notify n;
    struct error e;
    manager_listen(m, true);
    assert_int_equal(notify_open(&n, &e), STATUS_OK);
    assert_int_equal(notify_send(&n, "STOPPING=1", &e), STATUS_OK);
    manager_assert_next(m, "STOPPING=1");
    notify_close(&n);
}

static void without_a_manager_nothing_is_sent_and_nothing_fails(void **state) {
    (void)state;
    struct notify n;
    struct error e;
    assert_int_equal(notify_open(&n, &e), STATUS_OK);
    assert_true(n.fd < 0);
    assert_int_equal(notify_send(&n, "READY=1", &e), STATUS_OK);
    notify_close(&n);
}

static void child_processes_do_not_inherit_the_variables_of_the_manager(void **state) {
    struct manager *m = *state;
    struct notify n;
    struct error e;
    manager_listen(m, false);
    setenv("WATCHDOG_USEC", "3000000", 1);
    assert_int_equal(notify_open(&n, &e), STATUS_OK);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    notify_close(&n);
}

static int64_t watchdog_of(struct manager *m, const char *usec, const char *pid) {
    struct notify n;
    struct error e;
    manager_name(m);
    setenv("WATCHDOG_USEC", usec, 1);
    if (pid)
        setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_open(&n, &e), STATUS_OK);
    notify_close(&n);
    return n.watchdog_ms;
}

static void the_watchdog_applies_only_to_the_process_that_it_names(void **state) {
    struct manager *m = *state;
    char pid[24];
    manager_listen(m, false);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_int_equal(watchdog_of(m, "30000000", NULL), 30000);
    assert_int_equal(watchdog_of(m, "30000000", pid), 30000);
    assert_int_equal(watchdog_of(m, "30000000", "1"), 0);
    assert_int_equal(watchdog_of(m, "30 s", NULL), 0);
    assert_int_equal(watchdog_of(m, "-5", NULL), 0);
    assert_int_equal(watchdog_of(m, "", NULL), 0);
}

static void an_invalid_socket_address_is_an_error_and_nothing_is_sent(void **state) {
    (void)state;
    char long_name[200] = "/";
    memset(long_name + 1, 'x', sizeof long_name - 2);
    const char *const names[] = {"relative", "@", "/", "vsock:2:1", long_name};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct notify n;
        struct error e;
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_int_equal(notify_open(&n, &e), STATUS_INVALID);
        assert_contains(e.message, "NOTIFY_SOCKET");
        assert_int_equal(notify_send(&n, "READY=1", &e), STATUS_OK);
    }
}

static void a_message_to_a_manager_that_has_ended_is_an_error(void **state) {
    struct manager *m = *state;
    struct notify n;
    struct error e;
    manager_listen(m, false);
    assert_int_equal(notify_open(&n, &e), STATUS_OK);
    manager_leave(m);
    assert_int_equal(notify_send(&n, "READY=1", &e), STATUS_FAILED);
    assert_contains(e.message, "service manager");
    notify_close(&n);
}

static void a_message_to_a_manager_that_does_not_read_fails_and_does_not_block(void **state) {
    struct manager *m = *state;
    struct notify n;
    struct error e;
    manager_listen(m, false);
    assert_int_equal(notify_open(&n, &e), STATUS_OK);
    enum status status = STATUS_OK;
    for (int i = 0; !status && i < 100000; i++)
        status = notify_send(&n, "STATUS=more", &e);
    assert_int_equal(status, STATUS_FAILED);
    notify_close(&n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, manager_setup, manager_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_one_datagram_to_the_named_path),
        TEST(a_socket_name_after_an_at_sign_is_abstract),
        TEST(without_a_manager_nothing_is_sent_and_nothing_fails),
        TEST(child_processes_do_not_inherit_the_variables_of_the_manager),
        TEST(the_watchdog_applies_only_to_the_process_that_it_names),
        TEST(an_invalid_socket_address_is_an_error_and_nothing_is_sent),
        TEST(a_message_to_a_manager_that_has_ended_is_an_error),
        TEST(a_message_to_a_manager_that_does_not_read_fails_and_does_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
