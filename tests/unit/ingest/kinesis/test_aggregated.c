/*
 * The cases are tests/data/aggregated.json: `record` in base64; its `parts` with the hash key of each; or why
 * it is `broken`. A Python reader must pass them too; it is compared with an independent reader and writer
 * (tests/model/test_aggregated_format.py).
 */
#include "ingest/kinesis/aggregated.h"

#include <openssl/evp.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "tests/unit/support/test.h"

static const char *hash_text(unsigned __int128 key, char out[40]) {
    char *at = out + 39;
    *at = '\0';
    do
        *--at = (char)('0' + (int)(key % 10));
    while ((key /= 10) > 0);
    return at;
}

static void assert_part(const struct aggregated_part *part, const json_t *expected) {
    char number[40];
    size_t length;
    _cleanup_(mem_freep) uint8_t *data =
        base64_decode(support_text(expected, "data"), strlen(support_text(expected, "data")), &length);
    assert_string_equal(part->partition_key, support_text(expected, "partitionKey"));
    assert_string_equal(hash_text(part->hash_key, number), support_text(expected, "hashKey"));
    assert_int_equal(part->length, length);
    if (length)
        assert_memory_equal(part->data, data, length);
}

static void check_case(void **state) {
    const json_t *one = *state, *parts = json_object_get(one, "parts");
    const char *text = support_text(one, "record");
    char why[AGGREGATED_WHY_SIZE];
    size_t length;
    uint8_t *data = base64_decode(text, strlen(text), &length);
    struct aggregated a;
    assert_non_null(data);
    assert_true(aggregated_is_one(data, length));

    bool opened = aggregated_open(&a, data, length, why);
    free(data); /* the result has its own copy */
    assert_int_equal(opened, parts != NULL);
    if (!opened) {
        assert_contains(why, support_text(one, "broken"));
        return;
    }
    assert_int_equal(a.n, json_array_size(parts));
    for (size_t i = 0; i < a.n; i++)
        assert_part(&a.parts[i], json_array_get(parts, i));
    aggregated_deinit(&a);
}

static void a_record_is_aggregated_only_if_it_begins_with_all_four_magic_bytes(void **state) {
    (void)state;
    assert_true(aggregated_is_one("\xf3\x89\x9a\xc2", 4));
    assert_false(aggregated_is_one("\xf3\x89\x9a\xc2", 3));
    assert_false(aggregated_is_one("\xf3\x89\x9a\xc3", 4));
    assert_false(aggregated_is_one("{\"schema\"", 9));
    assert_false(aggregated_is_one("", 0));
}

/* Ranges. */

static struct aggregated_part part_at(unsigned __int128 hash_key) {
    return (struct aggregated_part){.partition_key = "lamp", .hash_key = hash_key};
}

static void a_part_on_the_border_of_the_range_is_not_a_stray(void **state) {
    (void)state;
    struct aggregated_range range = aggregated_range("100", "340282366920938463463374607431768211454");
    const unsigned __int128 most = ~(unsigned __int128)0;
    const struct {
        unsigned __int128 key;
        bool stray;
    } cases[] = {{0, true}, {99, true}, {100, false}, {101, false}, {most - 1, false}, {most, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct aggregated_part part = part_at(cases[i].key);
        assert_int_equal(aggregated_is_stray(&part, &range), cases[i].stray);
    }
}

static void without_a_known_range_no_part_is_a_stray(void **state) {
    (void)state;
    const char *const ranges[][2] = {{"", ""},     {"0", ""},
                                     {"", "0"},    {"x", "9"},
                                     {"0", "1e3"}, {"0", "340282366920938463463374607431768211456"}};
    struct aggregated_part part = part_at(12345);
    for (size_t i = 0; i < COUNT(ranges); i++) {
        struct aggregated_range range = aggregated_range(ranges[i][0], ranges[i][1]);
        assert_false(range.known);
        assert_false(aggregated_is_stray(&part, &range));
    }
}

/* Bounds. */

static void append_repeated(struct buffer *b, const char *bytes, size_t length, size_t times) {
    for (size_t i = 0; i < times; i++)
        buffer_append(b, bytes, length);
}

static void begin_record(struct buffer *b) {
    buffer_init(b, 64u << 20);
    buffer_append(b, "\xf3\x89\x9a\xc2", 4);
}

/* Puts the MD5 behind it. */
static bool open_record(struct aggregated *a, struct buffer *b, char why[AGGREGATED_WHY_SIZE]) {
    unsigned size = 16;
    uint8_t digest[16];
    EVP_Digest(b->data + 4, b->length - 4, digest, &size, EVP_md5(), NULL);
    buffer_append(b, digest, sizeof digest);
    return aggregated_open(a, b->data, b->length, why);
}

/* `n_keys` empty keys, and `n_parts` parts without data, of six bytes each. */
static bool open_with_parts(struct aggregated *a, size_t n_keys, size_t n_parts,
                            char why[AGGREGATED_WHY_SIZE]) {
    _cleanup_(buffer_deinit) struct buffer b;
    begin_record(&b);
    append_repeated(&b, "\x0a\0", 2, n_keys);
    append_repeated(&b, "\x1a\x04\x08\0\x1a\0", 6, n_parts);
    return open_record(a, &b, why);
}

static void a_record_with_the_maximum_number_of_parts_is_unpacked(void **state) {
    (void)state;
    char why[AGGREGATED_WHY_SIZE] = "";
    struct aggregated a;
    if (!open_with_parts(&a, 1, LIMIT_AGGREGATED_PARTS, why))
        fail_msg("%s", why);
    assert_int_equal(a.n, LIMIT_AGGREGATED_PARTS);
    assert_in_range(a.bytes, LIMIT_AGGREGATED_PARTS * sizeof *a.parts,
                    LIMIT_AGGREGATED_PARTS * (sizeof *a.parts + LIMIT_AGGREGATED_PART_BYTES));
    aggregated_deinit(&a);
}

static void a_record_with_too_many_parts_or_keys_is_broken(void **state) {
    (void)state;
    const size_t counts[][2] = {{1, LIMIT_AGGREGATED_PARTS + 1}, {LIMIT_AGGREGATED_PARTS + 1, 1}};
    char why[AGGREGATED_WHY_SIZE];
    struct aggregated a;
    for (size_t i = 0; i < COUNT(counts); i++) {
        assert_false(open_with_parts(&a, counts[i][0], counts[i][1], why));
        assert_contains(why, "more than");
    }
}

/* Hashed for each part, 4 MiB would take minutes: longer than the time-out of a test. */
static void a_long_key_of_many_parts_is_read_once(void **state) {
    (void)state;
    const size_t key_length = 4u << 20, n = LIMIT_AGGREGATED_PARTS;
    _cleanup_(mem_freep) char *zeros = mem_alloc(key_length);
    memset(zeros, '0', key_length);
    const char *const parts[] = {"\x1a\x04\x08\0\x1a\0", "\x1a\x06\x08\0\x10\0\x1a\0"};
    for (size_t explicit = 0; explicit < COUNT(parts); explicit ++) {
        char why[AGGREGATED_WHY_SIZE] = "";
        struct aggregated a;
        _cleanup_(buffer_deinit) struct buffer b;
        begin_record(&b);
        buffer_append(&b, "\x0a\x80\x80\x80\x02", 5); /* the partition key: 4 MiB of zeros */
        buffer_append(&b, zeros, key_length);
        buffer_append(&b, "\x12\x80\x80\x80\x02", 5); /* the explicit hash key */
        buffer_append(&b, zeros, key_length);
        append_repeated(&b, parts[explicit], explicit ? 8 : 6, n);
        if (!open_record(&a, &b, why))
            fail_msg("%s", why);
        assert_int_equal(a.n, n);
        assert_true(a.parts[0].hash_key == a.parts[n - 1].hash_key);
        assert_int_equal(a.parts[0].hash_key == 0, explicit);
        aggregated_deinit(&a);
    }
}

/* 10 MiB of the smallest parts would be 150 MB unpacked. */
static void a_record_that_would_need_far_more_memory_than_its_size_is_not_unpacked(void **state) {
    (void)state;
    char why[AGGREGATED_WHY_SIZE];
    struct aggregated a;
    assert_false(open_with_parts(&a, 1, 1700000, why));
    assert_contains(why, "not the protobuf message");
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_aggregated_only_if_it_begins_with_all_four_magic_bytes),
        cmocka_unit_test(a_part_on_the_border_of_the_range_is_not_a_stray),
        cmocka_unit_test(without_a_known_range_no_part_is_a_stray),
        cmocka_unit_test(a_record_with_the_maximum_number_of_parts_is_unpacked),
        cmocka_unit_test(a_record_with_too_many_parts_or_keys_is_broken),
        cmocka_unit_test(a_long_key_of_many_parts_is_read_once),
        cmocka_unit_test(a_record_that_would_need_far_more_memory_than_its_size_is_not_unpacked),
    };
    int failed = support_run_cases("tests/data/aggregated.json", check_case);
    return failed + cmocka_run_group_tests_name("aggregated", tests, NULL, NULL);
}
