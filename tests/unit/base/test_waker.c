#include "base/waker.h"

#include <pthread.h>

#include "base/clock.h"
#include "tests/unit/support/test.h"

/* A wait that does not end fails by the time-out of the test. No time is measured. */
#define FOR_EVER (clock_boot_ms() + 600000)

static void a_wake_before_the_wait_is_not_lost(void **state) {
    (void)state;
    struct waker w;
    waker_init(&w);
    waker_wake(&w);
    waker_wake(&w);
    waker_wait(&w, FOR_EVER, -1);
    waker_deinit(&w);
}

static void a_wake_ends_one_wait_and_no_later_one(void **state) {
    (void)state;
    struct waker w;
    waker_init(&w);
    waker_wake(&w);
    waker_wait(&w, FOR_EVER, -1);
    int64_t until = clock_boot_ms() + 20;
    waker_wait(&w, until, -1);
    assert_true(clock_boot_ms() >= until);
    waker_deinit(&w);
}

static void a_wait_for_a_past_time_returns_at_once(void **state) {
    (void)state;
    struct waker w;
    waker_init(&w);
    waker_wait(&w, 0, -1);
    waker_wait(&w, clock_boot_ms(), -1);
    waker_deinit(&w);
}

static void another_readable_descriptor_ends_a_wait(void **state) {
    (void)state;
    struct waker w;
    int ends[2];
    waker_init(&w);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    waker_wait(&w, FOR_EVER, ends[0]);
    close(ends[0]);
    close(ends[1]);
    waker_deinit(&w);
}

static void *wake(void *data) {
    waker_wake(data);
    return NULL;
}

static void a_wake_from_another_thread_ends_a_wait(void **state) {
    (void)state;
    struct waker w;
    waker_init(&w);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wake, &w), 0);
        waker_wait(&w, FOR_EVER, -1);
        pthread_join(thread, NULL);
    }
    waker_deinit(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wake_before_the_wait_is_not_lost),
        cmocka_unit_test(a_wake_ends_one_wait_and_no_later_one),
        cmocka_unit_test(a_wait_for_a_past_time_returns_at_once),
        cmocka_unit_test(another_readable_descriptor_ends_a_wait),
        cmocka_unit_test(a_wake_from_another_thread_ends_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
