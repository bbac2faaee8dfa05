#include "views/board.h"

#include <string.h>

#include "tests/unit/support/test.h"

static void roles_have_their_names_of_the_tables(void **state) {
    (void)state;
    enum role back;
    const char *const names[ROLES] = {"creator", "photographer", "product", "shop"};
    for (enum role role = 0; role < ROLES; role++) {
        assert_string_equal(role_name(role), names[role]);
        assert_true(role_from_name(names[role], &back));
        assert_int_equal(back, role);
    }
    assert_false(role_from_name("merchant", &back));
}

static void a_board_is_named_by_its_role_and_its_period(void **state) {
    (void)state;
    char text[BOARD_TEXT_SIZE];
    struct board board = {ROLE_SHOP, {0}};
    assert_string_equal(board_format(&board, text), "shop");
    assert_true(period_parse("2026-W48", &board.period));
    assert_string_equal(board_format(&board, text), "shop#week#2026-W48");
}

static void a_board_that_was_named_is_found_again(void **state) {
    (void)state;
    const char *const texts[] = {"creator", "product#hour#2026-11-29T14", "photographer#month#2026-11"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct board board;
        char again[BOARD_TEXT_SIZE];
        assert_true(board_parse(texts[i], &board));
        assert_string_equal(board_format(&board, again), texts[i]);
    }
}

static void no_other_text_names_a_board(void **state) {
    (void)state;
    const char *const texts[] = {"",
                                 "merchant",
                                 "creator#",
                                 "creator#day",
                                 "creator#day#2026-W48",
                                 "creator#2026-11-29",
                                 "creator#day#2026-11-29#",
                                 "#day#2026-11-29"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct board board;
        assert_false(board_parse(texts[i], &board));
    }
}

static void boards_of_one_kind_of_period_are_one_range_of_texts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_in;
    } cases[] = {
        {"creator#day#0000-01-01", true},
        {"creator#day#9999-12-31", true},
        {"creator", false},
        {"creator#hour#2026-11-29T14", false},
        {"creator#month#2026-11", false},
        {"photographer#day#2026-11-29", false},
    };
    char first[BOARD_TEXT_SIZE], end[BOARD_TEXT_SIZE];
    board_range(ROLE_CREATOR, PERIOD_DAY, first, end);
    assert_string_equal(first, "creator#day#");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = cases[i].text;
        assert_int_equal(strcmp(text, first) > 0 && strcmp(text, end) < 0, cases[i].is_in);
    }
}

static void only_a_product_may_have_the_id_of_unknown(void **state) {
    (void)state;
    assert_false(role_is_listed(ROLE_CREATOR, "UNKNOWN"));
    assert_false(role_is_listed(ROLE_PHOTOGRAPHER, "UNKNOWN"));
    assert_true(role_is_listed(ROLE_PRODUCT, "UNKNOWN"));
    assert_true(role_is_listed(ROLE_CREATOR, "unknown"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_have_their_names_of_the_tables),
        cmocka_unit_test(a_board_is_named_by_its_role_and_its_period),
        cmocka_unit_test(a_board_that_was_named_is_found_again),
        cmocka_unit_test(no_other_text_names_a_board),
        cmocka_unit_test(boards_of_one_kind_of_period_are_one_range_of_texts),
        cmocka_unit_test(only_a_product_may_have_the_id_of_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
