#include "views/pace.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"

enum {
    QUICK_MS = LIMIT_TRANSACTION_MS / 3,
    HALF_MS = LIMIT_TRANSACTION_MS / 2,
    USUAL_MS = LIMIT_TRANSACTION_MS,
    SLOW_MS = LIMIT_TRANSACTION_MS + 1
};

static void a_slow_transaction_halves_what_the_next_may_change(void **state) {
    (void)state;
    struct pace p;
    pace_init(&p);
    size_t rows = p.rows;
    pace_note(&p, rows, SLOW_MS);
    assert_int_equal(p.rows, rows / 2);
    pace_note(&p, 5000, SLOW_MS); /* by what it changed, not by what it might have */
    assert_int_equal(p.rows, 2500);
    for (int i = 0; i < 50; i++)
        pace_note(&p, p.rows, SLOW_MS);
    assert_int_equal(p.rows, LIMIT_TRANSACTION_LEAST_ROWS);
}

static void quick_transactions_that_are_full_raise_it_up_to_its_limit(void **state) {
    (void)state;
    struct pace p;
    pace_init(&p);
    size_t rows = p.rows;
    pace_note(&p, rows, QUICK_MS);
    assert_int_equal(p.rows, 2 * rows);
    pace_note(&p, 2 * rows, HALF_MS); /* not so far that the next one is slow */
    assert_int_equal(p.rows, 3 * rows);
    for (int i = 0; i < 50; i++)
        pace_note(&p, p.rows, 0);
    assert_int_equal(p.rows, LIMIT_TRANSACTION_ROWS);
}

static void others_change_nothing(void **state) {
    (void)state;
    struct pace p;
    pace_init(&p);
    size_t rows = p.rows;
    const struct {
        size_t rows;
        int64_t took_ms;
    } notes[] = {{rows, USUAL_MS}, {rows, HALF_MS + 1}, {rows - 1, QUICK_MS}, {0, 0}};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        pace_note(&p, notes[i].rows, notes[i].took_ms);
        assert_int_equal(p.rows, rows);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_transaction_halves_what_the_next_may_change),
        cmocka_unit_test(quick_transactions_that_are_full_raise_it_up_to_its_limit),
        cmocka_unit_test(others_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
