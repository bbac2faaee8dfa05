#include "base/health.h"

#include <pthread.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/unit/support/test.h"

static void health_freep(struct health **h) {
    health_free(*h);
}

static void the_phase_of_the_health_is_starting_serving_or_draining(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    assert_int_equal(health_phase(h), HEALTH_STARTING);
    health_set_phase(h, HEALTH_SERVING);
    assert_int_equal(health_phase(h), HEALTH_SERVING);
    health_set_phase(h, HEALTH_DRAINING);
    struct health_report report;
    health_read(h, &report);
    assert_int_equal(report.phase, HEALTH_DRAINING);
    assert_int_equal(report.n_troubles, 0);
    health_report_deinit(&report);
}

static void a_trouble_is_logged_once_and_again_after_it_was_cleared(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    assert_true(health_raise(h, "source", "refused"));
    assert_false(health_raise(h, "source", "refused"));
    assert_true(health_clear(h, "source"));
    assert_false(health_clear(h, "source"));
    assert_true(health_raise(h, "source", "refused"));
}

#define RAISE(kind, reason, at_ms) health_raise_kind(h, "s", kind, reason, 1000 + (at_ms), at_ms)

static void a_trouble_that_lasts_is_logged_once_and_then_rarely(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    assert_true(RAISE("Denied", "try 1", 7));
    for (int64_t at = 8; at < 7 + LIMIT_TROUBLE_REMIND_MS; at += 5000)
        assert_false(RAISE("Denied", at % 2 ? "try 2" : "try 3", at));
    assert_true(RAISE("Denied", "try 4", 7 + LIMIT_TROUBLE_REMIND_MS));
    assert_false(RAISE("Denied", "try 5", 8 + LIMIT_TROUBLE_REMIND_MS));
}

static void a_trouble_whose_kind_changes_is_logged_but_not_too_often(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    assert_true(RAISE("Denied", "a", 0));
    assert_false(RAISE("Gone", "b", LIMIT_TROUBLE_CHANGE_MS - 1));
    assert_true(RAISE("Gone", "b", LIMIT_TROUBLE_CHANGE_MS));
    assert_false(RAISE("Gone", "b", 2 * LIMIT_TROUBLE_CHANGE_MS));
}

static void a_trouble_is_reported_with_its_last_reason_and_its_first_time(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    RAISE("Denied", "a", 5);
    RAISE("Denied", "b", 6);
    RAISE("Gone", "c", 7);
    struct health_report report;
    health_read(h, &report);
    assert_int_equal(report.troubles[0].since_ms, 1005);
    assert_string_equal(report.troubles[0].reason, "c");
    health_report_deinit(&report);
}

static void troubles_are_reported_sorted_with_their_last_reason(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    health_raise(h, "source", "a");
    health_raise(h, "shard 2", "b");
    health_raise(h, "shard 1", "c");
    health_raise(h, "shard 3", "d");
    health_raise(h, "shard 2", "e");
    health_clear(h, "shard 3");

    struct health_report report;
    health_read(h, &report);
    health_clear(h, "shard 1"); /* the report is a copy */
    assert_int_equal(report.n_troubles, 3);
    static const char *const expected[][2] = {{"shard 1", "c"}, {"shard 2", "e"}, {"source", "a"}};
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_string_equal(report.troubles[i].name, expected[i][0]);
        assert_string_equal(report.troubles[i].reason, expected[i][1]);
    }
    health_report_deinit(&report);
}

static void a_trouble_beyond_the_limit_is_not_raised(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    char name[32];
    for (int i = 0; i < LIMIT_HEALTH_TROUBLES; i++) {
        snprintf(name, sizeof name, "shard %d", i);
        assert_true(health_raise(h, name, "x"));
    }
    assert_false(health_raise(h, "one more", "x"));
    assert_true(health_clear(h, "shard 7"));
    assert_true(health_raise(h, "one more", "x"));
}

static bool metrics_contain(const char *line) {
    struct buffer text;
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    bool found = strstr(text.data, line) != NULL;
    buffer_deinit(&text);
    return found;
}

static void a_trouble_has_a_metric_series_with_its_first_time_while_it_lasts(void **state) {
    (void)state;
    struct health *h = health_new();
    static const char name[] = "winner_view_trouble_since_timestamp_seconds{trouble=\"s\"}",
                      first[] = "winner_view_trouble_since_timestamp_seconds{trouble=\"s\"} 1.005\n";
    assert_false(metrics_contain(name));
    RAISE("Denied", "a", 5);
    RAISE("Gone", "b", 60000);
    assert_true(metrics_contain(first));
    health_clear(h, "s");
    assert_false(metrics_contain(name));
    RAISE("Denied", "a", 5);
    assert_true(metrics_contain(first));
    health_free(h);
    assert_false(metrics_contain(name));
}

static void *raise_and_clear(void *data) {
    struct health *h = data;
    for (int i = 0; i < 2000; i++) {
        char name[32];
        snprintf(name, sizeof name, "shard %d", i % 7);
        health_raise(h, name, i % 2 ? "x" : "y");
        health_set_phase(h, i % 2 ? HEALTH_SERVING : HEALTH_STARTING);
        health_clear(h, name);
    }
    return NULL;
}

static void threads_may_raise_clear_and_read_at_once(void **state) {
    (void)state;
    _cleanup_(health_freep) struct health *h = health_new();
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, raise_and_clear, h), 0);
    for (int i = 0; i < 500; i++) {
        struct health_report report;
        health_read(h, &report);
        assert_true(report.n_troubles <= 2); /* one for each thread */
        health_report_deinit(&report);
    }
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    struct health_report report;
    health_read(h, &report);
    assert_int_equal(report.n_troubles, 0);
    health_report_deinit(&report);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_phase_of_the_health_is_starting_serving_or_draining),
        cmocka_unit_test(a_trouble_is_logged_once_and_again_after_it_was_cleared),
        cmocka_unit_test(a_trouble_that_lasts_is_logged_once_and_then_rarely),
        cmocka_unit_test(a_trouble_whose_kind_changes_is_logged_but_not_too_often),
        cmocka_unit_test(a_trouble_is_reported_with_its_last_reason_and_its_first_time),
        cmocka_unit_test(troubles_are_reported_sorted_with_their_last_reason),
        cmocka_unit_test(a_trouble_beyond_the_limit_is_not_raised),
        cmocka_unit_test(a_trouble_has_a_metric_series_with_its_first_time_while_it_lasts),
        cmocka_unit_test(threads_may_raise_clear_and_read_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
