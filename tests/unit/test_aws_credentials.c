#include "aws/credentials.h"

#include <pthread.h>
#include <stdatomic.h>

#include "aws/profile.h"
#include "tests/unit/test_aws_support.h"

/* A source whose answers the test sets. */
struct scripted {
    enum status status;
    const char *key;
    int64_t expires_ms;
    atomic_int fetches;
};

static enum status fetch_scripted(void *context, struct aws_credentials **out, struct error *e) {
    struct scripted *s = context;
    atomic_fetch_add(&s->fetches, 1);
    if (s->status)
        return error_set(e, s->status, "as scripted");
    *out = aws_credentials_new(s->key, "secret", NULL, s->expires_ms, "script");
    return STATUS_OK;
}

static struct aws_credentials_source source_of(struct scripted *s) {
    return (struct aws_credentials_source){"script", fetch_scripted, NULL, s};
}

static struct aws_credentials_chain *chain_of(struct scripted *first, struct scripted *second) {
    const struct aws_credentials_source sources[] = {source_of(first), source_of(second)};
    return aws_credentials_chain_new(sources, 2);
}

static void assert_key(struct aws_credentials_chain *chain, int64_t now_ms, const char *key) {
    struct aws_credentials *c;
    assert_int_equal(aws_credentials_chain_get(chain, now_ms, &c, NULL), STATUS_OK);
    assert_string_equal(aws_credentials_access_key_id(c), key);
    aws_credentials_unref(c);
}

/* As config.c builds it. */
static enum status get(struct aws_profiles *profiles, const char *profile, struct aws_credentials **out,
                       struct error *e) {
    const struct aws_credentials_source sources[] = {aws_credentials_from_environment(),
                                                     aws_credentials_from_profile(profiles, profile)};
    struct aws_credentials_chain *chain = aws_credentials_chain_new(sources, 2);
    enum status status = aws_credentials_chain_get(chain, 0, out, e);
    aws_credentials_chain_free(chain);
    return status;
}

static struct aws_profiles *load(const char *config, const char *credentials) {
    struct aws_profiles *p;
    support_clear_environment();
    support_put_file("AWS_CONFIG_FILE", config);
    support_put_file("AWS_SHARED_CREDENTIALS_FILE", credentials);
    assert_int_equal(aws_profiles_load(&p, NULL), STATUS_OK);
    support_drop_file("AWS_CONFIG_FILE");
    support_drop_file("AWS_SHARED_CREDENTIALS_FILE");
    return p;
}

static void the_environment_goes_before_the_files_even_with_a_named_profile(void **state) {
    (void)state;
    struct aws_profiles *p = load("", "[dev]\naws_access_key_id = FILE\naws_secret_access_key = s\n");
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "env-secret", 1);
    setenv("AWS_SESSION_TOKEN", "token", 1);
    struct aws_credentials *c;
    assert_int_equal(get(p, "dev", &c, NULL), STATUS_OK);
    assert_string_equal(aws_credentials_access_key_id(c), "ENV");
    assert_string_equal(aws_credentials_secret_access_key(c), "env-secret");
    assert_string_equal(aws_credentials_session_token(c), "token");
    assert_string_equal(aws_credentials_source_name(c), "environment");
    assert_int_equal(aws_credentials_expires_ms(c), 0);
    aws_credentials_unref(c);
    aws_profiles_free(p);
}

static void the_credentials_file_goes_before_the_config_file(void **state) {
    (void)state;
    struct aws_profiles *p = load("[profile dev]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n"
                                  "[profile only]\naws_access_key_id = ONLY\naws_secret_access_key = t\n"
                                  "aws_session_token = u\n",
                                  "[dev]\naws_access_key_id = CREDENTIALS\naws_secret_access_key = s\n");
    struct aws_credentials *c;
    assert_int_equal(get(p, "dev", &c, NULL), STATUS_OK);
    assert_string_equal(aws_credentials_access_key_id(c), "CREDENTIALS");
    assert_null(aws_credentials_session_token(c));
    assert_string_equal(aws_credentials_source_name(c), "shared files");
    aws_credentials_unref(c);
    assert_int_equal(get(p, "only", &c, NULL), STATUS_OK);
    assert_string_equal(aws_credentials_access_key_id(c), "ONLY");
    assert_string_equal(aws_credentials_session_token(c), "u");
    aws_credentials_unref(c);
    aws_profiles_free(p);
}

static void without_any_the_error_says_what_was_looked_for_and_where(void **state) {
    (void)state;
    struct aws_profiles *p = load("", "[dev]\nregion = a\n");
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(p, "dev", &c, &e), STATUS_FAILED);
    assert_null(c);
    assert_string_equal(e.code, "NoCredentials");
    assert_contains(e.message, "AWS_ACCESS_KEY_ID");
    assert_contains(e.message, "profile 'dev'");
    assert_contains(e.message, aws_profiles_credentials_path(p));
    assert_contains(e.message, aws_profiles_config_path(p));
    aws_profiles_free(p);
}

static void half_a_pair_is_an_error_that_does_not_tell_the_secret(void **state) {
    (void)state;
    struct aws_profiles *p = load("[profile b]\naws_access_key_id = K\naws_secret_access_key = hidden\n",
                                  "[a]\naws_access_key_id = K\n[b]\naws_secret_access_key = hidden\n");
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(p, "a", &c, &e), STATUS_FAILED);
    assert_contains(e.message, "has aws_access_key_id but no aws_secret_access_key");
    assert_int_equal(get(p, "b", &c, &e), STATUS_FAILED);
    assert_contains(e.message, "has aws_secret_access_key but no aws_access_key_id");
    assert_null(strstr(e.message, "hidden"));

    setenv("AWS_SECRET_ACCESS_KEY", "hidden", 1);
    assert_int_equal(get(p, "a", &c, &e), STATUS_FAILED);
    assert_contains(e.message, "only the second is set");
    assert_null(strstr(e.message, "hidden"));
    aws_profiles_free(p);
}

static void a_profile_that_asks_for_a_role_is_not_served_with_the_keys_beside_it(void **state) {
    (void)state;
    struct aws_profiles *p = load("[profile dev]\nrole_arn = arn:aws:iam::1:role/x\n"
                                  "aws_access_key_id = K\naws_secret_access_key = s\n",
                                  "");
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(get(p, "dev", &c, &e), STATUS_FAILED);
    assert_contains(e.message, "role_arn");
    aws_profiles_free(p);
}

static void the_first_source_that_is_configured_answers_for_good_or_bad(void **state) {
    (void)state;
    struct scripted first = {.status = STATUS_NOT_FOUND}, second = {.key = "SECOND"};
    struct aws_credentials_chain *chain = chain_of(&first, &second);
    assert_key(chain, 0, "SECOND");
    aws_credentials_chain_free(chain);

    first.status = STATUS_RETRY;
    atomic_store(&second.fetches, 0);
    chain = chain_of(&first, &second);
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(aws_credentials_chain_get(chain, 0, &c, &e), STATUS_RETRY);
    assert_contains(e.message, "cannot get credentials from the script: as scripted");
    assert_int_equal(atomic_load(&second.fetches), 0);
    aws_credentials_chain_free(chain);
}

static void what_was_found_is_kept_until_it_expires(void **state) {
    (void)state;
    struct scripted first = {.key = "ONE", .expires_ms = 1000}, second = {.status = STATUS_NOT_FOUND};
    struct aws_credentials_chain *chain = chain_of(&first, &second);
    assert_key(chain, 0, "ONE");
    first.key = "TWO";
    first.expires_ms = 2000;
    assert_key(chain, 999, "ONE");
    assert_int_equal(atomic_load(&first.fetches), 1);
    assert_key(chain, 1000, "TWO");
    assert_int_equal(atomic_load(&first.fetches), 2);
    aws_credentials_chain_free(chain);
}

static void a_failed_refresh_leaves_what_is_kept(void **state) {
    (void)state;
    struct scripted first = {.key = "ONE"}, second = {.status = STATUS_NOT_FOUND};
    struct aws_credentials_chain *chain = chain_of(&first, &second);
    assert_key(chain, 0, "ONE");
    first.status = STATUS_RETRY;
    assert_int_equal(aws_credentials_chain_refresh(chain, NULL), STATUS_RETRY);
    assert_key(chain, 0, "ONE");
    first.status = STATUS_OK;
    first.key = "TWO";
    assert_int_equal(aws_credentials_chain_refresh(chain, NULL), STATUS_OK);
    assert_key(chain, 0, "TWO");
    aws_credentials_chain_free(chain);
}

static void *get_often(void *chain) {
    for (int i = 0; i < 2000; i++) {
        struct aws_credentials *c;
        if (aws_credentials_chain_get(chain, 0, &c, NULL) ||
            strcmp(aws_credentials_access_key_id(c), "ONE") != 0)
            return chain;
        aws_credentials_unref(c);
    }
    return NULL;
}

static void threads_may_get_while_another_refreshes(void **state) {
    (void)state;
    struct scripted first = {.key = "ONE"}, second = {.status = STATUS_NOT_FOUND};
    struct aws_credentials_chain *chain = chain_of(&first, &second);
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_often, chain), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(aws_credentials_chain_refresh(chain, NULL), STATUS_OK);
    for (size_t i = 0; i < 2; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    aws_credentials_chain_free(chain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_goes_before_the_files_even_with_a_named_profile),
        cmocka_unit_test(the_credentials_file_goes_before_the_config_file),
        cmocka_unit_test(without_any_the_error_says_what_was_looked_for_and_where),
        cmocka_unit_test(half_a_pair_is_an_error_that_does_not_tell_the_secret),
        cmocka_unit_test(a_profile_that_asks_for_a_role_is_not_served_with_the_keys_beside_it),
        cmocka_unit_test(the_first_source_that_is_configured_answers_for_good_or_bad),
        cmocka_unit_test(what_was_found_is_kept_until_it_expires),
        cmocka_unit_test(a_failed_refresh_leaves_what_is_kept),
        cmocka_unit_test(threads_may_get_while_another_refreshes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
