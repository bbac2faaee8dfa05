#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

/* Made with CPython 3.11, whose hash of bytes is SipHash-1-3 under the key 0 when PYTHONHASHSEED is 0. */
static void the_hash_is_siphash_1_3(void **state) {
    (void)state;
    static const struct {
        size_t length;
        uint64_t hash;
    } vectors[] = {
        {1, 7541581120933061747u}, {7, 3389392686435873370u},  {8, 16921169381604339434u},
        {9, 8471974163824919394u}, {20, 7178233520606413056u},
    };
    uint8_t data[20];
    for (uint8_t i = 0; i < sizeof data; i++)
        data[i] = i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_true(hash_siphash13(data, vectors[i].length, 0, 0) == vectors[i].hash);
}

static void the_process_hashes_with_its_own_constant_key(void **state) {
    (void)state;
    assert_true(hash_bytes("abc", 3) == hash_bytes("abc", 3));
    assert_true(hash_bytes("abc", 3) != hash_siphash13("abc", 3, 0, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(the_process_hashes_with_its_own_constant_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
