/* For the tests of sources of credentials: shared files, STS on the loopback interface, one source asked. */
#ifndef TESTS_UNIT_SUPPORT_AWS_CREDENTIALS_H
#define TESTS_UNIT_SUPPORT_AWS_CREDENTIALS_H

#include "aws/credentials/sources.h"
#include "aws/credentials/sts.h"
#include "aws/profile.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/scripted_http.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define assert_lacks(text, part)                                                                             \
    do {                                                                                                     \
        if (strstr((text), (part)))                                                                          \
            fail_msg("'%s' contains '%s'", (text), (part));                                                  \
    } while (0)

/* The reply of STS: a session of the role with that access key id. */
#define STS_ANSWER(key)                                                                                      \
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" key "</AccessKeyId><SecretAccessKey>" \
    "role-secret</SecretAccessKey><SessionToken>role-token</SessionToken><Expiration>2030-01-01T00:00:00Z"   \
    "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"

/* The reply of container endpoints and of instance metadata. */
#define ENDPOINT_ANSWER(key)                                                                                 \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"" key "\",\"SecretAccessKey\":\"endpoint-secret\",\"Token\":"   \
    "\"endpoint-token\",\"Expiration\":\"2030-01-01T00:00:00Z\"}"

struct surroundings {
    struct aws_profiles *profiles;
    struct aws_sts *sts;
    struct aws_credentials_setup setup;
};

/* A known environment with these shared files, seen from that profile; STS is at `sts_url`. */
static inline void support_surround(struct surroundings *s, const char *config, const char *credentials,
                                    const char *profile, const char *sts_url) {
    support_clear_environment();
    support_put_file("AWS_CONFIG_FILE", config);
    support_put_file("AWS_SHARED_CREDENTIALS_FILE", credentials);
    assert_int_equal(aws_profiles_load(&s->profiles, NULL), STATUS_OK);
    setenv("AWS_CONFIG_FILE", "/dev/null", 1);
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
    setenv("AWS_ENDPOINT_URL_STS", sts_url, 1);
    s->setup = (struct aws_credentials_setup){s->profiles, profile, "eu-west-1", NULL, true};
    s->sts = aws_sts_new(&s->setup);
}

static inline void support_leave(struct surroundings *s) {
    unlink(aws_profiles_config_path(s->profiles));
    unlink(aws_profiles_credentials_path(s->profiles));
    aws_sts_free(s->sts);
    aws_profiles_free(s->profiles);
}

/* Asks the source once, and frees it. */
static inline enum status support_ask(struct aws_credentials_source source, struct aws_credentials **out,
                                      struct error *e) {
    *out = NULL;
    enum status status = source.fetch(source.context, -1, out, e);
    if (source.free)
        source.free(source.context);
    return status;
}

static inline void support_assert_key(struct aws_credentials_source source, const char *access_key_id) {
    struct aws_credentials *c;
    struct error e;
    if (support_ask(source, &c, &e))
        fail_msg("%s", e.message);
    assert_string_equal(c->access_key_id, access_key_id);
    aws_credentials_unref(c);
}

static inline void support_assert_refused(struct aws_credentials_source source, enum status status,
                                          const char *reason) {
    struct aws_credentials *c;
    struct error e;
    assert_int_equal(support_ask(source, &c, &e), status);
    assert_null(c);
    assert_contains(e.message, reason);
    assert_lacks(e.message, "hidden");
}

#endif
