#include "ingest/kinesis/read_size.h"

#include "tests/unit/support/test.h"

static struct read_size after(size_t n, size_t bytes, int64_t took_ms) {
    struct read_size s;
    read_size_init(&s, 0);
    read_size_after_reply(&s, n, bytes, took_ms);
    return s;
}

static void the_first_read_asks_for_few_records(void **state) {
    (void)state;
    struct read_size s;
    read_size_init(&s, 0);
    assert_int_equal(s.records, 100);
    assert_int_equal(read_size_expected(&s, true), 100 * 1024);
    read_size_init(&s, 250);
    assert_int_equal(s.records, 100);
    read_size_init(&s, 50000); /* of other shards: large ones */
    assert_int_equal(s.records, 2);
    read_size_init(&s, 10 << 20);
    assert_int_equal(s.records, 1);
}

static void later_reads_ask_for_a_mebibyte_by_the_average_record(void **state) {
    (void)state;
    assert_in_range(after(100, 100 * 250, 10).records, 4100, 4194);
    assert_in_range(after(100, 100 * 50000, 10).records, 19, 20);
    assert_int_equal(after(1, 9 << 20, 10).records, 1);
    assert_int_equal(after(100, 0, 10).records, 10000);
    struct read_size s = after(100, 100 * 50000, 10);
    assert_in_range(read_size_expected(&s, true), 900000, 1100000);
    for (int i = 0; i < 20; i++)
        read_size_after_reply(&s, 20, 20 * 250, 10);
    assert_in_range(s.records, 2500, 4194);
}

static void at_the_tip_as_much_is_expected_as_the_last_reply_brought(void **state) {
    (void)state;
    struct read_size s = after(100, 100 * 250, 10);
    assert_int_equal(read_size_expected(&s, false), 100 * 250);
    read_size_after_reply(&s, 0, 0, 10);
    assert_int_equal(read_size_expected(&s, false), 0);
    assert_in_range(read_size_expected(&s, true), 900000, 1100000);
}

static void a_slow_reply_halves_the_next_and_a_fast_one_doubles_it_again(void **state) {
    (void)state;
    struct read_size s = after(100, 100 * 1024, 10);
    assert_int_equal(s.records, 1024);
    read_size_after_reply(&s, 1024, 1024 * 1024, 5001);
    assert_int_equal(s.records, 512);
    read_size_after_reply(&s, 512, 512 * 1024, 3000); /* neither */
    assert_int_equal(s.records, 512);
    read_size_after_reply(&s, 512, 512 * 1024, 900);
    assert_int_equal(s.records, 1024);
    read_size_after_reply(&s, 512, 512 * 1024, 900); /* no further */
    assert_int_equal(s.records, 1024);
}

static void reads_that_stall_ask_for_less_down_to_one_record(void **state) {
    (void)state;
    struct read_size s = after(100, 100 * 1024, 10);
    read_size_after_failure(&s, 4000); /* refused, or reset */
    assert_int_equal(s.records, 1024);
    for (int i = 0; i < 100; i++)
        read_size_after_failure(&s, 6000);
    assert_int_equal(s.records, 1);
    assert_false(read_size_halve(&s));
    for (int i = 0; i < 10; i++)
        read_size_after_reply(&s, 1, 1024, 10);
    assert_int_equal(s.records, 1024);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_read_asks_for_few_records),
        cmocka_unit_test(later_reads_ask_for_a_mebibyte_by_the_average_record),
        cmocka_unit_test(at_the_tip_as_much_is_expected_as_the_last_reply_brought),
        cmocka_unit_test(a_slow_reply_halves_the_next_and_a_fast_one_doubles_it_again),
        cmocka_unit_test(reads_that_stall_ask_for_less_down_to_one_record),
    };
    return cmocka_run_group_tests_name("read_size", tests, NULL, NULL);
}
