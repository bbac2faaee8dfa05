#include "aws/config.h"

#include "tests/unit/test_aws_support.h"

static int clear(void **state) {
    (void)state;
    support_clear_environment();
    return 0;
}

static void assert_refused(const char *part) {
    struct aws_config *config;
    struct error e;
    assert_int_equal(aws_config_load(&config, &e), STATUS_INVALID);
    assert_null(config);
    assert_contains(e.message, part);
}

static void assert_region(const char *region) {
    struct aws_config *config;
    assert_int_equal(aws_config_load(&config, NULL), STATUS_OK);
    assert_string_equal(aws_config_region(config), region);
    aws_config_free(config);
}

static void the_region_is_the_variables_else_the_profiles(void **state) {
    (void)state;
    assert_refused("set AWS_REGION");
    support_put_file("AWS_CONFIG_FILE", "[default]\nregion = us-east-1\n[profile dev]\nregion = us-west-2\n");
    assert_region("us-east-1");
    setenv("AWS_PROFILE", "dev", 1);
    assert_region("us-west-2");
    setenv("AWS_DEFAULT_REGION", "eu-central-1", 1);
    assert_region("eu-central-1");
    setenv("AWS_REGION", "eu-west-1", 1);
    assert_region("eu-west-1");
    support_drop_file("AWS_CONFIG_FILE");
}

static void a_region_that_cannot_be_part_of_a_host_name_is_refused(void **state) {
    (void)state;
    setenv("AWS_REGION", "evil.example/", 1);
    assert_refused("'evil.example/'");
}

static void a_named_profile_must_exist(void **state) {
    (void)state;
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_PROFILE", "nobody", 1);
    assert_refused("AWS_PROFILE is 'nobody'");
    setenv("AWS_PROFILE", "", 1);
    assert_region("eu-west-1");
}

static void a_broken_file_is_refused(void **state) {
    (void)state;
    setenv("AWS_REGION", "eu-west-1", 1);
    support_put_file("AWS_CONFIG_FILE", "[default\n");
    assert_refused("line 1");
    support_drop_file("AWS_CONFIG_FILE");
}

static void attempts_are_a_number_from_one_to_a_hundred(void **state) {
    (void)state;
    struct aws_config *config;
    setenv("AWS_REGION", "eu-west-1", 1);
    assert_int_equal(aws_config_load(&config, NULL), STATUS_OK);
    assert_int_equal(aws_config_max_attempts(config), 0);
    aws_config_free(config);
    setenv("AWS_MAX_ATTEMPTS", "7", 1);
    assert_int_equal(aws_config_load(&config, NULL), STATUS_OK);
    assert_int_equal(aws_config_max_attempts(config), 7);
    aws_config_free(config);

    static const char *const wrong[] = {"0", "-1", "101", "x", "3x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("AWS_MAX_ATTEMPTS", wrong[i], 1);
        assert_refused("AWS_MAX_ATTEMPTS is '");
    }
}

static void the_ca_bundle_is_the_variables_else_the_profiles(void **state) {
    (void)state;
    struct aws_config *config;
    setenv("AWS_REGION", "eu-west-1", 1);
    assert_int_equal(aws_config_load(&config, NULL), STATUS_OK);
    assert_null(aws_config_ca_bundle(config));
    aws_config_free(config);

    support_put_file("AWS_CONFIG_FILE", "[default]\nca_bundle = /a.pem\nmax_attempts = 9\n");
    assert_int_equal(aws_config_load(&config, NULL), STATUS_OK);
    assert_string_equal(aws_config_ca_bundle(config), "/a.pem");
    assert_int_equal(aws_config_max_attempts(config), 9);
    aws_config_free(config);
    setenv("AWS_CA_BUNDLE", "/b.pem", 1);
    assert_int_equal(aws_config_load(&config, NULL), STATUS_OK);
    assert_string_equal(aws_config_ca_bundle(config), "/b.pem");
    aws_config_free(config);
    support_drop_file("AWS_CONFIG_FILE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_region_is_the_variables_else_the_profiles, clear),
        cmocka_unit_test_setup(a_region_that_cannot_be_part_of_a_host_name_is_refused, clear),
        cmocka_unit_test_setup(a_named_profile_must_exist, clear),
        cmocka_unit_test_setup(a_broken_file_is_refused, clear),
        cmocka_unit_test_setup(attempts_are_a_number_from_one_to_a_hundred, clear),
        cmocka_unit_test_setup(the_ca_bundle_is_the_variables_else_the_profiles, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
