#include "tests/unit/support/aws_credentials.h"

#define ARN(name) "arn:aws:iam::123456789012:role/" name
#define ARN_IN_FORM(name) "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2F" name "&"

static const struct scripted_answer two_roles[] = {{200, STS_ANSWER("FIRST"), NULL},
                                                   {200, STS_ANSWER("SECOND"), NULL}};

static void assert_refused(const char *config, const char *reason) {
    struct surroundings s;
    struct scripted_http *sts = scripted_http_start(two_roles, 2);
    support_surround(&s, config, "", "dev", scripted_http_url(sts, ""));
    support_assert_refused(aws_credentials_from_role(&s.setup), STATUS_FAILED, reason);
    assert_int_equal(scripted_http_count(sts), 0);
    support_leave(&s);
    scripted_http_stop(sts);
}

static void a_role_is_assumed_with_the_keys_of_its_source_profile(void **state) {
    (void)state;
    struct surroundings s;
    struct aws_credentials *c;
    struct scripted_http *sts = scripted_http_start(two_roles, 2);
    support_surround(
        &s,
        "[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = base\nexternal_id = a/b&c=d\n"
                                              "role_session_name = night@shop\nduration_seconds = 7200\n",
        "[base]\naws_access_key_id = BASE\naws_secret_access_key = hidden\n", "dev",
        scripted_http_url(sts, ""));
    assert_int_equal(support_ask(aws_credentials_from_role(&s.setup), &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "FIRST");
    assert_string_equal(c->secret_access_key, "role-secret");
    assert_string_equal(c->session_token, "role-token");
    assert_int_equal(c->expires_ms, 1893456000000);
    assert_string_equal(c->source, "AssumeRole of role '" ARN("x") "'");
    aws_credentials_unref(c);

    const char *request = scripted_http_request(sts, 0);
    assert_int_equal(strncmp(request, "POST / HTTP/1.1\r\n", 17), 0);
    assert_contains(request, "\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n");
    assert_contains(request, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=BASE/");
    assert_contains(request, "/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, ");
    assert_contains(request,
                    "\r\n\r\nAction=AssumeRole&Version=2011-06-15&" ARN_IN_FORM(
                        "x") "RoleSessionName=night%40shop&DurationSeconds=7200&ExternalId=a%2Fb%26c%3Dd");
    assert_lacks(request, "hidden");
    support_leave(&s);
    scripted_http_stop(sts);
}

static void a_session_without_a_configured_name_is_named_after_the_program(void **state) {
    (void)state;
    struct surroundings s;
    struct scripted_http *sts = scripted_http_start(two_roles, 2);
    support_surround(&s, "[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = base\n",
                     "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n", "dev",
                     scripted_http_url(sts, ""));
    support_assert_key(aws_credentials_from_role(&s.setup), "FIRST");
    assert_contains(scripted_http_request(sts, 0), "&RoleSessionName=winner-view-");
    assert_lacks(scripted_http_request(sts, 0), "DurationSeconds");
    assert_lacks(scripted_http_request(sts, 0), "ExternalId");
    support_leave(&s);
    scripted_http_stop(sts);
}

static void a_role_is_assumed_with_the_credentials_of_another_role(void **state) {
    (void)state;
    struct surroundings s;
    struct scripted_http *sts = scripted_http_start(two_roles, 2);
    support_surround(&s,
                     "[profile dev]\nrole_arn = " ARN("last") "\nsource_profile = middle\n"
                                                              "[profile middle]\nrole_arn = " ARN(
                                                                  "between") "\nsource_profile = base\n",
                     "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n", "dev",
                     scripted_http_url(sts, ""));
    support_assert_key(aws_credentials_from_role(&s.setup), "SECOND");
    assert_contains(scripted_http_request(sts, 0), "Credential=BASE/");
    assert_contains(scripted_http_request(sts, 0), ARN_IN_FORM("between"));
    assert_contains(scripted_http_request(sts, 1), "Credential=FIRST/");
    assert_contains(scripted_http_request(sts, 1), "\r\nX-Amz-Security-Token: role-token\r\n");
    assert_contains(scripted_http_request(sts, 1), ";x-amz-security-token, ");
    assert_contains(scripted_http_request(sts, 1), ARN_IN_FORM("last"));
    support_leave(&s);
    scripted_http_stop(sts);
}

static void a_source_profile_with_keys_uses_its_keys_even_if_it_names_itself(void **state) {
    (void)state;
    struct surroundings s;
    struct scripted_http *sts = scripted_http_start(two_roles, 2);
    support_surround(
        &s,
        "[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = dev\n"
                                              "aws_access_key_id = OWN\naws_secret_access_key = s\n",
        "", "dev", scripted_http_url(sts, ""));
    support_assert_key(aws_credentials_from_role(&s.setup), "FIRST");
    assert_contains(scripted_http_request(sts, 0), "Credential=OWN/");
    assert_int_equal(scripted_http_count(sts), 1);
    support_leave(&s);
    scripted_http_stop(sts);
}

static void the_source_profile_may_have_a_process_or_a_web_identity(void **state) {
    (void)state;
    struct surroundings s;
    struct scripted_http *sts = scripted_http_start(two_roles, 2);
    support_surround(&s,
                     "[profile dev]\nrole_arn = " ARN(
                         "x") "\nsource_profile = base\n[profile base]\n"
                              "credential_process = echo "
                              "'{\"Version\":1,\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}'\n",
                     "", "dev", scripted_http_url(sts, ""));
    support_assert_key(aws_credentials_from_role(&s.setup), "FIRST");
    assert_contains(scripted_http_request(sts, 0), "Credential=PROCESS/");
    support_leave(&s);
    scripted_http_stop(sts);

    char config[512];
    sts = scripted_http_start(two_roles, 2);
    support_put_file("TOKEN", "a-token");
    snprintf(
        config, sizeof config,
        "[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = base\n[profile base]\n"
                                              "role_arn = " ARN("web") "\nweb_identity_token_file = %s\n",
        getenv("TOKEN"));
    support_surround(&s, config, "", "dev", scripted_http_url(sts, ""));
    support_assert_key(aws_credentials_from_role(&s.setup), "SECOND");
    assert_contains(scripted_http_request(sts, 0), "Action=AssumeRoleWithWebIdentity&");
    assert_contains(scripted_http_request(sts, 1), "Credential=FIRST/");
    support_leave(&s);
    scripted_http_stop(sts);
    support_drop_file("TOKEN");
}

static void each_credential_source_selects_one_source_of_the_chain(void **state) {
    (void)state;
    static const struct scripted_answer container_answers[] = {{200, ENDPOINT_ANSWER("CONTAINER"), NULL}};
    static const struct scripted_answer instance_answers[] = {
        {200, "imds-token", NULL}, {200, "role", NULL}, {200, ENDPOINT_ANSWER("INSTANCE"), NULL}};
    static const struct {
        const char *name, *key;
    } cases[] = {{"Environment", "ENV"}, {"EcsContainer", "CONTAINER"}, {"Ec2InstanceMetadata", "INSTANCE"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct surroundings s;
        struct scripted_http *sts = scripted_http_start(two_roles, 2),
                             *container = scripted_http_start(container_answers, 1),
                             *instance = scripted_http_start(instance_answers, 3);
        char config[256], credential[64];
        snprintf(config, sizeof config, "[profile dev]\nrole_arn = " ARN("x") "\ncredential_source = %s\n",
                 cases[i].name);
        support_surround(&s, config, "", "dev", scripted_http_url(sts, ""));
        setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
        setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(container, "/get"), 1);
        setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", scripted_http_url(instance, ""), 1);
        unsetenv("AWS_EC2_METADATA_DISABLED");
        support_assert_key(aws_credentials_from_role(&s.setup), "FIRST");
        snprintf(credential, sizeof credential, "Credential=%s/", cases[i].key);
        assert_contains(scripted_http_request(sts, 0), credential);
        support_leave(&s);
        scripted_http_stop(sts);
        scripted_http_stop(container);
        scripted_http_stop(instance);
    }
}

static void a_cycle_of_source_profiles_is_refused(void **state) {
    (void)state;
    assert_refused("[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = dev\n",
                   "has a cycle: 'dev' -> 'dev'");
    assert_refused("[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = a\n"
                                                         "[profile a]\nrole_arn = " ARN(
                                                             "y") "\nsource_profile = b\n"
                                                                  "[profile b]\nrole_arn = " ARN(
                                                                      "z") "\nsource_profile = a\n",
                   "has a cycle: 'dev' -> 'a' -> 'b' -> 'a'");
}

static void a_chain_of_source_profiles_has_a_maximum_length(void **state) {
    (void)state;
    struct {
        char text[8192];
        size_t length;
    } config = {.length = 0};
    config.length = (size_t)snprintf(config.text, sizeof config.text,
                                     "[profile dev]\nrole_arn = r\nsource_profile = p0\n");
    for (int i = 0; i < 40; i++)
        config.length += (size_t)snprintf(config.text + config.length, sizeof config.text - config.length,
                                          "[profile p%d]\nrole_arn = r\nsource_profile = p%d\n", i, i + 1);
    assert_refused(config.text, "is too long: 'dev' -> 'p0' -> ");
}

static void a_profile_whose_role_has_no_single_valid_source_is_refused(void **state) {
    (void)state;
    static const char role[] = "[profile dev]\nrole_arn = " ARN("x") "\n";
    static const struct {
        const char *rest, *reason;
    } cases[] = {
        {"", "neither source_profile nor credential_source"},
        {"aws_access_key_id = K\naws_secret_access_key = hidden\n", "neither source_profile nor"},
        {"source_profile = base\ncredential_source = Environment\n[profile base]\n",
         "both source_profile and"},
        {"source_profile = gone\n", "is 'gone', which does not exist"},
        {"source_profile = base\n[profile base]\nregion = x\n", "is 'base', which has no credentials"},
        {"credential_source = environment\n", "allowed: Environment, EcsContainer, Ec2InstanceMetadata"},
        {"credential_source = Environment\n", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"},
        {"source_profile = base\nmfa_serial = arn:mfa\n[profile base]\n", "mfa_serial"},
        {"source_profile = base\n[profile base]\nsso_session = corp\n", "sso_session"},
        {"source_profile = base\nduration_seconds = 899\n[profile base]\n",
         "'899'; allowed: a number from 900"},
        {"source_profile = base\nduration_seconds = 43201\n[profile base]\n", "from 900 to 43200"},
        {"source_profile = base\nduration_seconds = 1h\n[profile base]\n", "'1h'"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char config[512];
        snprintf(config, sizeof config, "%s%s", role, cases[i].rest);
        assert_refused(config, cases[i].reason);
    }
}

static void a_refusal_of_sts_is_reported_with_its_message(void **state) {
    (void)state;
    static const struct scripted_answer denied[] = {
        {403,
         "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
         "<RequestId>R-9</RequestId></ErrorResponse>",
         NULL}};
    struct surroundings s;
    struct aws_credentials *c;
    struct error e;
    struct scripted_http *sts = scripted_http_start(denied, 1);
    support_surround(&s, "[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = base\n",
                     "[base]\naws_access_key_id = BASE\naws_secret_access_key = hidden\n", "dev",
                     scripted_http_url(sts, ""));
    assert_int_equal(support_ask(aws_credentials_from_role(&s.setup), &c, &e), STATUS_FAILED);
    assert_string_equal(e.code, "AccessDenied");
    assert_string_equal(e.request_id, "R-9");
    assert_string_equal(e.message, "sts AssumeRole failed: AccessDenied: not you");
    assert_int_equal(scripted_http_count(sts), 1);
    support_leave(&s);
    scripted_http_stop(sts);
}

static void an_invalid_endpoint_of_sts_is_reported_when_it_is_needed(void **state) {
    (void)state;
    struct surroundings s;
    support_surround(&s, "[profile dev]\nrole_arn = " ARN("x") "\nsource_profile = base\n",
                     "[base]\naws_access_key_id = BASE\naws_secret_access_key = hidden\n", "dev", "ftp://x");
    support_assert_refused(aws_credentials_from_role(&s.setup), STATUS_INVALID, "AWS_ENDPOINT_URL_STS");
    support_leave(&s);
}

static void a_profile_without_a_role_is_left_to_another_source(void **state) {
    (void)state;
    struct surroundings s;
    support_surround(&s,
                     "[profile dev]\nregion = x\n[profile web]\nrole_arn = r\nweb_identity_token_file = /x\n",
                     "", "dev", "http://127.0.0.1:9");
    support_assert_refused(aws_credentials_from_role(&s.setup), STATUS_NOT_FOUND, "no role_arn");
    s.setup.profile = "web";
    support_assert_refused(aws_credentials_from_role(&s.setup), STATUS_NOT_FOUND, "");
    support_leave(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_is_assumed_with_the_keys_of_its_source_profile),
        cmocka_unit_test(a_session_without_a_configured_name_is_named_after_the_program),
        cmocka_unit_test(a_role_is_assumed_with_the_credentials_of_another_role),
        cmocka_unit_test(a_source_profile_with_keys_uses_its_keys_even_if_it_names_itself),
        cmocka_unit_test(the_source_profile_may_have_a_process_or_a_web_identity),
        cmocka_unit_test(each_credential_source_selects_one_source_of_the_chain),
        cmocka_unit_test(a_cycle_of_source_profiles_is_refused),
        cmocka_unit_test(a_chain_of_source_profiles_has_a_maximum_length),
        cmocka_unit_test(a_profile_whose_role_has_no_single_valid_source_is_refused),
        cmocka_unit_test(a_refusal_of_sts_is_reported_with_its_message),
        cmocka_unit_test(an_invalid_endpoint_of_sts_is_reported_when_it_is_needed),
        cmocka_unit_test(a_profile_without_a_role_is_left_to_another_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
