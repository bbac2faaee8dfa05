#include "base/text.h"

#include "tests/unit/support/test.h"

static void control_characters_become_blanks_and_all_else_stays(void **state) {
    (void)state;
    char text[] = "a\x01\x1b[2J\r\n\t\x7f \xc3\xa9~";
    text_blank_controls(text);
    assert_string_equal(text, "a  [2J     \xc3\xa9~");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_become_blanks_and_all_else_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
