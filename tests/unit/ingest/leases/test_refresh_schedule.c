/* Many workers on one table in memory: what their refreshes cost, and how soon the leases of one that died
 * are taken. */
#include "ingest/leases/refresh_schedule.h"

#include "ingest/leases/taker.h"
#include "tests/unit/support/test.h"

enum {
    FAILOVER_MS = 10000,
    TICK_MS = 50,
    LEASES = 1000,
    WORKERS = 100,
    LEASE_BYTES = 430,     /* more than measured: 1,000 rows cost 45 units on DynamoDB Local */
    UNIT_BYTES = 2 * 4096, /* of an eventually consistent read */
};

struct worker {
    char name[8], run_id[LEASE_RUN_ID_SIZE];
    bool is_running;
    struct lease_observer observer;
    struct refresh_schedule schedule;
    int64_t next_refresh_ms, next_renewal_ms;
};

static struct world {
    struct store_lease table[LEASES];
    size_t n_leases, n_workers;
    struct worker workers[WORKERS];
    bool may_save_reads;
    int64_t now_ms;
    size_t refreshes, free; /* leases that a worker that has crashed had, until they are taken */
    uint64_t seed;
} w;

static bool is_held_by(size_t i, const struct worker *worker) {
    return strcmp(w.table[i].owner, worker->name) == 0 && lease_is_of_run(&w.table[i], worker->run_id);
}

static void renew(struct worker *worker) {
    for (size_t i = 0; i < w.n_leases; i++)
        w.table[i].counter += is_held_by(i, worker);
    worker->next_renewal_ms = w.now_ms + FAILOVER_MS / 3;
}

static void take(const struct taker_plan *plan, struct worker *worker) {
    for (size_t i = 0; i < plan->n; i++) {
        struct store_lease *lease = &w.table[plan->choices[i].lease - w.table];
        char tenure[33];
        lease_draw_tenure(worker->run_id, tenure);
        w.free -= plan->choices[i].kind == TAKER_EXPIRED;
        *lease = lease_taken(lease, worker->name, tenure);
    }
}

static void refresh(struct worker *worker) {
    bool held[LEASES];
    for (size_t i = 0; i < w.n_leases; i++)
        held[i] = is_held_by(i, worker);
    worker->observer.was_answered = true;
    lease_observe(&worker->observer, w.table, w.n_leases, w.now_ms, w.now_ms);
    const struct taker_input input = {.hierarchy = {.leases = w.table, .n_leases = w.n_leases},
                                      .observer = &worker->observer,
                                      .is_held = held,
                                      .worker = worker->name,
                                      .run_id = worker->run_id,
                                      .may_save_reads = w.may_save_reads,
                                      .saved_reads = worker->schedule.saved_reads};
    struct taker_plan plan;
    taker_decide(&input, &plan);
    take(&plan, worker);
    worker->next_refresh_ms = refresh_schedule_next(&worker->schedule, plan.saves_reads, w.now_ms, w.now_ms,
                                                    (uint32_t)support_random(&w.seed));
    w.refreshes++;
    taker_plan_deinit(&plan);
}

static void tick(void) {
    for (size_t i = 0; i < w.n_workers; i++) {
        struct worker *worker = &w.workers[i];
        if (worker->is_running && w.now_ms >= worker->next_renewal_ms)
            renew(worker);
        if (worker->is_running && w.now_ms >= worker->next_refresh_ms)
            refresh(worker);
    }
    w.now_ms += TICK_MS;
}

static void run_for(int64_t ms) {
    for (int64_t until_ms = w.now_ms + ms; w.now_ms < until_ms;)
        tick();
}

/* All have their share already. */
static void world_init(size_t n_workers, size_t n_leases, bool may_save_reads, uint64_t seed) {
    memset(&w, 0, sizeof w);
    w.n_workers = n_workers;
    w.n_leases = n_leases;
    w.may_save_reads = may_save_reads;
    w.now_ms = 1000;
    w.seed = seed;
    for (size_t i = 0; i < n_workers; i++) {
        struct worker *worker = &w.workers[i];
        snprintf(worker->name, sizeof worker->name, "w%zu", i);
        lease_draw_run_id(worker->run_id);
        worker->is_running = true;
        worker->observer.failover_ms = worker->schedule.failover_ms = FAILOVER_MS;
        worker->next_refresh_ms = w.now_ms + (int64_t)(support_random(&w.seed) % FAILOVER_MS);
        worker->next_renewal_ms = w.now_ms + (int64_t)(support_random(&w.seed) % (FAILOVER_MS / 3));
    }
    for (size_t i = 0; i < n_leases; i++) {
        struct store_lease *lease = &w.table[i];
        *lease = (struct store_lease){.checkpoint = LEASE_AT_POSITION, .as_of_ms = -1};
        snprintf(lease->shard_id, sizeof lease->shard_id, "shardId-%012zu", i);
        strcpy(lease->owner, w.workers[i % n_workers].name);
        lease_draw_tenure(w.workers[i % n_workers].run_id, lease->tenure);
    }
}

static void world_deinit(void) {
    for (size_t i = 0; i < w.n_workers; i++)
        lease_observer_deinit(&w.workers[i].observer);
}

/* Read units a second while all workers have their shares. */
static double measure_units(void) {
    const int seconds = 60;
    run_for(2 * FAILOVER_MS);
    w.refreshes = 0;
    run_for(seconds * 1000);
    size_t units = (w.n_leases * LEASE_BYTES + UNIT_BYTES - 1) / UNIT_BYTES;
    return (double)(w.refreshes * units) / seconds;
}

static void crash(struct worker *worker) {
    worker->is_running = false;
    for (size_t i = 0; i < w.n_leases; i++)
        w.free += is_held_by(i, worker);
}

/* How long it takes until all leases of the worker are taken. */
static int64_t measure_failover(struct worker *worker) {
    int64_t crashed_ms = w.now_ms;
    crash(worker);
    while (w.free && w.now_ms < crashed_ms + 10 * FAILOVER_MS)
        tick();
    return w.now_ms - crashed_ms;
}

static void refreshes_of_1000_leases_by_100_workers_cost_350_units_a_second(void **state) {
    (void)state;
    world_init(WORKERS, LEASES, true, 1);
    double units = measure_units();
    print_message("%.0f units a second\n", units);
    assert_true(units <= 350);
    world_deinit();
}

static void workers_that_serve_refresh_as_usual(void **state) {
    (void)state;
    world_init(WORKERS, LEASES, false, 1);
    double units = measure_units();
    print_message("%.0f units a second\n", units);
    assert_true(units > 1700 && units < 1800);
    world_deinit();
}

static void leases_of_a_dead_worker_are_taken_within_two_failover_times(size_t n_workers, size_t n_leases) {
    int64_t longest_ms = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        world_init(n_workers, n_leases, true, seed);
        run_for(3 * FAILOVER_MS + (int64_t)(support_random(&w.seed) % FAILOVER_MS));
        int64_t ms = measure_failover(&w.workers[support_random(&w.seed) % n_workers]);
        longest_ms = ms > longest_ms ? ms : longest_ms;
        world_deinit();
    }
    print_message("%zu workers, %zu leases: %.1f s\n", n_workers, n_leases, (double)longest_ms / 1000);
    assert_true(longest_ms <= 2 * FAILOVER_MS);
}

static void a_dead_workers_leases_are_taken_within_two_failover_times(void **state) {
    static const size_t crowds[][2] = {{100, 1000}, {30, 1000}, {20, 1000}, {20, 20}, {3, 100}};
    (void)state;
    for (size_t i = 0; i < sizeof crowds / sizeof *crowds; i++)
        leases_of_a_dead_worker_are_taken_within_two_failover_times(crowds[i][0], crowds[i][1]);
}

static void a_worker_refreshes_as_usual_unless_it_saves_reads(void **state) {
    (void)state;
    struct refresh_schedule s = {.failover_ms = FAILOVER_MS};
    assert_int_equal(refresh_schedule_next(&s, false, 1000, 1200, 7), 4000);
    assert_int_equal(refresh_schedule_next(&s, true, 4000, 4200, 12345),
                     16345); /* anywhere in 3 failover times */
    int64_t second_ms = refresh_schedule_next(&s, true, 16345, 16400, 7);
    assert_in_range(second_ms, 26400, 26500);
    int64_t first_ms = refresh_schedule_next(&s, true, second_ms, second_ms, 7);
    assert_in_range(first_ms, second_ms + 16000, second_ms + 26000);
    assert_in_range(refresh_schedule_next(&s, true, first_ms, first_ms, 7), first_ms + 10000,
                    first_ms + 10100);
    assert_int_equal(refresh_schedule_next(&s, false, 60000, 60100, 7), 63000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_refreshes_as_usual_unless_it_saves_reads),
        cmocka_unit_test(refreshes_of_1000_leases_by_100_workers_cost_350_units_a_second),
        cmocka_unit_test(workers_that_serve_refresh_as_usual),
        cmocka_unit_test(a_dead_workers_leases_are_taken_within_two_failover_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
