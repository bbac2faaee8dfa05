#include "ingest/batch.h"

#include "tests/unit/test_support.h"

#define INGRESS(schema, fields)                                                                              \
    "{\"schema\":\"com.nordstrom/retail-stream-ingress/1-0-0\",\"origin\":\"ann\","                          \
    "\"timeOrigin\":\"1970-01-01T00:00:01Z\",\"data\":{\"schema\":\"" schema "\"" fields "}}"
#define PURCHASE INGRESS("com.nordstrom/product/purchase/1-0-0", ",\"id\":\"lamp\"")
#define OTHER INGRESS("com.nordstrom/cart/add/1-0-0", "")

static void add(struct batch *b, uint64_t sequence, const char *text, int64_t now_ms) {
    size_t length = strlen(text);
    _cleanup_(mem_freep) uint8_t *data = mem_dup(text, length);
    _cleanup_(mem_freep) char *key = mem_strdup("lamp");
    const struct source_record record = {
        .position = position_from_u64(sequence), .partition_key = key, .data = data, .length = length};
    batch_add(b, &record, now_ms);
    memset(data, '!', length); /* both are the reader's: gone after its next read */
    memset(key, '!', 4);
}

static void events_letters_and_what_is_not_for_us_each_go_their_way(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    batch_init(&b, "s", 10);
    add(&b, 1, PURCHASE, 100);
    add(&b, 2, "{", 200);
    add(&b, 3, OTHER, 300);
    add(&b, 4, PURCHASE, 400);
    add(&b, 5, "[]", 500);

    assert_int_equal(b.n, 5);
    assert_int_equal(b.n_records, 2);
    assert_int_equal(b.n_letters, 2);
    assert_int_equal(b.n_skipped, 1);
    assert_string_equal(b.records[0].event.id, "s:1");
    assert_string_equal(b.records[1].event.id, "s:4");
    assert_string_equal(b.records[1].event.product_id, "lamp");
    assert_string_equal(b.records[1].event.origin, "ann");
    assert_int_equal(b.records[1].event.time_ms, 1000);
    struct position fourth = position_from_u64(4), fifth = position_from_u64(5);
    assert_int_equal(position_compare(&b.records[1].position, &fourth), 0);
    assert_string_equal(b.letters[0].shard_id, "s");
    assert_int_equal(b.letters[0].reason, ENVELOPE_NOT_JSON);
    assert_int_equal(b.letters[1].reason, ENVELOPE_NOT_OBJECT);
    assert_contains(b.letters[1].detail, "an array");
    assert_int_equal(position_compare(&b.letters[1].position, &fifth), 0);
    assert_int_equal(b.letters[1].length, 2);
    assert_memory_equal(b.letters[1].data, "[]", 2);
}

static void its_last_position_is_that_of_the_last_record_of_any_kind(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    static const char *const texts[] = {PURCHASE, "{", OTHER};
    batch_init(&b, "s", 10);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct position expected = position_from_u64(i);
        add(&b, i, texts[i], 0);
        assert_int_equal(position_compare(&b.last, &expected), 0);
    }
}

static void it_began_with_its_first_record_whatever_that_is(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    batch_init(&b, "s", 10);
    add(&b, 1, "{", 100);
    add(&b, 2, PURCHASE, 200);
    assert_int_equal(b.began_boot_ms, 100);
    batch_clear(&b);
    add(&b, 3, OTHER, 300);
    add(&b, 4, PURCHASE, 400);
    assert_int_equal(b.began_boot_ms, 300);
}

static void it_is_full_when_records_of_all_kinds_are_as_many_as_it_holds(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    batch_init(&b, "s", 3);
    static const char *const texts[] = {PURCHASE, "{", OTHER};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_false(batch_is_full(&b));
        add(&b, i, texts[i], 0);
    }
    assert_true(batch_is_full(&b));
}

static void cleared_it_is_as_new(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    batch_init(&b, "s", 3);
    assert_int_equal(b.as_of_ms, -1);
    for (int round = 0; round < 3; round++) {
        add(&b, 1, PURCHASE, 0);
        add(&b, 2, "{", 0);
        add(&b, 3, OTHER, 0);
        b.letters_written = true;
        b.as_of_ms = 5;
        batch_clear(&b);
        assert_int_equal(b.n + b.n_records + b.n_letters + b.n_skipped, 0);
        assert_false(b.letters_written);
        assert_false(batch_is_full(&b));
        assert_int_equal(b.as_of_ms, -1);
    }
}

static void a_record_without_data_is_a_letter(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    batch_init(&b, "s", 1);
    batch_add(&b, &(struct source_record){.position = position_from_u64(1)}, 0);
    assert_int_equal(b.n_letters, 1);
    assert_int_equal(b.letters[0].length, 0);
    assert_int_equal(b.letters[0].reason, ENVELOPE_NOT_JSON);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_letters_and_what_is_not_for_us_each_go_their_way),
        cmocka_unit_test(its_last_position_is_that_of_the_last_record_of_any_kind),
        cmocka_unit_test(it_began_with_its_first_record_whatever_that_is),
        cmocka_unit_test(it_is_full_when_records_of_all_kinds_are_as_many_as_it_holds),
        cmocka_unit_test(cleared_it_is_as_new),
        cmocka_unit_test(a_record_without_data_is_a_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
