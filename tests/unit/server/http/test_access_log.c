#include "server/http/access_log.h"

#include "base/limits.h"
#include "base/log.h"
#include "tests/unit/support/capture.h"

static int capture_json(void **state) {
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    return capture(state);
}

static json_t *one_line(void) {
    const char *text = end_capture();
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static size_t count_lines(const char *text) {
    size_t n = 0;
    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

static struct access_log_entry entry(unsigned status) {
    return (struct access_log_entry){.method = "GET",
                                     .target = "/scores/a%20b",
                                     .status = status,
                                     .us = 1234567,
                                     .bytes = 42,
                                     .request_id = ""};
}

static void a_line_of_the_access_log_has_the_request_and_its_answer(void **state) {
    (void)state;
    struct access_log_entry e = entry(200);
    e.cached = true;
    e.cache = CACHE_STALE_ON_ERROR;
    access_log_write(&e);
    json_auto_t *json = one_line();
    assert_string_equal(support_text(json, "msg"), "request");
    assert_string_equal(support_text(json, "level"), "info");
    assert_string_equal(support_text(json, "method"), "GET");
    assert_string_equal(support_text(json, "target"), "/scores/a%20b");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 200);
    assert_true(json_real_value(json_object_get(json, "ms")) == 1234.567);
    assert_int_equal(json_integer_value(json_object_get(json, "bytes")), 42);
    assert_string_equal(support_text(json, "requestId"), "");
    assert_string_equal(support_text(json, "cache"), "stale-if-error");
}

static void an_answer_that_did_not_use_the_cache_has_no_cache_field(void **state) {
    (void)state;
    struct access_log_entry e = entry(503);
    access_log_write(&e);
    json_auto_t *json = one_line();
    assert_null(json_object_get(json, "cache"));
    assert_string_equal(support_text(json, "level"), "warn");
}

static void a_request_target_of_any_bytes_and_length_is_logged_in_one_line(void **state) {
    (void)state;
    static char target[LIMIT_URI_BYTES + 2];
    memset(target, 0xFF, sizeof target - 1);
    memcpy(target, "/\n\"\x7f", 4);
    struct access_log_entry e = entry(400);
    e.target = target;
    access_log_write(&e);
    json_auto_t *json = one_line();
    const char *logged = support_text(json, "target");
    assert_memory_equal(logged, "/%0A\"%7F%FF", 11);
    assert_true(strlen(logged) < LIMIT_LOGGED_TARGET_BYTES && strlen(logged) > LIMIT_LOGGED_TARGET_BYTES - 8);
}

static void failures_beyond_the_limit_per_second_are_only_counted(void **state) {
    (void)state;
    struct access_log_entry e = entry(503);
    for (int i = 0; i < LIMIT_ACCESS_LOG_LINES + 7; i++)
        access_log_write_limited(&e, 5000 + i % 1000);
    access_log_write_limited(&e, 6000); /* the next second: what was missed, and the line */
    access_log_write_limited(&e, 6001);
    const char *text = end_capture();
    assert_int_equal(count_lines(text), LIMIT_ACCESS_LOG_LINES + 3);
    assert_non_null(strstr(text, "\"7 more requests failed"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, capture_json, restore)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_line_of_the_access_log_has_the_request_and_its_answer),
        TEST(an_answer_that_did_not_use_the_cache_has_no_cache_field),
        TEST(a_request_target_of_any_bytes_and_length_is_logged_in_one_line),
        TEST(failures_beyond_the_limit_per_second_are_only_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
