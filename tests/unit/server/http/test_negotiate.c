#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/http/negotiate.h"

/* Which bodies are compressed. */
enum outcome { NEVER, IF_LARGE, ALWAYS };

static enum outcome outcome_of(const char *first, const char *second) {
    struct negotiate_codings codings = NEGOTIATE_CODINGS;
    if (first)
        negotiate_codings_add(&codings, first);
    if (second)
        negotiate_codings_add(&codings, second);
    if (negotiate_gzip(&codings, false))
        return ALWAYS;
    return negotiate_gzip(&codings, true) ? IF_LARGE : NEVER;
}

struct codings_case {
    const char *value;
    enum outcome expected;
};

static void check_codings(const struct codings_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (outcome_of(cases[i].value, NULL) != cases[i].expected)
            fail_msg("'%s': %d, not %d", cases[i].value, outcome_of(cases[i].value, NULL), cases[i].expected);
}
#define CHECK_CODINGS(cases) check_codings(cases, sizeof(cases) / sizeof *(cases))

static void a_large_body_is_compressed_if_gzip_is_accepted(void **state) {
    (void)state;
    static const struct codings_case cases[] = {
        {"gzip", IF_LARGE},
        {"GZip", IF_LARGE},
        {"x-gzip", IF_LARGE},
        {"gzip, deflate, br, zstd", IF_LARGE}, /* from a browser */
        {"br;q=1.0, gzip;q=0.8, *;q=0.1", IF_LARGE},
        {"gzip;q=0.001", IF_LARGE},
        {"*", IF_LARGE},
        {" \t, ,gzip\t;\tQ=1.000 ,", IF_LARGE},
        {"gzip;q=0.5, identity;q=0.5", IF_LARGE},
        {"identity;q=0.4, gzip;q=0.5", IF_LARGE},
    };
    CHECK_CODINGS(cases);
    assert_int_equal(outcome_of("br", "gzip"), IF_LARGE); /* two headers are one list */
}

static void gzip_is_not_sent_if_it_is_refused_or_has_less_weight_than_plain(void **state) {
    (void)state;
    static const struct codings_case cases[] = {
        {"", NEVER},
        {"br", NEVER},
        {"identity", NEVER},
        {"gzip;q=0", NEVER},
        {"gzip;q=0.000", NEVER},
        {"gzip;q=0, *", NEVER},
        {"*;q=0", NEVER},
        {"identity, *;q=0", NEVER},
        {"gzip;q=0.5, identity", NEVER},
        {"gzip;q=0.5, *;q=0.8", NEVER}, /* identity is among the rest */
        {"gzipped", NEVER},
        {"gzi", NEVER},
        {"identity;q=0", NEVER}, /* it names no other coding, so the plain form is sent */
    };
    CHECK_CODINGS(cases);
    assert_int_equal(outcome_of(NULL, NULL), NEVER);
}

static void a_small_body_is_compressed_only_if_plain_is_refused(void **state) {
    (void)state;
    static const struct codings_case cases[] = {
        {"gzip, identity;q=0", ALWAYS},
        {"gzip;q=0.1, *;q=0", ALWAYS},
        {"*, identity;q=0.0", ALWAYS},
    };
    CHECK_CODINGS(cases);
    assert_int_equal(outcome_of("identity;q=0", "gzip"), ALWAYS);
}

static void a_malformed_element_of_accept_encoding_is_ignored_and_the_rest_is_read(void **state) {
    (void)state;
    static const struct codings_case cases[] = {
        {"gzip;q=", NEVER},
        {"gzip;q=2", NEVER},
        {"gzip;q=1.001", NEVER},
        {"gzip;q=0.1234", NEVER},
        {"gzip;q=.5", NEVER},
        {"gzip;q=-1", NEVER},
        {"gzip;level=9", NEVER},
        {"gzip;q=1;q=1", NEVER},
        {"gzip deflate", NEVER},
        {"gzip;", NEVER},
        {";q=1", NEVER},
        {";;;===,,,gzip", IF_LARGE},
        {"identity;q=x, gzip", IF_LARGE},
        {"deflate;q=9, gzip", IF_LARGE},
    };
    CHECK_CODINGS(cases);
}

/* Two lines at most; NULL: it is not there. */
static bool matches(const char *first, const char *second, const char *etag) {
    struct negotiate_match match = {0};
    if (first)
        negotiate_match_add(&match, first, etag);
    if (second)
        negotiate_match_add(&match, second, etag);
    return negotiate_matches(&match);
}

static void an_etag_is_found_in_the_list_that_names_it(void **state) {
    (void)state;
    static const char *const values[][2] = {
        {"\"a-1\""},
        {"W/\"a-1\""},
        {"  W/\"a-1\"\t"},
        {"\"x\", \"a-1\""},
        {"\"x\",W/\"a-1\""},
        {", ,\"x\" , \"a-1\",,"},
        {"*"},
        {" *\t"},
        {"W/\"b,c\",\"a-1\""},         /* a comma is allowed in one */
        {"\"\xc3\xa9\xff\", \"a-1\""}, /* so are these (obs-text) */
        {"\"\", \"a-1\""},
        {"\"!#$%&'()*+-./:;<=>?@[\\]^_`{|}~\",\"a-1\""},
        {"\"x\"", "\"a-1\""},
        {"\"a-1\"", "\"x\""},
        {"", "\"a-1\""},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (!matches(values[i][0], values[i][1], "W/\"a-1\"") ||
            !matches(values[i][0], values[i][1], "\"a-1\""))
            fail_msg("'%s' does not match", values[i][0]);
}

static void an_etag_is_not_found_where_it_is_not_named(void **state) {
    (void)state;
    static const char *const values[] = {
        "", ",", "\"\"", "\"a-2\"", "\"a-11\"", "\"a-\"", "\"A-1\"", "W/\"a-2\", \"b\"", "\"W/a-1\"", "\"*\"",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (matches(values[i], NULL, "W/\"a-1\""))
            fail_msg("'%s' matches", values[i]);
    assert_false(matches(NULL, NULL, "W/\"a-1\""));
}

static void a_malformed_if_none_match_is_ignored_whole(void **state) {
    (void)state;
    static const char *const values[][2] = {
        {"\"a-1"},
        {"a-1"},
        {"W/a-1"},
        {"W/ \"a-1\""},
        {"w/\"a-1\""},
        {"W\"a-1\""},
        {"\"a-1\" \"x\""},
        {"\"a-1\"\"x\""},
        {"\"a-1\"; \"x\""},
        {"\"a-1\", x"},
        {"\"a-1\", \"x"},
        {"\"a-1\", \"b c\""},
        {"\"a-1\", \"b\tc\""},
        {"\"a-1\", \"b\x7f\""},
        {"x, \"a-1\""},
        {"\"x\" y \"a-1\""},
        {"\"x, \\\"a-1\\\"\""},
        {"**"},
        {"*a"},
        {"*, *"},
        {"*,"},
        {"*, \"a-1\""},
        {"\"a-1\", *"},
        {"W/*"},
        {"*", "*"},
        {"*", "\"a-1\""},
        {"\"a-1\"", "*"},
        {"\"a-1\"", "x"},
        {"x", "\"a-1\""},
        {"", "*"},
        {"*", ""},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (matches(values[i][0], values[i][1], "W/\"a-1\""))
            fail_msg("'%s', '%s' matches", values[i][0], values[i][1] ? values[i][1] : "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_body_is_compressed_if_gzip_is_accepted),
        cmocka_unit_test(gzip_is_not_sent_if_it_is_refused_or_has_less_weight_than_plain),
        cmocka_unit_test(a_small_body_is_compressed_only_if_plain_is_refused),
        cmocka_unit_test(a_malformed_element_of_accept_encoding_is_ignored_and_the_rest_is_read),
        cmocka_unit_test(an_etag_is_found_in_the_list_that_names_it),
        cmocka_unit_test(an_etag_is_not_found_where_it_is_not_named),
        cmocka_unit_test(a_malformed_if_none_match_is_ignored_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
