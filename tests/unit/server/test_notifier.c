#include "server/notifier.h"

#include "base/pulse.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/sd_notify.h"

struct fixture {
    struct manager *manager;
    struct health *health;
    struct freshness *freshness;
    struct notifier *notifier;
};

static int setup_with(void **state, const char *watchdog_usec) {
    struct fixture *f = mem_zalloc(sizeof *f);
    struct notify notify;
    struct error e;
    manager_setup((void **)&f->manager);
    manager_listen(f->manager, false);
    if (watchdog_usec)
        setenv("WATCHDOG_USEC", watchdog_usec, 1);
    assert_int_equal(notify_open(&notify, &e), STATUS_OK);
    f->health = health_new();
    f->freshness = freshness_new(support_clock());
    f->notifier = notifier_new(&notify, f->health, f->freshness);
    *state = f;
    return 0;
}

static int setup(void **state) {
    return setup_with(state, NULL);
}

static int setup_watchdog(void **state) {
    return setup_with(state, "9000000");
}

static int teardown(void **state) {
    struct fixture *f = *state;
    notifier_free(f->notifier);
    health_free(f->health);
    freshness_free(f->freshness);
    manager_teardown((void **)&f->manager);
    free(f);
    return 0;
}

/* Runs one step at `now_ms` and returns the message that was sent. */
static void step(struct fixture *f, int64_t now_ms, char *out, size_t size) {
    notifier_step(f->notifier, now_ms);
    manager_read(f->manager, out, size);
}

static void assert_sends(struct fixture *f, int64_t now_ms, const char *expected) {
    char text[1024];
    step(f, now_ms, text, sizeof text);
    assert_string_equal(text, expected);
}

static void the_status_has_the_lag(void **state) {
    const struct health_report report = {.phase = HEALTH_SERVING};
    char status[NOTIFIER_STATUS_SIZE];
    (void)state;
    notifier_status(&report, 120, status);
    assert_string_equal(status, "serving, lag 120 ms");
}

static void the_status_has_the_phase_and_start_and_stop_are_notified(void **state) {
    struct fixture *f = *state;
    assert_sends(f, 0, "STATUS=starting, lag unknown");
    health_set_phase(f->health, HEALTH_SERVING);
    notifier_ready(f->notifier);
    assert_sends(f, 120, "STATUS=serving, lag unknown\nREADY=1");
    health_set_phase(f->health, HEALTH_DRAINING);
    notifier_stopping(f->notifier);
    assert_sends(f, 250, "STATUS=stopping, lag unknown\nSTOPPING=1");
}

static void a_service_that_waits_for_the_store_is_ready_and_its_status_names_the_reason(void **state) {
    struct fixture *f = *state;
    health_raise(f->health, "start", "cannot read table 'x': connection refused");
    notifier_ready(f->notifier);
    assert_sends(
        f, 0,
        "STATUS=starting, lag unknown, in trouble: start: cannot read table 'x': connection refused\n"
        "READY=1");
}

static void a_status_is_one_line_of_utf8(void **state) {
    struct fixture *f = *state;
    char reason[2 * NOTIFIER_STATUS_SIZE], text[1024];
    health_raise(f->health, "a", "first\nREADY=1");
    assert_sends(f, 0, "STATUS=starting, lag unknown, in trouble: a: first READY=1");
    for (size_t shift = 0; shift < 2; shift++) {
        memset(reason, 'x', sizeof reason);
        for (size_t i = shift; i + 2 < sizeof reason; i += 2)
            memcpy(reason + i, "é", 2);
        reason[sizeof reason - 1] = '\0';
        health_raise(f->health, "a", reason);
        step(f, 0, text, sizeof text);
        assert_true(strlen(text) < NOTIFIER_STATUS_SIZE + sizeof "STATUS=");
        assert_memory_equal(text + strlen(text) - 2, "é", 2);
    }
}

static void the_watchdog_is_notified_while_every_loop_is_within_its_bound(void **state) {
    struct fixture *f = *state;
    struct pulse p = {0};
    health_set_phase(f->health, HEALTH_SERVING);
    pulse_watch(&p, "coordinator", 1000, 5000);
    assert_sends(f, 5000, "STATUS=serving, lag unknown\nWATCHDOG=1");
    assert_sends(f, 6001, "STATUS=serving, lag unknown");
    assert_sends(f, 9001, "STATUS=serving, lag unknown");
    pulse_beat(&p, 9500);
    assert_sends(f, 9501, "STATUS=serving, lag unknown\nWATCHDOG=1");
    pulse_unwatch(&p);
}

static void the_watchdog_is_always_notified_during_a_stop(void **state) {
    struct fixture *f = *state;
    struct pulse p = {0};
    pulse_watch(&p, "coordinator", 1000, 5000);
    notifier_stopping(f->notifier);
    assert_sends(f, 9000, "STATUS=starting, lag unknown\nSTOPPING=1\nWATCHDOG=1");
    pulse_unwatch(&p);
}

static void the_next_message_is_due_after_a_third_of_the_watchdog_time(void **state) {
    struct fixture *f = *state;
    assert_int_equal(notifier_step(f->notifier, 1000), 4000);
}

static void the_thread_of_the_notifier_sends_messages_and_the_last_one_is_stopping(void **state) {
    struct fixture *f = *state;
    char text[1024];
    struct error e;
    assert_int_equal(notifier_start(f->notifier, &e), STATUS_OK);
    notifier_ready(f->notifier);
    do {
        manager_read(f->manager, text, sizeof text);
    } while (!strstr(text, "\nREADY=1"));
    notifier_stopping(f->notifier);
    notifier_free(f->notifier);
    f->notifier = NULL;
    do {
        manager_read(f->manager, text, sizeof text);
    } while (!strstr(text, "\nSTOPPING=1"));
}

static void calls_of_the_notifier_do_nothing_without_a_service_manager(void **state) {
    (void)state;
    notifier_ready(NULL);
    notifier_stopping(NULL);
    notifier_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_has_the_lag),
        cmocka_unit_test_setup_teardown(the_status_has_the_phase_and_start_and_stop_are_notified, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_service_that_waits_for_the_store_is_ready_and_its_status_names_the_reason, setup, teardown),
        cmocka_unit_test_setup_teardown(a_status_is_one_line_of_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(the_watchdog_is_notified_while_every_loop_is_within_its_bound,
                                        setup_watchdog, teardown),
        cmocka_unit_test_setup_teardown(the_watchdog_is_always_notified_during_a_stop, setup_watchdog,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_next_message_is_due_after_a_third_of_the_watchdog_time,
                                        setup_watchdog, teardown),
        cmocka_unit_test_setup_teardown(
            the_thread_of_the_notifier_sends_messages_and_the_last_one_is_stopping, setup, teardown),
        cmocka_unit_test(calls_of_the_notifier_do_nothing_without_a_service_manager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
