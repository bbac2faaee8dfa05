/* What freshness says of the way to being caught up, and of whose shards this process reads. */
#include "tests/unit/support/clock.h"
#include "tests/unit/support/test.h"
#include "views/freshness.h"

enum { SECOND = 1000, HOUR = 3600 * SECOND, CAUGHT_UP_MS = 30 * SECOND };

static int begin(void **state) {
    struct freshness *f = freshness_new(support_clock());
    freshness_set_caught_up(f, CAUGHT_UP_MS);
    *state = f;
    return 0;
}

static int end(void **state) {
    freshness_free(*state);
    return 0;
}

static void set_one(struct freshness *f, int64_t age_ms) {
    const struct freshness_shard shard = {"a", support_now() - age_ms};
    freshness_set_shards(f, &shard, 1, 0);
}

/* `age_ms` below 0: unknown. */
static void set_two(struct freshness *f, int64_t age_a_ms, int64_t age_b_ms) {
    int64_t now_ms = support_now();
    const struct freshness_shard shards[] = {
        {"a", age_a_ms < 0 ? FRESHNESS_UNKNOWN : now_ms - age_a_ms},
        {"b", age_b_ms < 0 ? FRESHNESS_UNKNOWN : now_ms - age_b_ms},
    };
    freshness_set_shards(f, shards, COUNT(shards), 0);
}

static struct freshness_progress read_at(struct freshness *f, int64_t now_ms) {
    struct freshness_progress p;
    freshness_progress(f, now_ms, &p);
    return p;
}

static void nothing_is_known_before_the_shards_are(void **state) {
    const struct freshness_progress p = read_at(*state, 0);
    assert_true(p.is_behind);
    assert_int_equal(p.age_ms, FRESHNESS_UNKNOWN);
    assert_int_equal(p.percent, FRESHNESS_UNKNOWN);
    assert_int_equal(p.record_rate, FRESHNESS_UNKNOWN);
    assert_int_equal(p.left_ms, FRESHNESS_UNKNOWN);
    assert_int_equal(p.shards, 0);
    assert_int_equal(p.shards_behind, 0);
}

static void the_percent_of_a_stream_is_the_time_that_its_oldest_shard_has_passed(void **state) {
    set_two(*state, 4 * HOUR, 2 * HOUR);
    assert_int_equal(read_at(*state, 0).percent, 0);
    freshness_advance(*state, "b", support_now(), SECOND);
    assert_int_equal(read_at(*state, SECOND).percent, 0);
    freshness_advance(*state, "a", support_now() - HOUR, SECOND);
    const struct freshness_progress p = read_at(*state, SECOND);
    assert_in_range(p.percent, 74, 75); /* of four hours three, and the clock runs on */
    assert_int_equal(p.shards, 2);
    assert_int_equal(p.shards_behind, 1);
    assert_true(p.is_behind);
}

static void a_view_that_falls_behind_again_begins_where_it_was_caught_up(void **state) {
    set_one(*state, 4 * HOUR);
    freshness_advance(*state, "a", support_now() - CAUGHT_UP_MS + SECOND, SECOND);
    const struct freshness_progress p = read_at(*state, SECOND);
    assert_false(p.is_behind);
    assert_int_equal(p.shards_behind, 0);
    set_two(*state, 0, 2 * HOUR); /* a new shard: as if the other had begun two hours ago */
    assert_int_equal(read_at(*state, SECOND).percent, 0);
    freshness_advance(*state, "b", support_now() - HOUR, 2 * SECOND);
    assert_in_range(read_at(*state, 2 * SECOND).percent, 49, 50);
}

static void a_shard_that_counts_as_caught_up_has_no_time_left(void **state) {
    set_two(*state, CAUGHT_UP_MS - SECOND, 4 * HOUR);
    freshness_advance(*state, "b", support_now() - 3 * HOUR, SECOND);
    struct freshness_progress p = read_at(*state, SECOND);
    assert_int_equal(p.shards_behind, 1);
    assert_in_range(p.left_ms, 3000, 3100); /* three hours, an hour a second */
    freshness_advance(*state, "b", support_now(), 2 * SECOND);
    assert_int_equal(read_at(*state, 2 * SECOND).left_ms, 0);
}

static void a_shard_of_unknown_time_makes_the_percent_unknown_and_is_behind(void **state) {
    set_two(*state, 0, -1);
    const struct freshness_progress p = read_at(*state, 0);
    assert_true(p.is_behind);
    assert_int_equal(p.percent, FRESHNESS_UNKNOWN);
    assert_int_equal(p.shards_behind, 1);
}

static void the_percent_of_a_file_is_of_its_bytes_and_is_not_taken_back_when_it_grows(void **state) {
    struct freshness *f = *state;
    const struct freshness_shard shard = {"a", FRESHNESS_UNKNOWN};
    freshness_set_shards(f, &shard, 1, 0);
    freshness_count(f, "a", 1, 1000, SECOND);
    assert_int_equal(read_at(f, SECOND).percent, 0);
    freshness_count(f, "a", 100, 250, 2 * SECOND);
    struct freshness_progress p = read_at(f, 2 * SECOND);
    assert_int_equal(p.percent, 75);
    assert_int_equal(p.bytes_left, 250);
    assert_int_equal(p.record_rate, 100);
    assert_int_equal(p.left_ms, 333);
    freshness_count(f, "a", 0, 750, 3 * SECOND);
    assert_int_equal(read_at(f, 3 * SECOND).percent, 50);
    freshness_count(f, "a", 1, 0, 4 * SECOND); /* its last piece is being applied */
    assert_int_equal(read_at(f, 4 * SECOND).percent, 99);
    freshness_advance(f, "a", support_now(), 4 * SECOND);
    freshness_count(f, "a", 1, 500, 5 * SECOND);
    assert_int_equal(read_at(f, 5 * SECOND).percent, 0);
}

static void the_rate_is_that_of_the_shards_that_this_process_reads(void **state) {
    set_two(*state, HOUR, HOUR);
    assert_int_equal(read_at(*state, 0).record_rate, FRESHNESS_UNKNOWN);
    freshness_count(*state, "a", 0, 0, 0);
    freshness_count(*state, "a", 300, 0, SECOND);
    freshness_advance(*state, "b", support_now(), SECOND); /* another worker's */
    assert_int_equal(read_at(*state, SECOND).record_rate, 300);
}

static void it_reads_all_shards_or_some_or_none(void **state) {
    struct freshness *f = *state;
    assert_int_equal(freshness_reads(f), FRESHNESS_READS_NONE);
    set_two(f, 0, 0);
    assert_int_equal(freshness_reads(f), FRESHNESS_READS_NONE);
    freshness_count(f, "a", 0, 0, 0);
    assert_int_equal(freshness_reads(f), FRESHNESS_READS_SOME);
    freshness_count(f, "b", 0, 0, 0);
    assert_int_equal(freshness_reads(f), FRESHNESS_READS_ALL);
    freshness_stop_counting(f, "a");
    assert_int_equal(freshness_reads(f), FRESHNESS_READS_SOME);
    freshness_set_shards(f, &(const struct freshness_shard){"b", 0}, 1, 0);
    assert_int_equal(freshness_reads(f), FRESHNESS_READS_ALL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_known_before_the_shards_are),
        TEST(the_percent_of_a_stream_is_the_time_that_its_oldest_shard_has_passed),
        TEST(a_view_that_falls_behind_again_begins_where_it_was_caught_up),
        TEST(a_shard_that_counts_as_caught_up_has_no_time_left),
        TEST(a_shard_of_unknown_time_makes_the_percent_unknown_and_is_behind),
        TEST(the_percent_of_a_file_is_of_its_bytes_and_is_not_taken_back_when_it_grows),
        TEST(the_rate_is_that_of_the_shards_that_this_process_reads),
        TEST(it_reads_all_shards_or_some_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
