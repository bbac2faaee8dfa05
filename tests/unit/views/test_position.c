#include "views/position.h"

#include <inttypes.h>

#include "tests/unit/support/decimal.h"

#define DIGITS_56 "49577400229100000000000000000000000000000000000000000007"
#define NINES_80 "99999999999999999999999999999999999999999999999999999999999999999999999999999999"

static struct position parsed(const char *sequence, uint32_t sub_sequence) {
    struct position p;
    memset(&p, 0xAA, sizeof p);
    if (!position_parse(sequence, strlen(sequence), sub_sequence, &p))
        fail_msg("'%s' is refused", sequence);
    return p;
}

static void assert_bytes(const struct position *p, const char *hex) {
    char text[2 * POSITION_BYTES + 1] = "";
    for (size_t i = 0; i < p->length; i++)
        snprintf(text + 2 * i, 3, "%02x", p->bytes[i]);
    assert_string_equal(text, hex);
}

/* By the definition in views/position.h; the large ones computed by another program. */
static const struct {
    const char *sequence;
    uint32_t sub_sequence;
    const char *hex;
} encodings[] = {
    {"0", 0, "00"},
    {"0", 1, "0000000001"},
    {"1", 0, "0101"},
    {"255", 0, "01ff"},
    {"256", 0, "020100"},
    {"256", 7, "02010000000007"},
    {"65535", 4294967295, "02ffffffffffff"},
    {"999999999", 0, "043b9ac9ff"},
    {"1000000000", 0, "043b9aca00"},
    {"4294967296", 0, "050100000000"},
    {"18446744073709551615", 0, "08ffffffffffffffff"},
    {"18446744073709551616", 0, "09010000000000000000"},
    {DIGITS_56, 0, "1802059cb9cac826352d69514646c51b942ace300000000007"},
    {NINES_80, 16909060, "22035f9dea3e1f6bdfef70cdd17b25efa418ca63a22764cec0ffffffffffffffffffff01020304"},
};

static void an_encoded_position_is_length_magnitude_and_sub_sequence(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(encodings); i++) {
        struct position p = parsed(encodings[i].sequence, encodings[i].sub_sequence);
        assert_bytes(&p, encodings[i].hex);
    }
}

static void a_position_is_equal_after_a_round_trip_in_bytes_and_in_text(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(encodings); i++) {
        char text[POSITION_TEXT_SIZE];
        struct position p = parsed(encodings[i].sequence, encodings[i].sub_sequence), again;
        assert_string_equal(position_sequence(&p, text), encodings[i].sequence);
        assert_int_equal(position_sub_sequence(&p), encodings[i].sub_sequence);
        assert_true(position_from_bytes(p.bytes, p.length, &again));
        assert_int_equal(position_compare(&p, &again), 0);
        assert_int_equal(again.length, p.length);
    }
}

static void a_position_from_an_integer_equals_the_one_from_its_text(void **state) {
    (void)state;
    static const uint64_t numbers[] = {0, 1, 255, 256, 4294967295, 4294967296, UINT64_MAX};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)numbers[i]);
        struct position expected = parsed(text, 0), p = position_from_u64(numbers[i]);
        assert_int_equal(p.length, expected.length);
        assert_memory_equal(p.bytes, expected.bytes, p.length);
    }
}

/* Properties, at every length from 1 to 80 digits. */

static int sign(int n) {
    return (n > 0) - (n < 0);
}

/* By the definition of the encoding, computed another way. */
static void assert_encoding(uint64_t seed, const char *number, uint32_t sub) {
    uint8_t expected[1 + 40 + 4];
    char text[POSITION_TEXT_SIZE];
    struct position p = parsed(number, sub), again;
    size_t n = decimal_bytes(number, expected + 1);
    expected[0] = (uint8_t)n++;
    for (int shift = 24; sub && shift >= 0; shift -= 8)
        expected[n++] = (uint8_t)(sub >> shift);

    if (p.length != n || memcmp(p.bytes, expected, n) != 0)
        fail_msg("seed %" PRIu64 ": %s:%" PRIu32 " has other bytes", seed, number, sub);
    if (!position_from_bytes(p.bytes, p.length, &again) || position_compare(&p, &again) != 0 ||
        again.length != p.length)
        fail_msg("seed %" PRIu64 ": %s:%" PRIu32 " is not read back from its bytes", seed, number, sub);
    if (strcmp(position_sequence(&p, text), number) != 0 || position_sub_sequence(&p) != sub)
        fail_msg("seed %" PRIu64 ": %s:%" PRIu32 " comes back as %s", seed, number, sub, text);
}

static void a_position_of_any_length_is_equal_after_a_round_trip_in_bytes(void **state) {
    (void)state;
    const uint64_t seed = decimal_seed();
    uint64_t random = seed;
    for (size_t digits = 1; digits <= LIMIT_SEQUENCE_DIGITS; digits++) {
        char number[DECIMAL_SIZE];
        memset(number, '9', digits); /* the greatest of this length, the least, and some between */
        number[digits] = '\0';
        assert_encoding(seed, number, decimal_draw_sub(&random));
        memset(number, '0', digits);
        number[0] = digits > 1 ? '1' : '0';
        assert_encoding(seed, number, decimal_draw_sub(&random));
        for (int i = 0; i < 500; i++) {
            decimal_draw(&random, digits, number);
            assert_encoding(seed, number, decimal_draw_sub(&random));
        }
    }
}

static void encoded_positions_have_the_order_of_their_numbers(void **state) {
    (void)state;
    const uint64_t seed = decimal_seed();
    uint64_t random = seed;
    for (int i = 0; i < 200000; i++) {
        char a[DECIMAL_SIZE], b[DECIMAL_SIZE];
        decimal_draw(&random, decimal_draw_length(&random), a);
        decimal_draw_near(&random, a, b);
        uint32_t sub_a = decimal_draw_sub(&random), sub_b = decimal_draw_sub(&random);
        struct position p = parsed(a, sub_a), q = parsed(b, sub_b);
        int expected = decimal_compare(a, b);
        if (!expected)
            expected = decimal_compare_subs(sub_a, sub_b);
        if (sign(position_compare(&p, &q)) != expected || sign(position_compare(&q, &p)) != -expected)
            fail_msg("seed %" PRIu64 ": %s:%" PRIu32 " against %s:%" PRIu32, seed, a, sub_a, b, sub_b);
    }
}

/* Bytes from a store are a position in its only form, or they are refused. */
static void random_bytes_are_refused_or_are_the_encoding_of_one_position(void **state) {
    (void)state;
    const uint64_t seed = decimal_seed();
    uint64_t random = seed;
    size_t taken = 0;
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[POSITION_BYTES + 2];
        size_t length = support_random(&random) % sizeof bytes;
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (uint8_t)(support_random(&random) % 3 ? support_random(&random) : 0);
        if (length && support_random(&random) % 4)
            bytes[0] = (uint8_t)(support_random(&random) % 2 ? length - 1 : length - 5);
        struct position p;
        if (!position_from_bytes(bytes, length, &p) || bytes[0] == 0xFF)
            continue;
        char text[POSITION_TEXT_SIZE];
        taken++;
        struct position again = parsed(position_sequence(&p, text), position_sub_sequence(&p));
        if (again.length != length || memcmp(again.bytes, bytes, length) != 0)
            fail_msg("seed %" PRIu64 ": %s has two forms", seed, text);
    }
    assert_true(taken > 1000);
}

static void positions_of_sub_sequences_are_between_their_record_and_the_next(void **state) {
    (void)state;
    struct position record = parsed("41", 0), first = parsed("41", 1), last = parsed("41", UINT32_MAX),
                    next = parsed("42", 0);
    assert_true(position_compare(&record, &first) < 0);
    assert_true(position_compare(&first, &last) < 0);
    assert_true(position_compare(&last, &next) < 0);
}

static void the_end_position_is_above_every_other_position(void **state) {
    (void)state;
    struct position greatest = parsed(NINES_80, UINT32_MAX), zero = parsed("0", 0), end;
    assert_true(position_compare(&position_end, &greatest) > 0);
    assert_true(position_compare(&position_end, &zero) > 0);
    assert_bytes(&position_end, "ff");
    assert_true(position_from_bytes("\xff", 1, &end));
    assert_int_equal(position_compare(&end, &position_end), 0);
}

static void malformed_sequence_numbers_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",   "00", "01",         "-1",         "+1",
                                        " 1", "1 ", "1.0",        "1e5",        "0x1",
                                        "a",  "1:", NINES_80 "9", "1" NINES_80, "TRIM_HORIZON"};
    struct position p;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        print_message("'%s'\n", wrong[i]);
        assert_false(position_parse(wrong[i], strlen(wrong[i]), 0, &p));
    }
    assert_false(position_parse("1\0002", 3, 0, &p));
}

static void malformed_encoded_positions_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        {"", 0},
        {"\x01", 1},                         /* the magnitude is missing */
        {"\x02\x01", 2},                     /* cut short */
        {"\x01\x01\x02", 3},                 /* a part of a sub-sequence */
        {"\x01\x01\x01\x01\x01\x01\x01", 7}, /* too long */
        {"\x01\x00", 2},                     /* a leading zero */
        {"\x02\x00\x01", 3},
        {"\x01\x01\x00\x00\x00\x00", 6}, /* a sub-sequence of 0 is left out */
        {"\x23", 1},
        {"\xfe", 1},
        {"\xff\x00", 2},
        {"\xff\xff\xff\xff\xff", 5},
    };
    struct position p;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        print_message("%zu\n", i);
        assert_false(position_from_bytes(wrong[i].bytes, wrong[i].length, &p));
    }
}

static void a_magnitude_of_more_than_80_digits_is_refused(void **state) {
    (void)state;
    struct position greatest = parsed(NINES_80, 0), p;
    uint8_t bytes[1 + POSITION_MAGNITUDE_BYTES + 1] = {POSITION_MAGNITUDE_BYTES};
    memset(bytes + 1, 0xFF, POSITION_MAGNITUDE_BYTES);
    assert_false(position_from_bytes(bytes, 1 + POSITION_MAGNITUDE_BYTES, &p));
    bytes[0]++;
    assert_false(position_from_bytes(bytes, sizeof bytes, &p));
    for (size_t i = greatest.length - 1u; ++greatest.bytes[i] == 0; i--) /* 10^80: add 1, and carry */
        ;
    assert_false(position_from_bytes(greatest.bytes, greatest.length, &p));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_encoded_position_is_length_magnitude_and_sub_sequence),
        cmocka_unit_test(a_position_is_equal_after_a_round_trip_in_bytes_and_in_text),
        cmocka_unit_test(a_position_from_an_integer_equals_the_one_from_its_text),
        cmocka_unit_test(a_position_of_any_length_is_equal_after_a_round_trip_in_bytes),
        cmocka_unit_test(encoded_positions_have_the_order_of_their_numbers),
        cmocka_unit_test(random_bytes_are_refused_or_are_the_encoding_of_one_position),
        cmocka_unit_test(positions_of_sub_sequences_are_between_their_record_and_the_next),
        cmocka_unit_test(the_end_position_is_above_every_other_position),
        cmocka_unit_test(malformed_sequence_numbers_are_refused),
        cmocka_unit_test(malformed_encoded_positions_are_refused),
        cmocka_unit_test(a_magnitude_of_more_than_80_digits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
