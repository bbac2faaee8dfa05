/* The leases that a process holds, over a real (embedded) store some of whose lease writes hang, and a source
 * without records. */
#include "ingest/leases/lease_keeper.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/memory_budget.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/store.h"

enum { FAILOVER_MS = 6000, PATIENCE_MS = 30000, SHARDS = 8 };

static struct {
    struct source source;
    struct source_reader reader;
    struct store *store;
    const struct store_ops *real;
    struct store_ops ops;
    _Atomic int hung; /* writes of the shards below this number hang */
    atomic_int hanging, released;
    atomic_bool has_ended;                  /* each shard reports its end, with a child */
    _Atomic(const char *) denies;           /* the store refuses these calls at once */
    atomic_int denied;                      /* how many it has */
    _Atomic int64_t since_ms, cpu_since_ms; /* the first of them */
    struct freshness *freshness;
    struct health *health;
    struct budget *budget;
    struct waker changed;
    struct lease_keeper *keeper;
} w;

static struct source_reader *open_shard(struct source *source, const struct source_shard *shard,
                                        const struct source_start *start, struct budget *budget) {
    (void)source, (void)shard, (void)start, (void)budget;
    return &w.reader;
}

static enum status read_nothing(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                                struct error *e) {
    static struct source_shard child = {.id = "shardId-000000000099", .parents = {"shardId-000000000001"}};
    int64_t soon_ms = clock_boot_ms() + 20;
    (void)reader, (void)e;
    *batch = (struct source_batch){.as_of_ms = -1};
    waker_wait(&w.changed, soon_ms < until_ms ? soon_ms : until_ms, -1);
    batch->ended = atomic_load(&w.has_ended);
    batch->children = &child;
    batch->n_children = batch->ended;
    return STATUS_OK;
}

static void leave(struct source_reader *reader) {
    (void)reader;
}

static const struct source_ops stream_ops = {
    .open = open_shard, .read = read_nothing, .forget = leave, .wake = leave, .close = leave};

static void name(int n, char id[LIMIT_SHARD_ID_BYTES + 1]) {
    snprintf(id, LIMIT_SHARD_ID_BYTES + 1, "shardId-%012d", n);
}

static int64_t cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_denied(const char *call) {
    const char *denied = atomic_load(&w.denies);
    return denied && strcmp(denied, call) == 0;
}

static enum status deny(struct error *e) {
    if (atomic_fetch_add(&w.denied, 1) == 0) {
        atomic_store(&w.since_ms, clock_boot_ms());
        atomic_store(&w.cpu_since_ms, cpu_ms());
    }
    return error_set_code(e, STATUS_FAILED, "AccessDeniedException", "denied");
}

static enum status create_lease(struct store *store, const struct store_lease *lease, struct error *e) {
    return is_denied("create") ? deny(e) : w.real->create_lease(store, lease, e);
}

static enum status update_lease(struct store *store, const struct store_lease *before,
                                const struct store_lease *after, const struct fence *fence,
                                struct store_lease *found, struct error *e) {
    int n = atoi(before->shard_id + strlen("shardId-"));
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    if (is_denied("update"))
        return deny(e);
    if (n < atomic_load(&w.hung))
        atomic_fetch_add(&w.hanging, 1);
    while (n < atomic_load(&w.hung) && clock_boot_ms() < until_ms)
        waker_wait(&w.changed, clock_boot_ms() + 10, -1);
    return w.real->update_lease(store, before, after, fence, found, e);
}

static void note_outcome(void *data, enum held_lease_outcome outcome) {
    (void)data;
    atomic_fetch_add(&w.released, outcome == HELD_LEASE_RELEASED);
}

static void take(int n) {
    const struct held_lease_context context = {
        .shard = {.source = &w.source,
                  .store = w.store,
                  .freshness = w.freshness,
                  .health = w.health,
                  .budget = w.budget,
                  .batch_records = 10,
                  .batch_bytes = 1 << 20,
                  .cache_bytes = 4096},
        .failover_ms = FAILOVER_MS,
        .stuck_ms = LIMIT_SHARD_STUCK_MS,
    };
    struct store_lease fresh = {.checkpoint = LEASE_TRIM_HORIZON, .as_of_ms = -1}, found;
    char tenure[33];
    name(n, fresh.shard_id);
    assert_ok(store_create_lease(w.store, &fresh, &support_error));
    lease_draw_tenure("0123456789abcdef", tenure);
    const struct store_lease taken = lease_taken(&fresh, "ann", tenure);
    int64_t now = clock_boot_ms();
    assert_ok(store_update_lease(w.store, &fresh, &taken, NULL, &found, &support_error));
    lease_keeper_add(w.keeper, &context, &taken, now);
}

static void take_all(void) {
    for (int n = 0; n < SHARDS; n++)
        take(n);
}

static struct store_lease *rows(void) {
    struct store_lease *leases;
    size_t n;
    assert_ok(store_read_leases(w.store, true, &leases, &n, &support_error));
    assert_int_equal(n, SHARDS);
    return leases;
}

/* From the shard `first` on. */
static bool are_renewed(int first, int64_t times) {
    struct store_lease *leases = rows();
    bool all = true;
    for (int n = first; n < SHARDS; n++)
        all = all && leases[n].counter > times;
    free(leases);
    return all;
}

static bool await_renewals(int first, int64_t times) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (!are_renewed(first, times) && clock_boot_ms() < until_ms)
        waker_wait(&w.changed, clock_boot_ms() + 20, -1);
    return are_renewed(first, times);
}

static int setup(void **state) {
    const struct lease_keeper_options options = {FAILOVER_MS, 1000, note_outcome, NULL};
    int failed = support_setup_sqlite(state);
    struct fixture *t = *state;
    memset(&w, 0, sizeof w);
    if (failed)
        return failed;
    w.source.ops = w.reader.ops = &stream_ops;
    w.store = t->store;
    w.real = t->store->ops;
    w.ops = *w.real;
    w.ops.create_lease = create_lease;
    w.ops.update_lease = update_lease;
    t->store->ops = &w.ops;
    w.health = health_new();
    w.freshness = freshness_new(support_clock());
    w.budget = budget_new(LIMIT_INFLIGHT_BYTES);
    waker_init(&w.changed);
    w.keeper = lease_keeper_start(&options);
    return 0;
}

static int teardown(void **state) {
    atomic_store(&w.hung, 0);
    lease_keeper_end(w.keeper);
    lease_keeper_free(w.keeper);
    budget_free(w.budget);
    health_free(w.health);
    freshness_free(w.freshness);
    waker_deinit(&w.changed);
    return support_teardown(state);
}

/* Tests. */

static void writes_that_hang_delay_no_other_lease(void **state) {
    (void)state;
    take_all();
    atomic_store(&w.hung, SHARDS / 2);
    assert_true(await_renewals(SHARDS / 2, 1));
    assert_false(lease_keeper_was_answered(w.keeper, 0)); /* nothing is known of the time before the first */
    assert_true(await_renewals(SHARDS / 2, 2));
    assert_true(lease_keeper_was_answered(w.keeper, clock_boot_ms()));
    assert_int_equal(atomic_load(&w.hanging), SHARDS / 2); /* each lease has one write at a time */
    atomic_store(&w.hung, 0);
    assert_true(await_renewals(0, 2));
}

static void held_leases_are_marked(void **state) {
    (void)state;
    take(1);
    take(3);
    struct store_lease leases[SHARDS];
    bool held[SHARDS];
    for (int n = 0; n < SHARDS; n++)
        name(n, leases[n].shard_id);
    lease_keeper_mark(w.keeper, leases, SHARDS, held);
    for (int n = 0; n < SHARDS; n++)
        assert_int_equal(held[n], n == 1 || n == 3);
}

static void released_leases_have_no_owner(void **state) {
    (void)state;
    take_all();
    lease_keeper_release(w.keeper);
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (atomic_load(&w.released) < SHARDS && clock_boot_ms() < until_ms)
        waker_wait(&w.changed, clock_boot_ms() + 20, -1);
    struct store_lease *leases = rows();
    for (int n = 0; n < SHARDS; n++)
        assert_string_equal(leases[n].owner, "");
    free(leases);
}

static void lease_added_after_the_stop_is_released(void **state) {
    (void)state;
    lease_keeper_stop(w.keeper);
    take_all(); /* their takes were under way */
    lease_keeper_stop(w.keeper);
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (atomic_load(&w.released) < SHARDS && clock_boot_ms() < until_ms)
        waker_wait(&w.changed, clock_boot_ms() + 20, -1);
    assert_int_equal(atomic_load(&w.released), SHARDS);
}

static bool await_denials(int n) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (atomic_load(&w.denied) < n && clock_boot_ms() < until_ms)
        waker_wait(&w.changed, clock_boot_ms() + 5, -1);
    return atomic_load(&w.denied) >= n;
}

static void writes_that_fail_at_once_are_spread(void **state) {
    (void)state;
    take(1);
    atomic_store(&w.denies, "update");
    assert_true(await_denials(5)); /* the second is the first one's retry, when a write is due again */
    assert_true(clock_boot_ms() - atomic_load(&w.since_ms) >=
                LIMIT_CHECKPOINT_MS + 3 * LIMIT_CHECKPOINT_MS / 4);
}

static void end_that_cannot_be_written_costs_no_processor(void **state) {
    (void)state;
    take(1);
    atomic_store(&w.denies, "create");
    atomic_store(&w.has_ended, true);
    assert_true(await_denials(2));
    assert_true(cpu_ms() - atomic_load(&w.cpu_since_ms) < (clock_boot_ms() - atomic_load(&w.since_ms)) / 8);
}

/* One that ended before counts whenever it is asked for: reads of the leases may fail meanwhile. */
static void silence_of_the_store_is_reported_by_its_time(void **state) {
    (void)state;
    int64_t before_ms = clock_boot_ms();
    take_all();
    assert_true(await_renewals(0, 1));
    for (int n = 0; n < 2; n++) {
        assert_false(lease_keeper_was_answered(w.keeper, before_ms)); /* before the first renewal */
        assert_true(lease_keeper_was_answered(w.keeper, clock_boot_ms()));
    }
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        {"writes of leases that hang hold up no other lease, and are not sent twice at once",
         writes_that_hang_delay_no_other_lease, setup, teardown, NULL},
        {"leases that are held are marked", held_leases_are_marked, setup, teardown, NULL},
        {"released leases have no owner", released_leases_have_no_owner, setup, teardown, NULL},
        {"a lease that is added after the stop is released", lease_added_after_the_stop_is_released, setup,
         teardown, NULL},
        {"writes of a lease that fail at once are repeated after a pause",
         writes_that_fail_at_once_are_spread, setup, teardown, NULL},
        {"a silence of the store is reported by its time", silence_of_the_store_is_reported_by_its_time,
         setup, teardown, NULL},
        {"a lease whose end cannot be written waits without using the processor",
         end_that_cannot_be_written_costs_no_processor, setup, teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
