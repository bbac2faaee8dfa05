#include "base/error.h"

#include "base/utf8.h"
#include "tests/unit/support/test.h"

static void setting_an_error_overwrites_it_and_returns_the_status(void **state) {
    (void)state;
    struct error e;
    memset(&e, 'x', sizeof e);
    assert_int_equal(error_set(&e, STATUS_RETRY, "connection to '%s' refused", "host"), STATUS_RETRY);
    assert_int_equal(e.status, STATUS_RETRY);
    assert_string_equal(e.message, "connection to 'host' refused");
    assert_string_equal(e.code, "");
    assert_string_equal(e.request_id, "");
}

static void the_error_may_be_null(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, STATUS_INVALID, "unread"), STATUS_INVALID);
    assert_int_equal(error_set_code(NULL, STATUS_RETRY, "Code", "unread"), STATUS_RETRY);
}

static void wrapping_an_error_puts_text_in_front_and_keeps_the_rest(void **state) {
    (void)state;
    struct error e;
    error_set_code(&e, STATUS_FAILED, "SomeException", "connection %s", "refused");
    snprintf(e.request_id, sizeof e.request_id, "request-1");
    assert_int_equal(error_wrap(&e, "cannot read table '%s'", "x"), STATUS_FAILED);
    assert_int_equal(error_wrap(&e, "shard 1"), STATUS_FAILED);
    assert_string_equal(e.message, "shard 1: cannot read table 'x': connection refused");
    assert_string_equal(e.code, "SomeException");
    assert_string_equal(e.request_id, "request-1");
}

static void a_message_that_is_too_long_is_cut_at_its_end(void **state) {
    (void)state;
    struct error e;
    char text[2 * sizeof e.message];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&e, STATUS_FAILED, "%s", text);
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
    error_wrap(&e, "first");
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
    assert_memory_equal(e.message, "first: yyy", 10);
    error_wrap(&e, "%s", text);
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
    assert_memory_equal(e.message, "yyy", 3);
}

static void a_cut_message_or_code_ends_with_a_whole_character(void **state) {
    (void)state;
    struct error e;
    char text[2 * sizeof e.message];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[sizeof text - 2] = '\0';
    error_set(&e, STATUS_FAILED, "%s", text);
    assert_true(utf8_is_valid(e.message, strlen(e.message)));
    for (int i = 0; i < 3; i++) {
        error_wrap(&e, "x");
        assert_true(utf8_is_valid(e.message, strlen(e.message)));
    }
    error_set(&e, STATUS_FAILED, "whole \xc3\xa9");
    assert_string_equal(e.message, "whole \xc3\xa9");
    error_set(&e, STATUS_FAILED, "half \xc3 in '%s'", "\xff");
    assert_string_equal(e.message, "half ? in '?'");
    error_set_code(&e, STATUS_FAILED, text, "x");
    assert_true(*e.code && utf8_is_valid(e.code, strlen(e.code)));
}

static void every_status_has_its_own_name(void **state) {
    (void)state;
    for (int a = STATUS_OK; a <= STATUS_FAILED; a++)
        for (int b = STATUS_OK; b < a; b++)
            assert_string_not_equal(status_name((enum status)a), status_name((enum status)b));
    assert_string_equal(status_name(STATUS_OK), "ok");
    assert_string_equal(status_name(STATUS_NOT_FOUND), "not found");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_an_error_overwrites_it_and_returns_the_status),
        cmocka_unit_test(the_error_may_be_null),
        cmocka_unit_test(wrapping_an_error_puts_text_in_front_and_keeps_the_rest),
        cmocka_unit_test(a_message_that_is_too_long_is_cut_at_its_end),
        cmocka_unit_test(a_cut_message_or_code_ends_with_a_whole_character),
        cmocka_unit_test(every_status_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
