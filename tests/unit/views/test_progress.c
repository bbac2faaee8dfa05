#include "views/progress.h"

#include "tests/unit/support/test.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static void note(struct progress *p, int64_t at_ms, int64_t records, int64_t as_of_ms, int64_t bytes_left) {
    progress_note(p, &(struct progress_sample){at_ms, records, as_of_ms, bytes_left});
}

static void nothing_is_known_before_two_moments_were_sampled(void **state) {
    (void)state;
    struct progress p = {0};
    assert_int_equal(progress_rate(&p, 0), PROGRESS_UNKNOWN);
    assert_int_equal(progress_left_ms(&p, HOUR, 0), PROGRESS_UNKNOWN);
    note(&p, 0, 0, 0, 0);
    assert_int_equal(progress_rate(&p, 0), PROGRESS_UNKNOWN);
    assert_int_equal(progress_left_ms(&p, HOUR, 0), PROGRESS_UNKNOWN);
}

static void a_shard_that_gains_a_minute_each_second_catches_up_an_hour_in_a_minute(void **state) {
    (void)state;
    struct progress p = {0};
    for (int i = 0; i <= 10; i++)
        note(&p, i * SECOND, i * 500, i * (MINUTE + SECOND), 0);
    assert_int_equal(progress_rate(&p, 10 * SECOND), 500);
    assert_int_equal(progress_left_ms(&p, HOUR, 10 * SECOND), MINUTE);
}

static void bytes_that_are_left_say_more_than_the_age(void **state) {
    (void)state;
    struct progress p = {0};
    note(&p, 0, 0, PROGRESS_UNKNOWN, 10000);
    note(&p, 4 * SECOND, 40, PROGRESS_UNKNOWN, 6000);
    assert_int_equal(progress_left_ms(&p, INT64_MAX, 4 * SECOND), 6 * SECOND);
    assert_int_equal(progress_rate(&p, 4 * SECOND), 10);
}

static void a_shard_that_gets_no_nearer_has_no_time_left(void **state) {
    (void)state;
    struct progress p = {0};
    note(&p, 0, 0, 0, 0);
    note(&p, 5 * SECOND, 100, 5 * SECOND, 0); /* as fast as the clock */
    assert_int_equal(progress_left_ms(&p, HOUR, 5 * SECOND), PROGRESS_UNKNOWN);
    struct progress file = {0};
    note(&file, 0, 0, PROGRESS_UNKNOWN, 1000);
    note(&file, 5 * SECOND, 100, PROGRESS_UNKNOWN, 2000); /* its file grows faster than it is read */
    assert_int_equal(progress_left_ms(&file, INT64_MAX, 5 * SECOND), PROGRESS_UNKNOWN);
}

static void a_shard_that_stopped_slows_down_to_nothing(void **state) {
    (void)state;
    struct progress p = {0};
    note(&p, 0, 0, 0, 0);
    note(&p, 10 * SECOND, 1000, HOUR, 0);
    assert_int_equal(progress_rate(&p, 10 * SECOND), 100);
    assert_int_equal(progress_rate(&p, 20 * SECOND), 50);
    assert_int_equal(progress_rate(&p, 2 * MINUTE), 0);
    assert_int_equal(progress_left_ms(&p, HOUR, 2 * MINUTE), PROGRESS_UNKNOWN);
}

static void only_the_last_half_minute_counts_however_many_samples_there_are(void **state) {
    (void)state;
    struct progress p = {0};
    int64_t records = 0;
    for (int64_t ms = 0; ms <= 2 * MINUTE; ms += 100)
        note(&p, ms, records += ms < MINUTE ? 1000 : 1, 0, 0);
    assert_in_range(progress_rate(&p, 2 * MINUTE), 9, 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_before_two_moments_were_sampled),
        cmocka_unit_test(a_shard_that_gains_a_minute_each_second_catches_up_an_hour_in_a_minute),
        cmocka_unit_test(bytes_that_are_left_say_more_than_the_age),
        cmocka_unit_test(a_shard_that_gets_no_nearer_has_no_time_left),
        cmocka_unit_test(a_shard_that_stopped_slows_down_to_nothing),
        cmocka_unit_test(only_the_last_half_minute_counts_however_many_samples_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
