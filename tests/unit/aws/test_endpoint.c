#include "aws/endpoint.h"

#include "aws/profile.h"
#include "tests/unit/support/aws.h"

static const char config[] = "[profile both]\nservices = local\nendpoint_url = http://profile:1\n"
                             "[profile general]\nendpoint_url = http://profile:1\n"
                             "[profile ignoring]\nendpoint_url = http://profile:1\n"
                             "ignore_configured_endpoint_urls = True\n"
                             "[profile variants]\nuse_fips_endpoint = true\n"
                             "use_dualstack_endpoint = true\n"
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
    const struct aws_endpoint_query query = {"dynamodb", "DYNAMODB", region, profile, NULL};
    struct aws_endpoint endpoint;
    struct error e = {.message = ""};
    enum status status = aws_endpoint_resolve(&endpoint, &query, profiles, &e);
    assert_string_equal(e.message, "");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(endpoint.url, url);
    assert_string_equal(endpoint.host, host);
    assert_string_equal(endpoint.region, region);
    aws_endpoint_deinit(&endpoint);
}

static void the_default_endpoint_is_that_of_the_region_in_the_domain_of_its_partition(void **state) {
    (void)state;
    assert_endpoint("default", "eu-west-1", "https://dynamodb.eu-west-1.amazonaws.com/",
                    "dynamodb.eu-west-1.amazonaws.com");
    assert_endpoint("default", "cn-north-1", "https://dynamodb.cn-north-1.amazonaws.com.cn/",
                    "dynamodb.cn-north-1.amazonaws.com.cn");
    assert_endpoint("default", "us-gov-west-1", "https://dynamodb.us-gov-west-1.amazonaws.com/",
                    "dynamodb.us-gov-west-1.amazonaws.com");
}

/* As in the rule sets of the SDKs (botocore's endpoint tests). */
static void each_partition_has_its_own_domain_and_fips_and_dual_stack_hosts(void **state) {
    (void)state;
    static const struct {
        const char *region, *plain, *fips, *dualstack, *both;
    } cases[] = {
        {"eu-west-1", "dynamodb.eu-west-1.amazonaws.com", "dynamodb-fips.eu-west-1.amazonaws.com",
         "dynamodb.eu-west-1.api.aws", "dynamodb-fips.eu-west-1.api.aws"},
        {"cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn", "dynamodb-fips.cn-north-1.amazonaws.com.cn",
         "dynamodb.cn-north-1.api.amazonwebservices.com.cn",
         "dynamodb-fips.cn-north-1.api.amazonwebservices.com.cn"},
        {"us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com", "dynamodb.us-gov-west-1.amazonaws.com",
         "dynamodb.us-gov-west-1.api.aws", "dynamodb-fips.us-gov-west-1.api.aws"},
        {"us-iso-east-1", "dynamodb.us-iso-east-1.c2s.ic.gov", "dynamodb-fips.us-iso-east-1.c2s.ic.gov",
         "dynamodb.us-iso-east-1.api.aws.ic.gov", "dynamodb-fips.us-iso-east-1.api.aws.ic.gov"},
        {"us-isob-east-1", "dynamodb.us-isob-east-1.sc2s.sgov.gov",
         "dynamodb-fips.us-isob-east-1.sc2s.sgov.gov", "dynamodb.us-isob-east-1.api.aws.scloud",
         "dynamodb-fips.us-isob-east-1.api.aws.scloud"},
        {"eusc-de-east-1", "dynamodb.eusc-de-east-1.amazonaws.eu",
         "dynamodb-fips.eusc-de-east-1.amazonaws.eu", "dynamodb.eusc-de-east-1.api.amazonwebservices.eu",
         "dynamodb-fips.eusc-de-east-1.api.amazonwebservices.eu"},
        {"mars-west-1", "dynamodb.mars-west-1.amazonaws.com", "dynamodb-fips.mars-west-1.amazonaws.com",
         "dynamodb.mars-west-1.api.aws", "dynamodb-fips.mars-west-1.api.aws"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const hosts[] = {cases[i].plain, cases[i].fips, cases[i].dualstack, cases[i].both};
        for (int variant = 0; variant < 4; variant++) {
            char url[128];
            setenv("AWS_USE_FIPS_ENDPOINT", variant & 1 ? "true" : "false", 1);
            setenv("AWS_USE_DUALSTACK_ENDPOINT", variant & 2 ? "TRUE" : "", 1);
            snprintf(url, sizeof url, "https://%s/", hosts[variant]);
            assert_endpoint("default", cases[i].region, url, hosts[variant]);
        }
    }
}

static void a_variable_selects_fips_or_dual_stack_and_precedes_the_profile(void **state) {
    (void)state;
    assert_endpoint("variants", "eu-west-1", "https://dynamodb-fips.eu-west-1.api.aws/",
                    "dynamodb-fips.eu-west-1.api.aws");
    setenv("AWS_USE_DUALSTACK_ENDPOINT", "false", 1);
    assert_endpoint("variants", "eu-west-1", "https://dynamodb-fips.eu-west-1.amazonaws.com/",
                    "dynamodb-fips.eu-west-1.amazonaws.com");
}

static void assert_refused(const char *part) {
    const struct aws_endpoint_query query = {"dynamodb", "DYNAMODB", "eu-west-1", "default", NULL};
    struct aws_endpoint endpoint;
    struct error e;
    assert_int_equal(aws_endpoint_resolve(&endpoint, &query, profiles, &e), STATUS_INVALID);
    assert_contains(e.message, part);
    aws_endpoint_deinit(&endpoint);
}

static void fips_or_dual_stack_beside_a_configured_url_or_with_an_invalid_value_is_refused(void **state) {
    (void)state;
    setenv("AWS_ENDPOINT_URL", "http://general:3", 1);
    setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
    assert_refused("AWS_ENDPOINT_URL and AWS_USE_FIPS_ENDPOINT");
    setenv("AWS_USE_FIPS_ENDPOINT", "false", 1);
    setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
    assert_refused("AWS_ENDPOINT_URL and AWS_USE_DUALSTACK_ENDPOINT");
    setenv("AWS_USE_DUALSTACK_ENDPOINT", "1", 1);
    assert_refused("AWS_USE_DUALSTACK_ENDPOINT (or use_dualstack_endpoint of profile 'default') is '1'");
}

/* Queues. */

static void assert_resource(const struct aws_endpoint_query *query, const char *url, const char *region) {
    struct aws_endpoint endpoint;
    struct error e = {.message = ""};
    enum status status = aws_endpoint_resolve(&endpoint, query, profiles, &e);
    assert_string_equal(e.message, "");
    assert_int_equal(status, STATUS_OK);
    assert_string_equal(endpoint.url, url);
    assert_string_equal(endpoint.region, region);
    aws_endpoint_deinit(&endpoint);
}

static void assert_queue(const char *queue_url, const char *url, const char *region) {
    const struct aws_endpoint_query query = {"sqs", "SQS", "eu-west-1", "default", queue_url};
    assert_resource(&query, url, region);
}

static void a_queue_is_called_at_the_host_and_region_of_its_url(void **state) {
    (void)state;
    assert_queue("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/",
                 "eu-west-1");
    assert_queue("https://eu-west-1.queue.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/",
                 "eu-west-1");
    assert_queue("https://sqs.us-east-2.amazonaws.com/1/q", "https://sqs.us-east-2.amazonaws.com/",
                 "us-east-2");
    assert_queue("https://queue.amazonaws.com/1/q", "https://queue.amazonaws.com/", "us-east-1");
    assert_queue("https://us-east-2.queue.amazonaws.com/1/q", "https://sqs.us-east-2.amazonaws.com/",
                 "us-east-2");
    assert_queue("https://sqs-fips.us-east-2.amazonaws.com/1/q", "https://sqs-fips.us-east-2.amazonaws.com/",
                 "us-east-2");
    assert_queue("https://vpce-1-2.sqs.us-east-1.vpce.amazonaws.com/1/q",
                 "https://vpce-1-2.sqs.us-east-1.vpce.amazonaws.com/", "us-east-1");
    assert_queue("http://localhost:9324/000000000000/q", "http://localhost:9324/", "eu-west-1");
}

static void a_queue_is_called_at_the_fips_host_if_fips_is_set(void **state) {
    (void)state;
    setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
    assert_queue("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs-fips.eu-west-1.amazonaws.com/",
                 "eu-west-1");
    assert_queue("https://sqs.us-east-2.amazonaws.com/1/q", "https://sqs-fips.us-east-2.amazonaws.com/",
                 "us-east-2");
}

static void a_configured_endpoint_precedes_the_host_of_the_queue(void **state) {
    (void)state;
    setenv("AWS_ENDPOINT_URL_SQS", "http://localhost:9324", 1);
    assert_queue("https://sqs.us-east-2.amazonaws.com/1/q", "http://localhost:9324/", "us-east-2");
}

static void a_url_that_is_not_of_a_queue_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"queue", "ftp://a/1/q", "https://u:p@a/1/q", "https://a/1/q?x=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct aws_endpoint_query query = {"sqs", "SQS", "eu-west-1", "default", wrong[i]};
        struct aws_endpoint endpoint;
        struct error e;
        assert_int_equal(aws_endpoint_resolve(&endpoint, &query, profiles, &e), STATUS_INVALID);
        assert_contains(e.message, wrong[i]);
    }
}

/* Streams. */

static void a_stream_is_called_in_the_region_of_its_arn(void **state) {
    (void)state;
    static const char arn[] = "arn:aws:kinesis:us-west-2:111122223333:stream/shop";
    const struct aws_endpoint_query query = {"kinesis", "KINESIS", "eu-west-1", "default", arn};
    const struct aws_endpoint_query nowhere = {"kinesis", "KINESIS", NULL, "default", arn};
    const struct aws_endpoint_query china = {"kinesis", "KINESIS", "eu-west-1", "default",
                                             "arn:aws-cn:kinesis:cn-north-1:111122223333:stream/shop"};
    assert_resource(&query, "https://kinesis.us-west-2.amazonaws.com/", "us-west-2");
    assert_resource(&nowhere, "https://kinesis.us-west-2.amazonaws.com/", "us-west-2");
    assert_resource(&china, "https://kinesis.cn-north-1.amazonaws.com.cn/", "cn-north-1");
    setenv("AWS_ENDPOINT_URL_KINESIS", "http://localhost:4567", 1);
    assert_resource(&query, "http://localhost:4567/", "us-west-2");
}

static void without_any_region_a_service_is_refused(void **state) {
    (void)state;
    const struct aws_endpoint_query query = {"dynamodb", "DYNAMODB", NULL, "default", NULL};
    struct aws_endpoint endpoint;
    struct error e;
    assert_int_equal(aws_endpoint_resolve(&endpoint, &query, profiles, &e), STATUS_INVALID);
    assert_contains(e.message, "no AWS region is set for dynamodb: set AWS_REGION");
}

static void the_variable_of_the_service_precedes_the_general_one_and_that_the_profile(void **state) {
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

static void configured_endpoints_can_be_ignored(void **state) {
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

static void the_host_header_has_the_port_unless_it_is_the_default_of_the_scheme(void **state) {
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

static void an_invalid_endpoint_is_refused_with_the_name_of_its_variable(void **state) {
    (void)state;
    static const char *const wrong[] = {"localhost:8000", "ftp://localhost",    "http://",
                                        "http://a b",     "http://a/path",      "http://a/?x=1",
                                        "http://a/#x",    "http://user:pw@a/",  "http://a:99999",
                                        "http://a:x",     "file:///etc/passwd", "nonsense"};
    const struct aws_endpoint_query query = {"dynamodb", "DYNAMODB", "eu-west-1", "default", NULL};
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
        cmocka_unit_test_setup(the_default_endpoint_is_that_of_the_region_in_the_domain_of_its_partition,
                               clear),
        cmocka_unit_test_setup(each_partition_has_its_own_domain_and_fips_and_dual_stack_hosts, clear),
        cmocka_unit_test_setup(a_variable_selects_fips_or_dual_stack_and_precedes_the_profile, clear),
        cmocka_unit_test_setup(fips_or_dual_stack_beside_a_configured_url_or_with_an_invalid_value_is_refused,
                               clear),
        cmocka_unit_test_setup(a_queue_is_called_at_the_host_and_region_of_its_url, clear),
        cmocka_unit_test_setup(a_queue_is_called_at_the_fips_host_if_fips_is_set, clear),
        cmocka_unit_test_setup(a_configured_endpoint_precedes_the_host_of_the_queue, clear),
        cmocka_unit_test_setup(a_url_that_is_not_of_a_queue_is_refused, clear),
        cmocka_unit_test_setup(a_stream_is_called_in_the_region_of_its_arn, clear),
        cmocka_unit_test_setup(without_any_region_a_service_is_refused, clear),
        cmocka_unit_test_setup(the_variable_of_the_service_precedes_the_general_one_and_that_the_profile,
                               clear),
        cmocka_unit_test_setup(configured_endpoints_can_be_ignored, clear),
        cmocka_unit_test_setup(the_host_header_has_the_port_unless_it_is_the_default_of_the_scheme, clear),
        cmocka_unit_test_setup(an_invalid_endpoint_is_refused_with_the_name_of_its_variable, clear),
    };
    return cmocka_run_group_tests(tests, load_profiles, free_profiles);
}
