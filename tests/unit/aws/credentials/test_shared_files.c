#include "tests/unit/support/aws_credentials.h"

#define NOWHERE "http://127.0.0.1:9"

static void assert_key(const char *config, const char *credentials, const char *key) {
    struct surroundings s;
    support_surround(&s, config, credentials, "dev", NOWHERE);
    support_assert_key(aws_credentials_from_shared_files(&s.setup), key);
    support_leave(&s);
}

static void assert_refused(const char *config, const char *credentials, enum status status,
                           const char *reason) {
    struct surroundings s;
    support_surround(&s, config, credentials, "dev", NOWHERE);
    support_assert_refused(aws_credentials_from_shared_files(&s.setup), status, reason);
    support_leave(&s);
}

static void the_credentials_file_precedes_a_process_and_a_process_precedes_the_config_file(void **state) {
    (void)state;
    static const char keys[] = "[dev]\naws_access_key_id = CREDENTIALS\naws_secret_access_key = s\n";
    static const char config[] = "[profile dev]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n";
    static const char process[] =
        "[profile dev]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n"
        "credential_process = echo '{\"Version\":1,\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}'\n";
    assert_key(config, keys, "CREDENTIALS");
    assert_key(process, keys, "CREDENTIALS");
    assert_key(process, "", "PROCESS");
    assert_key(config, "", "CONFIG");
}

static void a_session_token_beside_the_keys_is_used_with_them(void **state) {
    (void)state;
    struct surroundings s;
    struct aws_credentials *c;
    support_surround(&s, "",
                     "[dev]\naws_access_key_id = K\naws_secret_access_key = s\naws_session_token = t\n",
                     "dev", NOWHERE);
    assert_int_equal(support_ask(aws_credentials_from_shared_files(&s.setup), &c, NULL), STATUS_OK);
    assert_string_equal(c->session_token, "t");
    assert_string_equal(c->source, "shared files");
    aws_credentials_unref(c);
    support_leave(&s);
}

static void a_key_in_one_file_is_not_completed_from_the_other_file(void **state) {
    (void)state;
    assert_refused("[profile dev]\naws_secret_access_key = hidden\n", "[dev]\naws_access_key_id = K\n",
                   STATUS_FAILED, "has aws_access_key_id but no aws_secret_access_key");
    assert_refused("", "[dev]\naws_secret_access_key = hidden\n", STATUS_FAILED,
                   "has aws_secret_access_key but no aws_access_key_id");
}

static void without_credentials_the_error_names_the_profile_and_both_files(void **state) {
    (void)state;
    struct surroundings s;
    support_surround(&s, "", "[dev]\nregion = a\n", "dev", NOWHERE);
    support_assert_refused(aws_credentials_from_shared_files(&s.setup), STATUS_NOT_FOUND, "profile 'dev'");
    support_assert_refused(aws_credentials_from_shared_files(&s.setup), STATUS_NOT_FOUND,
                           aws_profiles_credentials_path(s.profiles));
    support_assert_refused(aws_credentials_from_shared_files(&s.setup), STATUS_NOT_FOUND,
                           aws_profiles_config_path(s.profiles));
    support_leave(&s);
}

static void a_setting_that_is_not_supported_is_refused_by_name_even_beside_keys(void **state) {
    (void)state;
    static const char keys[] = "[dev]\naws_access_key_id = K\naws_secret_access_key = hidden\n";
    assert_refused("[profile dev]\nsso_session = corp\n", keys, STATUS_FAILED, "sso_session");
    assert_refused("[profile dev]\nsso_start_url = https://x\n", keys, STATUS_FAILED, "sso_start_url");
    assert_refused("[profile dev]\nlogin_session = arn:x\n", "", STATUS_FAILED, "login_session");
}

static void a_process_also_returns_a_token_and_an_expiry(void **state) {
    (void)state;
    struct surroundings s;
    struct aws_credentials *c;
    support_surround(
        &s,
        "[profile dev]\ncredential_process = printf '{\"Version\":1,\"AccessKeyId\":\"%s\","
        "\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"2030-01-01T00:00:00Z\"}' "
        "\"A B\"\n",
        "", "dev", NOWHERE);
    assert_int_equal(support_ask(aws_credentials_from_shared_files(&s.setup), &c, NULL), STATUS_OK);
    assert_string_equal(c->access_key_id, "A B");
    assert_string_equal(c->session_token, "t");
    assert_int_equal(c->expires_ms, 1893456000000);
    assert_string_equal(c->source, "credential_process of profile 'dev'");
    aws_credentials_unref(c);
    support_leave(&s);
}

static void a_process_that_fails_is_reported_with_its_standard_error_only(void **state) {
    (void)state;
    assert_refused("[profile dev]\ncredential_process = sh -c 'echo hidden; echo locked out >&2; exit 4'\n",
                   "", STATUS_FAILED,
                   "credential_process of profile 'dev': it ended with status 4: locked out");
    assert_refused("[profile dev]\ncredential_process = echo hidden\n", "", STATUS_FAILED,
                   "not a JSON object");
    assert_refused("[profile dev]\ncredential_process = echo \"x\n", "", STATUS_INVALID, "not closed");
    assert_refused("[profile dev]\ncredential_process = head -c 100000 /dev/zero\n", "", STATUS_FAILED,
                   "more than 65536 bytes");
}

static void a_text_that_cannot_stand_in_a_header_is_named_with_profile_and_file(void **state) {
    (void)state;
    struct surroundings s;
    char where[256];
    support_surround(&s, "", "[dev]\naws_access_key_id = K\naws_secret_access_key = hidden\x01\n", "dev",
                     NOWHERE);
    snprintf(where, sizeof where, "profile 'dev' in '%s': aws_secret_access_key has a character inside",
             aws_profiles_credentials_path(s.profiles));
    support_assert_refused(aws_credentials_from_shared_files(&s.setup), STATUS_INVALID, where);
    support_leave(&s);
}

static void write_credentials(const struct surroundings *s, const char *text) {
    FILE *f = fopen(aws_profiles_credentials_path(s->profiles), "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void the_files_are_read_at_each_fetch_and_one_that_is_broken_then_fails_it(void **state) {
    (void)state;
    struct surroundings s;
    struct aws_credentials *c;
    struct error e;
    support_surround(&s, "", "", "dev", NOWHERE);
    struct aws_credentials_source source = aws_credentials_from_shared_files(&s.setup);
    static const char *const keys[] = {"ONE", "TWO"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        char text[128];
        snprintf(text, sizeof text, "[dev]\naws_access_key_id = %s\naws_secret_access_key = s\n", keys[i]);
        write_credentials(&s, text);
        assert_int_equal(source.fetch(source.context, -1, &c, NULL), STATUS_OK);
        assert_string_equal(c->access_key_id, keys[i]);
        aws_credentials_unref(c);
    }
    c = NULL;
    write_credentials(&s, "[dev]\naws_access_key_id = K\naws_secret_acc");
    assert_int_equal(source.fetch(source.context, -1, &c, &e), STATUS_INVALID);
    assert_contains(e.message, aws_profiles_credentials_path(s.profiles));
    assert_contains(e.message, "line 3");
    write_credentials(&s, "[dev]\naws_access_key_id = K\n");
    assert_int_equal(source.fetch(source.context, -1, &c, &e), STATUS_FAILED);
    assert_contains(e.message, "no aws_secret_access_key");
    write_credentials(&s, "");
    assert_int_equal(source.fetch(source.context, -1, &c, &e), STATUS_NOT_FOUND);
    assert_null(c);
    source.free(source.context);
    support_leave(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_credentials_file_precedes_a_process_and_a_process_precedes_the_config_file),
        cmocka_unit_test(a_session_token_beside_the_keys_is_used_with_them),
        cmocka_unit_test(a_key_in_one_file_is_not_completed_from_the_other_file),
        cmocka_unit_test(without_credentials_the_error_names_the_profile_and_both_files),
        cmocka_unit_test(a_setting_that_is_not_supported_is_refused_by_name_even_beside_keys),
        cmocka_unit_test(a_process_also_returns_a_token_and_an_expiry),
        cmocka_unit_test(a_process_that_fails_is_reported_with_its_standard_error_only),
        cmocka_unit_test(a_text_that_cannot_stand_in_a_header_is_named_with_profile_and_file),
        cmocka_unit_test(the_files_are_read_at_each_fetch_and_one_that_is_broken_then_fails_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
