#include "aws/credentials/sts_reply.h"

#include "aws/credentials/credentials.h"
#include "base/buffer.h"
#include "tests/unit/support/test.h"

#define GOOD                                                                                                 \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"             \
    "<SourceIdentity>Alice</SourceIdentity><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/x/y</Arn>"      \
    "</AssumedRoleUser><Credentials><AccessKeyId>ASIA1</AccessKeyId>\n<SecretAccessKey>a/b&amp;c"            \
    "</SecretAccessKey><SessionToken>t&#43;u==</SessionToken><Expiration>2026-11-23T04:36:00Z</Expiration>"  \
    "</Credentials></AssumeRoleResult><ResponseMetadata><RequestId>R-1</RequestId></ResponseMetadata>"       \
    "</AssumeRoleResponse>"

static enum status read_reply(long http_status, const char *text, struct aws_credentials **out,
                              struct error *e) {
    return aws_sts_reply_read("AssumeRole", http_status, text, strlen(text), "test", out, e);
}

static void the_credentials_of_the_role_are_read(void **state) {
    (void)state;
    struct aws_credentials *c;
    assert_int_equal(read_reply(200, GOOD, &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "ASIA1");
    assert_string_equal(c->secret_access_key, "a/b&c");
    assert_string_equal(c->session_token, "t+u==");
    assert_int_equal(c->expires_ms, 1795408560000);
    aws_credentials_unref(c);
}

static void an_error_of_sts_keeps_its_name_message_and_request_id(void **state) {
    (void)state;
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(
        read_reply(403,
                   "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n <Error>"
                   "<Type>Sender</Type><Code>AccessDenied</Code><Message>User: x is not authorized"
                   "</Message></Error>\n <RequestId>R-2</RequestId></ErrorResponse>",
                   &c, &e),
        STATUS_FAILED);
    assert_string_equal(e.code, "AccessDenied");
    assert_string_equal(e.request_id, "R-2");
    assert_string_equal(e.message, "sts AssumeRole failed: AccessDenied: User: x is not authorized");
    assert_int_equal(
        read_reply(400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>", &c, &e),
        STATUS_RETRY);
    assert_int_equal(
        read_reply(500, "<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>", &c, &e),
        STATUS_RETRY);
}

static void an_answer_that_is_not_from_sts_may_be_retried(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "not xml",
        "{\"Credentials\":{}}",
        "<html><body>Bad gateway</body></html>",
        "<AssumeRoleResponse><Credentials><AccessKeyId>K</AccessKeyId></Credentials></AssumeRoleResponse>",
        "<a><Credentials><AccessKeyId>K</AccessKeyId><SecretAccessKey>hidden</"
        "SecretAccessKey><SessionToken>hidden"
        "</SessionToken><Expiration>soon</Expiration></Credentials></a>",
        "<a><b><AccessKeyId>K</AccessKeyId><SecretAccessKey>hidden</SecretAccessKey><SessionToken>hidden"
        "</SessionToken><Expiration>2026-11-23T04:36:00Z</Expiration></b></a>",
    };
    struct aws_credentials *c;
    struct error e;
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(read_reply(200, texts[i], &c, &e), STATUS_RETRY);
        assert_null(c);
        assert_string_equal(e.code, "MalformedReply");
        assert_lacks(e.message, "hidden");
    }
    assert_int_equal(read_reply(403, GOOD, &c, &e), STATUS_RETRY);
}

static void an_answer_that_is_cut_anywhere_returns_no_credentials(void **state) {
    (void)state;
    for (size_t n = 0; n < strlen(GOOD); n++) {
        struct aws_credentials *c;
        assert_int_equal(aws_sts_reply_read("AssumeRole", 200, GOOD, n, "test", &c, NULL), STATUS_RETRY);
        assert_null(c);
    }
}

static void a_document_type_with_entities_is_refused(void **state) {
    (void)state;
    struct aws_credentials *c;
    assert_int_equal(read_reply(200, "<!DOCTYPE a [<!ENTITY k \"ASIA1\">]>" GOOD, &c, NULL), STATUS_RETRY);
    assert_null(c);
    assert_int_equal(read_reply(200, "<?xml version=\"1.0\"?>" GOOD, &c, NULL), STATUS_OK);
    aws_credentials_unref(c);
}

static void deep_and_long_documents_are_refused(void **state) {
    (void)state;
    struct aws_credentials *c;
    struct buffer text;
    buffer_init(&text, 1 << 20);
    for (int i = 0; i < 20000; i++)
        buffer_puts(&text, "<Credentials><AccessKeyId>");
    assert_int_equal(read_reply(200, text.data, &c, NULL), STATUS_RETRY);
    buffer_clear(&text);
    buffer_puts(&text, "<a><Error><Code>");
    for (int i = 0; i < 20000; i++)
        buffer_puts(&text, "long");
    buffer_puts(&text, "</Code></Error></a>");
    assert_int_equal(read_reply(400, text.data, &c, NULL), STATUS_RETRY);
    buffer_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_credentials_of_the_role_are_read),
        cmocka_unit_test(an_error_of_sts_keeps_its_name_message_and_request_id),
        cmocka_unit_test(an_answer_that_is_not_from_sts_may_be_retried),
        cmocka_unit_test(an_answer_that_is_cut_anywhere_returns_no_credentials),
        cmocka_unit_test(a_document_type_with_entities_is_refused),
        cmocka_unit_test(deep_and_long_documents_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
