/* The cleanup of shards that are long gone, in a real DynamoDB. */
#include "ingest/leases/lease_cleanup.h"

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/all_time.h"
#include "tests/unit/support/positions.h"
#include "tests/unit/support/store.h"

#define FIRST "shardId-000000000001"
#define SECOND "shardId-000000000002"

enum { PATIENCE_MS = 30000, DAY_MS = LIMIT_CLEANUP_INTERVAL_MS };

static const int64_t noon_ms = 1700000000000;

struct cleanup {
    struct fixture *t;
    struct service_clock *clock;
    struct lease_cleanup *cleanup;
};

/* By its service it is noon. `clock` NULL: the service has not answered yet. */
static struct service_clock *clock_at_noon(void) {
    struct service_clock *clock = service_clock_new(true);
    const struct clock_reading now = clock_read();
    service_clock_teach(clock, noon_ms, &now, &now);
    return clock;
}

/* First, because a store with leases is bound to no source. */
static void start(struct cleanup *c, struct fixture *t, struct service_clock *clock) {
    static const struct store_source source = {"arn:aws:kinesis:x:1:stream/s", 5};
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    assert_ok(bind_to(t->store, &source, key, &support_error));
    *c = (struct cleanup){t, clock, lease_cleanup_start(t->store, clock)};
}

static void stop(struct cleanup *c) {
    lease_cleanup_free(c->cleanup);
    service_clock_free(c->clock);
}

#define CLEANUP(t, clock)                                                                                    \
    _cleanup_(stop) struct cleanup c;                                                                        \
    start(&c, t, clock)

static struct store_lease make_row(struct fixture *t, const char *shard_id, int64_t ended_at_ms) {
    struct store_lease ended = {.counter = 7, .checkpoint = LEASE_SHARD_END, .as_of_ms = -1};
    strcpy(ended.shard_id, shard_id);
    ended.ended_at_ms = ended_at_ms;
    assert_ok(store_create_lease(t->store, &ended, &support_error));
    return ended;
}

/* The lease; without a shard id if there is none. */
static struct store_lease row(struct fixture *t, const char *shard_id) {
    _cleanup_(mem_freep) struct store_lease *leases = NULL;
    size_t n;
    assert_ok(store_read_leases(t->store, true, &leases, &n, &support_error));
    const struct store_lease *found = lease_find(leases, n, shard_id);
    return found ? *found : (struct store_lease){0};
}

static bool is_gone(struct fixture *t, const char *shard_id) {
    return !*row(t, shard_id).shard_id;
}

static void await_free(const struct cleanup *c) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (!lease_cleanup_is_free(c->cleanup))
        assert_true(clock_boot_ms() < until_ms);
}

/* Offers them and waits until the cleanup is done with them. */
static void offer(const struct cleanup *c, const struct store_lease *leases, size_t n) {
    lease_cleanup_offer(c->cleanup, mem_dup(leases, n * sizeof *leases), n);
    await_free(c);
}

static void await_sent(const struct fixture *t, int n) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (atomic_load(&t->faulty.sent) < n)
        assert_true(clock_boot_ms() < until_ms);
}

static void count_one(struct fixture *t, const char *shard_id, const char *user_id) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(1, 1);
    const struct store_score_write write = {{.role = ROLE_CREATOR}, user_id, positions, 1, 1, "w/web/9/Cid"};
    const struct store_batch batch = {.shard_id = shard_id, .scores = &write, .n_scores = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

static int64_t score(struct fixture *t, const char *user_id) {
    struct store_score scores[PEOPLE_ROLES];
    assert_ok(read_people_scores(t->store, user_id, scores, &support_error));
    int64_t score = scores[ROLE_CREATOR].score;
    store_score_deinit(&scores[ROLE_CREATOR]);
    store_score_deinit(&scores[ROLE_PHOTOGRAPHER]);
    return score;
}

/* Whether Ann's row has a watermark of the shard: without one, a record is counted again. */
static bool has_watermark(struct fixture *t, const char *shard_id) {
    int64_t before = score(t, "Ann");
    count_one(t, shard_id, "Ann");
    return score(t, "Ann") == before;
}

static void watermarks_are_removed_a_day_after_the_end(void **state) {
    struct fixture *t = support_fixture(state);
    CLEANUP(t, clock_at_noon());
    const struct store_lease leases[] = {make_row(t, FIRST, noon_ms - DAY_MS),
                                         make_row(t, SECOND, noon_ms - DAY_MS + PATIENCE_MS)};
    count_one(t, FIRST, "Ann");
    count_one(t, SECOND, "Ann");
    offer(&c, leases, 2);
    assert_true(is_gone(t, FIRST));
    assert_false(has_watermark(t, FIRST));
    assert_false(is_gone(t, SECOND));
    assert_true(has_watermark(t, SECOND));
}

static void day_begins_when_the_end_is_first_found(void **state) {
    struct fixture *t = support_fixture(state);
    CLEANUP(t, clock_at_noon());
    const struct store_lease lease = make_row(t, FIRST, 0);
    count_one(t, FIRST, "Ann");
    offer(&c, &lease, 1);
    assert_in_range(row(t, FIRST).ended_at_ms, noon_ms, noon_ms + PATIENCE_MS);
    assert_int_equal(row(t, FIRST).checkpoint, LEASE_SHARD_END);
    assert_true(has_watermark(t, FIRST));
    offer(&c, &lease, 1); /* as another worker has read it: it was written since */
    assert_int_equal(row(t, FIRST).counter, 8);
}

static void without_the_services_time_nothing_is_removed(void **state) {
    struct fixture *t = support_fixture(state);
    CLEANUP(t, service_clock_new(true));
    const struct store_lease leases[] = {make_row(t, FIRST, 1), make_row(t, SECOND, 0)};
    count_one(t, FIRST, "Ann");
    offer(&c, leases, 2);
    assert_true(has_watermark(t, FIRST));
    assert_int_equal(row(t, SECOND).ended_at_ms, 0);
}

static void by_our_own_clock_nothing_is_removed(void **state) {
    struct fixture *t = support_fixture(state);
    CLEANUP(t, service_clock_new(false));
    const struct store_lease lease = make_row(t, FIRST, 1);
    count_one(t, FIRST, "Ann");
    offer(&c, &lease, 1);
    assert_true(has_watermark(t, FIRST));
}

static void one_scan_serves_many_shards(void **state) {
    enum { SHARDS = 40, USERS = 10 };
    struct fixture *t = support_fixture(state);
    CLEANUP(t, clock_at_noon());
    struct store_lease leases[SHARDS];
    for (int i = 0; i < SHARDS; i++) {
        char shard_id[32], user[16];
        snprintf(shard_id, sizeof shard_id, "shardId-%012d", i);
        leases[i] = make_row(t, shard_id, 1);
        for (int j = 0; j < USERS; j++) {
            snprintf(user, sizeof user, "u%d", j);
            count_one(t, shard_id, user);
        }
    }
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    offer(&c, leases, SHARDS);
    assert_int_equal(atomic_load(&t->faulty.sent), 1 + 1 + USERS + SHARDS); /* claim, page, rows, leases */
    assert_true(is_gone(t, leases[0].shard_id) && is_gone(t, leases[SHARDS - 1].shard_id));
}

static void worker_that_is_not_the_first_of_the_day_removes_nothing(void **state) {
    struct fixture *t = support_fixture(state);
    CLEANUP(t, clock_at_noon());
    const struct store_lease leases[] = {make_row(t, FIRST, 1), make_row(t, SECOND, 1)};
    count_one(t, SECOND, "Ann");
    offer(&c, leases, 1);
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    lease_cleanup_offer(c.cleanup, mem_dup(&leases[1], sizeof *leases), 1);
    await_sent(t, 1); /* the claim, which is refused */
    lease_cleanup_free(c.cleanup);
    c.cleanup = NULL;
    assert_int_equal(atomic_load(&t->faulty.sent), 1);
    assert_true(has_watermark(t, SECOND));
    assert_false(is_gone(t, SECOND));
}

static void refuse_scans(struct fixture *t) {
    support_fault(t, FAULT_REFUSE, "Scan", 0, -1);
    t->faulty.in_body = "Scores";
}

static void await_scan_refused(const struct fixture *t) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (atomic_load(&t->faulty.times) == 1 << 30)
        assert_true(clock_boot_ms() < until_ms);
}

static void lease_is_kept_until_the_watermarks_are_removed(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_lease lease;
    {
        CLEANUP(t, clock_at_noon());
        lease = make_row(t, FIRST, 1);
        count_one(t, FIRST, "Ann");
        refuse_scans(t);
        lease_cleanup_offer(c.cleanup, mem_dup(&lease, sizeof lease), 1);
        await_scan_refused(t);
        assert_false(lease_cleanup_is_free(c.cleanup)); /* it tries on */
    }                                                   /* a stop does not wait for that */
    support_no_faults(t);
    assert_false(is_gone(t, FIRST));
    assert_true(has_watermark(t, FIRST));
}

static void lease_that_was_written_since_is_kept(void **state) {
    struct fixture *t = support_fixture(state);
    CLEANUP(t, clock_at_noon());
    struct store_lease lease = make_row(t, FIRST, 1), found;
    const struct store_lease renewed = lease_renewed(&lease);
    assert_ok(store_update_lease(t->store, &lease, &renewed, NULL, &found, &support_error));
    offer(&c, &lease, 1);
    assert_false(is_gone(t, FIRST));
}

static void without_watermarks_leases_are_deleted_at_once(void **state) {
    struct fixture *t = support_fixture(state);
    CLEANUP(t, service_clock_new(true));
    const struct store_lease lease = make_row(t, FIRST, 0);
    offer(&c, &lease, 1);
    assert_true(is_gone(t, FIRST));
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        support_test("watermarks and lease are removed a day after the shard's end",
                     watermarks_are_removed_a_day_after_the_end),
        support_test("without a time of the end the day begins when it is first seen",
                     day_begins_when_the_end_is_first_found),
        support_test("nothing is removed before the service's time is known",
                     without_the_services_time_nothing_is_removed),
        support_test("nothing is removed by our own clock", by_our_own_clock_nothing_is_removed),
        support_test("one scan, and one write a row, serve 40 shards", one_scan_serves_many_shards),
        support_test("a worker that is not the first of the day removes nothing",
                     worker_that_is_not_the_first_of_the_day_removes_nothing),
        support_test("a lease is kept until its shard's watermarks are removed",
                     lease_is_kept_until_the_watermarks_are_removed),
        support_test("a lease that was written since it was read is kept",
                     lease_that_was_written_since_is_kept),
        support_test_sqlite("without watermarks leases are deleted at once",
                            without_watermarks_leases_are_deleted_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
