#include "base/text.h"

#include "tests/unit/support/test.h"

static void control_characters_are_replaced_by_blanks_and_other_text_is_kept(void **state) {
    (void)state;
    char text[] = "a\x01\x1b[2J\r\n\t\x7f \xc3\xa9~";
    text_blank_controls(text);
    assert_string_equal(text, "a  [2J     \xc3\xa9~");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_replaced_by_blanks_and_other_text_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
