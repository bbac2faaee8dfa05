#include "base/log.h"

#include "base/limits.h"
#include "tests/unit/support/capture.h"

static void a_line_of_text_has_time_level_message_and_fields(void **state) {
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_write(LOG_LEVEL_WARN, LOG_FIELDS("shard", "s 1", "error", ""), "cannot read '%s'", "x");
    const char *line = end_capture();
    assert_int_equal(strspn(line, "0123456789-T:.Z"), 24);
    assert_string_equal(line + 24, " warn  cannot read 'x' shard=s 1 error=\n");
}

static void a_line_of_json_has_time_level_message_and_fields_as_members(void **state) {
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_ERROR, LOG_FIELDS("data", "a\"b\\c\n\x01 \xc3\xa4"), "line 1\nline \"2\"");
    const char *line = end_capture();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    json_auto_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_object_size(json), 4);
    assert_int_equal(strlen(support_text(json, "time")), 24);
    assert_string_equal(support_text(json, "level"), "error");
    assert_string_equal(support_text(json, "msg"), "line 1\nline \"2\"");
    assert_string_equal(support_text(json, "data"), "a\"b\\c\n\x01 \xc3\xa4");
}

static void a_numeric_field_is_a_number_in_json_and_a_plain_field_in_text(void **state) {
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("#ms", "0.125", "#bytes", "7"), "request");
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("#ms", "0.125", "target", "#"), "request");
    const char *lines = end_capture();
    json_auto_t *json = json_loads(lines, JSON_DISABLE_EOF_CHECK, NULL);
    assert_true(json_real_value(json_object_get(json, "ms")) == 0.125);
    assert_int_equal(json_integer_value(json_object_get(json, "bytes")), 7);
    assert_non_null(strstr(lines, " info  request ms=0.125 target=#\n"));
}

static void a_field_that_is_not_utf_8_does_not_break_the_json(void **state) {
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("path", "\xff\xfe"), "message");
    json_auto_t *json = json_loads(end_capture(), 0, NULL);
    assert_string_equal(support_text(json, "path"), "(not utf-8)");
}

static void control_characters_in_text_cannot_start_a_line_or_reach_the_terminal(void **state) {
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("a\n", "b\x1b[31m"), "one\r\ntwo\x7f\xc2\x9b\u202e\xff");
    const char *line = end_capture();
    assert_string_equal(line + 24, " info  one??two???\xff a?=b?[31m\n");
}

static void json_has_escapes_for_what_could_reorder_a_line(void **state) {
    (void)state;
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("userId", "Z\u00eb\u202e\xc2\x9b\x7f"), "message");
    const char *line = end_capture();
    assert_contains(line, "\"userId\":\"Z\u00eb\\u202e\\u009b\\u007f\"");
}

static void lines_below_the_level_are_not_written(void **state) {
    (void)state;
    log_init(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    log_debug("no");
    log_info("no");
    log_warn("yes");
    log_error("yes");
    const char *text = end_capture();
    assert_lacks(text, "no");
    assert_contains(text, "warn  yes\n");
    assert_contains(text, "error yes\n");
}

static void a_line_that_would_be_too_long_is_written_without_its_fields(void **state) {
    (void)state;
    static char large[2 * LIMIT_LOG_LINE_BYTES];
    memset(large, 1, sizeof large - 1); /* the longest when escaped */
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, LOG_FIELDS("large", large), "%s", large);
    log_write(LOG_LEVEL_INFO, NULL, "next");
    const char *text = end_capture(), *newline = strchr(text, '\n');
    json_auto_t *json = json_loadb(text, (size_t)(newline - text), 0, NULL);
    assert_non_null(json);
    assert_int_equal(strlen(support_text(json, "msg")), LIMIT_LOG_MESSAGE_BYTES - 1);
    assert_contains(newline, "\"next\"}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_of_text_has_time_level_message_and_fields, capture, restore),
        cmocka_unit_test_setup_teardown(a_line_of_json_has_time_level_message_and_fields_as_members, capture,
                                        restore),
        cmocka_unit_test_setup_teardown(a_numeric_field_is_a_number_in_json_and_a_plain_field_in_text,
                                        capture, restore),
        cmocka_unit_test_setup_teardown(a_field_that_is_not_utf_8_does_not_break_the_json, capture, restore),
        cmocka_unit_test_setup_teardown(json_has_escapes_for_what_could_reorder_a_line, capture, restore),
        cmocka_unit_test_setup_teardown(control_characters_in_text_cannot_start_a_line_or_reach_the_terminal,
                                        capture, restore),
        cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, capture, restore),
        cmocka_unit_test_setup_teardown(a_line_that_would_be_too_long_is_written_without_its_fields, capture,
                                        restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
