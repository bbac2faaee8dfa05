#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "api/people.h"

static const struct {
    const char *user_id, *name, *full_name, *masked; /* NULL: no name */
} cases[] = {
    {"widget/merchant/123456789/Ann", "Ann", "Ann", "Ann (**...**345****)"},
    {"widget/merchant/1234567/Ann", "Ann", "Ann", "Ann (**...**123****)"},
    {"widget/merchant/123456/Ann", "Ann", "Ann", "Ann (**...**12****)"},
    {"widget/merchant/12345/Ann", "Ann", "Ann", "Ann (**...**1****)"},
    {"widget/merchant/1234/Ann", "Ann", "Ann", "Ann"},
    {"widget/merchant//Ann", "Ann", "Ann", "Ann"},
    {"widget/merchant/123456789/Ann/more/parts", "Ann", "Ann", "Ann (**...**345****)"},
    {"w/r/äöüßéèêë/Zoë", "Zoë", "Zoë", "Zoë (**...**öüß****)"},
    {"w/r/😀😁😂🤣😃/🙂", "🙂", "🙂", "🙂 (**...**😀****)"},
    /* Fewer parts: no name, unless identities are shown. */
    {"widget/merchant/ann@example.com", NULL, "ann@example.com", "(**...**ple****)"},
    {"widget/ann@example.com", NULL, "ann@example.com", "(**...**ple****)"},
    {"ann@example.com", NULL, "UNKNOWN", "(**...**UNK****)"},
    {"widget/merchant/1234", NULL, "1234", "(**...******)"},
    {"widget/", NULL, NULL, "(**...******)"},
    {"UNKNOWN", "UNKNOWN", "UNKNOWN", "UNKNOWN (**...**UNK****)"}, /* in the old shape */
    /* Names that would deceive. */
    {"w/r/123456789/", NULL, NULL, "(**...**345****)"},
    {"w/r/123456789/ \u200b\u2060\u3164\u202e", NULL, NULL, "(**...**345****)"},
    {"w/r/1234/\u00a0", NULL, NULL, "(**...******)"},
    {"w/r/123456789/A\nn\u202en", "A\ufffdn\ufffdn", "A\ufffdn\ufffdn", "A\ufffdn\ufffdn (**...**345****)"},
    {"w/r/12\u202e\x1b\t6789/Ann", "Ann", "Ann", "Ann (**...**\ufffd\ufffd\ufffd****)"},
    {"w/r/1234567/Ann\xff", "Ann\ufffd", "Ann\ufffd", "Ann\ufffd (**...**123****)"},
};

static void assert_name(const char *user_id, bool full_identities, const char *expected) {
    char *name = people_name(user_id, full_identities);
    if (expected)
        assert_string_equal(name, expected);
    else
        assert_null(name);
    free(name);
}

static void the_name_of_a_contributor_is_the_fourth_part_of_the_user_id_cleaned(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_name(cases[i].user_id, false, cases[i].name);
}

static void with_full_identities_the_last_of_fewer_parts_is_the_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_name(cases[i].user_id, true, cases[i].full_name);
}

static void a_masked_id_shows_the_three_code_points_before_the_last_four(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *masked = people_masked(cases[i].user_id);
        assert_string_equal(masked, cases[i].masked);
        free(masked);
    }
}

/* What an "{id}" means. */

static void assert_means(const struct view *view, const char *id, const char *expected) {
    char *user_id = people_user_id(view, id);
    if (expected)
        assert_string_equal(user_id, expected);
    else
        assert_null(user_id);
    free(user_id);
}

static void a_user_id_is_accepted_as_an_id_only_with_full_identities(void **state) {
    (void)state;
    static const uint8_t key[SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde";
    struct error e;
    struct view view = {.sealer = seal_new(key, &e)};
    char *id = seal_make(view.sealer, SEAL_ID, "w/m/1/A", 7), longest[LIMIT_KEY_BYTES + 2];
    memset(longest, 'x', sizeof longest);
    longest[LIMIT_KEY_BYTES + 1] = '\0';
    char *too_long = seal_make(view.sealer, SEAL_ID, longest, LIMIT_KEY_BYTES + 1); /* of such a row */
    for (int full = 0; full < 2; full++) {
        view.options.full_identities = full;
        assert_means(&view, id, "w/m/1/A");
        assert_means(&view, "w/m/1/A", full ? "w/m/1/A" : NULL);
        assert_means(&view, "UNKNOWN", NULL);
        assert_means(&view, longest, NULL);
        assert_means(&view, longest + 1, full ? longest + 1 : NULL);
        assert_means(&view, too_long, NULL);
    }
    free(too_long);
    free(id);
    seal_free(view.sealer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_of_a_contributor_is_the_fourth_part_of_the_user_id_cleaned),
        cmocka_unit_test(with_full_identities_the_last_of_fewer_parts_is_the_name),
        cmocka_unit_test(a_masked_id_shows_the_three_code_points_before_the_last_four),
        cmocka_unit_test(a_user_id_is_accepted_as_an_id_only_with_full_identities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
