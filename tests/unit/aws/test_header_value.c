#include "aws/header_value.h"

#include "tests/unit/support/test.h"

static void white_space_around_a_value_is_removed_and_kept_inside(void **state) {
    (void)state;
    static const char *const texts[] = {"a b\tc", "a b\tc\n", "\r\n a b\tc \t\v\f\r\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        char *value;
        assert_int_equal(aws_header_value_take(texts[i], "X", &value, NULL), STATUS_OK);
        assert_string_equal(value, "a b\tc");
        free(value);
    }
}

static void a_value_of_white_space_only_is_not_set(void **state) {
    (void)state;
    static const char *const texts[] = {NULL, "", " ", "\n"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        char *value;
        assert_int_equal(aws_header_value_take(texts[i], "X", &value, NULL), STATUS_OK);
        assert_null(value);
        assert_null(aws_header_value_trim(texts[i]));
    }
}

static void what_cannot_stand_in_a_header_is_refused_and_not_quoted(void **state) {
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {{"hidden\nX-More: 1", "NAME has a line break inside"},
                 {"hidden\rx", "NAME has a line break inside"},
                 {"hidden\x01x", "NAME has a character inside"},
                 {"hidden\x7fx", "NAME has a character inside"},
                 {"hidden\vx", "NAME has a character inside"},
                 {"hidden\xc3\xa9", "NAME has a character inside"},
                 {"\xef\xbb\xbfhidden", "NAME has a character inside"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *value;
        struct error e;
        assert_int_equal(aws_header_value_take(cases[i].text, "NAME", &value, &e), STATUS_INVALID);
        assert_null(value);
        assert_contains(e.message, cases[i].reason);
        assert_lacks(e.message, "hidden");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_space_around_a_value_is_removed_and_kept_inside),
        cmocka_unit_test(a_value_of_white_space_only_is_not_set),
        cmocka_unit_test(what_cannot_stand_in_a_header_is_refused_and_not_quoted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
