#include "aws/credentials/document.h"

#include "aws/credentials/credentials.h"
#include "tests/unit/support/test.h"

static enum status parse(const char *text, const struct aws_credentials_form *form,
                         struct aws_credentials **out, struct error *e) {
    return aws_credentials_parse(text, strlen(text), form, "test", out, e);
}

static void the_object_of_a_program_is_read_with_or_without_token_and_expiration(void **state) {
    (void)state;
    struct aws_credentials *c;
    assert_int_equal(
        parse("{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"SessionToken\":\"T\","
              "\"Expiration\":\"2026-11-23T04:36:00Z\",\"More\":[1]}",
              &aws_credentials_form_process, &c, NULL),
        STATUS_OK);
    assert_string_equal(c->access_key_id, "K");
    assert_string_equal(c->secret_access_key, "S");
    assert_string_equal(c->session_token, "T");
    assert_int_equal(c->expires_ms, 1795408560000);
    assert_string_equal(c->source, "test");
    aws_credentials_unref(c);
    assert_int_equal(
        parse("{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"SessionToken\":null,"
              "\"Expiration\":null}",
              &aws_credentials_form_process, &c, NULL),
        STATUS_OK);
    assert_null(c->session_token);
    assert_int_equal(c->expires_ms, 0);
    aws_credentials_unref(c);
}

static void the_object_of_an_endpoint_has_another_token_name_and_must_have_an_expiry(void **state) {
    (void)state;
    struct aws_credentials *c;
    assert_int_equal(
        parse("{\"Code\":\"Success\",\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\",\"Token\":\"T\","
              "\"Expiration\":\"2026-11-23T04:36:00Z\"}",
              &aws_credentials_form_endpoint, &c, NULL),
        STATUS_OK);
    assert_string_equal(c->session_token, "T");
    aws_credentials_unref(c);
}

static void a_reply_that_is_not_a_valid_credentials_object_is_refused_and_not_quoted(void **state) {
    (void)state;
    static const struct {
        const struct aws_credentials_form *form;
        const char *text, *reason;
    } cases[] = {
        {&aws_credentials_form_process, "hidden", "not a JSON object"},
        {&aws_credentials_form_process, "", "not a JSON object"},
        {&aws_credentials_form_process, "[\"hidden\"]", "not a JSON object"},
        {&aws_credentials_form_process, "{\"SecretAccessKey\":\"hidden\"", "not a JSON object"},
        {&aws_credentials_form_process, "{\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"hidden\"}", "Version"},
        {&aws_credentials_form_process,
         "{\"Version\":2,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"hidden\"}", "Version"},
        {&aws_credentials_form_process,
         "{\"Version\":\"1\",\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"hidden\"}", "Version"},
        {&aws_credentials_form_process, "{\"Version\":1,\"SecretAccessKey\":\"hidden\"}", "no AccessKeyId"},
        {&aws_credentials_form_process, "{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"\"}",
         "no SecretAccessKey"},
        {&aws_credentials_form_process,
         "{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"hidden\",\"Expiration\":\"hidden\"}",
         "Expiration"},
        {&aws_credentials_form_process,
         "{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"hidden\",\"Expiration\":1795408560}",
         "Expiration"},
        {&aws_credentials_form_endpoint, "", "not a JSON object"},
        {&aws_credentials_form_endpoint, "null", "not a JSON object"},
        {&aws_credentials_form_endpoint, "<html>hidden</html>", "not a JSON object"},
        {&aws_credentials_form_endpoint, "{}", "no AccessKeyId"},
        {&aws_credentials_form_endpoint, "{\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"hidden\"}",
         "no Token"},
        {&aws_credentials_form_endpoint,
         "{\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"hidden\",\"Token\":\"hidden\"}", "Expiration"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct aws_credentials *c;
        struct error e;
        assert_int_equal(parse(cases[i].text, cases[i].form, &c, &e),
                         cases[i].form == &aws_credentials_form_endpoint ? STATUS_RETRY : STATUS_FAILED);
        assert_string_equal(e.code, "MalformedReply");
        assert_null(c);
        assert_contains(e.message, cases[i].reason);
        assert_lacks(e.message, "hidden");
    }
}

static void white_space_around_a_text_is_removed_and_a_line_break_inside_is_refused(void **state) {
    (void)state;
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(parse("{\"Version\":1,\"AccessKeyId\":\" K\\n\",\"SecretAccessKey\":\"S\\n\","
                           "\"SessionToken\":\"\\tT \"}",
                           &aws_credentials_form_process, &c, NULL),
                     STATUS_OK);
    assert_string_equal(c->access_key_id, "K");
    assert_string_equal(c->secret_access_key, "S");
    assert_string_equal(c->session_token, "T");
    aws_credentials_unref(c);
    assert_int_equal(parse("{\"Version\":1,\"AccessKeyId\":\"K\",\"SecretAccessKey\":\"S\","
                           "\"SessionToken\":\"hidden\\r\\nX-More: 1\"}",
                           &aws_credentials_form_process, &c, &e),
                     STATUS_FAILED);
    assert_null(c);
    assert_contains(e.message, "SessionToken has a line break");
    assert_int_equal(parse("{\"Version\":1,\"AccessKeyId\":\" \",\"SecretAccessKey\":\"hidden\"}",
                           &aws_credentials_form_process, &c, &e),
                     STATUS_FAILED);
    assert_string_equal(e.message, "AccessKeyId is empty");
}

static void a_refusal_of_an_endpoint_keeps_its_error_name(void **state) {
    (void)state;
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(parse("{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume it\"}",
                           &aws_credentials_form_endpoint, &c, &e),
                     STATUS_FAILED);
    assert_string_equal(e.code, "AssumeRoleUnauthorizedAccess");
    assert_string_equal(e.message, "AssumeRoleUnauthorizedAccess: EC2 cannot assume it");
    assert_int_equal(
        parse("{\"code\":\"NoTask\",\"message\":\"who?\"}", &aws_credentials_form_endpoint, &c, &e),
        STATUS_FAILED);
    assert_string_equal(e.message, "NoTask: who?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_object_of_a_program_is_read_with_or_without_token_and_expiration),
        cmocka_unit_test(the_object_of_an_endpoint_has_another_token_name_and_must_have_an_expiry),
        cmocka_unit_test(a_reply_that_is_not_a_valid_credentials_object_is_refused_and_not_quoted),
        cmocka_unit_test(white_space_around_a_text_is_removed_and_a_line_break_inside_is_refused),
        cmocka_unit_test(a_refusal_of_an_endpoint_keeps_its_error_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
