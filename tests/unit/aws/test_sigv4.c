#include "aws/sigv4.h"

#include <jansson.h>

#include "base/clock.h"
#include "tests/unit/support/aws.h"

static const char *text(const json_t *vector, const char *name) {
    const char *value = json_string_value(json_object_get(vector, name));
    return value ? value : "";
}

static size_t vector_headers(const json_t *vector, const char *payload_hash, struct sigv4_header *headers) {
    size_t n = 0, i;
    json_t *pair;
    json_array_foreach(json_object_get(vector, "headers"), i, pair) headers[n++] = (struct sigv4_header){
        json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1))};
    if (json_is_true(json_object_get(vector, "sign_body_header")))
        headers[n++] = (struct sigv4_header){"x-amz-content-sha256", payload_hash};
    bool token_is_signed = json_is_string(json_object_get(vector, "session_token")) &&
                           !json_is_true(json_object_get(vector, "omit_session_token_from_signature"));
    if (token_is_signed)
        headers[n++] = (struct sigv4_header){"X-Amz-Security-Token", text(vector, "session_token")};
    return n;
}

static void check_vector(const json_t *vector, struct sigv4_key *key) {
    const char *body = text(vector, "body"), *timestamp = text(vector, "timestamp");
    char payload_hash[DIGEST_HEX_SIZE];
    digest_sha256_hex(body, strlen(body), payload_hash);
    struct sigv4_header headers[SIGV4_HEADERS];
    size_t n = vector_headers(vector, payload_hash, headers);

    int64_t time_ms;
    assert_true(clock_parse(timestamp, strlen(timestamp), &time_ms));
    struct sigv4_request request = {
        text(vector, "method"), text(vector, "path"), "", headers, n, body, strlen(body)};
    struct sigv4_scope scope = {text(vector, "access_key_id"), text(vector, "secret_access_key"),
                                text(vector, "region"), text(vector, "service"), time_ms};
    struct sigv4_signed result;
    struct error e;
    print_message("vector %s\n", text(vector, "name"));
    assert_int_equal(sigv4_sign(&result, &request, &scope, key, &e), STATUS_OK);
    assert_string_equal(result.canonical_request, text(vector, "canonical_request"));
    assert_string_equal(result.string_to_sign, text(vector, "string_to_sign"));
    assert_string_equal(result.signature, text(vector, "signature"));
    assert_contains(result.authorization, text(vector, "signature"));
    sigv4_signed_deinit(&result);
}

static void each_step_of_signing_gives_the_result_of_the_published_vectors(void **state) {
    (void)state;
    json_error_t problem;
    json_auto_t *file = json_load_file("tests/data/sigv4-vectors.json", 0, &problem);
    json_t *vectors = json_object_get(file, "vectors"), *vector;
    assert_true(json_array_size(vectors) >= 13);

    size_t i;
    struct sigv4_key key = {{0}, {0}};
    json_array_foreach(vectors, i, vector) {
        check_vector(vector, NULL);
        check_vector(vector, &key);
        check_vector(vector, &key);
    }
}

static const struct sigv4_header host = {"Host", "example.amazonaws.com"};
static const struct sigv4_request vanilla = {"GET", "/", "", &host, 1, NULL, 0};
static const struct sigv4_scope scope = {
    .access_key_id = "AKIDEXAMPLE",
    .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    .region = "us-east-1",
    .service = "service",
    .time_ms = INT64_C(1440938160000),
};

static void sign_with(const struct sigv4_scope *s, struct sigv4_key *key, char signature[DIGEST_HEX_SIZE]) {
    struct sigv4_signed result;
    assert_int_equal(sigv4_sign(&result, &vanilla, s, key, NULL), STATUS_OK);
    memcpy(signature, result.signature, DIGEST_HEX_SIZE);
    sigv4_signed_deinit(&result);
}

static void a_cached_key_is_never_used_for_another_day_secret_region_or_service(void **state) {
    (void)state;
    struct sigv4_scope others[] = {scope, scope, scope, scope, scope};
    others[1].time_ms += INT64_C(86400000);
    others[2].secret_access_key = "another";
    others[3].region = "eu-west-1";
    others[4].service = "dynamodb";

    struct sigv4_key key = {{0}, {0}};
    char kept[DIGEST_HEX_SIZE], fresh[DIGEST_HEX_SIZE];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        sign_with(&others[0], &key, kept);
        sign_with(&others[i], &key, kept);
        sign_with(&others[i], NULL, fresh);
        assert_string_equal(kept, fresh);
    }
}

static void the_authorization_header_names_key_scope_and_signed_headers(void **state) {
    (void)state;
    struct sigv4_signed result;
    assert_int_equal(sigv4_sign(&result, &vanilla, &scope, NULL, NULL), STATUS_OK);
    assert_string_equal(result.authorization,
                        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                        "SignedHeaders=host;x-amz-date, "
                        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    assert_string_equal(result.date, "20150830T123600Z");
    sigv4_signed_deinit(&result);
}

static void a_request_that_cannot_be_signed_is_refused(void **state) {
    (void)state;
    struct sigv4_header many[SIGV4_HEADERS + 1];
    for (size_t i = 0; i < SIGV4_HEADERS + 1; i++)
        many[i] = host;
    struct sigv4_request request = vanilla;
    request.headers = many;
    request.header_count = SIGV4_HEADERS + 1;
    struct sigv4_signed result;
    struct error e;
    assert_int_equal(sigv4_sign(&result, &request, &scope, NULL, &e), STATUS_INVALID);
    assert_contains(e.message, "32 headers");
    sigv4_signed_deinit(&result);

    char *long_value = malloc(70000);
    memset(long_value, 'x', 69999);
    long_value[69999] = '\0';
    many[0].value = long_value;
    request.header_count = 1;
    assert_int_equal(sigv4_sign(&result, &request, &scope, NULL, &e), STATUS_INVALID);
    sigv4_signed_deinit(&result);
    free(long_value);

    struct sigv4_scope early = scope;
    early.time_ms = -1;
    assert_int_equal(sigv4_sign(&result, &vanilla, &early, NULL, &e), STATUS_INVALID);
    sigv4_signed_deinit(&result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_of_signing_gives_the_result_of_the_published_vectors),
        cmocka_unit_test(a_cached_key_is_never_used_for_another_day_secret_region_or_service),
        cmocka_unit_test(the_authorization_header_names_key_scope_and_signed_headers),
        cmocka_unit_test(a_request_that_cannot_be_signed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
