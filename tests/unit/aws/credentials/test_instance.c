#include "tests/unit/support/aws_credentials.h"

#define ROLES "/latest/meta-data/iam/security-credentials/"

static struct surroundings s;

static struct aws_credentials_source source_at(struct scripted_http *server, const char *path) {
    support_surround(&s, "", "", "dev", "http://127.0.0.1:9");
    unsetenv("AWS_EC2_METADATA_DISABLED");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", scripted_http_url(server, path), 1);
    struct aws_credentials_source source = aws_credentials_from_instance(&s.setup);
    support_leave(&s);
    return source;
}

static void the_token_is_got_with_put_and_role_and_keys_with_that_token(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {
        {200, "the-token\n", NULL},
        {200, "shop-role\n", NULL},
        {200, ENDPOINT_ANSWER("INSTANCE"), "Date: Mon, 23 Nov 2026 04:36:00 GMT"}};
    struct aws_credentials *c;
    struct scripted_http *server = scripted_http_start(script, 3);
    struct aws_credentials_source source = source_at(server, "/");
    unsetenv("no_proxy");
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    assert_int_equal(support_ask(source, &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "INSTANCE");
    assert_string_equal(c->session_token, "endpoint-token");
    assert_int_equal(c->expires_ms, 1893456000000);
    assert_int_equal(c->issued_ms, 1795408560000);
    assert_true(c->outlives);
    assert_string_equal(c->source, "EC2 instance metadata, role 'shop-role'");
    aws_credentials_unref(c);
    assert_int_equal(scripted_http_count(server), 3);
    assert_int_equal(strncmp(scripted_http_request(server, 0), "PUT /latest/api/token HTTP/1.1\r\n", 32), 0);
    assert_contains(scripted_http_request(server, 0), "\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
    assert_contains(scripted_http_request(server, 1), "GET " ROLES " HTTP/1.1\r\n");
    assert_contains(scripted_http_request(server, 1), "\r\nX-aws-ec2-metadata-token: the-token\r\n");
    assert_contains(scripted_http_request(server, 2), "GET " ROLES "shop-role HTTP/1.1\r\n");
    assert_contains(scripted_http_request(server, 2), "\r\nX-aws-ec2-metadata-token: the-token\r\n");
    scripted_http_stop(server);
}

static void version_1_of_the_metadata_service_is_never_used(void **state) {
    (void)state;
    static const int refusals[] = {400, 404, 405};
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct scripted_answer script[] = {{refusals[i], "", NULL}};
        struct scripted_http *server = scripted_http_start(script, 1);
        support_assert_refused(source_at(server, ""), STATUS_FAILED,
                               "no token from the metadata service: HTTP 40");
        assert_int_equal(scripted_http_count(server), 1);
        scripted_http_stop(server);
    }
}

static void if_the_service_does_not_answer_the_error_names_the_hop_limit(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{SCRIPTED_HTTP_SILENCE, NULL, NULL}};
    struct scripted_http *server = scripted_http_start(script, 1);
    support_assert_refused(source_at(server, ""), STATUS_RETRY, "HttpPutResponseHopLimit");
    assert_int_equal(scripted_http_count(server), 1);
    scripted_http_stop(server);
}

static void a_machine_without_a_metadata_service_has_no_credentials(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{200, "", NULL}};
    struct scripted_http *server = scripted_http_start(script, 1);
    struct aws_credentials_source source = source_at(server, "");
    scripted_http_stop(server);
    support_assert_refused(source, STATUS_NOT_FOUND, "nothing answers at http://127.0.0.1:");
}

static void an_instance_without_a_role_or_without_metadata_has_no_credentials(void **state) {
    (void)state;
    static const struct scripted_answer no_role[] = {{200, "t", NULL}, {404, "", NULL}},
                                        off[] = {{403, "", NULL}};
    struct scripted_http *server = scripted_http_start(no_role, 2);
    support_assert_refused(source_at(server, ""), STATUS_NOT_FOUND, "no role");
    scripted_http_stop(server);
    server = scripted_http_start(off, 1);
    support_assert_refused(source_at(server, ""), STATUS_NOT_FOUND, "switched off");
    scripted_http_stop(server);
}

static void a_role_that_cannot_be_assumed_is_reported_with_the_message_of_ec2(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {
        {200, "t", NULL},
        {200, "r", NULL},
        {200, "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\"}", NULL}};
    struct scripted_http *server = scripted_http_start(script, 3);
    support_assert_refused(source_at(server, ""), STATUS_FAILED, "AssumeRoleUnauthorizedAccess: no");
    scripted_http_stop(server);
}

static void answers_that_would_leave_the_path_or_add_lines_are_refused(void **state) {
    (void)state;
    static const struct scripted_answer token[] = {{200, "t\r\nX-More: 1", NULL}},
                                        role[] = {{200, "t", NULL}, {200, "../../user-data", NULL}};
    struct scripted_http *server = scripted_http_start(token, 1);
    support_assert_refused(source_at(server, ""), STATUS_RETRY, "token has a line break");
    assert_int_equal(scripted_http_count(server), 1);
    scripted_http_stop(server);
    server = scripted_http_start(role, 2);
    support_assert_refused(source_at(server, ""), STATUS_RETRY, "invalid role name");
    assert_int_equal(scripted_http_count(server), 2);
    scripted_http_stop(server);
}

static void an_endpoint_that_cannot_stand_in_a_url_is_named_and_white_space_around_it_is_no_part_of_it(
    void **state) {
    (void)state;
    static const struct scripted_answer script[] = {
        {200, "t", NULL}, {200, "r", NULL}, {200, ENDPOINT_ANSWER("INSTANCE"), NULL}};
    struct scripted_http *server = scripted_http_start(script, 3);
    support_assert_key(source_at(server, "/\n"), "INSTANCE");
    support_assert_refused(source_at(server, "/\r\nX-More: 1"), STATUS_INVALID,
                           "AWS_EC2_METADATA_SERVICE_ENDPOINT has a line break");
    assert_int_equal(scripted_http_count(server), 3);
    scripted_http_stop(server);
}

static void the_metadata_service_can_be_switched_off(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {{200, "t", NULL}};
    struct scripted_http *server = scripted_http_start(script, 1);
    support_surround(&s, "", "", "dev", "http://127.0.0.1:9");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", scripted_http_url(server, ""), 1);
    setenv("AWS_EC2_METADATA_DISABLED", "TRUE", 1);
    support_assert_refused(aws_credentials_from_instance(&s.setup), STATUS_NOT_FOUND,
                           "AWS_EC2_METADATA_DISABLED is true");
    assert_int_equal(scripted_http_count(server), 0);
    support_leave(&s);
    scripted_http_stop(server);
}

static void the_endpoint_is_read_from_the_profile_and_an_invalid_mode_is_refused(void **state) {
    (void)state;
    static const struct scripted_answer script[] = {
        {200, "t", NULL}, {200, "r", NULL}, {200, ENDPOINT_ANSWER("INSTANCE"), NULL}};
    struct scripted_http *server = scripted_http_start(script, 3);
    char config[256];
    snprintf(config, sizeof config,
             "[profile dev]\nec2_metadata_service_endpoint = %s\nec2_metadata_service_endpoint_mode = IPv6\n",
             scripted_http_url(server, ""));
    support_surround(&s, config, "", "dev", "http://127.0.0.1:9");
    unsetenv("AWS_EC2_METADATA_DISABLED");
    support_assert_key(aws_credentials_from_instance(&s.setup), "INSTANCE");
    support_leave(&s);
    scripted_http_stop(server);

    support_surround(&s, "", "", "dev", "http://127.0.0.1:9");
    unsetenv("AWS_EC2_METADATA_DISABLED");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5", 1);
    support_assert_refused(aws_credentials_from_instance(&s.setup), STATUS_FAILED,
                           "'IPv5'; it must be IPv4 or IPv6");
    support_leave(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_is_got_with_put_and_role_and_keys_with_that_token),
        cmocka_unit_test(version_1_of_the_metadata_service_is_never_used),
        cmocka_unit_test(if_the_service_does_not_answer_the_error_names_the_hop_limit),
        cmocka_unit_test(a_machine_without_a_metadata_service_has_no_credentials),
        cmocka_unit_test(an_instance_without_a_role_or_without_metadata_has_no_credentials),
        cmocka_unit_test(a_role_that_cannot_be_assumed_is_reported_with_the_message_of_ec2),
        cmocka_unit_test(answers_that_would_leave_the_path_or_add_lines_are_refused),
        cmocka_unit_test(
            an_endpoint_that_cannot_stand_in_a_url_is_named_and_white_space_around_it_is_no_part_of_it),
        cmocka_unit_test(the_metadata_service_can_be_switched_off),
        cmocka_unit_test(the_endpoint_is_read_from_the_profile_and_an_invalid_mode_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
