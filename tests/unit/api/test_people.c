#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "api/people.h"

static const struct {
    const char *user_id, *name, *masked;
} cases[] = {
    {"widget/merchant/123456789/Ann", "Ann", "Ann (**...**345****)"},
    {"widget/merchant/1234567/Ann", "Ann", "Ann (**...**123****)"},
    {"widget/merchant/123456/Ann", "Ann", "Ann (**...**12****)"},
    {"widget/merchant/12345/Ann", "Ann", "Ann (**...**1****)"},
    {"widget/merchant/1234/Ann", "Ann", "Ann"},
    {"widget/merchant//Ann", "Ann", "Ann"},
    {"widget/merchant/123456789/", "", " (**...**345****)"},
    {"widget/merchant/123456789/Ann/more/parts", "Ann", "Ann (**...**345****)"},
    {"widget/merchant/abcdefgh", "abcdefgh", "abcdefgh (**...**bcd****)"},
    {"widget/abcdefgh", "abcdefgh", "abcdefgh (**...**bcd****)"},
    {"abcdefgh", "UNKNOWN", "UNKNOWN (**...**UNK****)"},
    {"UNKNOWN", "UNKNOWN", "UNKNOWN (**...**UNK****)"},
    {"w/r/äöüßéèêë/Zoë", "Zoë", "Zoë (**...**öüß****)"},
    {"w/r/😀😁😂🤣😃/🙂", "🙂", "🙂 (**...**😀****)"},
};

static void the_name_of_a_contributor_is_the_fourth_part_of_the_user_id_or_a_substitute(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *name = people_name(cases[i].user_id);
        assert_string_equal(name, cases[i].name);
        free(name);
    }
}

static void a_masked_id_shows_the_three_code_points_before_the_last_four(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *masked = people_masked(cases[i].user_id);
        assert_string_equal(masked, cases[i].masked);
        free(masked);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_of_a_contributor_is_the_fourth_part_of_the_user_id_or_a_substitute),
        cmocka_unit_test(a_masked_id_shows_the_three_code_points_before_the_last_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
