#include "server/backend.h"

#include "tests/unit/support/test.h"

static const struct options nothing_given = {.store = "dynamodb:dev"};

static void what_is_not_given_is_for_the_first_use_only(void **state) {
    (void)state;
    const struct store_wish wish = backend_wish(&nothing_given, NULL);
    assert_null(wish.source);
    assert_false(wish.wants_periods);
    assert_false(wish.wants_best_sellers);
    assert_false(wish.wants_board_partitions);
    assert_int_equal(wish.shape.periods, 0);
    assert_false(wish.shape.best_sellers);
    assert_int_equal(wish.shape.board_partitions, 1);
}

static void sqlite_has_days_weeks_and_months_by_default(void **state) {
    (void)state;
    struct options options = {.store = "sqlite:x"};
    unsigned all = 1U << PERIOD_DAY | 1U << PERIOD_WEEK | 1U << PERIOD_MONTH;
    assert_int_equal(backend_wish(&options, NULL).shape.periods, all);
    options.has_periods = true;
    assert_int_equal(backend_wish(&options, NULL).shape.periods, 0);
}

static void what_is_given_is_asked_for(void **state) {
    (void)state;
    static const struct store_source source;
    struct options options = nothing_given;
    options.has_periods = true;
    options.periods = 1U << PERIOD_HOUR;
    options.best_sellers = BEST_SELLERS_OFF;
    options.board_partitions = 3;
    const struct store_wish wish = backend_wish(&options, &source);
    assert_ptr_equal(wish.source, &source);
    assert_true(wish.wants_periods && wish.wants_best_sellers && wish.wants_board_partitions);
    assert_int_equal(wish.shape.periods, 1U << PERIOD_HOUR);
    assert_false(wish.shape.best_sellers);
    assert_int_equal(wish.shape.board_partitions, 3);
    options.best_sellers = BEST_SELLERS_ON;
    assert_true(backend_wish(&options, &source).shape.best_sellers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_is_for_the_first_use_only),
        cmocka_unit_test(sqlite_has_days_weeks_and_months_by_default),
        cmocka_unit_test(what_is_given_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
