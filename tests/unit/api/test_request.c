#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "api/request.h"

static struct request request;
static struct problem problem;

static bool parse(const char *target) {
    return request_parse(&request, target, strlen(target), &problem);
}

static void assert_refused(const char *target, const char *parameter) {
    assert_false(parse(target));
    assert_int_equal(problem.type, PROBLEM_INVALID_PARAMETER);
    assert_string_equal(problem.parameter, parameter);
}

static void a_path_is_split_before_it_is_decoded(void **state) {
    (void)state;
    assert_true(parse("/contributions/a%2Fb%3fc%26d"));
    assert_int_equal(request.n_segments, 2);
    assert_string_equal(request.segments[0], "contributions");
    assert_string_equal(request.segments[1], "a/b?c&d");
}

static void escapes_are_decoded_once_and_a_plus_is_kept(void **state) {
    (void)state;
    assert_true(parse("/%2541/+?x=%2525+%20"));
    assert_string_equal(request.segments[0], "%41");
    assert_string_equal(request.segments[1], "+");
    assert_string_equal(request_parameter(&request, "x"), "%25+ ");
}

static void the_root_path_has_no_segments_and_empty_segments_count(void **state) {
    (void)state;
    assert_true(parse("/"));
    assert_int_equal(request.n_segments, 0);
    assert_true(parse("/?limit=1"));
    assert_int_equal(request.n_segments, 0);
    assert_true(parse("/scores/"));
    assert_int_equal(request.n_segments, 2);
    assert_string_equal(request.segments[1], "");
    assert_true(parse("/a/b/c/d/e/f/g"));
    assert_int_equal(request.n_segments, REQUEST_SEGMENTS + 1);
}

static void an_absolute_target_is_read_like_its_path(void **state) {
    (void)state;
    assert_true(parse("http://example.com:80/scores/merchant?limit=3"));
    assert_int_equal(request.n_segments, 2);
    assert_string_equal(request.segments[1], "merchant");
    assert_string_equal(request_parameter(&request, "limit"), "3");
    assert_true(parse("HTTPS://example.com"));
    assert_int_equal(request.n_segments, 0);
    assert_true(parse("http://example.com?limit=3"));
    assert_int_equal(request.n_segments, 0);
    for (const char *const *other = (const char *const[]){"*", "?", "?limit=3", "scores", "", NULL}; *other;
         other++) {
        assert_true(parse(*other));
        assert_int_equal(request.n_segments, REQUEST_SEGMENTS + 1);
    }
}

static void invalid_escapes_nul_and_invalid_utf8_are_refused(void **state) {
    (void)state;
    static const char *const paths[] = {"/%",     "/%4",  "/%zz",    "/a%0",       "/%00",
                                        "/a%00b", "/%ff", "/%c0%80", "/%ed%a0%80", "/x/%f5%80%80%80",
                                        "/\xff"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_refused(paths[i], "path");
    assert_refused("/x?%zz=1", "query");
    assert_refused("/x?limit=%00", "limit");
    assert_refused("/x?limit=%e4", "limit");
    assert_true(parse("/%e2%82%ac?%e2%82%ac=%F0%9F%99%82"));
    assert_string_equal(request.segments[0], "€");
}

static void a_parameter_given_twice_is_refused(void **state) {
    (void)state;
    assert_refused("/x?limit=1&limit=1", "limit");
    assert_refused("/x?limit=1&l%69mit=2", "limit");
    assert_true(parse("/x?&a=1&&b&"));
    assert_int_equal(request.n_parameters, 2);
    assert_string_equal(request_parameter(&request, "b"), "");
}

static void more_parameters_than_the_limit_are_refused(void **state) {
    (void)state;
    char target[16 * (LIMIT_PARAMETERS + 2)] = "/x?p0";
    for (int i = 1; i < LIMIT_PARAMETERS; i++)
        snprintf(target + strlen(target), 16, "&p%d=", i);
    assert_true(parse(target));
    strcat(target, "&last");
    assert_refused(target, "last");
}

static void an_unknown_parameter_is_refused_with_the_allowed_ones(void **state) {
    (void)state;
    static const char *const names[] = {"limit", "role", NULL}, *const none[] = {NULL};
    assert_true(parse("/scores?role=creator&limit=2"));
    assert_true(request_allows(&request, names, &problem));
    assert_true(parse("/scores?Limit=2"));
    assert_false(request_allows(&request, names, &problem));
    assert_string_equal(problem.parameter, "Limit");
    assert_string_equal(problem.given, "2");
    assert_string_equal(problem.allowed, "limit, role");
    assert_false(request_allows(&request, none, &problem));
    assert_string_equal(problem.allowed, "no parameters");
}

static void a_count_is_plain_digits_within_its_bounds(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",   "0",  "101", "-1", "+1",  "1.0",        "1e1",
        "01", " 1", "ten", "1x", "0x1", "4294967297", "99999999999999999999999"};
    unsigned value;
    assert_true(parse("/x"));
    assert_true(request_count(&request, "limit", 10, 100, &value, &problem));
    assert_int_equal(value, 10);
    assert_true(parse("/x?limit=100"));
    assert_true(request_count(&request, "limit", 10, 100, &value, &problem));
    assert_int_equal(value, 100);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char target[64] = "/x?limit=";
        strncat(target, bad[i], 40);
        assert_true(parse(target));
        assert_false(request_count(&request, "limit", 10, 100, &value, &problem));
        assert_string_equal(problem.given, bad[i]);
        assert_string_equal(problem.allowed, "1 to 100");
    }
}

static void assert_items(const char *value, const char *expected) {
    char target[256], items[REQUEST_ITEMS_SIZE];
    snprintf(target, sizeof target, "/x?first=1,2&ids=%s", value);
    assert_true(parse(target));
    assert_true(request_items(&request, "ids", 3, items, &problem));
    assert_string_equal(items, expected);
}

static void a_list_is_split_at_its_commas_before_its_items_are_decoded(void **state) {
    (void)state;
    assert_items("a", "a\xff");
    assert_items("a,b,c", "a\xff"
                          "b\xff"
                          "c\xff");
    assert_items("%2C,a%2Cb", ",\xff"
                              "a,b\xff");
    assert_items("%C3%A4,%252C&limit=1", "\xc3\xa4\xff%2C\xff");
}

static void a_list_with_an_empty_item_or_too_many_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"", ",", "a,", ",a", "a,,b", "a,b,c,d", "a,b,c,"};
    char items[REQUEST_ITEMS_SIZE];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char target[64] = "/x?ids=";
        strncat(target, bad[i], 40);
        assert_true(parse(target));
        assert_false(request_items(&request, "ids", 3, items, &problem));
        assert_string_equal(problem.parameter, "ids");
        assert_string_equal(problem.given, bad[i]);
    }
}

static void a_target_that_is_too_long_is_refused(void **state) {
    (void)state;
    static char target[LIMIT_URI_BYTES + 2];
    memset(target, '/', sizeof target - 1);
    assert_false(parse(target));
    assert_int_equal(problem.type, PROBLEM_URI_TOO_LONG);
    target[LIMIT_URI_BYTES] = '\0';
    assert_true(parse(target));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_split_before_it_is_decoded),
        cmocka_unit_test(escapes_are_decoded_once_and_a_plus_is_kept),
        cmocka_unit_test(the_root_path_has_no_segments_and_empty_segments_count),
        cmocka_unit_test(an_absolute_target_is_read_like_its_path),
        cmocka_unit_test(invalid_escapes_nul_and_invalid_utf8_are_refused),
        cmocka_unit_test(a_parameter_given_twice_is_refused),
        cmocka_unit_test(more_parameters_than_the_limit_are_refused),
        cmocka_unit_test(an_unknown_parameter_is_refused_with_the_allowed_ones),
        cmocka_unit_test(a_count_is_plain_digits_within_its_bounds),
        cmocka_unit_test(a_list_is_split_at_its_commas_before_its_items_are_decoded),
        cmocka_unit_test(a_list_with_an_empty_item_or_too_many_is_refused),
        cmocka_unit_test(a_target_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
