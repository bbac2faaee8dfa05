#include "ingest/batch.h"

#include "tests/unit/support/test.h"

#define INGRESS(schema, fields)                                                                              \
    "{\"schema\":\"com.nordstrom/retail-stream-ingress/1-0-0\",\"origin\":\"ann\","                          \
    "\"timeOrigin\":\"1970-01-01T00:00:01Z\",\"data\":{\"schema\":\"" schema "\"" fields "}}"
#define PURCHASE INGRESS("com.nordstrom/product/purchase/1-0-0", ",\"id\":\"lamp\"")
#define OTHER INGRESS("com.nordstrom/cart/add/1-0-0", "")

static void set_up(struct batch *b, size_t records) {
    batch_init(b, "s");
    batch_set_limits(b, &(struct batch_limits){records, SIZE_MAX});
}

static void add(struct batch *b, uint64_t sequence, const char *text) {
    size_t length = strlen(text);
    _cleanup_(mem_freep) uint8_t *data = mem_dup(text, length);
    _cleanup_(mem_freep) char *key = mem_strdup("lamp");
    const struct source_record record = {
        .position = position_from_u64(sequence), .partition_key = key, .data = data, .length = length};
    batch_add(b, &record);
    memset(data, '!', length); /* both belong to the reader and are invalid after its next read */
    memset(key, '!', 4);
}

static void a_batch_separates_events_dead_letters_and_skipped_records(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 10);
    add(&b, 1, PURCHASE);
    add(&b, 2, "{");
    add(&b, 3, OTHER);
    add(&b, 4, PURCHASE);
    add(&b, 5, "[]");

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

static void a_blank_line_is_skipped_and_a_blank_record_of_a_stream_is_not(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 10);
    struct source_record record = {.position = position_from_u64(1), .data = " \r", .length = 2};
    batch_add(&b, &record);
    assert_int_equal(b.n_letters, 1);
    record.blank = true;
    batch_add(&b, &record);
    assert_int_equal(b.n_letters, 1);
    assert_int_equal(b.n_skipped, 1);
}

static void the_last_position_of_a_batch_is_that_of_its_last_record_of_any_kind(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    static const char *const texts[] = {PURCHASE, "{", OTHER};
    set_up(&b, 10);
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct position expected = position_from_u64(i);
        add(&b, i, texts[i]);
        assert_int_equal(position_compare(&b.last, &expected), 0);
    }
}

static void a_batch_is_full_when_its_records_of_all_kinds_reach_the_maximum(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 3);
    static const char *const texts[] = {PURCHASE, "{", OTHER};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_false(batch_is_full(&b));
        add(&b, i, texts[i]);
    }
    assert_true(batch_is_full(&b));
}

static void the_size_of_a_full_batch_may_change(void **state) {
    (void)state;
    static const size_t sizes[] = {3, 500, 1, 400};
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 2);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        batch_clear(&b);
        batch_set_limits(&b, &(struct batch_limits){sizes[i], SIZE_MAX});
        for (size_t n = 1; n <= sizes[i]; n++) {
            assert_false(batch_is_full(&b));
            add(&b, n, n % 2 ? PURCHASE : "{");
        }
        assert_true(batch_is_full(&b));
    }
}

static void a_cleared_batch_is_like_a_new_one(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 3);
    assert_int_equal(b.as_of_ms, -1);
    for (int round = 0; round < 3; round++) {
        add(&b, 1, PURCHASE);
        add(&b, 2, "{");
        add(&b, 3, OTHER);
        b.as_of_ms = 5;
        batch_clear(&b);
        assert_int_equal(b.n + b.n_records + b.n_letters + b.n_skipped, 0);
        assert_false(batch_is_full(&b));
        assert_int_equal(b.as_of_ms, -1);
    }
}

static void the_bytes_of_a_batch_are_those_of_its_events_and_letters(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 10);
    add(&b, 1, OTHER);
    assert_int_equal(b.bytes, 0);
    add(&b, 2, PURCHASE);
    size_t event = b.bytes;
    assert_in_range(event,
                    strlen("s:2"
                           "lamp"
                           "ann"),
                    1000);
    add(&b, 3, PURCHASE);
    assert_int_equal(b.bytes, 2 * event);
    _cleanup_(mem_freep) char *long_text = mem_zalloc(100001);
    memset(long_text, 'x', 100000);
    add(&b, 4, long_text); /* a dead letter has all of its data */
    assert_in_range(b.bytes, 2 * event + 100000, 2 * event + 101000);
    batch_clear(&b);
    assert_int_equal(b.bytes, 0);
}

static void add_purchase(struct batch *b, uint64_t sequence, unsigned product) {
    char text[300];
    snprintf(text, sizeof text, INGRESS("com.nordstrom/product/purchase/1-0-0", ",\"id\":\"product-%u\""),
             product);
    const struct source_record record = {
        .position = position_from_u64(sequence), .data = text, .length = strlen(text)};
    batch_add(b, &record);
}

static void a_batch_is_full_when_it_has_so_many_bytes(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    const struct batch_limits limits = {SIZE_MAX, 1 << 20};
    batch_init(&b, "s");
    batch_set_limits(&b, &limits);
    for (unsigned i = 0; !batch_is_full(&b); i++)
        add_purchase(&b, i, i);
    assert_in_range(b.bytes, limits.bytes, limits.bytes + 2000);

    batch_clear(&b);
    _cleanup_(mem_freep) char *long_text = mem_zalloc(limits.bytes + 1);
    memset(long_text, 'x', limits.bytes);
    add(&b, 1, long_text);
    assert_true(batch_is_full(&b));
}

static void a_batch_takes_memory_only_for_what_is_added_and_gives_it_back(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 1000000);
    assert_null(b.records);
    assert_null(b.letters);
    for (unsigned i = 0; i < 5000; i++)
        add_purchase(&b, i, i);
    for (unsigned i = 0; i < 5000; i++)
        add(&b, 5000 + i, "{");
    batch_clear(&b);
    assert_null(b.records);
    assert_null(b.letters);
    add_purchase(&b, 1, 1);
    assert_string_equal(b.records[0].event.product_id, "product-1");
    batch_clear(&b);
    assert_non_null(b.records); /* a small one is kept */
}

static void a_broken_aggregated_record_is_one_letter_with_all_of_its_data(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 2);
    const struct source_record record = {.position = position_from_u64(7),
                                         .data = (const uint8_t *)"\xf3\x89\x9a\xc2",
                                         .length = 4,
                                         .broken = "it is too short"};
    batch_add(&b, &record);
    assert_int_equal(b.n_letters, 1);
    assert_int_equal(b.letters[0].reason, ENVELOPE_BROKEN_AGGREGATE);
    assert_string_equal(envelope_reason_name(b.letters[0].reason), "broken-aggregate");
    assert_contains(b.letters[0].detail, "it is too short");
    assert_int_equal(b.letters[0].length, 4);
    assert_memory_equal(b.letters[0].data, "\xf3\x89\x9a\xc2", 4);
}

static void a_record_without_data_is_a_letter(void **state) {
    (void)state;
    _cleanup_(batch_deinit) struct batch b;
    set_up(&b, 1);
    batch_add(&b, &(struct source_record){.position = position_from_u64(1)});
    assert_int_equal(b.n_letters, 1);
    assert_int_equal(b.letters[0].length, 0);
    assert_int_equal(b.letters[0].reason, ENVELOPE_NOT_JSON);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_separates_events_dead_letters_and_skipped_records),
        cmocka_unit_test(a_blank_line_is_skipped_and_a_blank_record_of_a_stream_is_not),
        cmocka_unit_test(the_last_position_of_a_batch_is_that_of_its_last_record_of_any_kind),
        cmocka_unit_test(a_batch_is_full_when_its_records_of_all_kinds_reach_the_maximum),
        cmocka_unit_test(the_size_of_a_full_batch_may_change),
        cmocka_unit_test(a_cleared_batch_is_like_a_new_one),
        cmocka_unit_test(the_bytes_of_a_batch_are_those_of_its_events_and_letters),
        cmocka_unit_test(a_batch_is_full_when_it_has_so_many_bytes),
        cmocka_unit_test(a_batch_takes_memory_only_for_what_is_added_and_gives_it_back),
        cmocka_unit_test(a_broken_aggregated_record_is_one_letter_with_all_of_its_data),
        cmocka_unit_test(a_record_without_data_is_a_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
