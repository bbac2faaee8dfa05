#include "tests/unit/test_api_support.h"

#define ANN "widget/merchant/100000001/Ann"
#define ANN_TARGET "/scores/widget%2Fmerchant%2F100000001%2FAnn"
#define ANN_RANK "/scores/merchant/widget%2Fmerchant%2F100000001%2FAnn"

static struct fixture f;

static int setup(void **state) {
    (void)state;
    struct api_options options = support_options();
    support_init(&f, &options, false);
    support_set_as_of(&f, clock_real_ms());
    scripted_store_set_score(f.store, ROLE_CREATOR, ANN, 1);
    scripted_store_set_contribution(f.store, "p", ANN, NULL, 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

static struct answer *ask(const char *method, const char *target, enum api_routes routes) {
    struct api_call call = {
        .method = method, .target = target, .target_length = strlen(target), .routes = routes};
    assert_true(api_handle(f.api, &call, clock_boot_ms()));
    return call.answer;
}

static void assert_asked(const char *method, const char *target, enum api_routes routes, unsigned status) {
    struct answer *answer = ask(method, target, routes);
    assert_int_equal(answer->status, status);
    answer_unref(answer);
}

static int64_t number(const char *target, const char *name) {
    struct got got = support_get(&f, target);
    int64_t value = json_integer_value(json_object_get(got.json, name));
    json_decref(got.json);
    return value;
}

static void what_is_asked_twice_is_read_once(void **state) {
    (void)state;
    struct got first = support_get(&f, ANN_TARGET), second = support_get(&f, ANN_TARGET);
    assert_int_equal(first.state, CACHE_LOADED);
    assert_int_equal(second.state, CACHE_FRESH);
    assert_true(json_equal(first.json, second.json));
    assert_int_equal(scripted_store_reads(f.store), 1);
    json_decref(first.json);
    json_decref(second.json);
}

static void rows_that_were_written_are_read_again(void **state) {
    (void)state;
    static const char *const products[] = {"p"}, *const users[] = {ANN};
    assert_int_equal(number("/contributions/p", "purchases"), 1);
    assert_int_equal(number(ANN_TARGET, "merchant"), 1);
    assert_int_equal(number(ANN_RANK, "score"), 1);
    scripted_store_set_contribution(f.store, "p", ANN, NULL, 2);
    scripted_store_set_score(f.store, ROLE_CREATOR, ANN, 2);
    assert_int_equal(number("/contributions/p", "purchases"), 1);
    api_rows_changed(f.api, products, 1, users, 1);
    assert_int_equal(number("/contributions/p", "purchases"), 2);
    assert_int_equal(number(ANN_TARGET, "merchant"), 2);
    assert_int_equal(number(ANN_RANK, "score"), 2);
}

static void a_product_that_was_not_there_is_found_once_it_was_written(void **state) {
    (void)state;
    static const char *const products[] = {"new"};
    struct got got = support_get(&f, "/contributions/new");
    assert_int_equal(got.status, 404);
    json_decref(got.json);
    scripted_store_set_contribution(f.store, "new", ANN, NULL, 3);
    api_rows_changed(f.api, products, 1, NULL, 0);
    assert_int_equal(number("/contributions/new", "purchases"), 3);
}

static void boards_are_read_again_in_the_background_after_a_write(void **state) {
    (void)state;
    struct got before = support_get(&f, "/scores/merchant");
    scripted_store_set_score(f.store, ROLE_CREATOR, ANN, 9);
    scripted_store_hold(f.store);
    api_rows_changed(f.api, NULL, 0, NULL, 0);
    assert_true(scripted_store_await_held(f.store, 1)); /* nobody has asked */
    struct got during = support_get(&f, "/scores/merchant");
    assert_int_equal(during.state, CACHE_FRESH);
    assert_true(json_equal(before.json, during.json));
    scripted_store_release(f.store);
    json_decref(before.json);
    json_decref(during.json);
}

static void a_store_that_fails_is_trouble_until_it_answers(void **state) {
    (void)state;
    scripted_store_fail(f.store, STATUS_RETRY);
    struct got got = support_get(&f, "/contributions/p");
    assert_int_equal(got.status, 503);
    assert_string_equal(json_string_value(json_object_get(got.json, "type")), "store-unavailable");
    assert_null(strstr(json_string_value(json_object_get(got.json, "detail")), "scripted"));
    json_decref(got.json);
    struct health_report report;
    health_read(f.health, &report);
    assert_int_equal(report.n_troubles, 1);
    assert_string_equal(report.troubles[0].name, "reads");
    health_report_deinit(&report);

    scripted_store_fail(f.store, STATUS_OK);
    assert_int_equal(number("/contributions/p", "purchases"), 1);
    health_read(f.health, &report);
    assert_int_equal(report.n_troubles, 0);
    health_report_deinit(&report);
}

static void other_methods_are_refused_with_what_is_allowed(void **state) {
    (void)state;
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "get", "TRACE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct answer *answer = ask(methods[i], "/scores/merchant", API_ALL);
        assert_int_equal(answer->status, 405);
        assert_string_equal(answer->allow, "GET, HEAD, OPTIONS");
        answer_unref(answer);
    }
    assert_asked("POST", "/nothing", API_ALL, 404);
    assert_int_equal(scripted_store_reads(f.store), 0);
}

static void options_say_what_is_allowed(void **state) {
    (void)state;
    struct answer *answer = ask("OPTIONS", "/contributions/p?whatever=1", API_ALL);
    assert_int_equal(answer->status, 204);
    assert_int_equal(answer->body->length, 0);
    assert_string_equal(answer->allow, "GET, HEAD, OPTIONS");
    answer_unref(answer);
}

static void an_address_serves_the_routes_that_it_is_for(void **state) {
    (void)state;
    assert_asked("GET", "/livez", API_ALL, 200);
    assert_asked("GET", "/livez", API_OPERATIONS, 200);
    assert_asked("GET", "/livez", API_PUBLIC, 404);
    assert_asked("GET", "/", API_PUBLIC, 200);
    assert_asked("GET", "/", API_OPERATIONS, 404);
    assert_asked("GET", "/scores/merchant", API_OPERATIONS, 404);
}

static void probes_answer_from_memory(void **state) {
    (void)state;
    scripted_store_fail(f.store, STATUS_FAILED);
    assert_asked("GET", "/livez", API_ALL, 200);
    assert_asked("GET", "/readyz", API_ALL, 200);
    assert_asked("GET", "/metrics", API_ALL, 200);
    assert_int_equal(scripted_store_reads(f.store), 0);
}

static void readiness_follows_the_phase_and_says_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        enum health_phase phase;
        unsigned status;
        const char *word;
    } cases[] = {{HEALTH_STARTING, 503, "starting"},
                 {HEALTH_SERVING, 200, "degraded"},
                 {HEALTH_DRAINING, 503, "draining"}};
    health_raise(f.health, "source", "it is gone");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        health_set_phase(f.health, cases[i].phase);
        struct got got = support_get(&f, "/healthz");
        assert_int_equal(got.status, cases[i].status);
        assert_string_equal(json_string_value(json_object_get(got.json, "status")), cases[i].word);
        json_t *trouble = json_array_get(json_object_get(got.json, "troubles"), 0);
        assert_string_equal(json_string_value(json_object_get(trouble, "reason")), "it is gone");
        assert_int_equal(json_array_size(json_object_get(got.json, "shards")), 1);
        json_decref(got.json);
    }
}

static void a_view_behind_is_ready_and_says_that_it_catches_up(void **state) {
    (void)state;
    struct fixture behind;
    struct api_options options = support_options();
    support_init(&behind, &options, false);
    struct got got = support_get(&behind, "/readyz");
    assert_int_equal(got.status, 200);
    support_assert_json(
        got.json,
        "{\"status\":\"catching-up\",\"caughtUp\":false,\"asOf\":null,\"shards\":[],\"troubles\":[]}");
    json_decref(got.json);
    support_deinit(&behind);
}

static void metrics_are_text_that_names_the_views_time(void **state) {
    (void)state;
    struct answer *answer = ask("GET", "/metrics", API_ALL);
    assert_string_equal(answer->content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(answer->body->data, "\nwinner_view_view_as_of_timestamp_seconds "));
    assert_non_null(strstr(answer->body->data, "winner_view_cache_requests_total{state=\"hit\"}"));
    answer_unref(answer);
}

static void assets_are_what_the_files_are(void **state) {
    (void)state;
    struct answer *page = ask("GET", "/", API_ALL), *contract = ask("GET", "/openapi.yaml", API_ALL);
    assert_string_equal(page->content_type, "text/html; charset=utf-8");
    assert_memory_equal(page->body->data, "<!doctype html>", 15);
    assert_memory_equal(contract->body->data, "openapi: 3.1", 12);
    answer_unref(page);
    answer_unref(contract);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_asked_twice_is_read_once),
        TEST(rows_that_were_written_are_read_again),
        TEST(a_product_that_was_not_there_is_found_once_it_was_written),
        TEST(boards_are_read_again_in_the_background_after_a_write),
        TEST(a_store_that_fails_is_trouble_until_it_answers),
        TEST(other_methods_are_refused_with_what_is_allowed),
        TEST(options_say_what_is_allowed),
        TEST(an_address_serves_the_routes_that_it_is_for),
        TEST(probes_answer_from_memory),
        TEST(readiness_follows_the_phase_and_says_what_is_wrong),
        TEST(a_view_behind_is_ready_and_says_that_it_catches_up),
        TEST(metrics_are_text_that_names_the_views_time),
        TEST(assets_are_what_the_files_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
