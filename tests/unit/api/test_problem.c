#include "tests/unit/support/api.h"

#include "api/problem.h"

static struct answer *made;

static json_t *json_of(const struct problem *p) {
    answer_unref(made);
    made = problem_answer(p);
    json_t *json = json_loadb(made->body->data, made->body->length, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "status")), made->status);
    assert_string_equal(made->content_type, "application/problem+json");
    assert_string_equal(made->cache_control, "no-store");
    assert_false(made->value.keep);
    return json;
}

static void each_type_of_problem_has_its_status_and_retry_after(void **state) {
    (void)state;
    static const struct {
        enum problem_type type;
        const char *code;
        unsigned status;
        bool retry;
    } cases[] = {
        {PROBLEM_INVALID_PARAMETER, "invalid-parameter", 400, false},
        {PROBLEM_MALFORMED_REQUEST, "malformed-request", 400, false},
        {PROBLEM_NOT_FOUND, "not-found", 404, false},
        {PROBLEM_METHOD_NOT_ALLOWED, "method-not-allowed", 405, false},
        {PROBLEM_VIEW_NOT_READY, "view-not-ready", 503, true},
        {PROBLEM_TOO_STALE, "too-stale", 412, true},
        {PROBLEM_STORE_UNAVAILABLE, "store-unavailable", 503, true},
        {PROBLEM_OVERLOADED, "overloaded", 503, true},
        {PROBLEM_CONTENT_TOO_LARGE, "content-too-large", 413, false},
        {PROBLEM_URI_TOO_LONG, "uri-too-long", 414, false},
        {PROBLEM_HEADERS_TOO_LARGE, "headers-too-large", 431, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct problem p;
        problem_set(&p, cases[i].type, "because of %d", 7);
        json_t *json = json_of(&p);
        char type[64];
        snprintf(type, sizeof type, "/openapi.yaml#/components/x-problems/%s", cases[i].code);
        assert_string_equal(json_string_value(json_object_get(json, "type")), type);
        assert_string_equal(json_string_value(json_object_get(json, "code")), cases[i].code);
        assert_string_equal(json_string_value(json_object_get(json, "detail")), "because of 7");
        assert_null(json_object_get(json, "parameter"));
        assert_int_equal(made->status, cases[i].status);
        assert_int_equal(made->retry_after_s > 0, cases[i].retry);
        json_decref(json);
    }
}

static void a_bad_parameter_is_reported_with_its_value_and_the_allowed_values(void **state) {
    (void)state;
    struct problem p;
    problem_set_parameter(&p, "limit", "a \"quote\"\n", "1 to 100");
    json_t *json = json_of(&p);
    assert_string_equal(json_string_value(json_object_get(json, "parameter")), "limit");
    assert_string_equal(json_string_value(json_object_get(json, "given")), "a \"quote\"\n");
    assert_string_equal(json_string_value(json_object_get(json, "allowed")), "1 to 100");
    json_decref(json);
}

static void a_long_value_in_a_problem_is_cut_between_code_points(void **state) {
    (void)state;
    char given[1024] = "x";
    for (size_t i = 1; i < 1000; i += 2)
        memcpy(given + i, "ä", 3);
    struct problem p;
    problem_set_parameter(&p, given, given, "less");
    json_t *json = json_of(&p);
    assert_int_equal(strlen(json_string_value(json_object_get(json, "given"))), 255);
    json_decref(json);
}

static void a_problem_with_a_value_that_is_not_utf8_is_valid_json(void **state) {
    (void)state;
    struct problem p;
    problem_set_parameter(&p, "li\xffmit", "\xff\xfe", "UTF-8");
    json_t *json = json_of(&p);
    assert_string_equal(json_string_value(json_object_get(json, "given")), "\xef\xbf\xbd");
    json_decref(json);
}

static int teardown(void **state) {
    (void)state;
    answer_unref(made);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_of_problem_has_its_status_and_retry_after),
        cmocka_unit_test(a_bad_parameter_is_reported_with_its_value_and_the_allowed_values),
        cmocka_unit_test(a_long_value_in_a_problem_is_cut_between_code_points),
        cmocka_unit_test(a_problem_with_a_value_that_is_not_utf8_is_valid_json),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
