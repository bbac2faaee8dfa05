#include "server/http/characters.h"

#include "tests/unit/support/test.h"

#include <string.h>

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum { LONGEST = 20 };

static bool is_in(const char *set, int c) {
    return c && c < 128 && strchr(set, c);
}

static bool is_of_token(int c) {
    return is_in(ALNUM "!#$%&'*+-.^_`|~", c);
}

static bool is_of_authority(int c) {
    return is_in(ALNUM "-._~%!$&'()*+,;=:[]", c);
}

static bool is_of_value(int c) {
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* Each byte at each place of a text of each length, among bytes that are allowed. */
static void compare(bool (*are)(const char *, size_t), bool (*is)(int), const char others[LONGEST + 1]) {
    for (size_t length = 1; length <= LONGEST; length++)
        for (size_t at = 0; at < length; at++)
            for (int c = 0; c < 256; c++) {
                char text[LONGEST + 1];
                memcpy(text, others, sizeof text);
                text[at] = (char)c;
                assert_int_equal(are(text, length), is(c));
            }
}

static void a_token_has_only_its_characters(void **state) {
    (void)state;
    compare(characters_are_token, is_of_token, "Upgrade-Insecure-Req");
    compare(characters_are_token, is_of_token, "zZaA-zZaA_09zZaA-zZa");
    assert_false(characters_are_token("", 0));
}

static void a_value_has_no_control_characters_but_tabs(void **state) {
    (void)state;
    compare(characters_are_value, is_of_value, "a value, \t and \xc3\xa4~ a");
    compare(characters_are_value, is_of_value, "~~~~~~~~        ~~~~");
    assert_true(characters_are_value("", 0));
}

static void an_authority_has_only_its_characters(void **state) {
    (void)state;
    compare(characters_are_authority, is_of_authority, "[2001:db8::1]:8080aA");
    assert_true(characters_are_authority("", 0));
}

static void a_target_has_no_space_control_character_or_fragment(void **state) {
    (void)state;
    assert_false(characters_are_target(""));
    for (int c = 1; c < 256; c++) {
        const char text[] = {'/', (char)c, 'a', '\0'};
        assert_int_equal(characters_are_target(text), c > 0x20 && c != 0x7f && c != '#');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_has_only_its_characters),
        cmocka_unit_test(a_value_has_no_control_characters_but_tabs),
        cmocka_unit_test(an_authority_has_only_its_characters),
        cmocka_unit_test(a_target_has_no_space_control_character_or_fragment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
