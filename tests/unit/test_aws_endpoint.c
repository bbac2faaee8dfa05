#include "aws/endpoint.h"

#include "aws/profile.h"
#include "tests/unit/test_aws_support.h"

static const char config[] = "[profile both]\nservices = local\nendpoint_url = http://profile:1\n"
                             "[profile general]\nendpoint_url = http://profile:1\n"
                             "[profile ignoring]\nendpoint_url = http://profile:1\n"
                             "ignore_configured_endpoint_urls = True\n"
                             "[services local]\ndynamodb =\n  endpoint_url = http://section:2\n";
static struct aws_profiles *profiles;

static int load_profiles(void **state) {
    (void)state;
    support_clear_environment();
    support_put_file("AWS_CONFIG_FILE", config);
    enum status status = aws_profiles_load(&profiles, NULL);
    support_drop_file("AWS_CONFIG_FILE");
    return (int)status;
}

static int free_profiles(void **state) {
    (void)state;
    aws_profiles_free(profiles);
    return 0;
}

static int clear(void **state) {
    (void)state;
    support_clear_environment();
    return 0;
}

static void assert_endpoint(const char *profile, const char *region, const char *url, const char *host) {
    const struct aws_endpoint_query query = {"dynamodb", "DYNAMODB", region, profile};
    struct aws_endpoint endpoint;
    struct error e = {.message = ""};
    enum status status = aws_endpoint_resolve(&endpoint, &query, profiles, &e);
    assert_string_equal(e.message, "");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(endpoint.url, url);
    assert_string_equal(endpoint.host, host);
    aws_endpoint_deinit(&endpoint);
}

static void unconfigured_it_is_the_regions_in_its_partitions_domain(void **state) {
    (void)state;
    assert_endpoint("default", "eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com/",
                    "dynamodb.eu-west-1.amazonaws.com");
    assert_endpoint("default", "cn-north-1", "https://dynamodb.cn-north-1.amazonaws.com.cn/",
                    "dynamodb.cn-north-1.amazonaws.com.cn");
    assert_endpoint("default", "us-gov-west-1", "https://dynamodb.us-gov-west-1.amazonaws.com/",
                    "dynamodb.us-gov-west-1.amazonaws.com");
}

static void the_services_variable_goes_before_the_general_one_before_the_profile(void **state) {
    (void)state;
    assert_endpoint("general", "eu-west-1", "http://profile:1/", "profile:1");
    assert_endpoint("both", "eu-west-1", "http://section:2/", "section:2");
    setenv("AWS_ENDPOINT_URL", "http://general:3", 1);
    assert_endpoint("both", "eu-west-1", "http://general:3/", "general:3");
    setenv("AWS_ENDPOINT_URL_KINESIS", "http://kinesis:5", 1);
    assert_endpoint("both", "eu-west-1", "http://general:3/", "general:3");
    setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://own:4", 1);
    assert_endpoint("both", "eu-west-1", "http://own:4/", "own:4");
    setenv("AWS_ENDPOINT_URL_DYNAMODB", "", 1);
    assert_endpoint("both", "eu-west-1", "http://general:3/", "general:3");
}

static void configured_ones_can_be_ignored(void **state) {
    (void)state;
    setenv("AWS_ENDPOINT_URL", "http://general:3", 1);
    assert_endpoint("ignoring", "eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com/",
                    "dynamodb.eu-west-1.amazonaws.com");
    setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
    assert_endpoint("both", "eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com/",
                    "dynamodb.eu-west-1.amazonaws.com");
    setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false", 1);
    assert_endpoint("ignoring", "eu-west-1", "http://general:3/", "general:3");
}

static void the_host_has_its_port_unless_it_is_the_schemes_own(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"http://localhost:8000", "http://localhost:8000/", "localhost:8000"},
        {"http://localhost:8000/", "http://localhost:8000/", "localhost:8000"},
        {"http://localhost", "http://localhost/", "localhost"},
        {"http://localhost:80", "http://localhost:80/", "localhost"},
        {"https://localhost:443/", "https://localhost:443/", "localhost"},
        {"https://localhost:80", "https://localhost:80/", "localhost:80"},
        {"http://[::1]:8000", "http://[::1]:8000/", "[::1]:8000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("AWS_ENDPOINT_URL", cases[i][0], 1);
        assert_endpoint("default", "eu-west-1", cases[i][1], cases[i][2]);
    }
}

static void what_is_no_endpoint_is_refused_naming_where_it_stands(void **state) {
    (void)state;
    static const char *const wrong[] = {"localhost:8000", "ftp://localhost",    "http://",
                                        "http://a b",     "http://a/path",      "http://a/?x=1",
                                        "http://a/#x",    "http://user:pw@a/",  "http://a:99999",
                                        "http://a:x",     "file:///etc/passwd", "nonsense"};
    const struct aws_endpoint_query query = {"dynamodb", "DYNAMODB", "eu-west-1", "default"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct aws_endpoint endpoint;
        struct error e;
        print_message("%s\n", wrong[i]);
        setenv("AWS_ENDPOINT_URL_DYNAMODB", wrong[i], 1);
        assert_int_equal(aws_endpoint_resolve(&endpoint, &query, profiles, &e), STATUS_INVALID);
        assert_contains(e.message, "AWS_ENDPOINT_URL_DYNAMODB is '");
        assert_contains(e.message, wrong[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unconfigured_it_is_the_regions_in_its_partitions_domain, clear),
        cmocka_unit_test_setup(the_services_variable_goes_before_the_general_one_before_the_profile, clear),
        cmocka_unit_test_setup(configured_ones_can_be_ignored, clear),
        cmocka_unit_test_setup(the_host_has_its_port_unless_it_is_the_schemes_own, clear),
        cmocka_unit_test_setup(what_is_no_endpoint_is_refused_naming_where_it_stands, clear),
    };
    return cmocka_run_group_tests(tests, load_profiles, free_profiles);
}
