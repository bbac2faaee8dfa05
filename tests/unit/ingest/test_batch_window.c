#include "ingest/batch_window.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"

static void without_throttling_the_window_stays_as_configured(void **state) {
    (void)state;
    struct window w;
    window_init(&w, 20, 700);
    for (int64_t at = 1; at < 1000000; at += 1000) {
        assert_false(window_note(&w, false, at));
        assert_int_equal(w.ms, 20);
        assert_int_equal(w.records, 700);
    }
}

static void each_throttled_batch_widens_the_window_up_to_its_limits(void **state) {
    (void)state;
    static const int ms[] = {125, 250, 500, 1000, 2000};
    static const size_t records[] = {LIMIT_BATCH_RECORDS / 5, LIMIT_BATCH_RECORDS * 2 / 5,
                                     LIMIT_BATCH_RECORDS * 4 / 5, LIMIT_BATCH_RECORDS, LIMIT_BATCH_RECORDS};
    struct window w;
    window_init(&w, 0, LIMIT_BATCH_RECORDS / 10);
    for (int i = 0; i < 5; i++) {
        assert_true(window_note(&w, true, i + 1));
        assert_int_equal(w.ms, ms[i]);
        assert_int_equal(w.records, records[i]);
    }
    assert_false(window_note(&w, true, 10));
    assert_int_equal(w.ms, LIMIT_WINDOW_MS);
}

static void a_time_without_throttling_narrows_the_window_step_by_step_to_the_configured_one(void **state) {
    (void)state;
    static const int ms[] = {1000, 500, 250, 125, 0};
    struct window w;
    int64_t at = 1;
    window_init(&w, 0, 1000);
    for (int i = 0; i < 5; i++)
        window_note(&w, true, at);
    for (int i = 0; i < 5; i++) {
        assert_false(window_note(&w, false, at + LIMIT_WINDOW_CALM_MS - 1));
        at += LIMIT_WINDOW_CALM_MS;
        assert_true(window_note(&w, false, at));
        assert_int_equal(w.ms, ms[i]);
    }
    assert_int_equal(w.records, 1000);
    assert_false(window_note(&w, false, at + 10 * LIMIT_WINDOW_CALM_MS));
}

static void a_throttle_at_the_widest_window_restarts_the_time_without_throttling(void **state) {
    (void)state;
    struct window w;
    window_init(&w, 0, 1000);
    for (int i = 0; i < 5; i++)
        window_note(&w, true, 1);
    assert_false(window_note(&w, true, 3000));
    assert_false(window_note(&w, false, 1 + LIMIT_WINDOW_CALM_MS));
    assert_true(window_note(&w, false, 3000 + LIMIT_WINDOW_CALM_MS));
}

static void a_window_that_is_configured_wider_than_the_limit_is_never_narrowed(void **state) {
    (void)state;
    struct window w;
    window_init(&w, 60000, LIMIT_BATCH_RECORDS);
    for (int i = 1; i < 10; i++) {
        window_note(&w, true, i);
        assert_int_equal(w.ms, 60000);
        assert_int_equal(w.records, LIMIT_BATCH_RECORDS);
    }
    window_init(&w, 300, 1);
    window_note(&w, true, 1);
    assert_int_equal(w.ms, 300);
    assert_int_equal(w.records, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_throttling_the_window_stays_as_configured),
        cmocka_unit_test(each_throttled_batch_widens_the_window_up_to_its_limits),
        cmocka_unit_test(a_time_without_throttling_narrows_the_window_step_by_step_to_the_configured_one),
        cmocka_unit_test(a_throttle_at_the_widest_window_restarts_the_time_without_throttling),
        cmocka_unit_test(a_window_that_is_configured_wider_than_the_limit_is_never_narrowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
