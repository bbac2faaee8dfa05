/* The cleanup of an obsolete shard, in a real DynamoDB. */
#include "ingest/leases/lease_cleanup.h"

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/store.h"

#define SHARD "shardId-000000000001"

enum { FAILOVER_MS = 6000, SHORT_FAILOVER_MS = 800, PATIENCE_MS = 30000 };

static const char run_id[LEASE_RUN_ID_SIZE] = "0123456789abcdef";

static struct store_lease row(struct fixture *t) {
    struct store_lease *leases, found = {0};
    size_t n;
    assert_ok(store_read_leases(t->store, true, &leases, &n, &support_error));
    if (n)
        found = leases[0];
    free(leases);
    return found;
}

static struct store_lease make_row(struct fixture *t) {
    struct store_lease ended = {
        .shard_id = SHARD, .counter = 7, .checkpoint = LEASE_SHARD_END, .as_of_ms = -1};
    assert_ok(store_create_lease(t->store, &ended, &support_error));
    return ended;
}

/* Writes scores that have a watermark of the shard. */
static void make_scores(struct fixture *t, int n) {
    const struct position position = position_from_u64(1);
    for (int i = 0; i < n; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        const struct store_score_write write = {ROLE_CREATOR, user, &position, 1, 1, "w/web/9/Cid"};
        const struct store_batch batch = {.shard_id = SHARD, .scores = &write, .n_scores = 1};
        assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
    }
}

/* The number of writes that a complete cleanup still needs. */
static int writes_left(struct fixture *t) {
    struct store_shrinking shrinking = {0};
    int scans = 0;
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    for (; !shrinking.done; scans++)
        assert_ok(store_shrink_watermarks(t->store, SHARD, &t->fence, &shrinking, &support_error));
    return atomic_load(&t->faulty.sent) - scans;
}

static struct lease_cleanup *start(struct fixture *t, int failover_ms, int pause_ms) {
    const struct lease_cleanup_options options = {t->store, "ann", run_id, failover_ms, pause_ms};
    return lease_cleanup_start(&options);
}

static void cleanup_freep(struct lease_cleanup **j) {
    lease_cleanup_free(*j);
}

#define CLEANUP(t, pause_ms)                                                                                 \
    _cleanup_(cleanup_freep) struct lease_cleanup *j = start(t, FAILOVER_MS, pause_ms)

static bool is_gone(const struct store_lease *lease) {
    return !*lease->shard_id;
}

static bool is_anns(const struct store_lease *lease) {
    return strcmp(lease->owner, "ann") == 0;
}

static void await_row(struct fixture *t, bool (*condition)(const struct store_lease *)) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    for (struct store_lease lease = row(t); !condition(&lease); lease = row(t))
        assert_true(clock_boot_ms() < until_ms);
}

static void await_idle(struct lease_cleanup *j, const struct store_lease *lease) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (!lease_cleanup_offer(j, lease))
        assert_true(clock_boot_ms() < until_ms);
}

static void watermarks_are_shrunk_then_the_lease_is_deleted(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = make_row(t);
    make_scores(t, 3);
    CLEANUP(t, 1);
    assert_true(lease_cleanup_offer(j, &lease));
    await_row(t, is_gone);
    assert_int_equal(writes_left(t), 0);
}

static bool is_anns_and_renewed(const struct store_lease *lease) {
    return is_anns(lease) && lease->counter > 8; /* 8: taken */
}

/* Renewed before the second step, and not at its end before the third. */
static void lease_is_renewed_meanwhile(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = make_row(t);
    make_scores(t, 2 * LIMIT_SHRINK_ROWS + 1);
    _cleanup_(cleanup_freep) struct lease_cleanup *j = start(t, FAILOVER_MS, FAILOVER_MS / 2);
    assert_true(lease_cleanup_offer(j, &lease));
    await_row(t, is_anns_and_renewed);
}

static void one_lease_is_accepted_at_a_time(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = make_row(t);
    make_scores(t, LIMIT_SHRINK_ROWS + 1);
    CLEANUP(t, 60000);
    assert_true(lease_cleanup_offer(j, &lease));
    await_row(t, is_anns);
    assert_false(lease_cleanup_offer(j, &lease));
}

static void stopped_cleanup_releases_the_lease(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = make_row(t);
    make_scores(t, LIMIT_SHRINK_ROWS + 1);
    {
        CLEANUP(t, 60000);
        assert_true(lease_cleanup_offer(j, &lease));
        await_row(t, is_anns);
    }
    lease = row(t);
    assert_string_equal(lease.owner, "");
    assert_int_equal(lease.checkpoint, LEASE_SHARD_END);
    CLEANUP(t, 1); /* the next one finishes it */
    assert_true(lease_cleanup_offer(j, &lease));
    await_row(t, is_gone);
    assert_int_equal(writes_left(t), 0);
}

static void lease_of_another_worker_is_not_touched(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = make_row(t), found;
    const struct store_lease taken = lease_taken(&lease, "bob", "ffffffffffffffffffffffffffffffff");
    make_scores(t, 1);
    assert_ok(store_update_lease(t->store, &lease, &taken, NULL, &found, &support_error));
    {
        CLEANUP(t, 1);
        assert_true(lease_cleanup_offer(j, &lease));
        await_idle(j, &lease); /* offers the lease once more: the first cleanup has ended then, so its writes
                                  can be counted */
    }
    assert_string_equal(row(t).owner, "bob");
    assert_int_equal(writes_left(t), 1);
}

/* Nothing is deleted until the lease expires. After that the cleanup accepts leases again. */
static void failed_cleanup_deletes_nothing(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease = make_row(t);
    make_scores(t, 1);
    support_fault(t, FAULT_REFUSE, NULL, 1, -1); /* the lease can be taken, and then not even be renewed */
    _cleanup_(cleanup_freep) struct lease_cleanup *j = start(t, SHORT_FAILOVER_MS, 20);
    assert_true(lease_cleanup_offer(j, &lease));
    await_row(t, is_anns);
    int64_t until_ms = clock_boot_ms() + 4 * SHORT_FAILOVER_MS;
    while (clock_boot_ms() < until_ms)
        assert_false(lease_cleanup_offer(j, &lease));
    support_no_faults(t);
    assert_string_equal(row(t).shard_id, SHARD);
    assert_int_equal(writes_left(t), 1);
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        support_test("the cleanup shrinks the watermarks, then deletes the lease",
                     watermarks_are_shrunk_then_the_lease_is_deleted),
        support_test("the cleanup renews its lease while it works", lease_is_renewed_meanwhile),
        support_test("the cleanup accepts one lease at a time", one_lease_is_accepted_at_a_time),
        support_test("a cleanup that is stopped releases the lease, and the next one finishes",
                     stopped_cleanup_releases_the_lease),
        support_test("the cleanup does not touch a lease that another worker took",
                     lease_of_another_worker_is_not_touched),
        support_test("a lease whose watermarks could not be shrunk is not deleted",
                     failed_cleanup_deletes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
