#include "views/position.h"

#include "tests/unit/test_support.h"

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

/* Design, section 5; the large ones by another program. */
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

static void the_encoding_is_length_magnitude_and_sub_sequence(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(encodings); i++) {
        struct position p = parsed(encodings[i].sequence, encodings[i].sub_sequence);
        assert_bytes(&p, encodings[i].hex);
    }
}

static void a_position_comes_back_from_its_bytes_and_its_text(void **state) {
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

static void a_plain_integer_is_the_same_as_its_text(void **state) {
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

/* Decimal without leading zeros: the longer is the greater, of equal length the later in order. */
static int compare_decimals(const char *a, const char *b) {
    size_t m = strlen(a), n = strlen(b);
    return m != n ? (m > n ? 1 : -1) : strcmp(a, b);
}

static void draw_decimal(uint64_t *random, char out[LIMIT_SEQUENCE_DIGITS + 1]) {
    size_t n = 1 + support_random(random) % LIMIT_SEQUENCE_DIGITS;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)('0' + support_random(random) % 10);
    out[0] = n > 1 && out[0] == '0' ? '1' : out[0];
    out[n] = '\0';
}

static int sign(int n) {
    return (n > 0) - (n < 0);
}

static void the_order_of_bytes_is_the_order_of_numbers(void **state) {
    (void)state;
    uint64_t random = 42;
    for (int i = 0; i < 100000; i++) {
        char a[LIMIT_SEQUENCE_DIGITS + 1], b[LIMIT_SEQUENCE_DIGITS + 1], text[POSITION_TEXT_SIZE];
        draw_decimal(&random, a);
        if (support_random(&random) % 2) {
            draw_decimal(&random, b);
        } else { /* a near one: one digit differs, or none */
            strcpy(b, a);
            size_t at = support_random(&random) % strlen(a);
            b[at] = (char)('1' + support_random(&random) % 9);
        }
        uint32_t sub_a = support_random(&random) % 3, sub_b = support_random(&random) % 3;
        struct position p = parsed(a, sub_a), q = parsed(b, sub_b);
        int expected = sign(compare_decimals(a, b));
        if (!expected)
            expected = (sub_a > sub_b) - (sub_a < sub_b);
        if (sign(position_compare(&p, &q)) != expected || sign(position_compare(&q, &p)) != -expected)
            fail_msg("%s:%u against %s:%u", a, sub_a, b, sub_b);
        assert_string_equal(position_sequence(&p, text), a);
    }
}

static void sub_sequences_stand_between_their_record_and_the_next(void **state) {
    (void)state;
    struct position record = parsed("41", 0), first = parsed("41", 1), last = parsed("41", UINT32_MAX),
                    next = parsed("42", 0);
    assert_true(position_compare(&record, &first) < 0);
    assert_true(position_compare(&first, &last) < 0);
    assert_true(position_compare(&last, &next) < 0);
}

static void the_end_is_above_every_position(void **state) {
    (void)state;
    struct position greatest = parsed(NINES_80, UINT32_MAX), zero = parsed("0", 0), end;
    assert_true(position_compare(&position_end, &greatest) > 0);
    assert_true(position_compare(&position_end, &zero) > 0);
    assert_bytes(&position_end, "ff");
    assert_true(position_from_bytes("\xff", 1, &end));
    assert_int_equal(position_compare(&end, &position_end), 0);
}

static void what_is_no_sequence_number_is_refused(void **state) {
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

static void bytes_that_no_position_has_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {
        {"", 0},
        {"\x01", 1},                         /* the magnitude is missing */
        {"\x02\x01", 2},                     /* cut short */
        {"\x01\x01\x02", 3},                 /* neither a sub-sequence nor nothing */
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
        cmocka_unit_test(the_encoding_is_length_magnitude_and_sub_sequence),
        cmocka_unit_test(a_position_comes_back_from_its_bytes_and_its_text),
        cmocka_unit_test(a_plain_integer_is_the_same_as_its_text),
        cmocka_unit_test(the_order_of_bytes_is_the_order_of_numbers),
        cmocka_unit_test(sub_sequences_stand_between_their_record_and_the_next),
        cmocka_unit_test(the_end_is_above_every_position),
        cmocka_unit_test(what_is_no_sequence_number_is_refused),
        cmocka_unit_test(bytes_that_no_position_has_are_refused),
        cmocka_unit_test(a_magnitude_of_more_than_80_digits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
