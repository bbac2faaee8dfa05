#include "ingest/leases/taker.h"

#include "tests/unit/support/test.h"

/* One decision. */

enum { FAILOVER_MS = 10000, MAX = 64 };

static const char our_run_id[LEASE_RUN_ID_SIZE] = "8888888888888888";

/* The leases that a worker reads. Its worker id is "me". */
struct scene {
    struct store_lease leases[MAX];
    bool held[MAX];
    size_t n;
    const struct source_shard *listed;
    size_t n_listed;
    bool settled[MAX];
    size_t max;
    bool may_save_reads, saved_reads;
    struct lease_observer observer;
    struct taker_plan plan;
};

/* `run_id`: NULL: that of another process. */
static void add(struct scene *s, const char *id, const char *owner, const char *run_id, bool held) {
    struct store_lease *lease = &s->leases[s->n];
    *lease = (struct store_lease){.counter = 1, .checkpoint = LEASE_AT_POSITION, .as_of_ms = -1};
    strcpy(lease->shard_id, id);
    strcpy(lease->owner, owner);
    lease_draw_tenure(run_id ? run_id : "4444444444444444", lease->tenure);
    s->held[s->n++] = held;
}

static void add_many(struct scene *s, char first, size_t n, const char *owner) {
    bool mine = strcmp(owner, "me") == 0;
    for (size_t i = 0; i < n; i++)
        add(s, (char[]){first, (char)('a' + i), '\0'}, owner, mine ? our_run_id : NULL, mine);
}

static void look(struct scene *s, int64_t now_ms) {
    s->observer.failover_ms = FAILOVER_MS;
    lease_observe(&s->observer, s->leases, s->n, now_ms, now_ms);
}

static const struct taker_plan *decide(struct scene *s) {
    const struct taker_input input = {{s->leases, s->n, s->listed, s->n_listed, s->settled},
                                      &s->observer,
                                      s->held,
                                      "me",
                                      our_run_id,
                                      s->max,
                                      s->may_save_reads,
                                      s->saved_reads};
    taker_plan_deinit(&s->plan);
    taker_decide(&input, &s->plan);
    return &s->plan;
}

/* This worker has read the leases before, so a lease with our worker id is not from an earlier run. */
static const struct taker_plan *decide_later(struct scene *s) {
    if (!s->observer.first_ms) {
        struct scene empty = {.observer = s->observer};
        look(&empty, 500);
        s->observer = empty.observer;
    }
    look(s, 1000);
    return decide(s);
}

static void end(struct scene *s) {
    taker_plan_deinit(&s->plan);
    lease_observer_deinit(&s->observer);
}

#define SCENE __attribute__((cleanup(end))) struct scene s = {0}

static void a_single_worker_takes_all_leases(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 8, "");
    assert_int_equal(decide_later(&s)->n, 8);
    assert_int_equal(s.plan.workers, 1);
    assert_int_equal(s.plan.choices[0].kind, TAKER_FREE);
}

static void free_leases_are_taken_up_to_the_workers_share(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 2, "me");
    add_many(&s, 'b', 2, "ann");
    add_many(&s, 'c', 5, "");
    const struct taker_plan *plan = decide_later(&s); /* 9 leases, 2 workers */
    assert_int_equal(plan->workers, 2);
    assert_int_equal(plan->target, 5);
    assert_int_equal(plan->n, 3);
}

static void leases_of_ended_and_waiting_shards_do_not_count(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 2, "ann");
    add_many(&s, 'b', 4, "");
    add_many(&s, 'c', 2, "");
    s.leases[2].checkpoint = s.leases[3].checkpoint = LEASE_SHARD_END;
    strcpy(s.leases[4].parents[0], "aa"); /* not ended */
    strcpy(s.leases[5].parents[0], "aa");
    const struct taker_plan *plan = decide_later(&s); /* 4 leases, 2 workers */
    assert_int_equal(plan->target, 2);
    assert_int_equal(plan->n, 2);
    for (size_t i = 0; i < plan->n; i++)
        assert_int_equal(plan->choices[i].lease->shard_id[0], 'c');
}

static void a_child_whose_parent_has_no_lease_is_taken_only_after_a_second_scan(void **state) {
    (void)state;
    SCENE;
    const struct source_shard listed[] = {{.id = "a"}, {.id = "b", .parents = {"a"}}};
    s.listed = listed;
    s.n_listed = 2;
    add(&s, "b", "", NULL, false);
    strcpy(s.leases[0].parents[0], "a");
    assert_int_equal(decide_later(&s)->n, 0);
    s.settled[0] = true;
    assert_int_equal(decide_later(&s)->n, 1);
}

static void an_owner_whose_leases_have_expired_does_not_count_as_a_worker(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 3, "me");
    add_many(&s, 'b', 3, "dead");
    look(&s, 1000);
    assert_int_equal(decide(&s)->workers, 2);
    assert_int_equal(s.plan.n, 0);
    look(&s, 9000);
    look(&s, 11000);
    assert_int_equal(decide(&s)->workers, 1);
    assert_int_equal(s.plan.n, 3);
    assert_int_equal(s.plan.choices[0].kind, TAKER_EXPIRED);
}

static void a_lease_that_is_free_for_a_failover_time_is_taken_even_above_the_share(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 4, "me");
    add_many(&s, 'b', 1, "idle"); /* counts as a worker but takes no lease */
    add_many(&s, 'c', 3, "");
    look(&s, 1000);
    assert_int_equal(decide(&s)->n, 0);
    look(&s, 6000);
    s.leases[4].counter++;
    look(&s, 10999);
    assert_int_equal(decide(&s)->n, 0);
    look(&s, 11000);
    assert_int_equal(decide(&s)->n, 3);
}

static void a_lease_of_a_child_is_not_overdue_at_the_moment_its_parent_ends(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 2, "me");
    add(&s, "b", "ann", NULL, false);
    add(&s, "c", "", NULL, false);
    add(&s, "d", "", NULL, false);
    strcpy(s.leases[3].parents[0], "b");
    strcpy(s.leases[4].parents[0], "b");
    look(&s, 1000);
    for (int64_t now = 6000; now <= 21000; now += 5000) {
        s.leases[2].counter++;
        look(&s, now);
    }
    s.leases[2].checkpoint = LEASE_SHARD_END;
    s.leases[2].counter++;
    add_many(&s, 'e', 2, "ann");
    look(&s, 24000);
    assert_int_equal(decide(&s)->target, 3);
    assert_int_equal(s.plan.n, 1);
}

static void no_more_leases_are_held_than_the_limit_whatever_their_kind(void **state) {
    (void)state;
    SCENE;
    s.max = 5;
    add_many(&s, 'a', 2, "me");
    add(&s, "b", "me", NULL, false); /* of an earlier run */
    add_many(&s, 'c', 8, "");
    look(&s, 1000);
    assert_int_equal(decide(&s)->n, 3);
    look(&s, 11000);
    look(&s, 21000); /* free for long */
    assert_int_equal(decide(&s)->n, 3);
}

static void a_worker_at_its_limit_steals_nothing(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 1, "me");
    add_many(&s, 'b', 9, "ann");
    s.max = 2;
    assert_int_equal(decide_later(&s)->n, 1);
    s.max = 1;
    assert_int_equal(decide_later(&s)->n, 0);
}

static void leases_free_for_3_failover_times_are_unread_for_a_worker_at_its_limit(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 2, "me");
    add_many(&s, 'b', 3, "");
    add_many(&s, 'c', 1, "dead"); /* expires after one failover time more */
    s.max = 2;
    for (int64_t now = 1000; now <= 30999; now += 9999) {
        look(&s, now);
        assert_int_equal(decide(&s)->unread, 0);
    }
    look(&s, 31000);
    assert_int_equal(decide(&s)->unread, 3);
    look(&s, 36000);
    look(&s, 41000);
    assert_int_equal(decide(&s)->unread, 4);
    s.max = 3;
    assert_int_equal(decide(&s)->unread, 0);
    assert_int_equal(s.plan.n, 1);
}

/* Each has 2 leases. */
static void make_crowd(struct scene *s, size_t others) {
    add_many(s, 'a', 2, "me");
    for (size_t i = 0; i < others; i++) {
        char first = (char)('b' + i), name[] = {first, '\0'};
        add_many(s, first, 2, name);
    }
}

static void a_worker_in_a_crowd_with_its_share_saves_reads(void **state) {
    (void)state;
    SCENE;
    make_crowd(&s, TAKER_CROWD - 1);
    assert_false(decide_later(&s)->saves_reads); /* it may not save reads */
    s.may_save_reads = true;
    assert_true(decide_later(&s)->saves_reads);
    s.leases[2].owner[0] = '\0';
    assert_false(decide_later(&s)->saves_reads); /* a lease is free */
}

static void a_worker_that_saved_reads_in_a_crowd_takes_several_times_what_it_lacks(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 2, "me");
    add_many(&s, 'b', 3, "ann");
    add_many(&s, 'c', 20, "");
    add_many(&s, 'd', 25, "bob");
    size_t lacks = decide_later(&s)->target - 2;
    assert_int_equal(s.plan.n, lacks);
    s.saved_reads = true;
    assert_int_equal(decide_later(&s)->n, 20);
}

static void a_worker_among_few_or_without_its_share_saves_no_reads(void **state) {
    (void)state;
    SCENE;
    s.may_save_reads = true;
    make_crowd(&s, TAKER_CROWD - 2);
    assert_false(decide_later(&s)->saves_reads);
    add(&s, "z", "one-more", NULL, false);
    assert_true(decide_later(&s)->saves_reads);
    s.held[0] = false;
    strcpy(s.leases[0].owner, "one-more");
    s.held[1] = false;
    strcpy(s.leases[1].owner, "one-more");
    assert_false(decide_later(&s)->saves_reads);
}

static void if_no_lease_is_free_one_is_stolen_from_the_worker_with_most(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 1, "me");
    add_many(&s, 'b', 3, "ann");
    add_many(&s, 'c', 4, "bob");
    const struct taker_plan *plan = decide_later(&s);
    assert_int_equal(plan->workers, 3);
    assert_int_equal(plan->n, 1);
    assert_int_equal(plan->choices[0].kind, TAKER_STOLEN);
    assert_string_equal(plan->choices[0].lease->owner, "bob");
}

static void no_lease_is_stolen_while_a_lease_is_free(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'b', 7, "ann");
    add_many(&s, 'c', 1, "");
    assert_int_equal(decide_later(&s)->n, 1);
    assert_int_equal(s.plan.choices[0].kind, TAKER_FREE);
}

static void no_lease_is_stolen_from_a_worker_with_one_lease_more(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 1, "me"); /* share: 2 */
    add_many(&s, 'b', 2, "ann");
    assert_int_equal(decide_later(&s)->n, 0);
    add_many(&s, 'd', 1, "ann");
    assert_int_equal(decide_later(&s)->n, 1);
}

static void a_worker_with_its_share_steals_nothing(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 3, "me"); /* share: 3 */
    add_many(&s, 'b', 5, "ann");
    add_many(&s, 'c', 1, "bob");
    assert_int_equal(decide_later(&s)->target, 3);
    assert_int_equal(s.plan.n, 0);
}

static void a_lease_whose_thread_is_still_ending_is_neither_taken_nor_stolen_back(void **state) {
    (void)state;
    SCENE;
    add(&s, "a", "", our_run_id, true);
    add(&s, "b", "ann", NULL, true);
    add(&s, "c", "ann", NULL, true);
    add(&s, "d", "ann", NULL, true);
    assert_int_equal(decide_later(&s)->n, 0);
    assert_int_equal(s.plan.workers, 2);
}

static void two_workers_choose_leases_in_different_orders(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 20, "");
    decide_later(&s);
    bool differs = false;
    const struct taker_input other = {
        {s.leases, s.n, NULL, 0, NULL}, &s.observer, s.held, "other", our_run_id, 0, false, false};
    struct taker_plan plan;
    taker_decide(&other, &plan);
    assert_int_equal(plan.n, s.plan.n);
    for (size_t i = 0; i < plan.n; i++)
        differs |= plan.choices[i].lease != s.plan.choices[i].lease;
    taker_plan_deinit(&plan);
    assert_true(differs);
}

/* One worker id, two processes. */

static void leases_with_our_worker_id_from_an_earlier_run_are_taken_back_even_above_the_share(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'b', 1, "ann");
    add(&s, "c", "me", NULL, false);
    add(&s, "d", "me", NULL, false);
    add(&s, "e", "me", NULL, false);
    look(&s, 1000);
    assert_int_equal(decide(&s)->n, 3);
    assert_int_equal(s.plan.choices[0].kind, TAKER_OWN);
    look(&s, 4000); /* still unchanged: our writes did not arrive */
    assert_int_equal(decide(&s)->n, 3);
    s.leases[1].counter++; /* its owner renews it */
    look(&s, 7000);
    assert_int_equal(decide(&s)->n, 0);
}

static void a_lease_that_this_run_released_is_taken_back_at_once(void **state) {
    (void)state;
    SCENE;
    add(&s, "a", "me", our_run_id, false);
    assert_int_equal(decide_later(&s)->n, 1);
    assert_int_equal(s.plan.choices[0].kind, TAKER_OWN);
    assert_false(s.plan.yields);
}

static void the_process_with_fewer_leases_yields_if_two_have_one_worker_id(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 1, "me");
    add(&s, "b", "me", NULL, false);
    add(&s, "c", "me", NULL, false);
    add(&s, "d", "", NULL, false);
    assert_true(decide_later(&s)->yields);
    assert_int_equal(s.plan.n, 0);
    add_many(&s, 'e', 2, "me");
    assert_false(decide_later(&s)->yields);
    assert_int_equal(s.plan.n, 1);
}

static void exactly_one_process_yields_if_two_with_one_worker_id_have_equal_leases(void **state) {
    (void)state;
    for (int lower = 0; lower < 2; lower++) {
        SCENE;
        add(&s, "a", "me", our_run_id, true);
        add(&s, "b", "me", lower ? "7777777777777777" : "9999999999999999", false);
        assert_int_equal(decide_later(&s)->yields, !lower);
    }
}

static void expired_leases_of_a_process_with_our_worker_id_are_taken(void **state) {
    (void)state;
    SCENE;
    add(&s, "b", "me", NULL, false);
    assert_true(decide_later(&s)->yields);
    look(&s, 10000);
    look(&s, 11000);
    assert_false(decide(&s)->yields);
    assert_int_equal(s.plan.n, 1);
    assert_int_equal(s.plan.choices[0].kind, TAKER_EXPIRED);
}

static void leases_of_a_process_with_our_worker_id_are_never_stolen(void **state) {
    (void)state;
    SCENE;
    add_many(&s, 'a', 2, "me");
    add(&s, "b", "me", NULL, false);
    assert_int_equal(decide_later(&s)->n, 0);
}

/* Several workers on one table in memory. Each reads the leases, takes and renews. */

enum { WORKERS = 5, TICK_MS = 100, LOOK_MS = FAILOVER_MS * 3 / 10 };

struct worker {
    char name[8], run_id[LEASE_RUN_ID_SIZE];
    bool is_running;
    char tenures[MAX][33]; /* "": not held */
    struct lease_observer observer;
    int64_t next_look_ms;
};

struct world {
    struct store_lease table[MAX];
    size_t n;
    struct worker workers[WORKERS];
    int64_t now_ms;
    size_t steals;
};

static void world_init(struct world *w, size_t n_shards) {
    *w = (struct world){.n = n_shards, .now_ms = 1000};
    for (size_t i = 0; i < n_shards; i++) {
        w->table[i] = (struct store_lease){.checkpoint = LEASE_TRIM_HORIZON, .as_of_ms = -1};
        snprintf(w->table[i].shard_id, sizeof w->table[i].shard_id, "shardId-%012zu", i);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        snprintf(w->workers[i].name, sizeof w->workers[i].name, "w%zu", i);
        lease_draw_run_id(w->workers[i].run_id);
        w->workers[i].observer.failover_ms = FAILOVER_MS;
    }
}

static void world_deinit(struct world *w) {
    for (size_t i = 0; i < WORKERS; i++)
        lease_observer_deinit(&w->workers[i].observer);
}

/* Renews every lease of the worker. A lease whose tenure has changed is lost. */
static void renew(struct world *w, struct worker *worker) {
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->table[i].tenure, worker->tenures[i]) != 0)
            worker->tenures[i][0] = '\0';
        else if (*worker->tenures[i])
            w->table[i].counter++;
    }
}

static void take_leases(struct world *w, struct worker *worker) {
    bool held[MAX];
    for (size_t i = 0; i < w->n; i++)
        held[i] = *worker->tenures[i];
    lease_observe(&worker->observer, w->table, w->n, w->now_ms, w->now_ms);
    const struct taker_input input = {{w->table, w->n, NULL, 0, NULL},
                                      &worker->observer,
                                      held,
                                      worker->name,
                                      worker->run_id,
                                      0,
                                      false,
                                      false};
    struct taker_plan plan;
    taker_decide(&input, &plan);
    for (size_t i = 0; i < plan.n; i++) {
        size_t at = (size_t)(plan.choices[i].lease - w->table);
        lease_draw_tenure(worker->run_id, worker->tenures[at]);
        w->steals += plan.choices[i].kind == TAKER_STOLEN;
        w->table[at] = lease_taken(&w->table[at], worker->name, worker->tenures[at]);
    }
    taker_plan_deinit(&plan);
}

static void run_for(struct world *w, int64_t ms) {
    for (int64_t until = w->now_ms + ms; w->now_ms < until; w->now_ms += TICK_MS)
        for (size_t i = 0; i < WORKERS; i++) {
            struct worker *worker = &w->workers[i];
            if (!worker->is_running || w->now_ms < worker->next_look_ms)
                continue;
            take_leases(w, worker);
            renew(w, worker);
            worker->next_look_ms = w->now_ms + LOOK_MS;
        }
}

static void join(struct world *w, size_t i) {
    w->workers[i].is_running = true;
    w->workers[i].next_look_ms = w->now_ms + (int64_t)i * TICK_MS;
}

static void crash(struct world *w, size_t i) {
    w->workers[i].is_running = false;
    memset(w->workers[i].tenures, 0, sizeof w->workers[i].tenures);
}

static void leave(struct world *w, size_t i) {
    for (size_t k = 0; k < w->n; k++)
        if (strcmp(w->table[k].owner, w->workers[i].name) == 0)
            w->table[k] = lease_released(&w->table[k]);
    crash(w, i);
}

static void assert_even(const struct world *w) {
    size_t least = MAX, most = 0, all = 0;
    for (size_t i = 0; i < WORKERS; i++) {
        size_t n = 0;
        for (size_t k = 0; k < w->n; k++)
            n += w->workers[i].is_running && strcmp(w->table[k].owner, w->workers[i].name) == 0;
        all += n;
        if (!w->workers[i].is_running)
            continue;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    assert_int_equal(all, w->n);
    assert_in_range(most - least, 0, 1);
}

static void with_1_then_3_then_2_workers_8_shards_are_even_within_3_failover_times(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 8);
    join(&w, 0);
    run_for(&w, FAILOVER_MS);
    assert_even(&w);
    join(&w, 1);
    join(&w, 2);
    run_for(&w, 3 * FAILOVER_MS);
    assert_even(&w);
    crash(&w, 1);
    run_for(&w, 3 * FAILOVER_MS);
    assert_even(&w);
    join(&w, 3);
    run_for(&w, 3 * FAILOVER_MS);
    assert_even(&w);
    leave(&w, 0);
    run_for(&w, LOOK_MS + TICK_MS); /* released leases are taken at the next read of the other workers */
    assert_even(&w);
    world_deinit(&w);
}

static void when_the_leases_are_even_none_is_stolen(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 8);
    for (size_t i = 0; i < 3; i++)
        join(&w, i);
    run_for(&w, 5 * FAILOVER_MS);
    size_t steals = w.steals;
    run_for(&w, 20 * FAILOVER_MS);
    assert_even(&w);
    assert_int_equal(w.steals, steals);
    world_deinit(&w);
}

static void leases_become_even_after_random_joins_leaves_and_crashes(void **state) {
    (void)state;
    uint64_t seed = 20261123;
    for (int round = 0; round < 40; round++) {
        struct world w;
        world_init(&w, 1 + support_random(&seed) % 20);
        join(&w, 4);
        for (int event = 0; event < 10; event++) {
            size_t i = support_random(&seed) % 4;
            if (!w.workers[i].is_running)
                join(&w, i);
            else if (support_random(&seed) % 2)
                leave(&w, i);
            else
                crash(&w, i);
            run_for(&w, support_random(&seed) % (2 * FAILOVER_MS));
        }
        run_for(&w, 10 * FAILOVER_MS);
        assert_even(&w);
        world_deinit(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_worker_takes_all_leases),
        cmocka_unit_test(free_leases_are_taken_up_to_the_workers_share),
        cmocka_unit_test(leases_of_ended_and_waiting_shards_do_not_count),
        cmocka_unit_test(a_child_whose_parent_has_no_lease_is_taken_only_after_a_second_scan),
        cmocka_unit_test(an_owner_whose_leases_have_expired_does_not_count_as_a_worker),
        cmocka_unit_test(a_lease_that_is_free_for_a_failover_time_is_taken_even_above_the_share),
        cmocka_unit_test(a_lease_of_a_child_is_not_overdue_at_the_moment_its_parent_ends),
        cmocka_unit_test(no_more_leases_are_held_than_the_limit_whatever_their_kind),
        cmocka_unit_test(a_worker_at_its_limit_steals_nothing),
        cmocka_unit_test(leases_free_for_3_failover_times_are_unread_for_a_worker_at_its_limit),
        cmocka_unit_test(a_worker_in_a_crowd_with_its_share_saves_reads),
        cmocka_unit_test(a_worker_that_saved_reads_in_a_crowd_takes_several_times_what_it_lacks),
        cmocka_unit_test(a_worker_among_few_or_without_its_share_saves_no_reads),
        cmocka_unit_test(if_no_lease_is_free_one_is_stolen_from_the_worker_with_most),
        cmocka_unit_test(no_lease_is_stolen_while_a_lease_is_free),
        cmocka_unit_test(no_lease_is_stolen_from_a_worker_with_one_lease_more),
        cmocka_unit_test(a_worker_with_its_share_steals_nothing),
        cmocka_unit_test(a_lease_whose_thread_is_still_ending_is_neither_taken_nor_stolen_back),
        cmocka_unit_test(two_workers_choose_leases_in_different_orders),
        cmocka_unit_test(leases_with_our_worker_id_from_an_earlier_run_are_taken_back_even_above_the_share),
        cmocka_unit_test(a_lease_that_this_run_released_is_taken_back_at_once),
        cmocka_unit_test(the_process_with_fewer_leases_yields_if_two_have_one_worker_id),
        cmocka_unit_test(exactly_one_process_yields_if_two_with_one_worker_id_have_equal_leases),
        cmocka_unit_test(expired_leases_of_a_process_with_our_worker_id_are_taken),
        cmocka_unit_test(leases_of_a_process_with_our_worker_id_are_never_stolen),
        cmocka_unit_test(with_1_then_3_then_2_workers_8_shards_are_even_within_3_failover_times),
        cmocka_unit_test(when_the_leases_are_even_none_is_stolen),
        cmocka_unit_test(leases_become_even_after_random_joins_leaves_and_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
