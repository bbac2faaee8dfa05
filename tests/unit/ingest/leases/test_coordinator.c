/* The coordinator, over a real (embedded) store that may refuse to write leases, and a stream of one shard
 * that ends, while the stream lists no other. */
#include "ingest/leases/coordinator.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/waker.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/store.h"

#define SHARD "shardId-000000000001"

enum { FAILOVER_MS = 300, HELD_FAILOVER_MS = 3000, LONG_FAILOVER_MS = 600000, PATIENCE_MS = 30000 };

/* What the coordinator works with. Its callbacks are called by several threads. */

static struct {
    struct source source;
    struct source_reader reader;
    _Atomic bool ends;
    atomic_int opened;
    _Atomic int64_t opened_ms[2]; /* the first times */

    struct store *store;
    const struct store_ops *real;
    struct store_ops ops;
    _Atomic bool refuses;
    atomic_int refused, known; /* takes; those of them that found the trouble raised */

    struct coordinator *coordinator;
    struct health *health;
    struct freshness *freshness;
    struct waker changed;
} w;

static enum status list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                               size_t *n, struct error *e) {
    static const struct source_shard all[] = {{.id = SHARD}};
    (void)source, (void)from_ms, (void)e;
    *shards = mem_dup(all, sizeof all);
    *n = 1;
    return STATUS_OK;
}

static struct source_reader *open_shard(struct source *source, const struct source_shard *shard,
                                        const struct source_start *start, struct budget *budget) {
    (void)source, (void)shard, (void)start, (void)budget;
    int nth = atomic_fetch_add(&w.opened, 1);
    if (nth < 2)
        atomic_store(&w.opened_ms[nth], clock_boot_ms());
    waker_wake(&w.changed);
    return &w.reader;
}

static enum status read_end(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                            struct error *e) {
    int64_t soon_ms = clock_boot_ms() + 20;
    (void)reader, (void)e;
    *batch = (struct source_batch){.as_of_ms = -1, .ended = atomic_load(&w.ends)};
    if (!batch->ended)
        waker_wait(&w.changed, soon_ms < until_ms ? soon_ms : until_ms, -1);
    return STATUS_OK;
}

static void leave(struct source_reader *reader) {
    (void)reader;
}

static const struct source_ops stream_ops = {
    .list_shards = list_shards,
    .open = open_shard,
    .read = read_end,
    .forget = leave,
    .wake = leave,
    .close = leave,
};

static bool in_trouble(const char *name) {
    struct health_report report;
    bool found = false;
    health_read(w.health, &report);
    for (size_t i = 0; i < report.n_troubles; i++)
        found |= strcmp(report.troubles[i].name, name) == 0;
    health_report_deinit(&report);
    return found;
}

static enum status update_lease(struct store *store, const struct store_lease *before,
                                const struct store_lease *after, const struct fence *fence,
                                struct store_lease *found, struct error *e) {
    if (!atomic_load(&w.refuses))
        return w.real->update_lease(store, before, after, fence, found, e);
    atomic_fetch_add(&w.known, in_trouble("taking leases"));
    atomic_fetch_add(&w.refused, 1);
    waker_wake(&w.changed);
    return error_set(e, STATUS_FAILED, "the test's store may not write");
}

static void begin(struct fixture *t, int failover_ms) {
    const struct coordinator_options options = {
        .worker_id = "ann", .failover_ms = failover_ms, .batch_records = 10, .start = {LEASE_TRIM_HORIZON}};
    const struct coordinator_parts parts = {
        .source = &w.source, .store = t->store, .freshness = w.freshness, .health = w.health};
    w.coordinator = coordinator_start(&options, &parts);
}

static void await(bool (*condition)(void)) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (!condition()) {
        assert_true(clock_boot_ms() < until_ms);
        waker_wait(&w.changed, clock_boot_ms() + 20, -1);
    }
}

static int setup(void **state) {
    int failed = support_setup_sqlite(state);
    struct fixture *t = *state;
    memset(&w, 0, sizeof w);
    if (failed)
        return failed;
    w.source.ops = w.reader.ops = &stream_ops;
    w.store = t->store;
    w.real = t->store->ops;
    w.ops = *w.real;
    w.ops.update_lease = update_lease;
    t->store->ops = &w.ops;
    w.health = health_new();
    w.freshness = freshness_new(support_clock());
    waker_init(&w.changed);
    return 0;
}

static int teardown(void **state) {
    coordinator_free(w.coordinator);
    health_free(w.health);
    freshness_free(w.freshness);
    waker_deinit(&w.changed);
    return support_teardown(state);
}

/* Tests. */

static bool has_refused_often(void) {
    return atomic_load(&w.refused) >= 5;
}

static bool reads(void) {
    return atomic_load(&w.opened) > 0;
}

static bool is_well(void) {
    return !in_trouble("taking leases");
}

static void refused_takes_are_a_trouble(void **state) {
    atomic_store(&w.refuses, true);
    begin(*state, FAILOVER_MS);
    await(has_refused_often);
    int refused = atomic_load(&w.refused);             /* read before `known`: takes continue meanwhile */
    assert_true(atomic_load(&w.known) >= refused - 1); /* each one except the first */
    assert_true(in_trouble("taking leases"));
    atomic_store(&w.refuses, false);
    await(reads);
    await(is_well);
}

static bool has_read_twice(void) {
    return atomic_load(&w.opened) >= 2;
}

/* The lease lasts long enough for a busy machine: a lost lease would be taken again at once, without the
 * pause. */
static void pause_follows_a_false_end(void **state) {
    atomic_store(&w.ends, true);
    begin(*state, HELD_FAILOVER_MS);
    await(has_read_twice);
    assert_true(atomic_load(&w.opened_ms[1]) - atomic_load(&w.opened_ms[0]) >= LIMIT_CHECKPOINT_MS);
}

static bool has_released(void) {
    struct store_lease *leases;
    size_t n;
    assert_ok(store_read_leases(w.store, true, &leases, &n, &support_error));
    bool released = n == 1 && leases[0].counter == 2 && !*leases[0].owner; /* taken, released */
    free(leases);
    return released;
}

static void stop_does_not_wait_for_the_pause(void **state) {
    atomic_store(&w.ends, true);
    begin(*state, LONG_FAILOVER_MS);
    await(has_released);
    coordinator_stop(w.coordinator);
    assert_true(coordinator_wait(w.coordinator, clock_boot_ms() + PATIENCE_MS));
    assert_int_equal(atomic_load(&w.opened), 1);
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        {"while the store refuses to write leases, a trouble is reported", refused_takes_are_a_trouble, setup,
         teardown, NULL},
        {"a shard with a false end is read again after a pause", pause_follows_a_false_end, setup, teardown,
         NULL},
        {"a stop does not wait for the pause after a false end", stop_does_not_wait_for_the_pause, setup,
         teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
