/* A lease that is held, against a real DynamoDB whose answers can be lost, and a source that the test
 * controls.
 */
#include "ingest/leases/held_lease.h"

#include "base/clock.h"
#include "base/limits.h"
#include "ingest/leases/hierarchy.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/stepped_clock.h"
#include "tests/unit/support/store.h"

#define SHARD "shardId-000000000001"
#define LEFT "shardId-000000000002"
#define RIGHT "shardId-000000000003"

/* Long enough that even a busy machine renews the lease in time. */
enum { FAILOVER_MS = 4000, PATIENCE_MS = 30000 };

/* A source of one record at most, whose shard ends, fails or hangs on request. */

enum mood { MOOD_IDLE, MOOD_FAILING, MOOD_HANGING, MOOD_ENDED };

struct quiet {
    struct source source;
    struct source_reader reader;
    _Atomic int mood;
    struct source_shard children[STORE_LEASE_PARENTS];
    size_t n_children;
    struct source_record record; /* returned with the end; without data: no record */
    struct waker waker;
};

static struct quiet *quiet_of(struct source_reader *reader) {
    return (struct quiet *)(void *)((char *)reader - offsetof(struct quiet, reader));
}

static struct source_reader *quiet_open(struct source *source, const struct source_shard *shard,
                                        const struct source_start *start, struct budget *budget) {
    (void)shard, (void)start, (void)budget;
    return &((struct quiet *)source)->reader;
}

static enum status quiet_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                              struct error *e) {
    struct quiet *q = quiet_of(reader);
    *batch = (struct source_batch){.as_of_ms = -1};
    int64_t soon_ms = clock_boot_ms() + 20;
    waker_wait(&q->waker, until_ms < soon_ms ? until_ms : soon_ms, -1);
    while (atomic_load(&q->mood) == MOOD_HANGING)
        waker_wait(&q->waker, clock_boot_ms() + 20, -1);
    if (atomic_load(&q->mood) == MOOD_FAILING)
        return error_set(e, STATUS_RETRY, "the test's source fails");
    batch->ended = atomic_load(&q->mood) == MOOD_ENDED;
    if (batch->ended) {
        batch->children = q->children;
        batch->n_children = q->n_children;
        batch->records = &q->record;
        batch->n = q->record.data ? 1 : 0;
    }
    return STATUS_OK;
}

static void quiet_wake(struct source_reader *reader) {
    waker_wake(&quiet_of(reader)->waker);
}

static void quiet_close(struct source_reader *reader) {
    (void)reader;
}

static const struct source_ops quiet_ops = {
    .open = quiet_open,
    .read = quiet_read,
    .forget = quiet_close,
    .wake = quiet_wake,
    .close = quiet_close,
};

static void quiet_init(struct quiet *q) {
    memset(q, 0, sizeof *q);
    q->source.ops = q->reader.ops = &quiet_ops;
    waker_init(&q->waker);
}

static void add_child(struct quiet *q, const char *id) {
    struct source_shard *child = &q->children[q->n_children++];
    strcpy(child->id, id);
    strcpy(child->parents[0], SHARD);
}

static void add_record(struct quiet *q, uint64_t position) {
    static const char purchase[] =
        "{\"schema\":\"com.nordstrom/retail-stream-ingress/1-0-0\",\"origin\":\"ann\","
        "\"timeOrigin\":\"1970-01-01T00:00:01Z\",\"data\":"
        "{\"schema\":\"com.nordstrom/product/purchase/1-0-0\",\"id\":\"lamp\"}}";
    q->record.data = (const uint8_t *)purchase;
    q->record.length = sizeof purchase - 1;
    q->record.position = position_from_u64(position);
}

/* One worker with one lease. */

struct worker {
    struct fixture *t;
    struct quiet source;
    struct freshness *freshness;
    struct health *health;
    struct waker done;
    struct held_lease_context context;
    struct hierarchy hierarchy; /* what is listed */
    struct held_lease *lease;
};

static size_t list_children(void *data, const char *shard_id,
                            struct source_shard children[STORE_LEASE_PARENTS]) {
    return hierarchy_children(data, shard_id, children);
}

static void worker_init(struct worker *w, struct fixture *t) {
    w->t = t;
    w->freshness = freshness_new(support_clock());
    w->health = health_new();
    waker_init(&w->done);
    quiet_init(&w->source);
    w->hierarchy = (struct hierarchy){0};
    w->lease = NULL;
    w->context = (struct held_lease_context){
        .shard = {.source = &w->source.source,
                  .store = t->store,
                  .freshness = w->freshness,
                  .health = w->health,
                  .done = &w->done,
                  .batch_records = 10,
                  .batch_bytes = SIZE_MAX,
                  .cache_bytes = 4096},
        .failover_ms = FAILOVER_MS,
        .stuck_ms = LIMIT_SHARD_STUCK_MS,
        .list_children = list_children,
        .list_data = &w->hierarchy,
    };
}

static void drop(struct worker *w) {
    if (!w->lease)
        return;
    atomic_store(&w->source.mood, MOOD_IDLE);
    held_lease_stop(w->lease);
    held_lease_free(w->lease);
    w->lease = NULL;
}

static void worker_deinit(struct worker *w) {
    drop(w);
    freshness_free(w->freshness);
    health_free(w->health);
    waker_deinit(&w->done);
    waker_deinit(&w->source.waker);
}

#define WORKER(name, fixture)                                                                                \
    __attribute__((cleanup(worker_deinit))) struct worker name;                                              \
    worker_init(&name, fixture)

/* The row of the shard; without an id if there is none. */
static struct store_lease row(struct fixture *t, const char *shard_id) {
    struct store_lease *leases, found = {0};
    size_t n;
    assert_ok(store_read_leases(t->store, true, &leases, &n, &support_error));
    const struct store_lease *lease = lease_find(leases, n, shard_id);
    if (lease)
        found = *lease;
    free(leases);
    return found;
}

static void make_row(struct fixture *t) {
    struct store_lease fresh = {.shard_id = SHARD, .checkpoint = LEASE_AT_POSITION, .as_of_ms = -1};
    fresh.position = position_from_u64(42);
    assert_ok(store_create_lease(t->store, &fresh, &support_error));
}

/* Takes the lease from its current state and starts to read. */
static void take(struct worker *w, const char *name) {
    char tenure[33];
    struct store_lease found, before = row(w->t, SHARD);
    lease_draw_tenure("0123456789abcdef", tenure);
    const struct store_lease taken = lease_taken(&before, name, tenure);
    int64_t now = clock_boot_ms();
    assert_ok(store_update_lease(w->t->store, &before, &taken, NULL, &found, &support_error));
    w->lease = held_lease_start(&w->context, &taken, now);
}

/* Another worker takes the lease. */
static void take_away(struct fixture *t) {
    struct store_lease found, before = row(t, SHARD);
    const struct store_lease taken = lease_taken(&before, "bob", "ffffffffffffffffffffffffffffffff");
    assert_ok(store_update_lease(t->store, &before, &taken, NULL, &found, &support_error));
}

/* Makes the writes that are due, until the lease is not held any more. */
static enum held_lease_outcome write_until_over(struct worker *w, bool stopping) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    enum held_lease_outcome outcome = HELD_LEASE_KEPT;
    while (outcome == HELD_LEASE_KEPT && clock_boot_ms() < until_ms) {
        outcome = held_lease_write_due(w->lease, stopping);
        waker_wait(&w->done, clock_boot_ms() + 20, -1);
    }
    return outcome;
}

/* Makes the writes that are due, until the clock has moved by `ms`, or until the lease is not held any more.
 * Threads get a tenth of that time. */
static enum held_lease_outcome step(struct worker *w, int64_t ms) {
    int64_t until_ms = clock_boot_ms() + ms;
    enum held_lease_outcome outcome = HELD_LEASE_KEPT;
    while (outcome == HELD_LEASE_KEPT && clock_boot_ms() < until_ms) {
        outcome = held_lease_write_due(w->lease, false);
        waker_wait(&w->done, clock_boot_ms() + 10, -1);
        stepped_clock_add(90);
    }
    return outcome;
}

static bool is_renewed_within(struct worker *w, int64_t ms) {
    int64_t before = row(w->t, SHARD).counter, until_ms = clock_boot_ms() + ms;
    while (row(w->t, SHARD).counter == before && clock_boot_ms() < until_ms)
        if (step(w, 50) != HELD_LEASE_KEPT)
            return false;
    return row(w->t, SHARD).counter > before;
}

/* Keeping a lease. */

static void lease_is_renewed(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    take(&w, "ann");
    assert_int_equal(step(&w, 2 * FAILOVER_MS), HELD_LEASE_KEPT);
    struct store_lease lease = row(t, SHARD);
    assert_in_range(lease.counter, 4, 10); /* a third of the failover time each, one of them was the take */
    assert_string_equal(lease.owner, "ann");
    assert_int_equal(lease.checkpoint, LEASE_AT_POSITION);
}

static void renewal_without_an_answer_is_recognised(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    take(&w, "ann");
    support_fault(t, FAULT_LOSE_ANSWER, "UpdateItem", 0, 4); /* all attempts of one call */
    assert_int_equal(step(&w, FAILOVER_MS), HELD_LEASE_KEPT);
    assert_true(atomic_load(&t->faulty.times) <= 0);
    assert_true(is_renewed_within(&w, PATIENCE_MS));
}

/* The row has the counter that we sent, so only its tenure shows that it is not ours. The first answer
 * decides. */
static void another_tenure_with_our_counter_is_lost(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    take(&w, "ann");
    take_away(t);
    support_no_faults(t); /* counts what is sent from now on */
    assert_int_equal(step(&w, PATIENCE_MS), HELD_LEASE_LOST);
    assert_int_equal(atomic_load(&t->faulty.sent), 1);
    assert_string_equal(row(t, SHARD).owner, "bob");
}

static void row_that_is_gone_is_lost(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    take(&w, "ann");
    struct store_lease lease = row(t, SHARD);
    assert_ok(store_delete_lease(t->store, &lease, NULL, &support_error));
    assert_int_equal(step(&w, PATIENCE_MS), HELD_LEASE_LOST);
}

static void lease_without_an_answer_for_the_failover_time_is_lost(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    int64_t began_ms = clock_boot_ms();
    take(&w, "ann");
    support_fault(t, FAULT_REFUSE, "UpdateItem", 0, -1);
    assert_int_equal(step(&w, PATIENCE_MS), HELD_LEASE_LOST);
    assert_true(clock_boot_ms() - began_ms >= FAILOVER_MS);
    int sent = atomic_load(&t->faulty.sent);
    support_no_faults(t);
    assert_int_equal(sent, 0);
}

/* For longer than the longest pause of the shard and the failover time. */
static void lease_of_a_waiting_shard_is_kept(void **state) {
    const int64_t stuck_ms = LIMIT_BACKOFF_MS + 20000; /* a thread gets a tenth of this time */
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    w.context.stuck_ms = stuck_ms;
    atomic_store(&w.source.mood, MOOD_FAILING);
    take(&w, "ann");
    assert_int_equal(step(&w, stuck_ms + FAILOVER_MS), HELD_LEASE_KEPT);
    assert_true(is_renewed_within(&w, PATIENCE_MS));
}

static void wait_until_gone(struct worker *w) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (!held_lease_can_be_freed(w->lease)) {
        assert_true(clock_boot_ms() < until_ms);
        waker_wait(&w->done, clock_boot_ms() + 20, -1);
    }
}

static void lease_of_a_stuck_shard_is_lost(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    w.context.stuck_ms = FAILOVER_MS;
    atomic_store(&w.source.mood, MOOD_HANGING);
    take(&w, "ann");
    assert_true(is_renewed_within(&w, FAILOVER_MS)); /* the call may only be slow */
    assert_int_equal(step(&w, PATIENCE_MS), HELD_LEASE_LOST);
    assert_false(held_lease_can_be_freed(w.lease));
    atomic_store(&w.source.mood, MOOD_IDLE);
    wait_until_gone(&w);
}

static void lease_of_a_stopped_shard_is_released(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    take(&w, "ann");
    held_lease_stop(w.lease);
    assert_int_equal(write_until_over(&w, true), HELD_LEASE_RELEASED);
    assert_string_equal(row(t, SHARD).owner, "");
    assert_int_equal(row(t, SHARD).checkpoint, LEASE_AT_POSITION);
}

/* The lease is given back at once; the thread may hang for its call's time-out. */
static void lost_lease_is_reported_before_the_last_call_ends(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    take(&w, "ann");
    take_away(t);
    atomic_store(&w.source.mood, MOOD_HANGING);
    assert_int_equal(step(&w, PATIENCE_MS), HELD_LEASE_LOST);
    assert_false(held_lease_can_be_freed(w.lease));
    atomic_store(&w.source.mood, MOOD_IDLE);
    wait_until_gone(&w);
}

/* The end of the shard. */

static void end_split(struct worker *w) {
    w->source.n_children = 0;
    add_child(&w->source, LEFT);
    add_child(&w->source, RIGHT);
    atomic_store(&w->source.mood, MOOD_ENDED);
}

/* The number of completed steps. If a later step is visible, the earlier ones are too. */
static int steps_done(struct fixture *t) {
    struct store_lease parent = row(t, SHARD), left = row(t, LEFT), right = row(t, RIGHT);
    bool is_named = strcmp(parent.children[0], LEFT) == 0 && strcmp(parent.children[1], RIGHT) == 0;
    assert_true(is_named || !*parent.children[0]);
    if (parent.checkpoint == LEASE_SHARD_END)
        assert_true(is_named && !*parent.owner);
    else
        assert_int_equal(parent.checkpoint, LEASE_AT_POSITION);
    if (is_named)
        assert_true(*left.shard_id && *right.shard_id);
    assert_true(*left.shard_id || !*right.shard_id);
    return !!*left.shard_id + !!*right.shard_id + is_named + (parent.checkpoint == LEASE_SHARD_END);
}

static void assert_ended(struct fixture *t) {
    struct store_lease left = row(t, LEFT);
    assert_int_equal(steps_done(t), 4);
    assert_int_equal(left.checkpoint, LEASE_TRIM_HORIZON);
    assert_string_equal(left.parents[0], SHARD);
    assert_string_equal(left.owner, "");
}

static void end_is_written_in_order(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    end_split(&w);
    take(&w, "ann");
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_ENDED);
    assert_ended(t);
}

/* The store fails after `steps` steps, and the worker ends. The next worker continues there. */
static void end_is_completed_after_a_failure_at_any_step(void **state) {
    struct fixture *t = support_fixture(state);
    make_row(t);
    for (int steps = 0; steps < 4; steps++) {
        WORKER(w, t);
        end_split(&w);
        take(&w, "ann");
        support_fault(t, FAULT_REFUSE, NULL, steps, -1);
        assert_int_equal(write_until_over(&w, true), HELD_LEASE_RELEASED);
        support_no_faults(t);
        assert_int_equal(steps_done(t), steps);
    }
    WORKER(w, t);
    end_split(&w);
    take(&w, "ann");
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_ENDED);
    assert_ended(t);
}

static void unanswered_end_is_not_written_again(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    end_split(&w);
    take(&w, "ann");
    support_fault(t, FAULT_LOSE_ANSWER, "UpdateItem", 0, 4);
    t->faulty.in_body = "SHARD_END";
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_ENDED);
    assert_true(atomic_load(&t->faulty.times) <= 0);
    support_no_faults(t);
    assert_ended(t);
    assert_int_equal(row(t, SHARD).counter, 3); /* taken, children named, ended: and nothing after that */
}

static void children_of_events_that_arrived_elsewhere_say_so(void **state) {
    struct fixture *t = support_fixture(state);
    static struct source_ops ops;
    WORKER(w, t);
    make_row(t);
    ops = *w.source.source.ops;
    ops.no_arrivals = true;
    w.source.source.ops = &ops;
    end_split(&w);
    take(&w, "ann");
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_ENDED);
    assert_true(row(t, SHARD).foreign_arrivals);
    assert_true(row(t, LEFT).foreign_arrivals && row(t, RIGHT).foreign_arrivals);
}

static void children_are_read_from_the_listing(void **state) {
    struct fixture *t = support_fixture(state);
    const struct source_shard listed[] = {{.id = LEFT, .parents = {SHARD}},
                                          {.id = RIGHT, .parents = {SHARD}}};
    WORKER(w, t);
    make_row(t);
    atomic_store(&w.source.mood, MOOD_ENDED);
    w.hierarchy.listed = listed;
    w.hierarchy.n_listed = 2;
    take(&w, "ann");
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_ENDED);
    assert_ended(t);
}

static void end_without_children_is_false(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    atomic_store(&w.source.mood, MOOD_ENDED);
    take(&w, "ann");
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_FALSE_END);
    assert_int_equal(steps_done(t), 0);
    assert_string_equal(row(t, SHARD).owner, "");
}

static bool is_at(struct fixture *t, uint64_t at) {
    const struct position position = position_from_u64(at);
    struct store_lease lease = row(t, SHARD);
    return lease.checkpoint == LEASE_AT_POSITION && position_compare(&lease.position, &position) == 0;
}

static void false_end_keeps_the_position(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    add_record(&w.source, 43);
    atomic_store(&w.source.mood, MOOD_ENDED);
    take(&w, "ann");
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_FALSE_END);
    assert_true(is_at(t, 43));
}

static bool in_trouble(struct worker *w, const char *name) {
    struct health_report report;
    bool found = false;
    health_read(w->health, &report);
    for (size_t i = 0; i < report.n_troubles; i++)
        found |= strcmp(report.troubles[i].name, name) == 0;
    health_report_deinit(&report);
    return found;
}

static void refuse_new_leases(struct fixture *t) {
    support_fault(t, FAULT_REFUSE, "PutItem", 0, -1);
    t->faulty.in_body = "-Leases";
}

static void end_that_cannot_be_recorded_yet_keeps_its_lease(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    end_split(&w);
    add_record(&w.source, 43);
    take(&w, "ann");
    refuse_new_leases(t);
    for (int64_t until_ms = clock_boot_ms() + PATIENCE_MS; !in_trouble(&w, "end of " SHARD);) {
        assert_true(clock_boot_ms() < until_ms);
        assert_int_equal(held_lease_write_due(w.lease, false), HELD_LEASE_KEPT);
        waker_wait(&w.done, clock_boot_ms() + 20, -1);
    }
    assert_int_equal(step(&w, 2 * FAILOVER_MS), HELD_LEASE_KEPT);
    assert_true(in_trouble(&w, "end of " SHARD));
    assert_true(is_at(t, 43));
    assert_string_equal(row(t, SHARD).owner, "ann");
    assert_int_equal(steps_done(t), 0);
    support_no_faults(t);
    assert_int_equal(write_until_over(&w, false), HELD_LEASE_ENDED);
    assert_false(in_trouble(&w, "end of " SHARD));
    assert_ended(t);
}

static void end_that_cannot_be_recorded_when_stopped_is_released(void **state) {
    struct fixture *t = support_fixture(state);
    WORKER(w, t);
    make_row(t);
    end_split(&w);
    add_record(&w.source, 43);
    take(&w, "ann");
    refuse_new_leases(t);
    assert_int_equal(write_until_over(&w, true), HELD_LEASE_RELEASED);
    support_no_faults(t);
    assert_true(is_at(t, 43));
    assert_string_equal(row(t, SHARD).owner, "");
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        support_test("a lease is renewed every third of the failover time", lease_is_renewed),
        support_test("a renewal whose answer was lost is recognised as our own",
                     renewal_without_an_answer_is_recognised),
        support_test("a lease with another tenure and the counter that we sent is lost",
                     another_tenure_with_our_counter_is_lost),
        support_test("a lease whose row is gone is lost", row_that_is_gone_is_lost),
        support_test("a lease that could not be renewed for the failover time is lost",
                     lease_without_an_answer_for_the_failover_time_is_lost),
        support_test("a shard that waits and tries again keeps its lease", lease_of_a_waiting_shard_is_kept),
        support_test("a shard that is stuck loses its lease", lease_of_a_stuck_shard_is_lost),
        support_test("a shard that is stopped gives its lease back", lease_of_a_stopped_shard_is_released),
        support_test("a lost lease is reported before its shard's last call ends",
                     lost_lease_is_reported_before_the_last_call_ends),
        support_test("the end of a shard writes the children's leases, then their names, then SHARD_END",
                     end_is_written_in_order),
        support_test("the end of a shard is completed by the next worker, after a failure at any step",
                     end_is_completed_after_a_failure_at_any_step),
        support_test("an end of a shard whose answer was lost is not written again",
                     unanswered_end_is_not_written_again),
        support_test("children continue a shard whose events arrived elsewhere, and say so",
                     children_of_events_that_arrived_elsewhere_say_so),
        support_test("children that the shard did not name are read from the listing",
                     children_are_read_from_the_listing),
        support_test("an end without any child shard is a false end", end_without_children_is_false),
        support_test("after a false end of a shard the lease keeps the position",
                     false_end_keeps_the_position),
        support_test("while the end of a shard cannot be recorded, its lease is kept, with the last position",
                     end_that_cannot_be_recorded_yet_keeps_its_lease),
        support_test("if the end of a shard cannot be recorded before a stop, the lease is released at the "
                     "last position",
                     end_that_cannot_be_recorded_when_stopped_is_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
