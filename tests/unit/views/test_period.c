/* The second opinions: the C library's calendar, over the 400 years after which the Gregorian one repeats;
 * and tests/data/periods.json, which the Python model made (tests/model/test_period_cases.py). */
#include "views/period.h"

#include <time.h>

#include "tests/unit/support/test.h"

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS, CYCLE_DAYS = 146097 };
static const int64_t year_1600_ms = -11676096000000, year_0_ms = -62167219200000, last_ms = 253402300799999;

static const enum period_kind kinds[] = {PERIOD_HOUR, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH};

static struct period at(const char *name) {
    struct period p;
    if (!period_parse(name, &p))
        fail_msg("'%s' is no period", name);
    return p;
}

static void assert_named(struct period p, const char *expected) {
    char name[PERIOD_TEXT_SIZE];
    if (strcmp(period_format(p, name), expected) != 0)
        fail_msg("it is '%s', not '%s'", name, expected);
}

static bool is_same(struct period a, struct period b) {
    return a.kind == b.kind && a.start_ms == b.start_ms;
}

/* As the C library names them. */
static void name_day(int64_t time_ms, char names[PERIOD_KINDS][PERIOD_TEXT_SIZE]) {
    time_t seconds = (time_t)(time_ms / 1000 - (time_ms % 1000 < 0));
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(names[PERIOD_HOUR], PERIOD_TEXT_SIZE, "%Y-%m-%dT%H", &tm);
    strftime(names[PERIOD_DAY], PERIOD_TEXT_SIZE, "%Y-%m-%d", &tm);
    strftime(names[PERIOD_WEEK], PERIOD_TEXT_SIZE, "%G-W%V", &tm);
    strftime(names[PERIOD_MONTH], PERIOD_TEXT_SIZE, "%Y-%m", &tm);
}

/* A moment of each day, a different one each time; and both neighbours of a period's edges. */
static void every_day_of_400_years_lies_in_the_periods_of_the_c_library(void **state) {
    (void)state;
    for (int64_t day = 0; day < CYCLE_DAYS; day++) {
        char names[PERIOD_KINDS][PERIOD_TEXT_SIZE];
        int64_t time_ms = year_1600_ms + day * DAY_MS + day * 7919 % DAY_MS;
        name_day(time_ms, names);
        for (size_t i = 0; i < COUNT(kinds); i++) {
            struct period p = period_of(kinds[i], time_ms);
            assert_named(p, names[kinds[i]]);
            if (!is_same(at(names[kinds[i]]), p))
                fail_msg("'%s' is another period", names[kinds[i]]);
            assert_true(p.start_ms <= time_ms && time_ms < period_end_ms(p));
            assert_true(is_same(period_of(kinds[i], p.start_ms), p));
            assert_true(is_same(period_of(kinds[i], period_end_ms(p) - 1), p));
            assert_true(is_same(period_of(kinds[i], period_end_ms(p)), period_next(p)));
            assert_true(is_same(period_of(kinds[i], p.start_ms - 1), period_previous(p)));
        }
    }
}

static void check_case(void **state) {
    const json_t *one = *state, *expect = json_object_get(one, "periods");
    int64_t time_ms = json_integer_value(json_object_get(one, "time"));
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const json_t *pair = json_object_get(expect, period_kind_name(kinds[i]));
        struct period p = period_of(kinds[i], time_ms);
        assert_named(p, json_string_value(json_array_get(pair, 0)));
        assert_int_equal(period_expires_ms(p), json_integer_value(json_array_get(pair, 1)) * 1000);
    }
}

static void the_years_0000_and_9999_are_the_first_and_the_last(void **state) {
    (void)state;
    const char *const first[] = {"0000-01-01T00", "0000-01-01", "0000-W01", "0000-01"}, *const last[] = {
                                                                                            "9999-12-31T23",
                                                                                            "9999-12-31",
                                                                                            "9999-W52",
                                                                                            "9999-12"};
    const struct period none = {0};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        assert_named(period_of(kinds[i], year_0_ms), first[i]);
        assert_named(period_of(kinds[i], year_0_ms - 1), first[i]);
        assert_named(period_of(kinds[i], INT64_MIN), first[i]);
        assert_named(period_of(kinds[i], last_ms), last[i]);
        assert_named(period_of(kinds[i], INT64_MAX), last[i]);
        assert_true(is_same(period_previous(at(first[i])), none));
        assert_true(is_same(period_next(at(last[i])), none));
        assert_true(period_end_ms(at(last[i])) > last_ms);
    }
}

static void all_time_has_no_end_and_no_neighbours(void **state) {
    (void)state;
    const struct period all = {0};
    assert_true(is_same(period_of(PERIOD_ALL_TIME, 12345), all));
    assert_true(is_same(period_next(all), all));
    assert_true(is_same(period_previous(all), all));
    assert_int_equal(period_end_ms(all), INT64_MAX);
    assert_int_equal(period_expires_ms(all), INT64_MAX);
    assert_named(all, "");
}

static void what_is_no_name_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "2026",
        "2026-00",
        "2026-13",
        "2026-1",
        "2026-02-29",
        "2026-02-30",
        "2026-11-31",
        "2026-11-00",
        "2026-11-29T24",
        "2026-11-29T1",
        "2026-11-29 14",
        "2026-W00",
        "2026-W54",
        "2027-W53",
        "9999-W53",
        "2026-w48",
        "2026-W4",
        "2026-11-29x",
        "-2026-11",
        "12026-11",
        "2026-11-29T14:00",
        "day:previous",
        "2100-02-29",
    };
    struct period p;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (period_parse(texts[i], &p))
            fail_msg("'%s' is a period", texts[i]);
}

static void years_that_end_in_week_53_and_leap_days_have_their_names(void **state) {
    (void)state;
    assert_named(period_next(at("2026-W53")), "2027-W01");
    assert_named(period_previous(at("2021-W01")), "2020-W53");
    assert_named(period_next(at("2025-W52")), "2026-W01");
    assert_named(period_next(at("2024-02-28")), "2024-02-29");
    assert_named(period_next(at("2100-02-28")), "2100-03-01");
    assert_named(period_next(at("2026-12-31T23")), "2027-01-01T00");
    assert_named(period_previous(at("2026-01")), "2025-12");
}

static void kinds_and_sets_of_kinds_have_names(void **state) {
    (void)state;
    enum period_kind kind;
    unsigned set;
    char text[PERIOD_SET_TEXT_SIZE];
    for (size_t i = 0; i < COUNT(kinds); i++) {
        assert_true(period_kind_from_name(period_kind_name(kinds[i]), &kind));
        assert_int_equal(kind, kinds[i]);
    }
    assert_false(period_kind_from_name("", &kind));
    assert_false(period_kind_from_name("year", &kind));
    for (unsigned all = 0; all < 1U << PERIOD_KINDS; all += 2) {
        assert_true(period_set_parse(period_set_format(all, text), &set));
        assert_int_equal(set, all);
    }
    assert_true(period_set_parse("month,hour", &set));
    assert_string_equal(period_set_format(set, text), "hour,month");
    static const char *const wrong[] = {"", "year", "day,", ",day", "day,day", "day,none", "day week", "Day"};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(period_set_parse(wrong[i], &set));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_400_years_lies_in_the_periods_of_the_c_library),
        cmocka_unit_test(the_years_0000_and_9999_are_the_first_and_the_last),
        cmocka_unit_test(all_time_has_no_end_and_no_neighbours),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(years_that_end_in_week_53_and_leap_days_have_their_names),
        cmocka_unit_test(kinds_and_sets_of_kinds_have_names),
    };
    int failed = support_run_cases("tests/data/periods.json", check_case);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
