#include "tests/unit/support/aws_credentials.h"

static const struct scripted_answer answers[] = {{200, STS_ANSWER("FIRST"), NULL},
                                                 {200, STS_ANSWER("SECOND"), NULL}};

static void rewrite(const char *path, const char *text) {
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void the_token_of_the_environment_is_exchanged_by_an_unsigned_request(void **state) {
    (void)state;
    struct surroundings s;
    struct aws_credentials *c;
    struct scripted_http *sts = scripted_http_start(answers, 2);
    support_surround(&s, "[profile dev]\nrole_arn = other\nweb_identity_token_file = /nowhere\n", "", "dev",
                     scripted_http_url(sts, ""));
    support_put_file("AWS_WEB_IDENTITY_TOKEN_FILE", "head.body/+.sign\n");
    setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/x", 1);
    setenv("AWS_ROLE_SESSION_NAME", "pod", 1);
    assert_int_equal(support_ask(aws_credentials_from_web_identity(&s.setup), &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "FIRST");
    assert_string_equal(c->source, "AssumeRoleWithWebIdentity of role 'arn:aws:iam::1:role/x'");
    aws_credentials_unref(c);
    const char *request = scripted_http_request(sts, 0);
    assert_contains(request,
                    "\r\n\r\nAction=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam"
                    "%3A%3A1%3Arole%2Fx&RoleSessionName=pod&WebIdentityToken=head.body%2F%2B.sign");
    assert_lacks(request, "Authorization");
    assert_lacks(request, "X-Amz-");
    support_leave(&s);
    scripted_http_stop(sts);
    support_drop_file("AWS_WEB_IDENTITY_TOKEN_FILE");
}

static void a_token_that_was_rotated_is_read_again(void **state) {
    (void)state;
    struct surroundings s;
    struct aws_credentials *c;
    struct scripted_http *sts = scripted_http_start(answers, 2);
    support_surround(&s, "", "", "dev", scripted_http_url(sts, ""));
    support_put_file("AWS_WEB_IDENTITY_TOKEN_FILE", "old-token");
    setenv("AWS_ROLE_ARN", "r", 1);
    struct aws_credentials_source source = aws_credentials_from_web_identity(&s.setup);
    assert_int_equal(source.fetch(source.context, -1, &c, NULL), STATUS_OK);
    aws_credentials_unref(c);
    rewrite(getenv("AWS_WEB_IDENTITY_TOKEN_FILE"), "new-token\n");
    assert_int_equal(source.fetch(source.context, -1, &c, NULL), STATUS_OK);
    aws_credentials_unref(c);
    assert_contains(scripted_http_request(sts, 0), "&WebIdentityToken=old-token");
    assert_contains(scripted_http_request(sts, 1), "&WebIdentityToken=new-token");
    source.free(source.context);
    support_leave(&s);
    scripted_http_stop(sts);
    support_drop_file("AWS_WEB_IDENTITY_TOKEN_FILE");
}

static void a_profile_may_name_the_token_file(void **state) {
    (void)state;
    struct surroundings s;
    struct scripted_http *sts = scripted_http_start(answers, 2);
    char config[256];
    support_put_file("TOKEN", "profile-token");
    snprintf(config, sizeof config,
             "[profile dev]\nrole_arn = role-of-dev\nweb_identity_token_file = %s\nrole_session_name = me\n"
             "duration_seconds = 900\n",
             getenv("TOKEN"));
    support_surround(&s, config, "", "dev", scripted_http_url(sts, ""));
    support_assert_key(aws_credentials_from_web_identity(&s.setup), "FIRST");
    assert_contains(scripted_http_request(sts, 0),
                    "&RoleArn=role-of-dev&RoleSessionName=me&DurationSeconds=900"
                    "&WebIdentityToken=profile-token");
    support_leave(&s);
    scripted_http_stop(sts);
    support_drop_file("TOKEN");
}

static void a_web_identity_with_half_of_its_settings_is_an_error(void **state) {
    (void)state;
    struct surroundings s;
    struct scripted_http *sts = scripted_http_start(answers, 2);
    support_surround(&s, "[profile web]\nweb_identity_token_file = /nowhere/token\n", "", "dev",
                     scripted_http_url(sts, ""));
    support_assert_refused(aws_credentials_from_web_identity(&s.setup), STATUS_NOT_FOUND,
                           "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token", 1);
    support_assert_refused(aws_credentials_from_web_identity(&s.setup), STATUS_FAILED,
                           "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
    setenv("AWS_ROLE_ARN", "r", 1);
    support_assert_refused(aws_credentials_from_web_identity(&s.setup), STATUS_FAILED,
                           "cannot take a token from '/nowhere/token'");
    unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    s.setup.profile = "web";
    support_assert_refused(aws_credentials_from_web_identity(&s.setup), STATUS_FAILED,
                           "profile 'web' has web_identity_token_file but no role_arn");
    assert_int_equal(scripted_http_count(sts), 0);
    support_leave(&s);
    scripted_http_stop(sts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_of_the_environment_is_exchanged_by_an_unsigned_request),
        cmocka_unit_test(a_token_that_was_rotated_is_read_again),
        cmocka_unit_test(a_profile_may_name_the_token_file),
        cmocka_unit_test(a_web_identity_with_half_of_its_settings_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
