#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "api/identity.h"
#include "server/base/base64.h"

static const char user_id[] = "widget/merchant/123456789/Zoë";

static struct identity *make(uint8_t first) {
    uint8_t key[IDENTITY_KEY_BYTES];
    struct error e;
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(first + i);
    struct identity *identity = identity_new(key, &e);
    assert_non_null(identity);
    return identity;
}

static void an_id_opens_to_the_user_id_it_was_made_of(void **state) {
    (void)state;
    struct identity *identity = make(1);
    char *id = identity_seal(identity, user_id), *opened = identity_open(identity, id);
    assert_string_equal(opened, user_id);
    assert_int_equal(strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     strlen(id));
    assert_null(strstr(id, "123"));
    free(opened);
    free(id);
    identity_free(identity);
}

static void the_same_contributor_has_the_same_id_under_the_same_key_only(void **state) {
    (void)state;
    struct identity *one = make(1), *same = make(1), *other = make(2);
    char *a = identity_seal(one, user_id), *b = identity_seal(same, user_id),
         *c = identity_seal(other, user_id);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_null(identity_open(other, a));
    free(a);
    free(b);
    free(c);
    identity_free(one);
    identity_free(same);
    identity_free(other);
}

/* Every single character of an id, changed to every other one, no longer opens. */
static void an_id_that_was_tampered_with_does_not_open(void **state) {
    (void)state;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct identity *identity = make(1);
    char *id = identity_seal(identity, user_id);
    for (size_t i = 0; id[i]; i++) {
        char kept = id[i];
        for (const char *c = alphabet; *c; c++) {
            id[i] = *c;
            if (*c != kept)
                assert_null(identity_open(identity, id));
        }
        id[i] = kept;
    }
    free(id);
    identity_free(identity);
}

static void what_is_no_id_does_not_open(void **state) {
    (void)state;
    static const char *const others[] = {
        "",      "A",       "merchant", user_id, "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "=====", "widget/x"};
    struct identity *identity = make(1);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(identity_open(identity, others[i]));
    identity_free(identity);
}

/* The same cipher under the same key without our purpose: what was sealed for something else is not an id. */
static void what_was_sealed_for_another_purpose_does_not_open(void **state) {
    (void)state;
    uint8_t key[IDENTITY_KEY_BYTES], sealed[16 + 5];
    int n;
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(1 + i);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_true(EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL));
    assert_true(EVP_EncryptUpdate(context, sealed + 16, &n, (const unsigned char *)"a/b/c", 5));
    assert_true(EVP_EncryptFinal_ex(context, sealed + 16 + n, &n));
    assert_true(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, sealed));

    struct identity *identity = make(1);
    char *id = base64_url_encode(sealed, sizeof sealed);
    assert_null(identity_open(identity, id));
    free(id);
    identity_free(identity);
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_opens_to_the_user_id_it_was_made_of),
        cmocka_unit_test(the_same_contributor_has_the_same_id_under_the_same_key_only),
        cmocka_unit_test(an_id_that_was_tampered_with_does_not_open),
        cmocka_unit_test(what_is_no_id_does_not_open),
        cmocka_unit_test(what_was_sealed_for_another_purpose_does_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
