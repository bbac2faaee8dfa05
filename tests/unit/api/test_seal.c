#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "api/seal.h"
#include "base/base64.h"

static const char user_id[] = "widget/merchant/123456789/Zoë";

static struct sealer *make(uint8_t first) {
    uint8_t key[SEAL_KEY_BYTES];
    struct error e;
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(first + i);
    struct sealer *sealer = seal_new(key, &e);
    assert_non_null(sealer);
    return sealer;
}

static char *seal(const struct sealer *sealer, const char *text) {
    return seal_make(sealer, SEAL_ID, text, strlen(text));
}

static char *open_id(const struct sealer *sealer, const char *id) {
    return seal_open(sealer, SEAL_ID, id, NULL);
}

static void an_opaque_id_is_decoded_to_its_user_id(void **state) {
    (void)state;
    struct sealer *sealer = make(1);
    char *id = seal(sealer, user_id), *opened = open_id(sealer, id);
    assert_string_equal(opened, user_id);
    assert_int_equal(strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     strlen(id));
    assert_null(strstr(id, "123"));
    free(opened);
    free(id);
    seal_free(sealer);
}

static void a_contributor_has_the_same_opaque_id_under_the_same_key_only(void **state) {
    (void)state;
    struct sealer *one = make(1), *same = make(1), *other = make(2);
    char *a = seal(one, user_id), *b = seal(same, user_id), *c = seal(other, user_id);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_null(open_id(other, a));
    free(a);
    free(b);
    free(c);
    seal_free(one);
    seal_free(same);
    seal_free(other);
}

/* Clients keep ids in bookmarks and databases. */
static void the_opaque_id_of_a_user_id_never_changes(void **state) {
    (void)state;
    struct sealer *sealer = make(1);
    char *id = seal(sealer, "widget/merchant/123456789/Ann");
    assert_string_equal(id, "CbuD-3gSrmy_KaMlRaj0helCQkboQqmUEcnWBYBwDBGG_X2ovNFwNSPHX-e4zIKP1lRIqAZFoOeP_"
                            "KGg5dhYqJNCeS9g_XpiQEV6dC8FDZk");
    free(id);
    seal_free(sealer);
}

/* Versions before 0.1.0 did not pad. */
static void an_id_that_was_made_without_padding_is_opened(void **state) {
    (void)state;
    struct sealer *sealer = make(1);
    char *opened = open_id(sealer, "l_Ro60jUDVGG1zCmTM8zikOp6XJnvgi2C8dJoKiEFsXzirQYC9wzOssHW41m");
    assert_string_equal(opened, "widget/merchant/123456789/Ann");
    free(opened);
    seal_free(sealer);
}

static void sealed_forms_have_six_lengths(void **state) {
    (void)state;
    static const struct {
        size_t up_to, length;
    } steps[] = {{64, 107}, {128, 192}, {256, 363}, {512, 704}, {1024, 1387}, {SEAL_LONGEST_BYTES, 2838}};
    struct sealer *sealer = make(1);
    char data[SEAL_LONGEST_BYTES];
    memset(data, 'x', sizeof data);
    for (size_t i = 0, length = 1; i < sizeof steps / sizeof *steps; i++)
        for (; length <= steps[i].up_to; length++) {
            size_t opened_length;
            char *sealed = seal_make(sealer, SEAL_CURSOR, data, length);
            char *opened = seal_open(sealer, SEAL_CURSOR, sealed, &opened_length);
            assert_int_equal(strlen(sealed), steps[i].length);
            assert_int_equal(opened_length, length);
            assert_memory_equal(opened, data, length);
            free(opened);
            free(sealed);
        }
    seal_free(sealer);
}

static void data_of_a_row_that_is_too_long_is_sealed_as_it_is(void **state) {
    (void)state;
    enum { LENGTH = SEAL_LONGEST_BYTES + 1000 };
    struct sealer *sealer = make(1);
    char data[LENGTH];
    size_t length;
    memset(data, 'x', sizeof data);
    char *sealed = seal_make(sealer, SEAL_ID, data, sizeof data);
    char *opened = seal_open(sealer, SEAL_ID, sealed, &length);
    assert_int_equal(length, LENGTH);
    assert_memory_equal(opened, data, LENGTH);
    free(opened);
    free(sealed);
    seal_free(sealer);
}

/* Replaces each character by every other one. */
static void a_changed_opaque_id_is_refused(void **state) {
    (void)state;
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct sealer *sealer = make(1);
    char *id = seal(sealer, user_id);
    for (size_t i = 0; id[i]; i++) {
        char kept = id[i];
        for (const char *c = alphabet; *c; c++) {
            id[i] = *c;
            if (*c != kept)
                assert_null(open_id(sealer, id));
        }
        id[i] = kept;
    }
    free(id);
    seal_free(sealer);
}

static void a_text_that_is_not_an_opaque_id_is_refused(void **state) {
    (void)state;
    static const char *const others[] = {
        "",      "A",       "merchant", user_id, "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "=====", "widget/x"};
    struct sealer *sealer = make(1);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(open_id(sealer, others[i]));
    seal_free(sealer);
}

static void data_sealed_for_one_purpose_is_refused_for_another(void **state) {
    (void)state;
    static const char data[] = {'a', '\0', 'b'};
    struct sealer *sealer = make(1);
    char *sealed[SEAL_PURPOSES];
    for (int one = 0; one < SEAL_PURPOSES; one++) {
        sealed[one] = seal_make(sealer, (enum seal_purpose)one, data, sizeof data);
        for (int other = 0; other < SEAL_PURPOSES; other++) {
            size_t length = 0;
            char *opened = seal_open(sealer, (enum seal_purpose)other, sealed[one], &length);
            assert_int_equal(opened != NULL, one == other);
            assert_int_equal(length, one == other ? sizeof data : 0);
            if (opened)
                assert_memory_equal(opened, data, sizeof data);
            free(opened);
        }
    }
    for (int one = 0; one < SEAL_PURPOSES; one++)
        free(sealed[one]);
    seal_free(sealer);
}

/* The same cipher under the same key, as another program might use it. */
static void data_sealed_without_a_purpose_is_refused(void **state) {
    (void)state;
    uint8_t key[SEAL_KEY_BYTES], sealed[16 + 5];
    int n;
    for (uint8_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(1 + i);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    assert_true(EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL));
    assert_true(EVP_EncryptUpdate(context, sealed + 16, &n, (const unsigned char *)"a/b/c", 5));
    assert_true(EVP_EncryptFinal_ex(context, sealed + 16 + n, &n));
    assert_true(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, sealed));

    struct sealer *sealer = make(1);
    char *id = base64_url_encode(sealed, sizeof sealed);
    assert_null(open_id(sealer, id));
    free(id);
    seal_free(sealer);
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opaque_id_is_decoded_to_its_user_id),
        cmocka_unit_test(a_contributor_has_the_same_opaque_id_under_the_same_key_only),
        cmocka_unit_test(the_opaque_id_of_a_user_id_never_changes),
        cmocka_unit_test(an_id_that_was_made_without_padding_is_opened),
        cmocka_unit_test(sealed_forms_have_six_lengths),
        cmocka_unit_test(data_of_a_row_that_is_too_long_is_sealed_as_it_is),
        cmocka_unit_test(a_changed_opaque_id_is_refused),
        cmocka_unit_test(a_text_that_is_not_an_opaque_id_is_refused),
        cmocka_unit_test(data_sealed_for_one_purpose_is_refused_for_another),
        cmocka_unit_test(data_sealed_without_a_purpose_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
