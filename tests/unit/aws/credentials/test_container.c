#include "tests/unit/support/aws_credentials.h"

static const struct scripted_answer answers[] = {{200, ENDPOINT_ANSWER("FIRST"), NULL},
                                                 {200, ENDPOINT_ANSWER("SECOND"), NULL}};

static void a_full_uri_is_https_or_has_one_of_the_allowed_hosts(void **state) {
    (void)state;
    static const char *const allowed[] = {
        "https://anywhere.example/creds",
        "http://localhost/x",
        "http://LOCALHOST:8080/x",
        "http://127.0.0.1:1234/x?y=z",
        "http://127.1.2.3/x",
        "http://[::1]/x",
        "http://[0:0:0:0:0:0:0:1]:80/x",
        "http://169.254.170.2/v2/x",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
    };
    static const char *const refused[] = {
        "http://example.com/x",
        "http://localhost.example.com/x",
        "http://127.0.0.1.example.com/x",
        "http://169.254.170.2.example.com/x",
        "http://169.254.170.23.nip.io/x",
        "http://169.254.170.21/x",
        "http://169.254.170.230/x",
        "http://169.254.169.254/x",
        "http://128.0.0.1/x",
        "http://10.0.0.1/x",
        "http://0.0.0.0/x",
        "http://[::2]/x",
        "http://[fd00:ec2::230]/x",
        "http://[::ffff:10.0.0.1]/x",
        "http://127.0.0.1@example.com/x",
        "http://localhost@127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "/relative",
        "",
    };
    struct error e;
    char *url;
    for (size_t i = 0; i < COUNT(allowed); i++) {
        if (aws_credentials_container_url(NULL, allowed[i], &url, &e))
            fail_msg("%s", e.message);
        free(url);
    }
    for (size_t i = 0; i < COUNT(refused); i++)
        if (aws_credentials_container_url(NULL, refused[i], &url, &e) != STATUS_INVALID)
            fail_msg("'%s' is allowed", refused[i]);
    assert_contains(e.message, "AWS_CONTAINER_CREDENTIALS_FULL_URI is ''");
}

static void a_relative_uri_is_resolved_at_the_container_agent(void **state) {
    (void)state;
    char *url;
    assert_int_equal(aws_credentials_container_url("/v2/credentials/x", "https://other/", &url, NULL),
                     STATUS_OK);
    assert_string_equal(url, "http://169.254.170.2/v2/credentials/x");
    free(url);
    assert_int_equal(aws_credentials_container_url("@example.com/x", NULL, &url, NULL), STATUS_INVALID);
    assert_int_equal(aws_credentials_container_url(".example.com/x", NULL, &url, NULL), STATUS_INVALID);
    static const char *const refused[] = {"/x\r\nX-More: 1", "/a b", "/a\tb", "/\x7f", ""};
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct error e = {0};
        assert_int_equal(aws_credentials_container_url(refused[i], NULL, &url, &e), STATUS_INVALID);
        assert_contains(e.message, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is '");
    }
}

static void each_request_to_the_endpoint_has_the_current_token_of_the_file(void **state) {
    (void)state;
    struct aws_credentials *c;
    struct scripted_http *server = scripted_http_start(answers, 2);
    support_clear_environment();
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(server, "/v1/credentials"), 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token-of-the-variable", 1);
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    support_put_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "old-token\n");
    struct aws_credentials_source source = aws_credentials_from_container();
    assert_int_equal(source.fetch(source.context, -1, &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "FIRST");
    assert_string_equal(c->secret_access_key, "endpoint-secret");
    assert_string_equal(c->session_token, "endpoint-token");
    assert_int_equal(c->expires_ms, 1893456000000);
    assert_string_equal(c->source, "container endpoint");
    aws_credentials_unref(c);

    FILE *f = fopen(getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), "we");
    fputs("new-token", f);
    fclose(f);
    assert_int_equal(source.fetch(source.context, -1, &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "SECOND");
    aws_credentials_unref(c);
    source.free(source.context);

    assert_int_equal(strncmp(scripted_http_request(server, 0), "GET /v1/credentials HTTP/1.1\r\n", 30), 0);
    assert_contains(scripted_http_request(server, 0), "\r\nAuthorization: old-token\r\n");
    assert_contains(scripted_http_request(server, 1), "\r\nAuthorization: new-token\r\n");
    scripted_http_stop(server);
    support_drop_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
}

static void without_a_token_file_the_token_of_the_variable_is_sent_if_it_is_set(void **state) {
    (void)state;
    struct scripted_http *server = scripted_http_start(answers, 2);
    support_clear_environment();
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(server, "/"), 1);
    support_assert_key(aws_credentials_from_container(), "FIRST");
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc", 1);
    support_assert_key(aws_credentials_from_container(), "SECOND");
    assert_lacks(scripted_http_request(server, 0), "Authorization");
    assert_contains(scripted_http_request(server, 1), "\r\nAuthorization: Basic abc\r\n");
    scripted_http_stop(server);
}

static void a_token_that_would_add_a_line_to_the_request_is_not_sent(void **state) {
    (void)state;
    struct scripted_http *server = scripted_http_start(answers, 2);
    support_clear_environment();
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(server, "/"), 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hidden\r\nX-More: 1", 1);
    support_assert_refused(aws_credentials_from_container(), STATUS_INVALID,
                           "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break");
    support_put_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "hidden\nX-More: 1");
    support_assert_refused(aws_credentials_from_container(), STATUS_INVALID, "it has a line break");
    assert_int_equal(scripted_http_count(server), 0);
    scripted_http_stop(server);
    support_drop_file("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
}

static void a_refusal_of_the_endpoint_is_reported_and_not_retried(void **state) {
    (void)state;
    static const struct scripted_answer refusals[] = {
        {400, "{\"code\":\"InvalidToken\",\"message\":\"it is too old\"}", NULL},
        {404, "gone", NULL},
        {403, ENDPOINT_ANSWER("FORBIDDEN"), NULL}};
    static const char *const reasons[] = {"InvalidToken: it is too old", "HTTP 404", "HTTP 403"};
    struct scripted_http *server = scripted_http_start(refusals, COUNT(refusals));
    support_clear_environment();
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(server, "/"), 1);
    for (size_t i = 0; i < COUNT(reasons); i++)
        support_assert_refused(aws_credentials_from_container(), STATUS_FAILED, reasons[i]);
    assert_int_equal(scripted_http_count(server), COUNT(refusals));
    scripted_http_stop(server);
}

static void a_success_without_credentials_may_pass(void **state) {
    (void)state;
    static const struct scripted_answer answered[] = {
        {200, "", NULL}, {200, "<html>Sign in</html>", NULL}, {200, "{\"AccessKeyId\":\"hidden\"}", NULL}};
    struct scripted_http *server = scripted_http_start(answered, COUNT(answered));
    support_clear_environment();
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", scripted_http_url(server, "/"), 1);
    for (size_t i = 0; i < COUNT(answered); i++)
        support_assert_refused(aws_credentials_from_container(), STATUS_RETRY, i < 2 ? "JSON" : "no Secret");
    scripted_http_stop(server);
}

static void without_the_variables_of_the_container_there_is_no_endpoint(void **state) {
    (void)state;
    support_clear_environment();
    support_assert_refused(aws_credentials_from_container(), STATUS_NOT_FOUND,
                           "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_uri_is_https_or_has_one_of_the_allowed_hosts),
        cmocka_unit_test(a_relative_uri_is_resolved_at_the_container_agent),
        cmocka_unit_test(each_request_to_the_endpoint_has_the_current_token_of_the_file),
        cmocka_unit_test(without_a_token_file_the_token_of_the_variable_is_sent_if_it_is_set),
        cmocka_unit_test(a_token_that_would_add_a_line_to_the_request_is_not_sent),
        cmocka_unit_test(a_refusal_of_the_endpoint_is_reported_and_not_retried),
        cmocka_unit_test(a_success_without_credentials_may_pass),
        cmocka_unit_test(without_the_variables_of_the_container_there_is_no_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
