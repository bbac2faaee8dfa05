#include "base/utf8.h"

#include "tests/unit/support/test.h"

/* Bytes may contain NUL: the length is the literal's. */
#define TEXT(literal)                                                                                        \
    { literal, sizeof literal - 1 }

struct text {
    const char *data;
    size_t length;
};

static void well_formed_text_is_valid_at_every_edge_of_the_ranges(void **state) {
    (void)state;
    static const struct text right[] = {
        TEXT(""),
        TEXT("a"),
        TEXT("a\0b"),
        TEXT("\x7f"),
        TEXT("\xc2\x80"),         /* U+0080 */
        TEXT("\xdf\xbf"),         /* U+07FF */
        TEXT("\xe0\xa0\x80"),     /* U+0800 */
        TEXT("\xed\x9f\xbf"),     /* U+D7FF */
        TEXT("\xee\x80\x80"),     /* U+E000 */
        TEXT("\xef\xbf\xbf"),     /* U+FFFF */
        TEXT("\xf0\x90\x80\x80"), /* U+10000 */
        TEXT("\xf4\x8f\xbf\xbf"), /* U+10FFFF */
        TEXT("a\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80z"),
    };
    for (size_t i = 0; i < COUNT(right); i++)
        assert_true(utf8_is_valid(right[i].data, right[i].length));
}

static void text_that_is_not_well_formed_utf8_is_refused(void **state) {
    (void)state;
    static const struct text wrong[] = {
        TEXT("\x80"), /* a continuation alone */
        TEXT("\xbf"),
        TEXT("a\x80"),
        TEXT("\xc3"), /* cut short */
        TEXT("\xe6\x97"),
        TEXT("\xf0\x9f\x98"),
        TEXT("\xc3\x28"), /* no continuation where one must be */
        TEXT("\xe6\x28\xa5"),
        TEXT("\xe6\x97\x28"),
        TEXT("\xf0\x9f\x98\x28"),
        TEXT("\xc0\x80"), /* overlong */
        TEXT("\xc0\xaf"),
        TEXT("\xc1\xbf"),
        TEXT("\xe0\x80\xaf"),
        TEXT("\xe0\x9f\xbf"),
        TEXT("\xf0\x80\x80\xaf"),
        TEXT("\xf0\x8f\xbf\xbf"),
        TEXT("\xed\xa0\x80"), /* surrogates */
        TEXT("\xed\xbf\xbf"),
        TEXT("\xf4\x90\x80\x80"), /* above U+10FFFF */
        TEXT("\xf5\x80\x80\x80"),
        TEXT("\xf8\x88\x80\x80\x80"),
        TEXT("\xfe"),
        TEXT("\xff"),
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        print_message("%zu\n", i);
        assert_false(utf8_is_valid(wrong[i].data, wrong[i].length));
    }
}

/* Every code point, encoded as RFC 3629 defines it, is valid; every surrogate is not. */
static void a_bad_byte_is_found_at_every_place_of_a_longer_text(void **state) {
    (void)state;
    for (size_t length = 1; length <= 24; length++)
        for (size_t at = 0; at < length; at++) {
            char text[] = "plain text of 24 letters";
            assert_true(utf8_is_valid(text, length));
            text[at] = (char)0xFF;
            assert_false(utf8_is_valid(text, length));
        }
}

static void every_code_point_is_valid_except_surrogates(void **state) {
    (void)state;
    for (uint32_t c = 0x80; c <= 0x10FFFF; c++) {
        char s[4];
        size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n - 1; i > 0; i--)
            s[i] = (char)(0x80 | ((c >> (6 * (n - 1 - i))) & 0x3F));
        s[0] = (char)((0xF00 >> n & 0xF0) | c >> (6 * (n - 1)));
        if (utf8_is_valid(s, n) == (c >= 0xD800 && c <= 0xDFFF))
            fail_msg("U+%04X", c);
    }
}

static void lengths_and_offsets_count_code_points_and_not_bytes(void **state) {
    (void)state;
    static const char text[] = "a\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80z";
    static const size_t offsets[] = {0, 1, 3, 6, 10, 11};
    size_t length = sizeof text - 1;
    assert_int_equal(utf8_count(text, length), 5);
    assert_int_equal(utf8_count(text, 0), 0);
    for (size_t i = 0; i < COUNT(offsets); i++)
        assert_int_equal(utf8_offset(text, length, i), offsets[i]);
    assert_int_equal(utf8_offset(text, 0, 0), 0);
}

static void a_cut_text_ends_with_a_whole_character(void **state) {
    (void)state;
    static const char text[] = "a\xc3\xa4\xe6\x97\xa5\xf0\x9f\x98\x80";
    static const size_t kept[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t i = 0; i < COUNT(kept); i++)
        assert_int_equal(utf8_cut(text, i), kept[i]);
}

static void a_mended_text_is_valid_and_keeps_whole_characters(void **state) {
    (void)state;
    static const struct {
        const char *text, *mended;
    } texts[] = {
        {"", ""},
        {"whole \xc3\xa4\xf0\x9f\x98\x80", "whole \xc3\xa4\xf0\x9f\x98\x80"},
        {"cut \xf0\x9f\x98", "cut "},
        {"half \xc3' more", "half ?' more"},
        {"\xa4\xff\xc3\xa4", "??\xc3\xa4"},
        {"\xed\xa0\x80.", "???."},
        {"half \xe6\x97\xc3", "half ??"},
        {"\xff", ""},
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        char text[32];
        strcpy(text, texts[i].text);
        utf8_mend(text);
        assert_string_equal(text, texts[i].mended);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_text_is_valid_at_every_edge_of_the_ranges),
        cmocka_unit_test(text_that_is_not_well_formed_utf8_is_refused),
        cmocka_unit_test(a_bad_byte_is_found_at_every_place_of_a_longer_text),
        cmocka_unit_test(every_code_point_is_valid_except_surrogates),
        cmocka_unit_test(lengths_and_offsets_count_code_points_and_not_bytes),
        cmocka_unit_test(a_cut_text_ends_with_a_whole_character),
        cmocka_unit_test(a_mended_text_is_valid_and_keeps_whole_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
