/* The whole chain as in the program: aws_settings makes it, clients use it. */
#include "aws/credentials/credentials.h"

#include "aws/client.h"
#include "aws/credentials/chain.h"
#include "aws/settings.h"
#include "aws/transport.h"
#include "tests/unit/support/aws_credentials.h"
#include "tests/unit/support/scripted_http.h"

static void assert_source(const char *name) {
    struct aws_settings *settings;
    struct aws_credentials *c;
    struct error e;
    if (aws_settings_load(&settings, &e) || aws_credentials_chain_get(settings->credentials, 0, &c, &e))
        fail_msg("%s", e.message);
    assert_string_equal(c->source, name);
    aws_credentials_unref(c);
    aws_settings_free(settings);
}

static void credential_sources_are_used_in_the_order_of_the_sdks(void **state) {
    (void)state;
    static const struct scripted_answer sts_answers[] = {{200, STS_ANSWER("ROLE"), NULL}};
    static const struct scripted_answer container_answers[] = {{200, ENDPOINT_ANSWER("CONTAINER"), NULL}};
    static const struct scripted_answer instance_answers[] = {
        {200, "t", NULL}, {200, "r", NULL}, {200, ENDPOINT_ANSWER("INSTANCE"), NULL}};
    struct scripted_http *sts = scripted_http_start(sts_answers, 1),
                         *container = scripted_http_start(container_answers, 1),
                         *instance = scripted_http_start(instance_answers, 3);
    support_clear_environment();
    support_put_file(
        "AWS_CONFIG_FILE",
        "[profile all]\nrole_arn = R\nsource_profile = all\naws_access_key_id = K\n"
        "aws_secret_access_key = s\n[profile keys]\naws_access_key_id = K\naws_secret_access_key = s\n"
        "[profile nothing]\nregion = x\n");
    support_put_file("AWS_WEB_IDENTITY_TOKEN_FILE", "token");
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_ROLE_ARN", "W", 1);
    setenv("AWS_PROFILE", "all", 1);
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    setenv("AWS_ENDPOINT_URL_STS", scripted_http_url(sts, ""), 1);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(container, "/"), 1);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", scripted_http_url(instance, ""), 1);
    unsetenv("AWS_EC2_METADATA_DISABLED");

    assert_source("environment"); /* though a profile is named */
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    assert_source("AssumeRole of role 'R'");
    setenv("AWS_PROFILE", "keys", 1);
    assert_source("AssumeRoleWithWebIdentity of role 'W'");
    support_drop_file("AWS_WEB_IDENTITY_TOKEN_FILE");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    assert_source("shared files");
    setenv("AWS_PROFILE", "nothing", 1);
    assert_source("container endpoint");
    unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    assert_source("EC2 instance metadata, role 'r'");
    support_drop_file("AWS_CONFIG_FILE");
    scripted_http_stop(sts);
    scripted_http_stop(container);
    scripted_http_stop(instance);
}

static void assert_overridden(bool expected) {
    struct aws_settings *settings;
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_true(settings->is_profile_overridden == expected);
    aws_settings_free(settings);
}

static void a_named_profile_that_keys_in_the_environment_override_is_reported(void **state) {
    (void)state;
    support_clear_environment();
    setenv("AWS_REGION", "eu-west-1", 1);
    assert_overridden(false);
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    assert_overridden(false);
    support_put_file("AWS_CONFIG_FILE", "[profile dev]\n");
    setenv("AWS_PROFILE", "dev", 1);
    assert_overridden(true);
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_ACCESS_KEY_ID");
    assert_overridden(false);
    support_drop_file("AWS_CONFIG_FILE");
}

/* A service whose every answer is the error that `context` names. */
static void send_error(const struct aws_transport *transport, struct aws_session *session,
                       struct aws_exchange *x) {
    char reply[128];
    snprintf(reply, sizeof reply, "{\"__type\":\"%s\"}", (const char *)transport->context);
    aws_exchange_answer(x, 400, reply);
    aws_session_finish(session, x, 0);
}

static void call_once(struct aws_settings *settings, char *error_name) {
    const struct aws_transport transport = {.send = send_error, .context = error_name};
    struct aws_call call = {.operation = "GetItem", .body = "{}", .length = 2, .max_attempts = 1};
    struct aws_client *client;
    assert_int_equal(aws_client_new(&client, &aws_dynamodb, settings, &transport, NULL), STATUS_OK);
    aws_client_call(client, &call, NULL);
    assert_string_equal(call.error.code, error_name);
    aws_call_deinit(&call);
    aws_client_free(client);
}

static void only_errors_about_the_credentials_cause_a_fetch(void **state) {
    (void)state;
    static const struct scripted_answer answers[] = {{200, ENDPOINT_ANSWER("CONTAINER"), NULL}};
    static const struct {
        const char *name;
        bool fetches;
    } cases[] = {{"ExpiredTokenException", true},       {"ExpiredToken", true},
                 {"UnrecognizedClientException", true}, {"InvalidClientTokenId", true},
                 {"InvalidAccessKeyId", true},          {"InvalidSignatureException", true},
                 {"SignatureDoesNotMatch", true},       {"ExpiredIteratorException", false},
                 {"NotAnExpiredTokenException", false}, {"AccessDeniedException", false}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct scripted_http *container = scripted_http_start(answers, 1);
        struct aws_settings *settings;
        char name[64];
        support_clear_environment();
        setenv("AWS_REGION", "eu-west-1", 1);
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(container, "/"), 1);
        assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
        snprintf(name, sizeof name, "%s", cases[i].name);
        call_once(settings, name);
        assert_true((aws_credentials_chain_turn(settings->credentials) < INT64_MAX) == cases[i].fetches);
        aws_settings_free(settings);
        scripted_http_stop(container);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credential_sources_are_used_in_the_order_of_the_sdks),
        cmocka_unit_test(a_named_profile_that_keys_in_the_environment_override_is_reported),
        cmocka_unit_test(only_errors_about_the_credentials_cause_a_fetch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
