#include "base/variable.h"

#include "tests/unit/support/test.h"

#define NAME "WINNER_VIEW_TEST_VARIABLE"

static void an_empty_environment_variable_is_not_set(void **state) {
    (void)state;
    unsetenv(NAME);
    assert_null(variable_get(NAME));
    assert_null(variable_copy(NAME));
    setenv(NAME, "", 1);
    assert_null(variable_get(NAME));
    assert_null(variable_copy(NAME));
    assert_false(variable_is_true(NAME));
    setenv(NAME, " ", 1);
    assert_string_equal(variable_get(NAME), " ");
}

static void only_the_text_true_in_any_case_is_true(void **state) {
    (void)state;
    setenv(NAME, "TruE", 1);
    assert_true(variable_is_true(NAME));
    setenv(NAME, "1", 1);
    assert_false(variable_is_true(NAME));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_environment_variable_is_not_set),
        cmocka_unit_test(only_the_text_true_in_any_case_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
