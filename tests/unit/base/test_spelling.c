#include "base/spelling.h"

#include "tests/unit/support/test.h"

static void a_distance_counts_letters_that_are_added_missing_wrong_or_swapped(void **state) {
    (void)state;
    assert_int_equal(spelling_distance("source", "source"), 0);
    assert_int_equal(spelling_distance("sorce", "source"), 1);
    assert_int_equal(spelling_distance("sourcee", "source"), 1);
    assert_int_equal(spelling_distance("sourze", "source"), 1);
    assert_int_equal(spelling_distance("suorce", "source"), 1);
    assert_int_equal(spelling_distance("", "source"), 6);
    assert_int_equal(spelling_distance("with", "source"), 6);
    assert_int_equal(spelling_distance("-v", "-V"), 0);
}

static void a_word_that_is_too_long_is_near_to_none(void **state) {
    (void)state;
    char word[SPELLING_WORD_BYTES + 2] = {0};
    memset(word, 'x', SPELLING_WORD_BYTES + 1);
    assert_true(spelling_distance(word, "x") == SIZE_MAX);
    assert_true(spelling_distance("x", word) == SIZE_MAX);
    word[SPELLING_WORD_BYTES] = '\0';
    assert_int_equal(spelling_distance(word, "x"), SPELLING_WORD_BYTES - 1);
}

static const char *nearest(const char *typed) {
    static const char *const words[] = {"source", "store", "start", "cache-stale-ms", "on", "batch-size"};
    struct spelling s = {.typed = typed};
    for (size_t i = 0; i < COUNT(words); i++)
        spelling_offer(&s, words[i]);
    return s.best;
}

static void the_nearest_word_is_the_best(void **state) {
    (void)state;
    assert_string_equal(nearest("sorce"), "source");
    assert_string_equal(nearest("stor"), "store");
    assert_string_equal(nearest("strat"), "start");
    assert_string_equal(nearest("cache-stale"), "cache-stale-ms");
    assert_string_equal(nearest("batch"), "batch-size");
    assert_string_equal(nearest("ON"), "on");
}

static void what_has_little_in_common_with_a_word_is_near_to_none(void **state) {
    (void)state;
    assert_null(nearest("dance"));
    assert_null(nearest("x"));
    assert_null(nearest("of"));
    assert_null(nearest(""));
    assert_null(nearest("ba"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_distance_counts_letters_that_are_added_missing_wrong_or_swapped),
        cmocka_unit_test(a_word_that_is_too_long_is_near_to_none),
        cmocka_unit_test(the_nearest_word_is_the_best),
        cmocka_unit_test(what_has_little_in_common_with_a_word_is_near_to_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
