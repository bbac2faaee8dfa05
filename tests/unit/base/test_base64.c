#include "base/base64.h"

#include "tests/unit/support/test.h"

/* RFC 4648, section 10. */
static const char *const vectors[][2] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void the_vectors_of_rfc_4648_are_encoded_and_decoded(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        size_t length = 99;
        _cleanup_(mem_freep) char *text = base64_encode(vectors[i][0], strlen(vectors[i][0]));
        assert_string_equal(text, vectors[i][1]);
        _cleanup_(mem_freep) uint8_t *data = base64_decode(text, strlen(text), &length);
        assert_non_null(data);
        assert_int_equal(length, strlen(vectors[i][0]));
        assert_memory_equal(data, vectors[i][0], length);
    }
}

static void base64_for_urls_has_its_own_alphabet_and_no_padding(void **state) {
    (void)state;
    _cleanup_(mem_freep) char *standard = base64_encode("\xfb\xff\xfe\xff", 4);
    _cleanup_(mem_freep) char *url = base64_url_encode("\xfb\xff\xfe\xff", 4);
    assert_string_equal(standard, "+//+/w==");
    assert_string_equal(url, "-__-_w");
}

static void every_byte_value_at_every_length_is_decoded_to_itself(void **state) {
    (void)state;
    uint8_t bytes[256];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(255 - i);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t length, url_length;
        _cleanup_(mem_freep) char *text = base64_encode(bytes, n);
        _cleanup_(mem_freep) char *url = base64_url_encode(bytes, n);
        _cleanup_(mem_freep) uint8_t *data = base64_decode(text, strlen(text), &length);
        _cleanup_(mem_freep) uint8_t *url_data = base64_url_decode(url, strlen(url), &url_length);
        assert_non_null(data);
        assert_non_null(url_data);
        assert_int_equal(length, n);
        assert_int_equal(url_length, n);
        assert_memory_equal(data, bytes, n);
        assert_memory_equal(url_data, bytes, n);
    }
}

static void text_that_is_not_strict_base64_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"Zg",    "Zg=",  "Zm9",      "Z",       "====",     "Z===",
                                        "=m9v",  "Zm=v", "Zg==Zg==", " Zm9v",   "Zm9v\n",   "Zm9v\n\n\n\n",
                                        "Zm 9v", "Zm-_", "Zm9v====", "Zm9\xc3", "Zm9v-End", "Zg== "};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        size_t length;
        print_message("'%s'\n", wrong[i]);
        assert_null(base64_decode(wrong[i], strlen(wrong[i]), &length));
    }
    size_t length;
    assert_null(base64_decode("Zm9\0", 4, &length));
}

static void text_that_is_not_strict_base64_for_urls_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"Z", "Zg==", "Zm8=", "Zm+v", "Zm/v", "Zm9v Zg", "Zm9v\n", "Zm9vZ"};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        size_t length;
        print_message("'%s'\n", wrong[i]);
        assert_null(base64_url_decode(wrong[i], strlen(wrong[i]), &length));
    }
    size_t length;
    assert_null(base64_url_decode("Zm9\0", 4, &length));
}

static void two_base64_texts_never_decode_to_the_same_bytes(void **state) {
    (void)state;
    static const char *const stray[] = {"Zh", "Zv", "Zm9", "Zm-"}; /* bits are set that belong to no byte */
    size_t length;
    assert_null(base64_url_decode(stray[0], 2, &length));
    assert_null(base64_url_decode(stray[1], 2, &length));
    assert_null(base64_url_decode(stray[2], 3, &length));
    assert_null(base64_url_decode(stray[3], 3, &length));
    assert_null(base64_decode("Zh==", 4, &length));
    assert_null(base64_decode("Zm9=", 4, &length));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_4648_are_encoded_and_decoded),
        cmocka_unit_test(base64_for_urls_has_its_own_alphabet_and_no_padding),
        cmocka_unit_test(every_byte_value_at_every_length_is_decoded_to_itself),
        cmocka_unit_test(text_that_is_not_strict_base64_is_refused),
        cmocka_unit_test(text_that_is_not_strict_base64_for_urls_is_refused),
        cmocka_unit_test(two_base64_texts_never_decode_to_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
