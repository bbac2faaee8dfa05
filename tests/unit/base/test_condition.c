#include "base/condition.h"

#include <errno.h>

#include "tests/unit/support/test.h"

static int64_t ns_of(const struct timespec *t) {
    return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

static void the_end_of_a_wait_is_the_given_time_from_now_and_well_formed(void **state) {
    (void)state;
    for (int64_t ms = 0; ms < 5000; ms += 7) {
        struct timespec before, after, end;
        clock_gettime(CLOCK_MONOTONIC, &before);
        end = condition_end(ms);
        clock_gettime(CLOCK_MONOTONIC, &after);
        assert_in_range(end.tv_nsec, 0, 999999999);
        assert_true(ns_of(&end) >= ns_of(&before) + ms * 1000000);
        assert_true(ns_of(&end) <= ns_of(&after) + ms * 1000000);
    }
}

static void a_wait_without_a_wake_ends_at_its_end(void **state) {
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition;
    condition_init(&condition);
    struct timespec end = condition_end(20), after;
    pthread_mutex_lock(&lock);
    int code = 0;
    while (!code) /* it may wake for no reason */
        code = pthread_cond_timedwait(&condition, &lock, &end);
    pthread_mutex_unlock(&lock);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_int_equal(code, ETIMEDOUT);
    assert_true(ns_of(&after) >= ns_of(&end));
    pthread_cond_destroy(&condition);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_a_wait_is_the_given_time_from_now_and_well_formed),
        cmocka_unit_test(a_wait_without_a_wake_ends_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
