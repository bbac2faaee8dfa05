#include "base/clock.h"

#include <inttypes.h>

#include "tests/unit/support/test.h"

static const struct {
    const char *text;
    int64_t ms;
} times[] = {
    {"1970-01-01T00:00:00.000Z", 0},
    {"1970-01-01T00:00:00.001Z", 1},
    {"1969-12-31T23:59:59.999Z", -1},
    {"1969-12-31T00:00:00.000Z", -86400000},
    {"2000-02-29T12:00:00.000Z", 951825600000},
    {"2024-02-29T23:59:59.999Z", 1709251199999},
    {"2024-03-01T00:00:00.000Z", 1709251200000},
    {"2026-11-23T04:36:00.123Z", 1795408560123},
    {"1900-02-28T23:59:59.999Z", -2203891200001},
    {"1900-03-01T00:00:00.000Z", -2203891200000},
    {"2100-03-01T00:00:00.000Z", 4107542400000},
    {"0000-01-01T00:00:00.000Z", -62167219200000},
    {"9999-12-31T23:59:59.999Z", 253402300799999},
};

static bool parse(const char *text, int64_t *ms) {
    return clock_parse(text, strlen(text), ms);
}

static void known_times_are_formatted_and_parsed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(times); i++) {
        char text[CLOCK_TEXT_SIZE];
        int64_t ms;
        assert_string_equal(clock_format(times[i].ms, text), times[i].text);
        assert_true(parse(times[i].text, &ms));
        assert_int_equal(ms, times[i].ms);
    }
}

static void every_time_is_parsed_from_its_text(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int i = 0; i < 100000; i++) {
        char text[CLOCK_TEXT_SIZE];
        uint64_t bits = (uint64_t)support_random(&random) << 32 | support_random(&random);
        int64_t ms = -62167219200000 + (int64_t)(bits % (253402300800000 + 62167219200000)), again;
        clock_format(ms, text);
        if (!parse(text, &again) || again != ms)
            fail_msg("%" PRId64 " became %s", ms, text);
    }
}

static void times_outside_four_digit_years_are_clamped(void **state) {
    (void)state;
    char text[CLOCK_TEXT_SIZE];
    assert_string_equal(clock_format(253402300800000, text), "9999-12-31T23:59:59.999Z");
    assert_string_equal(clock_format(INT64_MAX, text), "9999-12-31T23:59:59.999Z");
    assert_string_equal(clock_format(-62167219200001, text), "0000-01-01T00:00:00.000Z");
    assert_string_equal(clock_format(INT64_MIN, text), "0000-01-01T00:00:00.000Z");
}

static void every_form_of_rfc_3339_is_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } forms[] = {
        {"2026-11-23T04:36:00Z", 1795408560000},
        {"2026-11-23t04:36:00z", 1795408560000},
        {"2026-11-23T04:36:00.1Z", 1795408560100},
        {"2026-11-23T04:36:00.12Z", 1795408560120},
        {"2026-11-23T04:36:00.1239999Z", 1795408560123},
        {"2026-11-23T04:36:00.000000000001Z", 1795408560000},
        {"2026-11-23T06:36:00+02:00", 1795408560000},
        {"2026-11-22T23:06:00-05:30", 1795408560000},
        {"2026-11-23T04:36:00-00:00", 1795408560000},
        {"2026-11-23T04:36:00+00:00", 1795408560000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"2016-12-31T15:59:60.500-08:00", 1483228800500},
        {"1970-01-01T23:59:00+23:59", 0},
        {"1969-12-31T00:01:00-23:59", 0},
        {"0000-01-01T00:00:00+23:59", -62167305540000},
        {"9999-12-31T23:59:60-23:59", 253402387140000},
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        int64_t ms;
        print_message("%s\n", forms[i].text);
        assert_true(parse(forms[i].text, &ms));
        assert_int_equal(ms, forms[i].ms);
    }
}

static void a_day_that_its_month_does_not_have_is_refused(void **state) {
    (void)state;
    static const char *const right[] = {"2024-02-29", "2000-02-29", "2023-02-28", "2023-04-30", "2023-12-31"};
    static const char *const wrong[] = {"2023-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "2023-04-31",
                                        "2023-00-01", "2023-13-01", "2023-01-00", "2023-01-32"};
    char text[32];
    int64_t ms;
    for (size_t i = 0; i < COUNT(right); i++) {
        snprintf(text, sizeof text, "%sT00:00:00Z", right[i]);
        assert_true(parse(text, &ms));
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        print_message("%s\n", wrong[i]);
        snprintf(text, sizeof text, "%sT00:00:00Z", wrong[i]);
        assert_false(parse(text, &ms));
    }
}

static void text_that_is_not_an_rfc_3339_time_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026-11-23",
        "2026-11-23T04:36:00",
        "2026-11-23T04:36Z",
        "2026-11-23 04:36:00Z",
        " 2026-11-23T04:36:00Z",
        "2026-11-23T04:36:00Z ",
        "2026-11-23T04:36:00ZZ",
        "2026-11-23T04:36:00.Z",
        "2026-11-23T04:36:00,5Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T04:60:00Z",
        "2026-11-23T04:36:61Z",
        "2026-11-23T04:36:00+24:00",
        "2026-11-23T04:36:00+02:60",
        "2026-11-23T04:36:00+0200",
        "2026-11-23T04:36:00+02",
        "2026-11-23T04:36:00+2:00",
        "26-11-23T04:36:00Z",
        "+2026-11-23T04:36:00Z",
        "-2026-11-23T04:36:00Z",
        "12026-11-23T04:36:00Z",
        "2026-1-23T04:36:00Z",
        "2026-11-23T4:36:00Z",
        "20261123T043600Z",
        "2026/11/23T04:36:00Z",
        "2026-11-23T04:36:-1Z",
        "1795408560123",
        "Mon, 23 Nov 2026 04:36:00 GMT",
        "\xd9\xa2\xd9\xa0\xd9\xa2\xd9\xa6-11-23T04:36:00Z",
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        int64_t ms;
        print_message("'%s'\n", wrong[i]);
        assert_false(parse(wrong[i], &ms));
    }
    int64_t ms;
    assert_false(clock_parse("2026-11-23T04:36:00Z\0", 21, &ms));
    assert_false(clock_parse("2026-11-23T04:36:00Z", 19, &ms)); /* the Z is outside the given length */
}

static void the_boot_clock_never_decreases(void **state) {
    (void)state;
    int64_t ms = clock_boot_ms(), us = clock_boot_us();
    assert_true(us >= ms * 1000);
    assert_true(clock_boot_us() >= us);
    assert_true(clock_real_ms() > 1600000000000); /* in milliseconds, since the epoch */
}

static void http_dates_are_written_in_the_preferred_form(void **state) {
    (void)state;
    char text[CLOCK_TEXT_SIZE];
    assert_string_equal(clock_format_http(784111777999, text), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(clock_format_http(0, text), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(clock_format_http(1709251199000, text), "Thu, 29 Feb 2024 23:59:59 GMT");
}

static void http_dates_are_read_in_the_preferred_form_only(void **state) {
    (void)state;
    int64_t time_ms;
    assert_true(clock_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &time_ms));
    assert_int_equal(time_ms, 784111777000);
    assert_true(clock_parse_http("Thu, 29 Feb 2024 23:59:60 GMT", &time_ms));
    assert_int_equal(time_ms, 1709251200000);
    static const char *const wrong[] = {
        "",
        "784111777",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        print_message("%s\n", wrong[i]);
        assert_false(clock_parse_http(wrong[i], &time_ms));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_dates_are_written_in_the_preferred_form),
        cmocka_unit_test(http_dates_are_read_in_the_preferred_form_only),
        cmocka_unit_test(known_times_are_formatted_and_parsed),
        cmocka_unit_test(every_time_is_parsed_from_its_text),
        cmocka_unit_test(times_outside_four_digit_years_are_clamped),
        cmocka_unit_test(every_form_of_rfc_3339_is_read),
        cmocka_unit_test(a_day_that_its_month_does_not_have_is_refused),
        cmocka_unit_test(text_that_is_not_an_rfc_3339_time_is_refused),
        cmocka_unit_test(the_boot_clock_never_decreases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
