#include "tests/unit/support/api.h"

#include <stdio.h>

#define ANN "widget/merchant/100000001/Ann"
#define ANN_TARGET "/scores/{widget/merchant/100000001/Ann}"
#define ANN_RANK "/scores/merchant/{widget/merchant/100000001/Ann}"

static struct fixture f;

static int setup(void **state) {
    (void)state;
    struct api_options options = support_options();
    support_init(&f, &options, false);
    support_set_as_of(&f, support_now());
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

static void two_requests_for_the_same_rows_cause_one_read(void **state) {
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

static void a_missing_product_is_found_after_it_is_written(void **state) {
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
    assert_true(scripted_store_await_held(f.store, 1)); /* no request did this */
    struct got during = support_get(&f, "/scores/merchant");
    assert_int_equal(during.state, CACHE_FRESH);
    assert_true(json_equal(before.json, during.json));
    scripted_store_release(f.store);
    json_decref(before.json);
    json_decref(during.json);
}

/* How old an answer may be. */

static void assert_problem_of(struct fixture *t, const char *target, unsigned status, const char *code) {
    struct got got = support_get(t, target);
    assert_int_equal(got.status, status);
    if (code)
        assert_string_equal(json_string_value(json_object_get(got.json, "code")), code);
    json_decref(got.json);
}

static void a_request_with_max_lag_gets_no_older_answer(void **state) {
    (void)state;
    static const char *const targets[] = {"/scores/merchant", "/scores", "/scores?role=creator",
                                          ANN_TARGET,         ANN_RANK,  "/contributions",
                                          "/contributions/p"};
    char target[256];
    struct fixture t;
    struct api_options options = support_options();
    support_init(&t, &options, false);
    scripted_store_set_score(t.store, ROLE_CREATOR, ANN, 1);
    scripted_store_set_contribution(t.store, "p", ANN, NULL, 1);
    support_set_as_of(&t, support_now() - 300000);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        for (int again = 0; again < 2; again++) { /* read, and from the cache */
            char mark = strchr(targets[i], '?') ? '&' : '?';
            snprintf(target, sizeof target, "%s%cmaxLag=%d", targets[i], mark, 300000 - 1);
            assert_problem_of(&t, target, 412, "too-stale");
            snprintf(target, sizeof target, "%s%cmaxLag=%d", targets[i], mark, 300000 + 3600000);
            assert_problem_of(&t, target, 200, NULL);
        }
    }
    assert_int_equal(scripted_store_reads(t.store), 7 + 2); /* two for both boards, and for a rank */
    support_deinit(&t);
}

static void the_problem_too_stale_has_the_age_and_a_retry_after(void **state) {
    (void)state;
    struct fixture t;
    struct api_options options = support_options();
    support_init(&t, &options, false);
    support_set_as_of(&t, support_now() - 300000);
    struct waiting_call w;
    support_begin(&t, &w, "GET", "/scores/merchant?maxLag=1234");
    support_finish(&w);
    const struct answer *answer = w.call.answer;
    assert_int_equal(answer->retry_after_s, 1);
    assert_string_equal(answer->cache_control, ANSWER_NO_STORE);
    assert_int_equal(strlen(answer->as_of), strlen("2026-11-23T05:20:19.361Z"));
    assert_false(w.call.cached);
    json_t *json = json_loadb(answer->body->data, answer->body->length, 0, NULL);
    const char *detail = json_string_value(json_object_get(json, "detail"));
    long old_ms, allowed_ms;
    assert_int_equal(sscanf(detail, "the answer is %ld ms old; maxLag allows %ld ms", &old_ms, &allowed_ms),
                     2);
    assert_in_range(old_ms, 300000, 300000 + 3600000);
    assert_int_equal(allowed_ms, 1234);
    json_decref(json);
    answer_unref(w.call.answer);
    support_deinit(&t);
}

static void a_view_with_an_unknown_as_of_is_too_stale_for_any_max_lag(void **state) {
    (void)state;
    struct fixture t;
    struct api_options options = support_options();
    support_init(&t, &options, false);
    assert_problem_of(&t, "/scores/merchant?maxLag=86400000", 412, "too-stale");
    assert_problem_of(&t, "/scores/merchant", 200, NULL);
    assert_problem_of(&t, "/contributions/nothing?maxLag=86400000", 503, "view-not-ready");
    support_deinit(&t);
}

static void a_404_is_too_stale_like_any_other_answer(void **state) {
    (void)state;
    struct fixture t;
    struct api_options options = support_options();
    support_init(&t, &options, false);
    support_set_as_of(&t, support_now() - 5000); /* caught up */
    struct got got = support_get(&t, "/contributions/nothing?maxLag=3600000");
    assert_int_equal(got.status, 404);
    json_decref(got.json);
    assert_problem_of(&t, "/contributions/nothing?maxLag=4000", 412, "too-stale");
    support_deinit(&t);
}

static void max_lag_is_a_bounded_number_and_only_on_routes_of_the_view(void **state) {
    (void)state;
    static const char *const refused[] = {"/scores/merchant?maxLag=0",
                                          "/scores/merchant?maxLag=86400001",
                                          "/scores/merchant?maxLag=",
                                          "/scores/merchant?maxLag=1.5",
                                          "/contributions/p?maxLag=-1",
                                          "/contributions/p?maxLag=1&maxLag=1",
                                          "/contributions/p?maxlag=1",
                                          "/livez?maxLag=1",
                                          "/?maxLag=1"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_asked("GET", refused[i], API_ALL, 400);
    assert_int_equal(scripted_store_reads(f.store), 0);
}

/* Without this rule a dashboard that polls every few seconds would always get too-stale: the value of each
 * refresh would be too old at the next poll. */
static void a_cached_value_that_is_too_old_for_a_request_is_read_again_for_it(void **state) {
    (void)state;
    struct fixture t;
    struct api_options options = support_options();
    options.cache.ttl_ms = 0; /* stale at once */
    support_init(&t, &options, false);
    support_set_as_of(&t, support_now() - 300000);
    assert_problem_of(&t, "/scores/merchant", 200, NULL);
    support_set_as_of(&t, support_now());
    struct waiting_call w;
    scripted_store_hold(t.store);
    support_begin(&t, &w, "GET", "/scores/merchant?maxLag=200000");
    assert_true(scripted_store_await_held(t.store, 1));
    scripted_store_release(t.store);
    support_finish(&w);
    assert_int_equal(w.call.answer->status, 200);
    answer_unref(w.call.answer);
    support_deinit(&t);
}

static void a_board_from_a_late_index_has_an_earlier_as_of_time(void **state) {
    (void)state;
    struct fixture t;
    struct api_options options = support_options();
    support_init(&t, &options, true);
    const struct freshness_shard shard = {"s", 1000000};
    freshness_set_shards(t.freshness, &shard, 1, clock_boot_ms() - 3600000);
    freshness_advance(t.freshness, "s", support_now(), clock_boot_ms()); /* a backlog was applied just now */
    struct got board = support_get(&t, "/scores/merchant"), list = support_get(&t, "/contributions"),
               row = support_get(&t, "/healthz");
    assert_string_equal(board.as_of, "1970-01-01T00:16:40.000Z");
    assert_string_equal(list.as_of, "1970-01-01T00:16:40.000Z");
    assert_memory_equal(row.as_of, "20", 2);
    json_decref(board.json);
    json_decref(list.json);
    json_decref(row.json);
    support_deinit(&t);
}

static void assert_unavailable(const char *target) {
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 503);
    assert_string_equal(json_string_value(json_object_get(got.json, "code")), "store-unavailable");
    assert_null(strstr(json_string_value(json_object_get(got.json, "detail")), "scripted"));
    json_decref(got.json);
}

static void a_store_that_fails_is_reported_until_it_answers(void **state) {
    (void)state;
    static const enum status statuses[] = {STATUS_CONFLICT, STATUS_RETRY, STATUS_INVALID, STATUS_FAILED};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        scripted_store_fail(f.store, statuses[i]);
        assert_unavailable("/contributions/p");
    }
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

static void other_methods_are_refused_with_the_allowed_ones(void **state) {
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

static void the_method_options_lists_the_allowed_methods(void **state) {
    (void)state;
    struct answer *answer = ask("OPTIONS", "/contributions/p?whatever=1", API_ALL);
    assert_int_equal(answer->status, 204);
    assert_int_equal(answer->body->length, 0);
    assert_string_equal(answer->allow, "GET, HEAD, OPTIONS");
    answer_unref(answer);
}

static void a_listen_address_serves_only_its_routes(void **state) {
    (void)state;
    assert_asked("GET", "/livez", API_ALL, 200);
    assert_asked("GET", "/livez", API_OPERATIONS, 200);
    assert_asked("GET", "/livez", API_PUBLIC, 404);
    assert_asked("GET", "/", API_PUBLIC, 200);
    assert_asked("GET", "/", API_OPERATIONS, 404);
    assert_asked("GET", "/scores/merchant", API_OPERATIONS, 404);
}

static void probes_are_answered_without_the_store(void **state) {
    (void)state;
    scripted_store_fail(f.store, STATUS_FAILED);
    assert_asked("GET", "/livez", API_ALL, 200);
    assert_asked("GET", "/readyz", API_ALL, 200);
    assert_asked("GET", "/metrics", API_ALL, 200);
    assert_int_equal(scripted_store_reads(f.store), 0);
}

static void livez_is_ok_while_every_loop_beats_and_names_a_loop_that_is_late(void **state) {
    (void)state;
    struct pulse turning = {0}, late = {0};
    pulse_watch(&turning, "lister", 60000, clock_boot_ms());
    pulse_watch(&late, "coordinator", 1000, clock_boot_ms() - 5000);
    struct answer *answer = ask("GET", "/livez", API_OPERATIONS);
    assert_int_equal(answer->status, 503);
    assert_string_equal(answer->body->data, "{\"status\":\"stuck\",\"loop\":\"coordinator\"}");
    answer_unref(answer);
    pulse_rest(&late); /* a loop that waits for work is not late */
    assert_asked("GET", "/livez", API_OPERATIONS, 200);
    pulse_unwatch(&late);
    pulse_unwatch(&turning);
}

static void readyz_reports_the_phase_and_all_troubles(void **state) {
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

static void a_trouble_names_the_row_of_a_person_by_its_id(void **state) {
    (void)state;
    char id[LIMIT_URI_BYTES];
    support_seal_target("{w/m/123456789/Ann}", id);
    health_raise_about(f.health, "shard 1", "Denied", "cannot count", "w/m/123456789/Ann", 1, 1);
    struct got got = support_get(&f, "/healthz");
    json_t *trouble = json_array_get(json_object_get(got.json, "troubles"), 0);
    assert_string_equal(json_string_value(json_object_get(trouble, "id")), id);
    assert_string_equal(json_string_value(json_object_get(trouble, "reason")), "cannot count");
    assert_int_equal(json_object_size(trouble), 4);
    json_decref(got.json);
}

static void a_view_behind_its_stream_is_ready_and_catching_up(void **state) {
    (void)state;
    struct fixture behind;
    struct api_options options = support_options();
    support_init(&behind, &options, false);
    struct got got = support_get(&behind, "/readyz");
    assert_int_equal(got.status, 200);
    support_assert_json(got.json, "{\"status\":\"catching-up\",\"caughtUp\":false,\"asOf\":null,"
                                  "\"secondsLeft\":null,\"shards\":[],\"troubles\":[]}");
    json_decref(got.json);
    support_deinit(&behind);
}

static void metrics_are_text_and_include_the_as_of_time(void **state) {
    (void)state;
    struct answer *answer = ask("GET", "/metrics", API_ALL);
    assert_string_equal(answer->content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(answer->body->data, "\nwinner_view_view_as_of_timestamp_seconds "));
    assert_non_null(strstr(answer->body->data, "winner_view_cache_requests_total{state=\"hit\"}"));
    answer_unref(answer);
}

static void assets_are_served_as_their_files(void **state) {
    (void)state;
    struct answer *page = ask("GET", "/", API_ALL), *contract = ask("GET", "/openapi.yaml", API_ALL);
    struct answer *style = ask("GET", "/board.css", API_ALL), *script = ask("GET", "/board.js", API_ALL);
    assert_string_equal(page->content_type, "text/html; charset=utf-8");
    assert_string_equal(style->content_type, "text/css; charset=utf-8");
    assert_string_equal(script->content_type, "text/javascript; charset=utf-8");
    assert_memory_equal(page->body->data, "<!doctype html>", 15);
    assert_memory_equal(contract->body->data, "openapi: 3.1", 12);
    answer_unref(page);
    answer_unref(style);
    answer_unref(script);
    answer_unref(contract);
}

static void the_page_has_a_content_security_policy_that_allows_only_its_own_files(void **state) {
    (void)state;
    static const char *const targets[] = {"/", "/board.css", "/board.js"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct answer *answer = ask("GET", targets[i], API_ALL);
        assert_non_null(strstr(answer->policy, "default-src 'none'; "));
        assert_null(strstr(answer->policy, "unsafe"));
        answer_unref(answer);
    }
    struct answer *contract = ask("GET", "/openapi.yaml", API_ALL);
    assert_null(contract->policy);
    answer_unref(contract);
}

static void requests_without_a_view_get_view_not_ready_and_a_retry_after(void **state) {
    (void)state;
    static const char *const view_targets[] = {"/scores/merchant",
                                               "/scores",
                                               "/scores?role=creator&limit=2",
                                               "/scores/x",
                                               "/scores/merchant/x",
                                               "/contributions",
                                               "/contributions/p",
                                               "/live",
                                               "/scores/merchant?maxLag=5"};
    struct api_options options = support_options();
    struct fixture young;
    support_init_without_view(&young, &options, false);
    health_set_phase(young.health, HEALTH_STARTING);
    struct api *attached = f.api;
    f.api = young.api;
    for (size_t i = 0; i < sizeof view_targets / sizeof *view_targets; i++) {
        struct answer *answer = ask("GET", view_targets[i], API_ALL);
        assert_int_equal(answer->status, 503);
        assert_non_null(strstr(answer->body->data, "\"view-not-ready\""));
        assert_true(answer->retry_after_s > 0);
        answer_unref(answer);
    }
    assert_asked("GET", "/livez", API_ALL, 200);
    assert_asked("GET", "/", API_ALL, 200);
    assert_asked("GET", "/metrics", API_ALL, 200);
    assert_asked("GET", "/scores/merchant?colour=red", API_ALL, 400);
    struct answer *readiness = ask("GET", "/readyz", API_ALL);
    assert_int_equal(readiness->status, 503);
    assert_non_null(strstr(readiness->body->data, "\"starting\""));
    answer_unref(readiness);
    f.api = attached;
    support_deinit(&young);
}

static void a_view_is_served_after_it_is_attached(void **state) {
    (void)state;
    struct api_options options = support_options();
    struct fixture young;
    support_init_without_view(&young, &options, false);
    scripted_store_set_score(young.store, ROLE_CREATOR, ANN, 7);
    struct got got = support_get(&young, ANN_TARGET);
    assert_int_equal(got.status, 503);
    json_decref(got.json);
    support_attach(&young);
    got = support_get(&young, ANN_TARGET);
    assert_int_equal(got.status, 200);
    assert_int_equal(json_integer_value(json_object_get(got.json, "merchant")), 7);
    json_decref(got.json);
    support_deinit(&young);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(two_requests_for_the_same_rows_cause_one_read),
        TEST(rows_that_were_written_are_read_again),
        TEST(a_missing_product_is_found_after_it_is_written),
        TEST(boards_are_read_again_in_the_background_after_a_write),
        TEST(a_request_with_max_lag_gets_no_older_answer),
        TEST(the_problem_too_stale_has_the_age_and_a_retry_after),
        TEST(a_view_with_an_unknown_as_of_is_too_stale_for_any_max_lag),
        TEST(a_404_is_too_stale_like_any_other_answer),
        TEST(max_lag_is_a_bounded_number_and_only_on_routes_of_the_view),
        TEST(a_cached_value_that_is_too_old_for_a_request_is_read_again_for_it),
        TEST(a_board_from_a_late_index_has_an_earlier_as_of_time),
        TEST(a_store_that_fails_is_reported_until_it_answers),
        TEST(other_methods_are_refused_with_the_allowed_ones),
        TEST(the_method_options_lists_the_allowed_methods),
        TEST(a_listen_address_serves_only_its_routes),
        TEST(probes_are_answered_without_the_store),
        TEST(livez_is_ok_while_every_loop_beats_and_names_a_loop_that_is_late),
        TEST(readyz_reports_the_phase_and_all_troubles),
        TEST(a_trouble_names_the_row_of_a_person_by_its_id),
        TEST(a_view_behind_its_stream_is_ready_and_catching_up),
        TEST(metrics_are_text_and_include_the_as_of_time),
        TEST(assets_are_served_as_their_files),
        TEST(requests_without_a_view_get_view_not_ready_and_a_retry_after),
        TEST(a_view_is_served_after_it_is_attached),
        TEST(the_page_has_a_content_security_policy_that_allows_only_its_own_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
