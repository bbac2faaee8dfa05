#include "base/text.h"

#include "tests/unit/support/test.h"

static void control_characters_are_replaced_by_blanks_and_other_text_is_kept(void **state) {
    (void)state;
    char text[] = "a\x01\x1b[2J\r\n\t\x7f \xc3\xa9~";
    text_blank_controls(text);
    assert_string_equal(text, "a  [2J     \xc3\xa9~");
}

static void assert_cleaned(const char *text, const char *expected) {
    char *cleaned = text_cleaned(text, strlen(text));
    assert_string_equal(cleaned, expected);
    free(cleaned);
}

/* Each range of deceptive characters, and its neighbours. */
static void control_and_bidirectional_characters_are_replaced_in_a_cleaned_text(void **state) {
    (void)state;
    assert_cleaned("", "");
    assert_cleaned("\x01\x1f \x7f~", "\ufffd\ufffd \ufffd~");
    assert_cleaned("\xc2\x80\xc2\x9f\u00a0", "\ufffd\ufffd\u00a0");
    assert_cleaned("\u061b\u061c\u061d", "\u061b\ufffd\u061d");
    assert_cleaned("\u200d\u200e\u200f\u2010", "\u200d\ufffd\ufffd\u2010");
    assert_cleaned("\u2027\u2028\u2029\u202a\u202e\u202f", "\u2027\ufffd\ufffd\ufffd\ufffd\u202f");
    assert_cleaned("\u2065\u2066\u2069\u206a", "\u2065\ufffd\ufffd\u206a");
    assert_cleaned("Zoë 日本 👩‍🌾", "Zoë 日本 👩‍🌾");
}

static void bytes_that_are_not_utf8_are_replaced_in_a_cleaned_text(void **state) {
    (void)state;
    assert_cleaned("a\xff\xc3", "a\ufffd\ufffd");
    assert_cleaned("\xe2\x80", "\ufffd\ufffd");
    assert_cleaned("\ufffd", "\ufffd");
}

static void a_text_of_which_nothing_is_visible_is_blank(void **state) {
    (void)state;
    static const char *const blank[] = {"",
                                        " ",
                                        "\t\r\n",
                                        "\u00a0\u1680\u2000\u200a\u202f\u205f\u3000",
                                        "\u200b\u200d\u2060\ufeff",
                                        "\u00ad\u034f\u115f\u1160\u3164\uffa0\ufe0f",
                                        "\u202e\u2066\u061c",
                                        "\xf3\xa0\x81\x81",
                                        "\u2800"};
    static const char *const visible[] = {"a", " a ", "\u200ba", ".", "\u3165", "\u2801", "\xff", "\ufffd"};
    for (size_t i = 0; i < COUNT(blank); i++)
        assert_true(text_is_blank(blank[i], strlen(blank[i])));
    for (size_t i = 0; i < COUNT(visible); i++)
        assert_false(text_is_blank(visible[i], strlen(visible[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_replaced_by_blanks_and_other_text_is_kept),
        cmocka_unit_test(control_and_bidirectional_characters_are_replaced_in_a_cleaned_text),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced_in_a_cleaned_text),
        cmocka_unit_test(a_text_of_which_nothing_is_visible_is_blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
