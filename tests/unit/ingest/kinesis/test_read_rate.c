#include "ingest/kinesis/read_rate.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"

static void the_first_read_is_due_at_once(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    assert_true(r.next_ms <= 0);
}

static void a_reader_that_is_caught_up_reads_every_poll_interval(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    int64_t now = 1000;
    for (int i = 0; i < 20; i++, now += 250) {
        read_rate_after_read(&r, now, 100, false);
        assert_int_equal(r.next_ms, now + 250);
    }
}

static void a_reader_that_is_behind_reads_at_once_while_the_shard_allows(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    for (int i = 0; i < 4; i++) {
        read_rate_after_read(&r, 1000, 0, true);
        assert_int_equal(r.next_ms, 1000);
    }
}

/* At most five reads a second, whatever the reads return: each read is at least a second later than the fifth
 * one before it. */
static void there_are_at_most_five_reads_in_any_second(void **state) {
    (void)state;
    uint64_t random = 3;
    int64_t at[2000], now = 0;
    struct read_rate r;
    read_rate_init(&r, 10);
    for (size_t i = 0; i < COUNT(at); i++) {
        at[i] = now = r.next_ms > now ? r.next_ms : now;
        read_rate_after_read(&r, now, support_random(&random) % 100000, support_random(&random) % 4 != 0);
        now += support_random(&random) % 3 * (support_random(&random) % 200); /* the duration of the read */
        if (i >= 5)
            assert_true(at[i] - at[i - 5] >= 1000);
    }
    assert_true(at[COUNT(at) - 1] < 2000 * 210); /* and not much slower than allowed */
}

static void the_pause_after_a_read_keeps_to_two_megabytes_a_second(void **state) {
    (void)state;
    uint64_t random = 4;
    struct read_rate r;
    read_rate_init(&r, 10);
    int64_t now = 500, begin = now;
    uint64_t bytes = 0;
    for (int i = 0; i < 500; i++) {
        size_t brought = support_random(&random) % 1500000;
        read_rate_after_read(&r, now, brought, true);
        bytes += brought;
        now = r.next_ms;
        assert_true(bytes <= 2000 * (uint64_t)(now - begin)); /* 2 MB a second */
    }
    assert_true(bytes >= 1900 * (uint64_t)(now - begin)); /* nearly as fast as allowed */
}

static void after_ten_megabytes_the_next_read_is_five_seconds_later(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    read_rate_after_read(&r, 1000, 10000000, true);
    assert_int_equal(r.next_ms, 6000);
    read_rate_after_read(&r, 6000, 0, true);
    assert_int_equal(r.next_ms, 6000);
}

/* A read that is refused, or whose iterator has expired, returns no records. It must not undo either bound.
 */
static void reads_without_records_count_and_keep_the_earlier_bounds(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    read_rate_after_read(&r, 1000, 3000000, true);
    read_rate_after_read(&r, 1200, 0, true);
    assert_int_equal(r.next_ms, 2500);
    read_rate_init(&r, 250);
    for (int i = 0; i < 5; i++)
        read_rate_after_read(&r, 1000 + i, 0, true);
    assert_int_equal(r.next_ms, 2000);
}

static void a_throttle_keeps_the_earlier_bounds(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    read_rate_after_read(&r, 1000, 10000000, true);
    read_rate_after_throttle(&r, 6000, 0);
    read_rate_after_read(&r, 6050, 2000000, true);
    assert_int_equal(r.next_ms, 7050);
    read_rate_init(&r, 250);
    for (int i = 0; i < 5; i++)
        read_rate_after_throttle(&r, 1000, 0); /* each was a read, too */
    assert_true(r.next_ms >= 1500);
}

static void a_throttled_reader_waits_longer_each_time_up_to_the_limit(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    int64_t expected[] = {100, 200, 400, 800, LIMIT_THROTTLE_MS, LIMIT_THROTTLE_MS};
    for (size_t i = 0; i < COUNT(expected); i++) {
        struct read_rate copy = r;
        read_rate_after_throttle(&copy, 1000,
                                 (uint32_t)(expected[i] / 2)); /* the longest that jitter makes it */
        assert_int_equal(copy.next_ms, 1000 + expected[i]);
        read_rate_after_throttle(&r, 1000, 0); /* the shortest */
        assert_int_equal(r.next_ms, 1000 + expected[i] / 2);
    }
}

static void jitter_stays_between_half_and_the_whole_pause(void **state) {
    (void)state;
    uint64_t random = 5;
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 10000; i++) {
        struct read_rate r;
        read_rate_init(&r, 250);
        read_rate_after_throttle(&r, 0, support_random(&random));
        least = r.next_ms < least ? r.next_ms : least;
        most = r.next_ms > most ? r.next_ms : most;
    }
    assert_int_equal(least, 50);
    assert_int_equal(most, 100);
}

static void after_throttles_the_reader_becomes_faster_step_by_step(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 10);
    for (int i = 0; i < 10; i++)
        read_rate_after_throttle(&r, 0, 0);
    int64_t now = 10000;
    for (int64_t pause = LIMIT_THROTTLE_MS / 2; pause > 200; pause /= 2) {
        read_rate_after_read(&r, now, 0, true);
        assert_int_equal(r.next_ms, now + pause);
        now = r.next_ms;
    }
    for (int i = 0; i < 10; i++)
        read_rate_after_read(&r, now += 1000, 0, true);
    assert_int_equal(r.next_ms, now);
}

static void a_throttle_while_the_reader_becomes_faster_slows_it_down_again(void **state) {
    (void)state;
    struct read_rate r;
    read_rate_init(&r, 250);
    for (int i = 0; i < 3; i++)
        read_rate_after_throttle(&r, 0, 0);
    read_rate_after_read(&r, 5000, 0, true); /* 400 becomes 200 */
    read_rate_after_throttle(&r, 6000, 0);   /* and 400 again */
    assert_int_equal(r.next_ms, 6200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_read_is_due_at_once),
        cmocka_unit_test(a_reader_that_is_caught_up_reads_every_poll_interval),
        cmocka_unit_test(a_reader_that_is_behind_reads_at_once_while_the_shard_allows),
        cmocka_unit_test(there_are_at_most_five_reads_in_any_second),
        cmocka_unit_test(the_pause_after_a_read_keeps_to_two_megabytes_a_second),
        cmocka_unit_test(after_ten_megabytes_the_next_read_is_five_seconds_later),
        cmocka_unit_test(reads_without_records_count_and_keep_the_earlier_bounds),
        cmocka_unit_test(a_throttle_keeps_the_earlier_bounds),
        cmocka_unit_test(a_throttled_reader_waits_longer_each_time_up_to_the_limit),
        cmocka_unit_test(jitter_stays_between_half_and_the_whole_pause),
        cmocka_unit_test(after_throttles_the_reader_becomes_faster_step_by_step),
        cmocka_unit_test(a_throttle_while_the_reader_becomes_faster_slows_it_down_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
