#include "views/freshness.h"

#include <pthread.h>

#include "tests/unit/support/test.h"

static void freshness_freep(struct freshness **f) {
    freshness_free(*f);
}

#define SET(f, ...)                                                                                          \
    freshness_set_shards((f), (const struct freshness_shard[]){__VA_ARGS__},                                 \
                         COUNT(((const struct freshness_shard[]){__VA_ARGS__})), 0)

static int64_t of_shard(struct freshness *f, const char *shard_id) {
    _cleanup_(mem_freep) struct freshness_state *shards = NULL;
    size_t n = freshness_read(f, 0, &shards);
    for (size_t i = 0; i < n; i++)
        if (strcmp(shards[i].shard_id, shard_id) == 0)
            return shards[i].as_of_ms;
    return FRESHNESS_UNKNOWN;
}

static void the_as_of_of_the_view_is_unknown_before_the_shards_are_set(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    assert_int_equal(freshness_as_of(f), FRESHNESS_UNKNOWN);
    freshness_advance(f, "a", 100, 0);
    assert_int_equal(freshness_as_of(f), FRESHNESS_UNKNOWN);
    assert_int_equal(of_shard(f, "a"), FRESHNESS_UNKNOWN);
}

static void the_as_of_of_the_view_is_that_of_its_oldest_shard(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    SET(f, {"c", 300}, {"a", 100}, {"b", 200});
    assert_int_equal(freshness_as_of(f), 100);
    freshness_advance(f, "a", 250, 0);
    assert_int_equal(freshness_as_of(f), 200);
    freshness_advance(f, "b", 400, 0);
    assert_int_equal(freshness_as_of(f), 250);
}

static void teach(struct service_clock *clock, int64_t date_ms, int64_t seconds_ago) {
    struct clock_reading then = clock_read();
    then.raw_ms -= seconds_ago * 1000;
    then.boot_ms -= seconds_ago * 1000;
    service_clock_teach(clock, date_ms, &then, &then);
}

/* The clock forgets such a Date after 64 s, and what was made of it ends then, too. */
static void an_as_of_that_an_early_date_put_into_the_future_is_dropped(void **state) {
    enum { HOUR_MS = 3600000 };
    const int64_t true_ms = INT64_C(1800000000000);
    struct service_clock *clock = service_clock_new(true);
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(clock);
    (void)state;
    teach(clock, true_ms - 100000 + HOUR_MS, 100);
    SET(f, {"a", true_ms - 50000 + HOUR_MS}, {"b", true_ms - 50000 + HOUR_MS});
    assert_int_equal(freshness_as_of(f), true_ms - 50000 + HOUR_MS);
    teach(clock, true_ms, 0);
    freshness_advance(f, "a", true_ms - 2000, 0);
    assert_int_equal(of_shard(f, "a"), true_ms - 2000);
    SET(f, {"a", FRESHNESS_UNKNOWN}, {"b", FRESHNESS_UNKNOWN});
    assert_int_equal(freshness_as_of(f), FRESHNESS_UNKNOWN); /* "b" has reported nothing since */
    freshness_advance(f, "b", true_ms - 3000, 0);
    assert_int_equal(freshness_as_of(f), true_ms - 3000);
    service_clock_free(clock);
}

static void one_shard_without_an_as_of_makes_the_as_of_of_the_view_unknown(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    SET(f, {"a", 100}, {"b", FRESHNESS_UNKNOWN});
    assert_int_equal(freshness_as_of(f), FRESHNESS_UNKNOWN);
    freshness_advance(f, "b", 50, 0);
    assert_int_equal(freshness_as_of(f), 50);
    SET(f, {"a", 100}, {"b", FRESHNESS_UNKNOWN}, {"new", FRESHNESS_UNKNOWN});
    assert_int_equal(freshness_as_of(f), FRESHNESS_UNKNOWN);
}

static void the_as_of_of_a_shard_never_decreases(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    SET(f, {"a", 100});
    freshness_advance(f, "a", 99, 0);
    assert_int_equal(of_shard(f, "a"), 100);
    freshness_advance(f, "a", FRESHNESS_UNKNOWN, 0);
    assert_int_equal(of_shard(f, "a"), 100);
    SET(f, {"a", 50});
    assert_int_equal(freshness_as_of(f), 100);
    SET(f, {"a", FRESHNESS_UNKNOWN});
    assert_int_equal(freshness_as_of(f), 100);
    SET(f, {"a", 200});
    assert_int_equal(freshness_as_of(f), 200);
}

static void a_shard_that_is_not_given_is_removed_and_ignored(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    SET(f, {"a", 100}, {"b", 200});
    SET(f, {"b", 200});
    assert_int_equal(freshness_as_of(f), 200);
    freshness_advance(f, "a", 300, 0);
    assert_int_equal(of_shard(f, "a"), FRESHNESS_UNKNOWN);
    assert_int_equal(freshness_as_of(f), 200);
}

static void the_largest_as_of_is_kept_when_all_shards_have_ended(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    SET(f, {"a", 100}, {"b", 150});
    freshness_advance(f, "a", 300, 0);
    freshness_advance(f, "b", 200, 0);
    freshness_set_shards(f, NULL, 0, 0);
    assert_int_equal(freshness_as_of(f), 300);
}

static void the_as_of_of_the_view_stays_unknown_if_all_shards_ended_without_one(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    freshness_set_shards(f, NULL, 0, 0);
    assert_int_equal(freshness_as_of(f), FRESHNESS_UNKNOWN);
}

static void the_table_of_shards_is_read_as_a_copy_sorted_by_shard(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    struct freshness_state *shards;
    assert_int_equal(freshness_read(f, 0, &shards), 0);
    free(shards);
    SET(f, {"c", 3}, {"a", 1}, {"b", FRESHNESS_UNKNOWN});
    assert_int_equal(freshness_read(f, 0, &shards), 3);
    freshness_set_shards(f, NULL, 0, 0);
    static const struct freshness_shard expected[] = {{"a", 1}, {"b", FRESHNESS_UNKNOWN}, {"c", 3}};
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_string_equal(shards[i].shard_id, expected[i].shard_id);
        assert_int_equal(shards[i].as_of_ms, expected[i].as_of_ms);
    }
    free(shards);
}

static void two_shard_ids_of_the_maximum_length_are_distinguished(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    struct freshness_shard two[2] = {{.as_of_ms = 1}, {.as_of_ms = 2}};
    memset(two[0].shard_id, 'x', LIMIT_SHARD_ID_BYTES);
    memset(two[1].shard_id, 'x', LIMIT_SHARD_ID_BYTES);
    two[1].shard_id[LIMIT_SHARD_ID_BYTES - 1] = 'y';
    freshness_set_shards(f, two, 2, 0);
    assert_int_equal(of_shard(f, two[0].shard_id), 1);
    assert_int_equal(of_shard(f, two[1].shard_id), 2);
}

/* The history. */

enum { LATE_MS = 1000 }; /* the lag that the history is kept for */

static struct freshness *new_with_history(void) {
    struct freshness *f = freshness_new(NULL);
    freshness_keep_history(f, LATE_MS);
    return f;
}

/* One shard's time becomes `as_of_ms` at `now_ms`. */
static void advance_at(struct freshness *f, int64_t now_ms, int64_t as_of_ms) {
    const struct freshness_shard shard = {"a", as_of_ms};
    freshness_set_shards(f, &shard, 1, now_ms);
}

static void an_earlier_as_of_of_the_view_is_in_the_history(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = new_with_history();
    assert_int_equal(freshness_as_of_at(f, 0), FRESHNESS_UNKNOWN);
    advance_at(f, 5000, 100);
    advance_at(f, 6000, 200);
    assert_int_equal(freshness_as_of_at(f, 4999), FRESHNESS_UNKNOWN);
    assert_int_equal(freshness_as_of_at(f, 5000), 100);
    assert_int_equal(freshness_as_of_at(f, 5999), 100);
    assert_int_equal(freshness_as_of_at(f, 6000), 200);
    assert_int_equal(freshness_as_of_at(f, 9000000), 200);
}

static void a_jump_of_the_as_of_by_hours_is_in_the_history_at_its_time(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = new_with_history();
    enum { HOUR_MS = 3600000 };
    advance_at(f, 10000, 1 * HOUR_MS);
    advance_at(f, 12000, 3 * HOUR_MS); /* the backlog is applied */
    assert_int_equal(freshness_as_of(f), 3 * HOUR_MS);
    assert_int_equal(freshness_as_of_at(f, 12500 - LATE_MS), 1 * HOUR_MS);
    assert_int_equal(freshness_as_of_at(f, 13000 - LATE_MS), 3 * HOUR_MS);
}

/* However often the view changes, the history never gives a later as-of than the true one, and only a
 * slightly older one.
 */
static void the_history_is_bounded_and_never_gives_a_later_as_of(void **state) {
    (void)state;
    static const int64_t steps_ms[] = {1, 7, 31, 33, 250, 5000};
    for (size_t i = 0; i < COUNT(steps_ms); i++) {
        _cleanup_(freshness_freep) struct freshness *f = new_with_history();
        for (int64_t now_ms = 0; now_ms < 20000; now_ms += steps_ms[i]) {
            advance_at(f, now_ms, now_ms);
            int64_t then_ms = now_ms - LATE_MS, was_ms = then_ms - then_ms % steps_ms[i];
            if (then_ms < 0)
                continue;
            int64_t got_ms = freshness_as_of_at(f, then_ms);
            assert_true(got_ms <= was_ms);
            assert_true(got_ms >= was_ms - 2 * (LATE_MS / FRESHNESS_GRAIN + 1));
        }
    }
}

static void the_history_is_unknown_from_the_time_of_a_new_shard(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = new_with_history();
    advance_at(f, 1000, 100);
    static const struct freshness_shard two[] = {{"a", 100}, {"new", FRESHNESS_UNKNOWN}};
    freshness_set_shards(f, two, 2, 2000);
    assert_int_equal(freshness_as_of_at(f, 1500), FRESHNESS_UNKNOWN);
    freshness_advance(f, "new", 90, 3000);
    assert_int_equal(freshness_as_of_at(f, 2500), FRESHNESS_UNKNOWN);
    assert_int_equal(freshness_as_of_at(f, 3000), 90);
}

static void updates_whose_clocks_are_out_of_order_are_put_in_order(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = new_with_history();
    advance_at(f, 1000, 100);
    advance_at(f, 990, 200);
    assert_int_equal(freshness_as_of_at(f, 995), FRESHNESS_UNKNOWN);
    assert_int_equal(freshness_as_of_at(f, 1000), 200);
}

struct advance {
    struct freshness *f;
    const char *shard_id;
};

static void *advance(void *data) {
    const struct advance *a = data;
    for (int64_t ms = 1; ms <= 5000; ms++)
        freshness_advance(a->f, a->shard_id, ms, 0);
    return NULL;
}

static void the_as_of_of_the_view_never_decreases_while_threads_advance_it(void **state) {
    (void)state;
    _cleanup_(freshness_freep) struct freshness *f = freshness_new(NULL);
    SET(f, {"a", 0}, {"b", 0});
    struct advance work[] = {{f, "a"}, {f, "b"}};
    pthread_t threads[COUNT(work)];
    for (size_t i = 0; i < COUNT(work); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, advance, &work[i]), 0);
    for (int64_t last = 0, now; last < 5000; last = now) {
        now = freshness_as_of(f);
        assert_true(now >= last);
        SET(f, {"a", 0}, {"b", 0}); /* as reading the leases does */
    }
    for (size_t i = 0; i < COUNT(work); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(freshness_as_of(f), 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_as_of_of_the_view_is_unknown_before_the_shards_are_set),
        cmocka_unit_test(the_as_of_of_the_view_is_that_of_its_oldest_shard),
        cmocka_unit_test(an_as_of_that_an_early_date_put_into_the_future_is_dropped),
        cmocka_unit_test(one_shard_without_an_as_of_makes_the_as_of_of_the_view_unknown),
        cmocka_unit_test(the_as_of_of_a_shard_never_decreases),
        cmocka_unit_test(a_shard_that_is_not_given_is_removed_and_ignored),
        cmocka_unit_test(the_largest_as_of_is_kept_when_all_shards_have_ended),
        cmocka_unit_test(the_as_of_of_the_view_stays_unknown_if_all_shards_ended_without_one),
        cmocka_unit_test(the_table_of_shards_is_read_as_a_copy_sorted_by_shard),
        cmocka_unit_test(two_shard_ids_of_the_maximum_length_are_distinguished),
        cmocka_unit_test(an_earlier_as_of_of_the_view_is_in_the_history),
        cmocka_unit_test(a_jump_of_the_as_of_by_hours_is_in_the_history_at_its_time),
        cmocka_unit_test(the_history_is_bounded_and_never_gives_a_later_as_of),
        cmocka_unit_test(the_history_is_unknown_from_the_time_of_a_new_shard),
        cmocka_unit_test(updates_whose_clocks_are_out_of_order_are_put_in_order),
        cmocka_unit_test(the_as_of_of_the_view_never_decreases_while_threads_advance_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
