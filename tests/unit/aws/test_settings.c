#include "aws/settings.h"

#include "tests/unit/support/aws.h"

static int clear(void **state) {
    (void)state;
    support_clear_environment();
    return 0;
}

static void assert_refused(const char *part) {
    struct aws_settings *settings;
    struct error e;
    assert_int_equal(aws_settings_load(&settings, &e), STATUS_INVALID);
    assert_null(settings);
    assert_contains(e.message, part);
}

static void assert_region(const char *region) {
    struct aws_settings *settings;
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_string_equal(settings->region, region);
    aws_settings_free(settings);
}

static void the_region_is_that_of_the_variable_or_else_of_the_profile(void **state) {
    (void)state;
    struct aws_settings *settings;
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_null(settings->region); /* a resource may have its own */
    aws_settings_free(settings);
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

static void settings_with_a_malformed_profile_file_are_refused(void **state) {
    (void)state;
    setenv("AWS_REGION", "eu-west-1", 1);
    support_put_file("AWS_CONFIG_FILE", "[default\n");
    assert_refused("line 1");
    support_drop_file("AWS_CONFIG_FILE");
}

static void the_number_of_attempts_is_from_one_to_a_hundred(void **state) {
    (void)state;
    struct aws_settings *settings;
    setenv("AWS_REGION", "eu-west-1", 1);
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_int_equal(settings->max_attempts, 0);
    aws_settings_free(settings);
    setenv("AWS_MAX_ATTEMPTS", "7", 1);
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_int_equal(settings->max_attempts, 7);
    aws_settings_free(settings);

    static const char *const wrong[] = {"0", "-1", "101", "x", "3x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("AWS_MAX_ATTEMPTS", wrong[i], 1);
        assert_refused("AWS_MAX_ATTEMPTS is '");
    }
}

static void the_ca_bundle_of_the_variable_precedes_that_of_the_profile(void **state) {
    (void)state;
    setenv("AWS_REGION", "eu-west-1", 1);
    support_put_file("AWS_CONFIG_FILE", "[default]\nca_bundle = /no/such.pem\n");
    assert_refused("AWS_CA_BUNDLE (or ca_bundle of the profile) is '/no/such.pem'; it must be a file of "
                   "certificates that can be read: No such file or directory");
    setenv("AWS_CA_BUNDLE", "/no/other.pem", 1);
    assert_refused("AWS_CA_BUNDLE (or ca_bundle of the profile) is '/no/other.pem'");
    support_drop_file("AWS_CONFIG_FILE");
}

static void a_ca_bundle_without_a_certificate_stops_the_start(void **state) {
    (void)state;
    setenv("AWS_REGION", "eu-west-1", 1);
    setenv("AWS_CA_BUNDLE", "/dev/zero", 1); /* without an end */
    assert_refused("'/dev/zero'; it must be a file of certificates");
    support_put_file("AWS_CA_BUNDLE", "nothing\n");
    assert_refused("it must be a file of certificates that can be read: no certificate or crl found");
    support_drop_file("AWS_CA_BUNDLE");
}

static void an_unsupported_retry_mode_is_replaced_by_standard_with_a_warning(void **state) {
    (void)state;
    struct aws_settings *settings;
    setenv("AWS_REGION", "eu-west-1", 1);
    static const char *const ours[] = {"", "standard", "Standard"}, *const others[] = {"adaptive", "legacy"};
    for (size_t i = 0; i < 3; i++) {
        setenv("AWS_RETRY_MODE", ours[i], 1);
        assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
        assert_null(settings->warning);
        aws_settings_free(settings);
    }
    for (size_t i = 0; i < 2; i++) {
        setenv("AWS_RETRY_MODE", others[i], 1);
        assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
        assert_contains(settings->warning, others[i]);
        aws_settings_free(settings);
    }
    setenv("AWS_RETRY_MODE", "eager", 1);
    assert_refused("AWS_RETRY_MODE (or retry_mode of the profile) is 'eager'");
    unsetenv("AWS_RETRY_MODE");
    support_put_file("AWS_CONFIG_FILE", "[default]\nretry_mode = adaptive\n");
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_contains(settings->warning, "adaptive");
    aws_settings_free(settings);
    support_drop_file("AWS_CONFIG_FILE");
}

static void white_space_around_the_region_is_no_part_of_it(void **state) {
    (void)state;
    struct aws_settings *settings;
    setenv("AWS_REGION", " eu-west-1\n", 1);
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_string_equal(settings->region, "eu-west-1");
    aws_settings_free(settings);
    setenv("AWS_REGION", "eu-west-1\nX-More: 1", 1);
    assert_refused("AWS_REGION is 'eu-west-1\nX-More: 1'; it must consist of");
}

static void assert_corrects_skew(bool expected) {
    struct aws_settings *settings;
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    assert_int_equal(settings->corrects_skew, expected);
    aws_settings_free(settings);
}

static void clock_skew_is_corrected_unless_the_variable_or_the_profile_disables_it(void **state) {
    (void)state;
    setenv("AWS_REGION", "eu-west-1", 1);
    assert_corrects_skew(true);
    support_put_file("AWS_CONFIG_FILE", "[default]\ndisable_clock_skew_correction = true\n");
    assert_corrects_skew(false);
    setenv("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "false", 1);
    assert_corrects_skew(true);
    support_drop_file("AWS_CONFIG_FILE");
    setenv("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "True", 1);
    assert_corrects_skew(false);
    setenv("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "1", 1);
    assert_refused("AWS_DISABLE_CLOCK_SKEW_CORRECTION");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_region_is_that_of_the_variable_or_else_of_the_profile, clear),
        cmocka_unit_test_setup(a_region_that_cannot_be_part_of_a_host_name_is_refused, clear),
        cmocka_unit_test_setup(white_space_around_the_region_is_no_part_of_it, clear),
        cmocka_unit_test_setup(a_named_profile_must_exist, clear),
        cmocka_unit_test_setup(settings_with_a_malformed_profile_file_are_refused, clear),
        cmocka_unit_test_setup(the_number_of_attempts_is_from_one_to_a_hundred, clear),
        cmocka_unit_test_setup(an_unsupported_retry_mode_is_replaced_by_standard_with_a_warning, clear),
        cmocka_unit_test_setup(clock_skew_is_corrected_unless_the_variable_or_the_profile_disables_it, clear),
        cmocka_unit_test_setup(the_ca_bundle_of_the_variable_precedes_that_of_the_profile, clear),
        cmocka_unit_test_setup(a_ca_bundle_without_a_certificate_stops_the_start, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
