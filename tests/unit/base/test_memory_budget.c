#include "base/memory_budget.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
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

static bool ask(struct fixture *t, int i, size_t bytes) {
    return budget_ask(t->budget, &t->claims[i], bytes, &t->wakers[i]);
}

static bool was_woken(struct fixture *t, int i) {
    uint64_t count;
    return read(t->wakers[i].fd, &count, sizeof count) == sizeof count;
}

static void a_claim_that_fits_is_granted_at_once(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 60));
    assert_true(ask(t, 1, 40));
    assert_int_equal(budget_held(t->budget), 100);
    assert_false(was_woken(t, 0));
}

static void a_claim_that_does_not_fit_waits_until_it_does(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 60));
    assert_false(ask(t, 1, 41));
    assert_false(ask(t, 1, 41));
    assert_false(was_woken(t, 1));
    budget_set(t->budget, &t->claims[0], 59);
    assert_true(was_woken(t, 1));
    assert_true(ask(t, 1, 41));
    assert_int_equal(budget_held(t->budget), 100);
}

static void a_claim_may_turn_out_smaller_or_larger_than_reserved(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 60));
    budget_set(t->budget, &t->claims[0], 5);
    assert_int_equal(budget_held(t->budget), 5);
    budget_set(t->budget, &t->claims[0], 150);
    assert_int_equal(budget_held(t->budget), 150);
    assert_false(ask(t, 1, 1)); /* until it is below the limit again */
    budget_set(t->budget, &t->claims[0], 99);
    assert_true(ask(t, 1, 1));
}

static void the_first_claim_in_the_queue_is_granted_first_whatever_its_size(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 50));
    assert_false(ask(t, 1, 90));
    assert_false(ask(t, 2, 10)); /* the bytes are free, but claim 1 is first */
    budget_set(t->budget, &t->claims[0], 0);
    assert_true(was_woken(t, 1));
    assert_true(was_woken(t, 2));
    assert_true(ask(t, 1, 90));
    assert_true(ask(t, 2, 10));
}

static void a_claim_that_leaves_the_queue_blocks_no_other(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 50));
    assert_false(ask(t, 1, 90));
    assert_false(ask(t, 2, 10));
    budget_leave(t->budget, &t->claims[1]);
    assert_true(was_woken(t, 2));
    assert_true(ask(t, 2, 10));
}

static void a_claim_that_returns_keeps_its_place_in_the_queue(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 100));
    assert_false(ask(t, 1, 60));
    assert_false(ask(t, 2, 60));
    budget_leave(t->budget, &t->claims[1]);
    assert_false(ask(t, 1, 60));
    budget_set(t->budget, &t->claims[0], 0);
    assert_true(was_woken(t, 1));
    assert_false(was_woken(t, 2));
}

static void a_grant_to_a_claim_that_left_is_returned_and_its_place_is_kept(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 100));
    assert_false(ask(t, 1, 60));
    assert_false(ask(t, 2, 60));
    budget_set(t->budget, &t->claims[0], 0); /* grants 1, which does not read it */
    budget_leave(t->budget, &t->claims[1]);
    assert_true(was_woken(t, 2));
    assert_int_equal(budget_held(t->budget), 60);
    assert_false(ask(t, 1, 60));
    assert_false(ask(t, 3, 60));
    budget_set(t->budget, &t->claims[2], 0);
    assert_true(ask(t, 1, 60)); /* before 3, whose first claim this is */
}

static void a_claim_that_was_granted_queues_behind_the_others_again(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 100));
    assert_false(ask(t, 1, 100));
    budget_set(t->budget, &t->claims[0], 0);
    assert_false(ask(t, 0, 100)); /* behind 1, which holds the budget */
    assert_false(ask(t, 2, 100));
    budget_set(t->budget, &t->claims[1], 0);
    assert_false(ask(t, 1, 100));
    budget_set(t->budget, &t->claims[0], 0);
    assert_true(ask(t, 2, 100)); /* before 1, which was granted before */
}

static void more_than_the_limit_is_granted_when_nothing_is_held(void **state) {
    struct fixture *t = *state;
    assert_true(ask(t, 0, 1));
    assert_false(ask(t, 1, 101));
    budget_set(t->budget, &t->claims[0], 0);
    assert_true(ask(t, 1, 101));
    assert_false(ask(t, 2, 1));
}

static void a_null_budget_has_no_limit(void **state) {
    struct fixture *t = *state;
    assert_true(budget_ask(NULL, &t->claims[0], (size_t)1 << 60, &t->wakers[0]));
    budget_set(NULL, &t->claims[0], 5);
    budget_leave(NULL, &t->claims[0]);
}

/* Threads. */

enum { READERS = 6, READS = 400 };

struct reader {
    pthread_t thread;
    struct budget *budget;
    atomic_size_t *held; /* by all that were granted */
    uint64_t random;
    size_t reads;
    struct waker waker;
};

static void await(struct reader *r, struct budget_claim *claim, size_t bytes) {
    int64_t give_up = clock_boot_ms() + PATIENCE_MS;
    while (!budget_ask(r->budget, claim, bytes, &r->waker)) {
        assert_true(clock_boot_ms() < give_up);
        if (support_random(&r->random) % 4 == 0) /* leaves the queue for something else */
            budget_leave(r->budget, claim);
        else
            waker_wait(&r->waker, give_up, -1);
    }
}

static void *run_reader(void *data) {
    struct reader *r = data;
    struct budget_claim claim = {0};
    for (; r->reads < READS; r->reads++) {
        size_t bytes = 20 + support_random(&r->random) % 80;
        await(r, &claim, bytes);
        size_t all = atomic_fetch_add(r->held, bytes) + bytes;
        assert_true(all <= 100);
        size_t kept = support_random(&r->random) % bytes;
        atomic_fetch_sub(r->held, bytes - kept);
        budget_set(r->budget, &claim, kept);
        sched_yield();
        atomic_fetch_sub(r->held, kept);
        budget_set(r->budget, &claim, 0);
    }
    return NULL;
}

static void many_threads_never_hold_more_than_the_limit_and_all_are_granted(void **state) {
    struct fixture *t = *state;
    struct reader readers[READERS];
    atomic_size_t held = 0;
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.budget = t->budget, .held = &held, .random = 1 + (uint64_t)i};
        waker_init(&readers[i].waker);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, run_reader, &readers[i]), 0);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].reads, READS);
        waker_deinit(&readers[i].waker);
    }
    assert_int_equal(budget_held(t->budget), 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(a_claim_that_fits_is_granted_at_once),
        test(a_claim_that_does_not_fit_waits_until_it_does),
        test(a_claim_may_turn_out_smaller_or_larger_than_reserved),
        test(the_first_claim_in_the_queue_is_granted_first_whatever_its_size),
        test(a_claim_that_leaves_the_queue_blocks_no_other),
        test(a_claim_that_returns_keeps_its_place_in_the_queue),
        test(a_grant_to_a_claim_that_left_is_returned_and_its_place_is_kept),
        test(a_claim_that_was_granted_queues_behind_the_others_again),
        test(more_than_the_limit_is_granted_when_nothing_is_held),
        test(a_null_budget_has_no_limit),
        test(many_threads_never_hold_more_than_the_limit_and_all_are_granted),
    };
    return cmocka_run_group_tests_name("memory_budget", tests, NULL, NULL);
}
