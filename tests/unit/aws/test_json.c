#include "aws/json.h"

#include <string.h>

#include "base/mem.h"
#include "tests/unit/support/test.h"

/* In a block of its own, for the address sanitizer. */
static json_t *read_plain(const char *text, size_t length) {
    _cleanup_(mem_freep) char *data = mem_dup(text, length);
    return aws_json_read_plain(data, length);
}

static json_t *judge(const char *text, size_t length) {
    return json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

static void what_services_write_is_plain_and_read_as_jansson_reads_it(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        " {\r\n} \t",
        "{\"ConsumedCapacity\":{\"TableName\":\"live-Scores\",\"CapacityUnits\":3.0}}",
        "{\"Items\":[{\"n\":{\"N\":\"-1\"}},{}],\"Count\":2,\"ok\":true,\"no\":false,\"key\":null}",
        "{\"Records\":[{\"Data\":\"e30=\",\"ApproximateArrivalTimestamp\":1.795408560934E9}],"
        "\"MillisBehindLatest\":0}",
        "[0,-0,-0.0,0.5,-12.25,999999999999999999,-999999999999999999,1.7976931348623157,[],[[]]]",
        "{\"a\":1,\"a\":{\"a\":2},\"\":\"\",\"l\xc3\xa4mp\":\"\xf0\x9f\x98\x80\"}",
        "[1e3,1.5E3,-2.5e-3,0e+0,{\"a\":1e300}]",
        "\"a\"",
        " true",
        "7",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_auto_t *plain = read_plain(texts[i], strlen(texts[i]));
        json_auto_t *judged = judge(texts[i], strlen(texts[i]));
        _cleanup_(mem_freep) char *text = plain ? json_dumps(plain, JSON_ENCODE_ANY) : NULL;
        _cleanup_(mem_freep) char *expected = json_dumps(judged, JSON_ENCODE_ANY);
        if (!text || strcmp(text, expected) != 0)
            fail_msg("%s: %s", texts[i], text ? text : "not plain");
    }
}

static void whatever_is_not_plain_is_left_to_jansson(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"a\":\"\\u0000\"}",
        "{\"\\u0041\":1}",
        "1000000000000000000",
        "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}}}}}}}}}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_auto_t *plain = read_plain(texts[i], strlen(texts[i]));
        json_auto_t *read = aws_json_read(texts[i], strlen(texts[i]));
        json_auto_t *judged = judge(texts[i], strlen(texts[i]));
        assert_null(plain);
        assert_true(judged && json_equal(read, judged));
    }
}

static void what_is_no_json_is_never_read(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "1e",
        "1e+",
        "1.e3",
        "1e400",
        "{",
        "{\"",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "{\"a\":1 \"b\":2}",
        "{}}",
        "{} x",
        "[",
        "[,]",
        "[1",
        "[1,",
        "[1,]",
        "[1 2]",
        "]",
        "tru",
        "trues",
        "nul",
        "fals",
        "+1",
        "-",
        "01",
        "-01",
        "1.",
        ".5",
        "1.e1",
        "0x1",
        "1_",
        "NaN",
        "'a'",
        "\xef\xbb\xbf{}",
        "{}\f",
        "{\"a\":\"\xff\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_auto_t *plain = read_plain(texts[i], strlen(texts[i]));
        json_auto_t *read = aws_json_read(texts[i], strlen(texts[i]));
        json_auto_t *judged = judge(texts[i], strlen(texts[i]));
        if (plain || read || judged)
            fail_msg("read: %s", texts[i]);
    }
    assert_null(read_plain("{}", 3)); /* NUL */
}

static void what_is_written_is_what_jansson_writes(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"TableName\":\"live-Scores\",\"Key\":{\"userId\":{\"S\":\"mia\"}},\"Limit\":100,"
        "\"ConsistentRead\":true}",
        "[\"\",\"\\\"\\\\\\/"
        "\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\",\"l\xc3\xa4mp\\ud83d\\ude00\",1,-0.5,1795408560.934,null,"
        "false]",
        "{\"a\\u0001b\\n\":[[{\"\":[]}],{\"b\":{}}]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t length;
        json_auto_t *value = judge(texts[i], strlen(texts[i]));
        _cleanup_(mem_freep) char *text = aws_json_write(value, &length);
        _cleanup_(mem_freep) char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        assert_string_equal(text, expected);
        assert_int_equal(length, strlen(expected));
    }
}

static void each_character_is_escaped_as_jansson_escapes_it(void **state) {
    (void)state;
    for (int c = 0; c < 128; c++)
        for (int before = 0; before < 9; before++) {
            char text[16] = "abcdefgh";
            size_t length;
            text[before] = (char)c;
            json_auto_t *value = json_stringn(text, (size_t)before + 1);
            _cleanup_(mem_freep) char *written = aws_json_write(value, &length);
            _cleanup_(mem_freep) char *expected = json_dumps(value, JSON_ENCODE_ANY);
            assert_string_equal(written, expected);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_services_write_is_plain_and_read_as_jansson_reads_it),
        cmocka_unit_test(whatever_is_not_plain_is_left_to_jansson),
        cmocka_unit_test(what_is_no_json_is_never_read),
        cmocka_unit_test(what_is_written_is_what_jansson_writes),
        cmocka_unit_test(each_character_is_escaped_as_jansson_escapes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
