#include "base/json_scan.h"

#include <jansson.h>

#include "base/mem.h"
#include "tests/unit/support/test.h"

/* In a block of its own, for the address sanitizer. */
static bool is_plain_string(const char *text, size_t length) {
    _cleanup_(mem_freep) char *data = mem_dup(text, length);
    struct json_scan scan = {data, data + length};
    const char *read;
    size_t read_length;
    return json_scan_string(&scan, &read, &read_length) && scan.at == scan.end && read == data + 1 &&
           read_length == length - 2;
}

/* With every byte at every place among those that are read together, in every length. */
static void strings_are_plain_if_jansson_reads_them_and_they_have_no_escape(void **state) {
    (void)state;
    for (size_t length = 1; length <= 17; length++)
        for (size_t at = 0; at < length; at++)
            for (int byte = 0; byte < 256; byte++) {
                char text[32];
                int size = snprintf(text, sizeof text, "\"%.*s\"", (int)length, "abcdefghijklmnopqr");
                text[1 + at] = (char)byte;
                json_auto_t *read = json_loadb(text, (size_t)size, JSON_DECODE_ANY, NULL);
                bool expected = read && byte != '\\';
                if (is_plain_string(text, (size_t)size) != expected)
                    fail_msg("byte 0x%02x at %zu of %zu", (unsigned)byte, at, length);
            }
}

static void strings_must_be_utf8_wherever_the_bytes_stand(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_plain;
    } cases[] = {{"\xc3\xa4", true},      {"\xe2\x82\xac", true}, {"\xf0\x9f\x98\x80", true},
                 {"\xc3", false},         {"\xc0\xaf", false},    {"\xa4", false},
                 {"\xed\xa0\x80", false}, {"\xe2\x82", false},    {"\xf4\x90\x80\x80", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int before = 0; before < 10; before++) {
            char text[32];
            int size = snprintf(text, sizeof text, "\"%.*s%s\"", before, "..........", cases[i].text);
            if (is_plain_string(text, (size_t)size) != cases[i].is_plain)
                fail_msg("case %zu after %d bytes", i, before);
        }
}

static void a_string_that_does_not_end_is_not_plain(void **state) {
    (void)state;
    static const char *const texts[] = {"", " ", "\"", "\"abcdefg", "\"abcdefgh", "\"\\\""};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_false(is_plain_string(texts[i], strlen(texts[i])));
    assert_true(is_plain_string("\"\"", 2));
}

static void white_space_stands_before_what_is_taken(void **state) {
    (void)state;
    static const char text[] = " \t\r\n{\f";
    struct json_scan scan = {text, text + sizeof text - 1};
    assert_false(json_scan_take(&scan, '}'));
    assert_true(json_scan_take(&scan, '{'));
    json_scan_space(&scan);
    assert_ptr_equal(scan.at, text + 5);
    assert_false(json_scan_take(&scan, '}'));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_plain_if_jansson_reads_them_and_they_have_no_escape),
        cmocka_unit_test(strings_must_be_utf8_wherever_the_bytes_stand),
        cmocka_unit_test(a_string_that_does_not_end_is_not_plain),
        cmocka_unit_test(white_space_stands_before_what_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
