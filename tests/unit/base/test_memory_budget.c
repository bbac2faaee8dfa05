#include "base/memory_budget.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/stepped_clock.h"
#include "tests/unit/support/test.h"

#define PATIENCE_MS 60000

enum { CLAIMS = 8 };

struct fixture {
    struct budget *budget;
    struct budget_claim claims[CLAIMS];
    struct waker wakers[CLAIMS];
};

static int make(void **state) {
    struct fixture *t = mem_zalloc(sizeof *t);
    t->budget = budget_new(100);
    for (int i = 0; i < CLAIMS; i++)
        waker_init(&t->wakers[i]);
    *state = t;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *t = *state;
    for (int i = 0; i < CLAIMS; i++) {
        budget_leave(t->budget, &t->claims[i]);
        waker_deinit(&t->wakers[i]);
    }
    assert_int_equal(budget_held(t->budget), 0);
    budget_free(t->budget);
    free(t);
    return 0;
}

static bool begin(struct fixture *t, int i, size_t expected) {
    return budget_begin(t->budget, &t->claims[i], expected, &t->wakers[i]);
}

static bool grow(struct fixture *t, int i, size_t bytes) {
    return budget_grow(t->budget, &t->claims[i], bytes);
}

/* The reply has ended, and what it became takes so many bytes. */
static void end(struct fixture *t, int i, size_t bytes) {
    budget_set(t->budget, &t->claims[i], bytes);
}

static bool was_woken(struct fixture *t, int i) {
    uint64_t count;
    return read(t->wakers[i].fd, &count, sizeof count) == sizeof count;
}

/* Bytes that are no reply: batches, and what their application takes. */
static void hold_others(struct fixture *t, size_t bytes) {
    budget_set(t->budget, &t->claims[CLAIMS - 1], bytes);
}

static void a_reply_that_is_expected_to_fit_begins_at_once_and_holds_what_arrives(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 60));
    assert_int_equal(budget_held(t->budget), 0);
    assert_true(grow(t, 0, 10));
    assert_int_equal(budget_held(t->budget), 10);
    assert_true(begin(t, 1, 40)); /* and 50 are still expected of the first */
    assert_false(was_woken(t, 0));
}

static void a_reply_that_is_not_expected_to_fit_waits_until_it_is(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 60));
    assert_false(begin(t, 1, 41));
    assert_false(begin(t, 1, 41));
    assert_false(was_woken(t, 1));
    assert_true(grow(t, 0, 60));
    assert_false(was_woken(t, 1)); /* what was expected is there now */
    end(t, 0, 59);
    assert_true(was_woken(t, 1));
    assert_true(begin(t, 1, 41));
    assert_true(grow(t, 1, 41));
    assert_int_equal(budget_held(t->budget), 100);
}

static void a_reply_that_brings_nothing_keeps_no_other_from_growing(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 90));
    assert_true(begin(t, 1, 10));
    assert_true(grow(t, 1, 100)); /* ten times what was expected */
    end(t, 1, 100);
    assert_int_equal(budget_held(t->budget), 100);
}

static void a_reply_that_is_silent_for_long_delays_no_other(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 90));
    assert_true(grow(t, 0, 5));
    assert_false(begin(t, 1, 50));
    budget_leave(t->budget, &t->claims[1]);
    stepped_clock_add(LIMIT_SILENT_MS);
    assert_true(begin(t, 1, 50));
    assert_true(grow(t, 0, 6)); /* it goes on, and counts again */
    assert_false(begin(t, 2, 10));
}

static void beyond_the_limit_only_the_oldest_reply_grows(void **state) {
    struct fixture *t = *state;
    for (int i = 0; i < 3; i++)
        assert_true(begin(t, i, 10));
    assert_true(grow(t, 0, 40));
    assert_true(grow(t, 1, 50));
    assert_false(grow(t, 2, 20)); /* not the one that is under way the longest */
    assert_int_equal(budget_held(t->budget), 90);
    assert_true(grow(t, 0, 300));
    assert_false(grow(t, 1, 51));
    assert_int_equal(budget_held(t->budget), 300);
    end(t, 0, 0);
}

static void a_dropped_reply_keeps_its_turn_until_it_is_the_oldest(void **state) {
    struct fixture *t = *state;
    for (int i = 0; i < 3; i++)
        assert_true(begin(t, i, 10));
    assert_true(grow(t, 0, 95));
    assert_false(grow(t, 1, 20));
    assert_false(begin(t, 1, 10));
    assert_false(begin(t, 3, 5)); /* the first in the line is first */
    end(t, 0, 0);
    assert_true(was_woken(t, 1));
    assert_true(begin(t, 1, 10));
    assert_true(grow(t, 1, 500)); /* 2 was under way all the time, but began later */
    assert_false(grow(t, 2, 1));
}

static void a_reply_that_ended_or_failed_waits_behind_the_others(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 60));
    assert_false(begin(t, 1, 60));
    end(t, 0, 0); /* no byte of it has arrived */
    assert_false(begin(t, 0, 60));
    assert_false(begin(t, 2, 60));
    end(t, 1, 0);
    assert_true(was_woken(t, 0)); /* before 2, whose first turn is later */
    assert_false(was_woken(t, 2));
}

static void the_first_in_the_line_begins_first_whatever_it_expects(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 50));
    assert_false(begin(t, 1, 90));
    assert_false(begin(t, 2, 10)); /* the bytes are free, but 1 is first */
    end(t, 0, 0);
    assert_true(was_woken(t, 1));
    assert_true(was_woken(t, 2));
}

static void a_reply_that_leaves_the_line_blocks_no_other_and_keeps_its_turn(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 50));
    assert_false(begin(t, 1, 90));
    assert_false(begin(t, 2, 60));
    budget_leave(t->budget, &t->claims[1]);
    assert_false(begin(t, 3, 60));
    assert_false(begin(t, 1, 90));
    end(t, 0, 0);
    assert_true(was_woken(t, 1));
    assert_false(was_woken(t, 2));
}

static void a_turn_that_was_not_used_is_returned_and_kept(void **state) {
    struct fixture *t = *state;
    assert_true(begin(t, 0, 100));
    assert_false(begin(t, 1, 60));
    assert_false(begin(t, 2, 60));
    end(t, 0, 0); /* 1 may begin, but does not ask */
    budget_leave(t->budget, &t->claims[1]);
    assert_true(was_woken(t, 2));
    assert_false(begin(t, 1, 60));
    assert_false(begin(t, 3, 60));
    end(t, 2, 0);
    assert_true(begin(t, 1, 60)); /* before 3, whose first turn this is */
}

static void a_reply_of_any_size_begins_when_no_other_is_under_way(void **state) {
    struct fixture *t = *state;
    hold_others(t, 100);
    assert_false(begin(t, 1, 101));
    hold_others(t, 99); /* and keeps it: a shard whose store refuses */
    assert_true(was_woken(t, 1));
    assert_true(begin(t, 1, 101));
    assert_false(begin(t, 2, 1));
}

static void work_on_what_has_arrived_is_counted_and_never_waits(void **state) {
    struct fixture *t = *state;
    hold_others(t, 150);
    assert_int_equal(budget_held(t->budget), 150);
    assert_false(begin(t, 0, 0));
    hold_others(t, 100);
    assert_true(was_woken(t, 0));
}

static void a_null_budget_has_no_limit(void **state) {
    struct fixture *t = *state;
    assert_true(budget_begin(NULL, &t->claims[0], (size_t)1 << 60, &t->wakers[0]));
    assert_true(budget_grow(NULL, &t->claims[0], (size_t)1 << 60));
    budget_set(NULL, &t->claims[0], 5);
    budget_leave(NULL, &t->claims[0]);
}

/* Threads. */

enum { READERS = 6, REPLIES = 300, MOST = 80 };

struct reader {
    pthread_t thread;
    struct budget *budget;
    uint64_t random;
    size_t replies, dropped;
    struct waker waker;
};

static void await_turn(struct reader *r, struct budget_claim *claim, size_t expected) {
    int64_t give_up = clock_boot_ms() + PATIENCE_MS;
    while (!budget_begin(r->budget, claim, expected, &r->waker)) {
        assert_true(clock_boot_ms() < give_up);
        if (support_random(&r->random) % 4 == 0) /* leaves the line for something else */
            budget_leave(r->budget, claim);
        else
            waker_wait(&r->waker, give_up, -1);
    }
}

/* Each reply is larger than it is expected to be. */
static bool receive(struct reader *r, struct budget_claim *claim, size_t bytes) {
    for (size_t n = 1; n <= bytes; n += 1 + support_random(&r->random) % 20) {
        if (!budget_grow(r->budget, claim, n))
            return false;
        assert_true(budget_held(r->budget) <= 100 + MOST);
        sched_yield();
    }
    return true;
}

static void *run_reader(void *data) {
    struct reader *r = data;
    struct budget_claim claim = {0};
    while (r->replies < REPLIES) {
        await_turn(r, &claim, 5);
        if (!receive(r, &claim, 20 + support_random(&r->random) % (MOST - 20))) {
            r->dropped++;
            continue;
        }
        budget_set(r->budget, &claim, support_random(&r->random) % 10);
        sched_yield();
        budget_set(r->budget, &claim, 0);
        r->replies++;
    }
    return NULL;
}

static void many_threads_exceed_the_limit_by_one_reply_at_most_and_all_get_theirs(void **state) {
    struct fixture *t = *state;
    struct reader readers[READERS];
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.budget = t->budget, .random = 1 + (uint64_t)i};
        waker_init(&readers[i].waker);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].replies, REPLIES);
        waker_deinit(&readers[i].waker);
    }
    assert_int_equal(budget_held(t->budget), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(a_reply_that_is_expected_to_fit_begins_at_once_and_holds_what_arrives),
        test(a_reply_that_is_not_expected_to_fit_waits_until_it_is),
        test(a_reply_that_brings_nothing_keeps_no_other_from_growing),
        test(a_reply_that_is_silent_for_long_delays_no_other),
        test(beyond_the_limit_only_the_oldest_reply_grows),
        test(a_dropped_reply_keeps_its_turn_until_it_is_the_oldest),
        test(a_reply_that_ended_or_failed_waits_behind_the_others),
        test(the_first_in_the_line_begins_first_whatever_it_expects),
        test(a_reply_that_leaves_the_line_blocks_no_other_and_keeps_its_turn),
        test(a_turn_that_was_not_used_is_returned_and_kept),
        test(a_reply_of_any_size_begins_when_no_other_is_under_way),
        test(work_on_what_has_arrived_is_counted_and_never_waits),
        test(a_null_budget_has_no_limit),
        test(many_threads_exceed_the_limit_by_one_reply_at_most_and_all_get_theirs),
    };
    return cmocka_run_group_tests_name("memory_budget", tests, NULL, NULL);
}
