#include "aws/profile.h"

#include "tests/unit/support/aws.h"

static enum status load(struct aws_profiles **profiles, const char *config, const char *credentials,
                        struct error *e) {
    support_put_file("AWS_CONFIG_FILE", config);
    support_put_file("AWS_SHARED_CREDENTIALS_FILE", credentials);
    enum status status = aws_profiles_load(profiles, e);
    support_drop_file("AWS_CONFIG_FILE");
    support_drop_file("AWS_SHARED_CREDENTIALS_FILE");
    return status;
}

static struct aws_profiles *load_config(const char *config) {
    struct aws_profiles *p;
    assert_int_equal(load(&p, config, "", NULL), STATUS_OK);
    return p;
}

static const char *config_value(const struct aws_profiles *p, const char *profile, const char *key) {
    return aws_profiles_get(p, AWS_PROFILE_CONFIG, profile, key, NULL);
}

static void a_profile_section_begins_with_profile_in_config_but_not_in_credentials(void **state) {
    (void)state;
    struct aws_profiles *p;
    assert_int_equal(load(&p, "[default]\nregion = a\n[profile dev]\nregion=b\n[other]\nregion=c\n",
                          "[dev]\naws_access_key_id = K\n[profile odd]\nx=y\n", NULL),
                     STATUS_OK);
    assert_string_equal(config_value(p, "default", "region"), "a");
    assert_string_equal(config_value(p, "dev", "region"), "b");
    assert_null(config_value(p, "other", "region"));
    assert_string_equal(aws_profiles_get(p, AWS_PROFILE_CREDENTIALS, "dev", "aws_access_key_id", NULL), "K");
    assert_true(aws_profiles_have(p, "default"));
    assert_true(aws_profiles_have(p, "dev"));
    assert_false(aws_profiles_have(p, "other"));
    assert_false(aws_profiles_have(p, "odd"));
    aws_profiles_free(p);
}

static void comments_blanks_and_carriage_returns_are_not_part_of_a_value(void **state) {
    (void)state;
    struct aws_profiles *p = load_config("# a comment\r\n"
                                         "; another\r\n"
                                         "\r\n"
                                         "[ profile  dev\t] # why\r\n"
                                         "region   =\teu-west-1  # there\r\n"
                                         "  # indented\r\n"
                                         "secret = a#b;c ;d\r\n"
                                         "empty = # nothing\r\n");
    assert_string_equal(config_value(p, "dev", "region"), "eu-west-1");
    assert_string_equal(config_value(p, "dev", "secret"), "a#b;c");
    assert_null(config_value(p, "dev", "empty"));
    aws_profiles_free(p);
}

static void names_of_settings_ignore_case_and_names_of_profiles_do_not(void **state) {
    (void)state;
    struct aws_profiles *p = load_config("[profile Dev]\nRegion = a\n");
    assert_string_equal(config_value(p, "Dev", "region"), "a");
    assert_null(config_value(p, "dev", "region"));
    aws_profiles_free(p);
}

static void the_later_of_two_settings_is_used_and_sections_with_one_name_are_merged(void **state) {
    (void)state;
    struct aws_profiles *p = load_config(
        "[profile a]\nregion = 1\nregion = 2\noutput = x\n[profile b]\n[profile a]\nregion = 3\n");
    assert_string_equal(config_value(p, "a", "region"), "3");
    assert_string_equal(config_value(p, "a", "output"), "x");
    aws_profiles_free(p);
}

static void the_section_profile_default_precedes_the_section_default(void **state) {
    (void)state;
    struct aws_profiles *p =
        load_config("[profile default]\nregion = a\n[default]\nregion = b\noutput = c\n");
    assert_string_equal(config_value(p, "default", "region"), "a");
    assert_null(config_value(p, "default", "output"));
    aws_profiles_free(p);
}

static void quotes_around_a_profile_name_are_not_part_of_it(void **state) {
    (void)state;
    struct aws_profiles *p = load_config("[profile \"two words\"]\nregion = a\n");
    assert_string_equal(config_value(p, "two words", "region"), "a");
    aws_profiles_free(p);
}

static void a_services_section_holds_settings_of_each_service(void **state) {
    (void)state;
    struct aws_profiles *p = load_config("[profile dev]\nservices = local\nregion = a\n"
                                         "[services local]\n"
                                         "dynamodb =\n"
                                         "  endpoint_url = http://localhost:8000\n"
                                         "\n"
                                         "  # more\n"
                                         "  max_attempts = 1\n"
                                         "kinesis = \n"
                                         "\tendpoint_url = http://localhost:4567\n");
    assert_string_equal(config_value(p, "dev", "services"), "local");
    assert_string_equal(config_value(p, "dev", "region"), "a");
    assert_string_equal(aws_profiles_get(p, AWS_PROFILE_SERVICES, "local", "dynamodb", "endpoint_url"),
                        "http://localhost:8000");
    assert_string_equal(aws_profiles_get(p, AWS_PROFILE_SERVICES, "local", "kinesis", "endpoint_url"),
                        "http://localhost:4567");
    assert_null(aws_profiles_get(p, AWS_PROFILE_SERVICES, "local", "sqs", "endpoint_url"));
    assert_null(aws_profiles_get(p, AWS_PROFILE_SERVICES, "local", "endpoint_url", NULL));
    aws_profiles_free(p);
}

static void nested_settings_do_not_replace_those_of_the_profile(void **state) {
    (void)state;
    struct aws_profiles *p = load_config("[default]\ns3 =\n  region = nested\nregion = own\n");
    assert_string_equal(config_value(p, "default", "region"), "own");
    assert_string_equal(aws_profiles_get(p, AWS_PROFILE_CONFIG, "default", "s3", "region"), "nested");
    aws_profiles_free(p);
}

static void a_setting_in_the_credentials_file_precedes_the_config_file(void **state) {
    (void)state;
    struct aws_profiles *p;
    assert_int_equal(load(&p, "[default]\nregion = a\noutput = b\n", "[default]\nregion = c\n", NULL),
                     STATUS_OK);
    assert_string_equal(aws_profiles_setting(p, "default", "region"), "c");
    assert_string_equal(aws_profiles_setting(p, "default", "output"), "b");
    assert_null(aws_profiles_setting(p, "default", "neither"));
    aws_profiles_free(p);
}

static void a_malformed_profile_file_is_refused_with_its_name_and_line(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"region = a\n", "line 1: a setting before the first section"},
        {"[default]\n\nregion\n", "line 3: a setting without its '='"},
        {"[default\n", "line 1: a section without its ']'"},
        {"[default] x\n", "line 1: something follows"},
        {"[default]\n = x\n", "line 2: a setting without a name"},
        {"[ ]\n", "line 1: a section without a name"},
        {"[profile \"\"]\n", "line 1: a section without a name"},
        {"[services a]\nb =\n  c\n", "line 3: a setting without its '='"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct aws_profiles *p;
        struct error e;
        assert_int_equal(load(&p, cases[i].text, "", &e), STATUS_INVALID);
        assert_null(p);
        assert_contains(e.message, "/tmp/winner-view-test-");
        assert_contains(e.message, cases[i].message);
    }
}

static void a_profile_file_that_is_too_large_or_unreadable_is_refused(void **state) {
    (void)state;
    struct aws_profiles *p;
    struct error e;
    char *large = malloc((1 << 20) + 2);
    memset(large, '#', (1 << 20) + 1);
    large[(1 << 20) + 1] = '\0';
    assert_int_equal(load(&p, large, "", &e), STATUS_INVALID);
    assert_contains(e.message, "larger than 1048576 bytes");
    free(large);

    setenv("AWS_CONFIG_FILE", "/tmp", 1);
    assert_int_equal(aws_profiles_load(&p, &e), STATUS_INVALID);
    assert_contains(e.message, "cannot read '/tmp': ");
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
}

static void missing_profile_files_are_empty_and_their_default_folder_is_in_the_home_directory(void **state) {
    (void)state;
    unsetenv("AWS_CONFIG_FILE");
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    setenv("HOME", "/nowhere/at/all", 1);
    struct aws_profiles *p;
    assert_int_equal(aws_profiles_load(&p, NULL), STATUS_OK);
    assert_string_equal(aws_profiles_config_path(p), "/nowhere/at/all/.aws/config");
    assert_string_equal(aws_profiles_credentials_path(p), "/nowhere/at/all/.aws/credentials");
    assert_false(aws_profiles_have(p, "default"));
    aws_profiles_free(p);

    setenv("AWS_CONFIG_FILE", "~/mine", 1);
    assert_int_equal(aws_profiles_load(&p, NULL), STATUS_OK);
    assert_string_equal(aws_profiles_config_path(p), "/nowhere/at/all/mine");
    aws_profiles_free(p);
    support_clear_environment();
}

static void the_files_can_be_read_again_but_a_pipe_only_once(void **state) {
    (void)state;
    struct aws_profiles *p, *again;
    char pipe_path[32];
    int ends[2];
    support_clear_environment();
    support_put_file("AWS_CONFIG_FILE", "[profile dev]\nregion = one\n");
    assert_int_equal(aws_profiles_load(&p, NULL), STATUS_OK);
    FILE *f = fopen(getenv("AWS_CONFIG_FILE"), "we");
    fputs("[profile dev]\nregion = two\n", f);
    fclose(f);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/not/read/any/more", 1);
    assert_int_equal(aws_profiles_read_again(p, &again, NULL), STATUS_OK);
    assert_string_equal(aws_profiles_setting(p, "dev", "region"), "one");
    assert_string_equal(aws_profiles_setting(again, "dev", "region"), "two");
    aws_profiles_free(again);
    aws_profiles_free(p);

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "[dev]\nregion = three\n", 21), 21);
    close(ends[1]);
    snprintf(pipe_path, sizeof pipe_path, "/dev/fd/%d", ends[0]);
    setenv("AWS_SHARED_CREDENTIALS_FILE", pipe_path, 1);
    assert_int_equal(aws_profiles_load(&p, NULL), STATUS_OK);
    assert_string_equal(aws_profiles_setting(p, "dev", "region"), "three");
    assert_int_equal(aws_profiles_read_again(p, &again, NULL), STATUS_OK);
    assert_null(again);
    aws_profiles_free(p);
    close(ends[0]);
    support_drop_file("AWS_CONFIG_FILE");
}

int main(void) {
    support_clear_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_section_begins_with_profile_in_config_but_not_in_credentials),
        cmocka_unit_test(comments_blanks_and_carriage_returns_are_not_part_of_a_value),
        cmocka_unit_test(names_of_settings_ignore_case_and_names_of_profiles_do_not),
        cmocka_unit_test(the_later_of_two_settings_is_used_and_sections_with_one_name_are_merged),
        cmocka_unit_test(the_section_profile_default_precedes_the_section_default),
        cmocka_unit_test(quotes_around_a_profile_name_are_not_part_of_it),
        cmocka_unit_test(a_services_section_holds_settings_of_each_service),
        cmocka_unit_test(nested_settings_do_not_replace_those_of_the_profile),
        cmocka_unit_test(a_setting_in_the_credentials_file_precedes_the_config_file),
        cmocka_unit_test(a_malformed_profile_file_is_refused_with_its_name_and_line),
        cmocka_unit_test(a_profile_file_that_is_too_large_or_unreadable_is_refused),
        cmocka_unit_test(missing_profile_files_are_empty_and_their_default_folder_is_in_the_home_directory),
        cmocka_unit_test(the_files_can_be_read_again_but_a_pipe_only_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
