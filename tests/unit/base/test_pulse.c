#include "base/pulse.h"

#include "tests/unit/support/test.h"

static void a_loop_that_does_not_beat_within_its_bound_is_late_and_named(void **state) {
    (void)state;
    char name[32];
    struct pulse quick = {0}, slow = {0};
    pulse_watch(&quick, "quick", 100, 1000);
    pulse_watch(&slow, "slow", 500, 1000);
    assert_false(pulse_find_late(1100, name, sizeof name));
    assert_true(pulse_find_late(1101, name, sizeof name));
    assert_string_equal(name, "quick");
    pulse_beat(&quick, 1500);
    assert_false(pulse_find_late(1500, name, sizeof name));
    pulse_beat(&quick, 1501);
    assert_true(pulse_find_late(1501, name, sizeof name));
    assert_string_equal(name, "slow");
    pulse_unwatch(&quick);
    pulse_unwatch(&slow);
}

static void a_loop_that_rests_is_never_late(void **state) {
    (void)state;
    char name[32];
    struct pulse p = {0};
    pulse_watch(&p, "loader", 100, 1000);
    pulse_rest(&p);
    assert_false(pulse_find_late(INT64_C(1) << 40, name, sizeof name));
    pulse_beat(&p, 2000);
    assert_true(pulse_find_late(2101, name, sizeof name));
    pulse_unwatch(&p);
}

static void a_loop_whose_beat_is_later_than_the_watchers_clock_is_not_late(void **state) {
    (void)state;
    char name[32];
    struct pulse p = {0};
    pulse_watch(&p, "shard", 100, 5000);
    assert_false(pulse_find_late(4000, name, sizeof name));
    pulse_unwatch(&p);
}

static void a_loop_that_is_not_watched_any_more_is_not_late(void **state) {
    (void)state;
    char name[32];
    struct pulse p = {0};
    pulse_unwatch(&p);
    pulse_watch(&p, "shard", 100, 1000);
    pulse_unwatch(&p);
    pulse_unwatch(&p);
    assert_false(pulse_find_late(5000, name, sizeof name));
}

static void a_long_name_of_a_late_loop_is_cut(void **state) {
    (void)state;
    char name[4];
    struct pulse p = {0};
    pulse_watch(&p, "coordinator", 100, 1000);
    assert_true(pulse_find_late(5000, name, sizeof name));
    assert_string_equal(name, "coo");
    pulse_unwatch(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_that_does_not_beat_within_its_bound_is_late_and_named),
        cmocka_unit_test(a_loop_that_rests_is_never_late),
        cmocka_unit_test(a_loop_whose_beat_is_later_than_the_watchers_clock_is_not_late),
        cmocka_unit_test(a_loop_that_is_not_watched_any_more_is_not_late),
        cmocka_unit_test(a_long_name_of_a_late_loop_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
