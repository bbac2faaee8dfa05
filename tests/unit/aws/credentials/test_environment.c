#include "tests/unit/support/aws_credentials.h"

static void keys_and_token_are_read_from_their_variables(void **state) {
    (void)state;
    support_clear_environment();
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "env-secret", 1);
    setenv("AWS_SESSION_TOKEN", "token", 1);
    struct aws_credentials *c;
    assert_int_equal(support_ask(aws_credentials_from_environment(), &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "ENV");
    assert_string_equal(c->secret_access_key, "env-secret");
    assert_string_equal(c->session_token, "token");
    assert_string_equal(c->source, "environment");
    assert_int_equal(c->expires_ms, 0);
    aws_credentials_unref(c);
}

static void an_empty_variable_is_not_set(void **state) {
    (void)state;
    support_clear_environment();
    setenv("AWS_ACCESS_KEY_ID", "", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "", 1);
    support_assert_refused(aws_credentials_from_environment(), STATUS_NOT_FOUND, "AWS_ACCESS_KEY_ID");
}

static void one_key_variable_without_the_other_is_an_error(void **state) {
    (void)state;
    support_clear_environment();
    setenv("AWS_SECRET_ACCESS_KEY", "hidden", 1);
    support_assert_refused(aws_credentials_from_environment(), STATUS_FAILED,
                           "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    setenv("AWS_ACCESS_KEY_ID", "K", 1);
    support_assert_refused(aws_credentials_from_environment(), STATUS_FAILED,
                           "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
}

static void white_space_around_them_is_no_part_of_them_and_control_characters_are_refused(void **state) {
    (void)state;
    static const char *const variables[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                            "AWS_SESSION_TOKEN"};
    struct aws_credentials *c;
    support_clear_environment();
    for (size_t i = 0; i < COUNT(variables); i++)
        setenv(variables[i], " value\n", 1);
    assert_int_equal(support_ask(aws_credentials_from_environment(), &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "value");
    assert_string_equal(c->secret_access_key, "value");
    assert_string_equal(c->session_token, "value");
    aws_credentials_unref(c);
    for (size_t i = 0; i < COUNT(variables); i++) {
        char reason[64];
        snprintf(reason, sizeof reason, "%s has a line break", variables[i]);
        setenv(variables[i], "hidden\r\nX-More: 1", 1);
        support_assert_refused(aws_credentials_from_environment(), STATUS_INVALID, reason);
        setenv(variables[i], "value", 1);
    }
    setenv("AWS_SESSION_TOKEN", "\n", 1);
    assert_int_equal(support_ask(aws_credentials_from_environment(), &c, NULL), STATUS_OK);
    assert_null(c->session_token);
    aws_credentials_unref(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_token_are_read_from_their_variables),
        cmocka_unit_test(an_empty_variable_is_not_set),
        cmocka_unit_test(one_key_variable_without_the_other_is_an_error),
        cmocka_unit_test(white_space_around_them_is_no_part_of_them_and_control_characters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
