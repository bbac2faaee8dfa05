#include "base/digest.h"

#include "tests/unit/support/test.h"

/* NIST, "Example values", SHA-256. */
static void the_published_examples_of_sha_256_have_their_digests(void **state) {
    (void)state;
    char hex[DIGEST_HEX_SIZE];
    digest_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256_hex(NULL, 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples_of_sha_256_have_their_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
