#include "base/random.h"

#include "tests/unit/support/test.h"

static void random_hexadecimal_is_lower_case_with_two_digits_a_byte(void **state) {
    (void)state;
    char text[33 + 1];
    memset(text, '!', sizeof text);
    random_hex(text, 16);
    assert_int_equal(strspn(text, "0123456789abcdef"), 32);
    assert_int_equal(text[32], '\0');
    assert_int_equal(text[33], '!');
    random_hex(text, 0);
    assert_string_equal(text, "");
}

static void random_bytes_fill_the_given_length_and_no_more(void **state) {
    (void)state;
    enum { LENGTH = 1000 }; /* more than the kernel gives in one go without interruption */
    uint8_t once[LENGTH + 1] = {0}, ever[LENGTH + 1] = {0};
    for (int round = 0; round < 20; round++) {
        random_bytes(once, LENGTH);
        for (size_t i = 0; i <= LENGTH; i++)
            ever[i] |= once[i];
    }
    for (size_t i = 0; i < LENGTH; i++)
        assert_int_not_equal(ever[i], 0); /* 20 zeros in one place: 1 in 2^160 */
    assert_int_equal(ever[LENGTH], 0);
}

static void two_random_draws_differ(void **state) {
    (void)state;
    char a[33], b[33];
    random_hex(a, 16);
    random_hex(b, 16);
    assert_string_not_equal(a, b);
    assert_false(random_u32() == random_u32() && random_u32() == random_u32());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_hexadecimal_is_lower_case_with_two_digits_a_byte),
        cmocka_unit_test(random_bytes_fill_the_given_length_and_no_more),
        cmocka_unit_test(two_random_draws_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
