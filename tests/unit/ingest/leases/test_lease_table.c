/* The lease table, over a real (embedded) store and a source whose listing the test sets. */
#include "ingest/leases/lease_table.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/store.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { FAILOVER_MS = 10000 };

/* The stream. */

/* "1" was split into "2" and "3". */
static const struct source_shard all[] = {
    {.id = "1"}, {.id = "2", .parents = {"1"}}, {.id = "3", .parents = {"1"}}};

struct stream {
    struct source source;
    int64_t split_ms; /* a listing from a later time does not have "1" */
    int lists;
};

static enum status list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                               size_t *n, struct error *e) {
    struct stream *stream = (struct stream *)source;
    size_t first = from_ms > stream->split_ms;
    (void)e;
    stream->lists++;
    *n = COUNT(all) - first;
    *shards = mem_dup(all + first, *n * sizeof *all);
    return STATUS_OK;
}

static const struct source_ops ops = {.list_shards = list_shards};

/* A store whose next scan misses one lease, or returns old rows. This happens when the lease is made during
 * the scan, or shortly before one that is not consistent. */

static struct {
    const struct store_ops *real;
    struct store_ops ops;
    const char *missed; /* by the next scan; NULL: none */
    int64_t older_by;   /* the counters that the next scan returns */
    int scans, consistent_scans;
} torn;

static enum status read_torn(struct store *store, bool consistent, struct store_lease **leases, size_t *n,
                             struct error *e) {
    enum status status = torn.real->read_leases(store, consistent, leases, n, e);
    const struct store_lease *missed = !status && torn.missed ? lease_find(*leases, *n, torn.missed) : NULL;
    for (size_t i = 0; !status && i < *n; i++)
        (*leases)[i].counter -= torn.older_by;
    torn.scans++;
    torn.consistent_scans += consistent;
    torn.older_by = 0;
    torn.missed = NULL;
    if (missed) {
        size_t at = (size_t)(missed - *leases);
        memmove(*leases + at, *leases + at + 1, (--*n - at) * sizeof **leases);
    }
    return status;
}

static enum status remove_none(struct store *store, const char *const shard_ids[], size_t n, int64_t now_ms,
                               const struct store_pacer *pacer, struct error *e) {
    (void)store, (void)shard_ids, (void)n, (void)now_ms, (void)pacer, (void)e;
    return STATUS_OK;
}

static void tear(struct store *store, const char *missed) {
    torn.real = store->ops->read_leases == read_torn ? torn.real : store->ops;
    torn.ops = *torn.real;
    torn.ops.read_leases = read_torn;
    torn.missed = missed;
    torn.scans = torn.consistent_scans = 0;
    store->ops = &torn.ops;
}

struct scene {
    struct fixture *t;
    struct stream stream;
    struct lease_table table;
    struct freshness *freshness;
};

static void scene_init(struct scene *s, struct fixture *t, struct source_start start) {
    *s = (struct scene){.t = t, .stream = {.source = {&ops}, .split_ms = 1000}};
    lease_table_init(&s->table, t->store, &s->stream.source, &start, FAILOVER_MS);
    s->freshness = freshness_new(support_clock());
}

static void scene_deinit(struct scene *s) {
    lease_table_deinit(&s->table);
    freshness_free(s->freshness);
}

#define SCENE(...)                                                                                           \
    __attribute__((cleanup(scene_deinit))) struct scene s;                                                   \
    scene_init(&s, support_fixture(state), (struct source_start){__VA_ARGS__})

/* The listing from the shard `first` on, begun now. */
static void list(struct scene *s, size_t first) {
    shard_listing_deinit(&s->table.listing_before);
    s->table.listing_before = s->table.listing;
    s->table.listing.n = COUNT(all) - first;
    s->table.listing.shards = mem_dup(all + first, s->table.listing.n * sizeof *all);
    s->table.listing.began_ms = clock_boot_ms();
}

static void look(struct scene *s) {
    assert_ok(lease_table_refresh(&s->table, &support_error));
}

static const struct store_lease *lease(const struct scene *s, const char *shard_id) {
    return lease_find(s->table.leases, s->table.n_leases, shard_id);
}

static void put(struct scene *s, const char *shard_id, enum lease_checkpoint checkpoint, int64_t as_of_ms) {
    struct store_lease after = *lease(s, shard_id), found;
    after.counter++;
    after.checkpoint = checkpoint;
    after.position = position_from_u64(1);
    after.as_of_ms = as_of_ms;
    assert_ok(store_update_lease(s->t->store, lease(s, shard_id), &after, NULL, &found, &support_error));
    look(s);
}

/* Making leases. */

static void every_listed_shard_gets_a_lease(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    list(&s, 0);
    look(&s);
    assert_int_equal(s.table.n_leases, 3);
    assert_string_equal(lease(&s, "3")->parents[0], "1");
    assert_int_equal(s.stream.lists, 0);
}

/* The pulse of a refresh. */

/* A store that notes whether the pulse beat since the last call, and then rests the pulse. */
static struct {
    const struct store_ops *real;
    struct store_ops ops;
    struct pulse pulse;
    int calls, beaten;
} watched;

static void note_call(void) {
    watched.calls++;
    watched.beaten += pulse_last_ms(&watched.pulse) != PULSE_RESTS;
    pulse_rest(&watched.pulse);
}

static enum status read_watched(struct store *store, bool consistent, struct store_lease **leases, size_t *n,
                                struct error *e) {
    note_call();
    return watched.real->read_leases(store, consistent, leases, n, e);
}

static enum status create_watched(struct store *store, const struct store_lease *lease, struct error *e) {
    note_call();
    return watched.real->create_lease(store, lease, e);
}

static void pulse_beats_before_each_call_of_a_refresh(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    watched.real = s.t->store->ops;
    watched.ops = *watched.real;
    watched.ops.read_leases = read_watched;
    watched.ops.create_lease = create_watched;
    s.t->store->ops = &watched.ops;
    pulse_rest(&watched.pulse);
    s.table.pulse = &watched.pulse;
    list(&s, 0);
    look(&s);
    assert_true(watched.calls >= 5); /* leases read, three made, read again */
    assert_int_equal(watched.beaten, watched.calls);
}

static void start_at_a_time_makes_leases_of_shards_open_then(void **state) {
    SCENE(.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 2000);
    list(&s, 0);
    look(&s);
    look(&s);
    assert_int_equal(s.table.n_leases, 2);
    assert_int_equal(lease(&s, "2")->checkpoint, LEASE_AT_TIMESTAMP);
    assert_int_equal(lease(&s, "2")->start_at_ms, 2000);
    assert_int_equal(s.stream.lists, 1); /* listed once: then no lease is missing */
}

static enum hierarchy_state state_of(const struct scene *s, const char *shard_id) {
    const struct hierarchy l = lease_table_hierarchy(&s->table);
    enum hierarchy_state *states = hierarchy_states(&l), state = states[lease(s, shard_id) - l.leases];
    free(states);
    return state;
}

static void shards_open_at_the_start_are_readable_at_once(void **state) {
    SCENE(.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 2000);
    list(&s, 0);
    look(&s);
    assert_int_equal(state_of(&s, "2"), HIERARCHY_READABLE);
    assert_int_equal(state_of(&s, "3"), HIERARCHY_READABLE);
}

/* Makes a lease as another worker does. */
static void make(struct scene *s, size_t i, struct source_start start) {
    const struct store_lease lease = lease_make(&all[i], &start);
    assert_ok(store_create_lease(s->t->store, &lease, &support_error));
}

static void scan_with_a_child_alone_is_not_believed(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    list(&s, 0);
    for (size_t i = 0; i < COUNT(all); i++)
        make(&s, i, s.table.start);
    tear(s.t->store, "1");
    look(&s);
    assert_non_null(lease(&s, "1"));
    assert_int_equal(state_of(&s, "1"), HIERARCHY_READABLE);
    assert_int_equal(state_of(&s, "2"), HIERARCHY_WAITING);
    assert_int_equal(torn.scans, 2);
    look(&s);
    assert_int_equal(torn.scans, 3); /* the scan is complete: no second one */
}

/* The worker that makes the first leases started earlier, when "1" was still open. So "3" is a child of a
 * leased shard: it is read from its first record, not from our start. */
static void scan_with_a_child_alone_makes_no_lease(void **state) {
    SCENE(.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 2000);
    list(&s, 0);
    make(&s, 0, (struct source_start){.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 500});
    make(&s, 1, (struct source_start){.checkpoint = LEASE_TRIM_HORIZON});
    tear(s.t->store, "1");
    look(&s);
    assert_int_equal(lease(&s, "3")->checkpoint, LEASE_TRIM_HORIZON);
    assert_int_equal(s.stream.lists, 0);
}

static void children_of_shards_open_at_the_start_are_read_from_their_first_record(void **state) {
    SCENE(.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 500);
    list(&s, 0);
    look(&s);
    assert_int_equal(lease(&s, "1")->checkpoint, LEASE_AT_TIMESTAMP);
    assert_int_equal(lease(&s, "2")->checkpoint, LEASE_TRIM_HORIZON);
}

static void new_lease_needs_a_newer_listing(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    list(&s, 2);
    s.table.listing.began_ms = clock_boot_ms() - 1; /* before "4" is made below */
    const struct store_lease fourth = {.shard_id = "4", .checkpoint = LEASE_TRIM_HORIZON, .as_of_ms = -1};
    look(&s);
    assert_true(lease_table_is_conclusive(&s.table));
    assert_ok(store_create_lease(s.t->store, &fourth, &support_error));
    look(&s);
    assert_false(lease_table_is_conclusive(&s.table));
    look(&s);
    assert_false(lease_table_is_conclusive(&s.table)); /* a second scan changes nothing */
    list(&s, 2);
    assert_true(lease_table_is_conclusive(&s.table)); /* now "4" counts as gone */
    look(&s);
    assert_true(lease_table_is_conclusive(&s.table));
}

/* Scans that are not consistent. */

/* The last change is a failover time ago. */
static void scene_settle(struct scene *s) {
    list(s, 0);
    look(s);
    s->table.changed_ms -= FAILOVER_MS;
    tear(s->t->store, NULL);
}

static void scans_are_consistent_until_a_failover_time_after_the_last_change(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    list(&s, 0);
    tear(s.t->store, NULL);
    look(&s);
    look(&s);
    assert_int_equal(torn.consistent_scans, torn.scans);
    scene_settle(&s);
    look(&s);
    look(&s);
    assert_int_equal(torn.scans, 2);
    assert_int_equal(torn.consistent_scans, 0);
    assert_ok(store_delete_lease(s.t->store, lease(&s, "3"), NULL, &support_error));
    s.table.listing.n = 2; /* "3" is gone */
    look(&s);
    look(&s);
    assert_int_equal(torn.consistent_scans, 2); /* one that settles the doubt, and the next */
}

static void scan_without_a_lease_that_was_there_is_settled_by_a_consistent_one(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    scene_settle(&s);
    torn.missed = "1"; /* "2" and "3" would be read beside it */
    look(&s);
    assert_int_equal(torn.scans, 2);
    assert_int_equal(torn.consistent_scans, 1);
    assert_int_equal(state_of(&s, "2"), HIERARCHY_WAITING);
}

static void scan_with_older_rows_is_settled_by_a_consistent_one(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    scene_settle(&s);
    put(&s, "1", LEASE_AT_POSITION, 1000);
    torn.older_by = 1;
    look(&s);
    assert_int_equal(lease(&s, "1")->counter, 1);
    assert_int_equal(torn.consistent_scans, 1);
}

static void scan_with_an_older_row_than_was_written_is_settled_by_a_consistent_one(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    struct store_lease found;
    scene_settle(&s);
    const struct store_lease taken = lease_taken(lease(&s, "1"), "ann", "0123456789abcdef0123456789abcdef");
    assert_ok(store_update_lease(s.t->store, lease(&s, "1"), &taken, NULL, &found, &support_error));
    lease_table_note(&s.table, lease(&s, "1"), &taken);
    torn.older_by = 1;
    look(&s);
    assert_string_equal(lease(&s, "1")->owner, "ann");
    assert_int_equal(torn.consistent_scans, 1);
}

static void listed_shard_without_a_lease_is_settled_by_a_consistent_scan(void **state) {
    static const struct source_shard more[] = {{.id = "4"}};
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    scene_settle(&s);
    s.table.listing.shards = mem_resize(s.table.listing.shards, 4, sizeof *more);
    s.table.listing.shards[s.table.listing.n++] = more[0];
    look(&s);
    assert_non_null(lease(&s, "4"));
    assert_int_equal(torn.scans, 3);
    assert_int_equal(torn.consistent_scans, 2); /* before it is made, and after */
}

/* Obsolete shards. */

/* The only one for the cleanup; NULL: none. */
static const char *for_cleanup(struct scene *s) {
    static char shard_id[LIMIT_SHARD_ID_BYTES + 1];
    _cleanup_(mem_freep) struct store_lease *leases = NULL;
    size_t n = lease_table_for_cleanup(&s->table, &leases);
    assert_true(n <= 1);
    strcpy(shard_id, n ? leases[0].shard_id : "");
    return n ? shard_id : NULL;
}

static void shard_is_obsolete_when_two_listings_lack_it(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    list(&s, 0);
    look(&s);
    put(&s, "1", LEASE_SHARD_END, 1);
    put(&s, "2", LEASE_AT_POSITION, 1);
    put(&s, "3", LEASE_AT_POSITION, 1);
    assert_null(for_cleanup(&s));
    list(&s, 1);
    assert_null(for_cleanup(&s));
    list(&s, 0);
    list(&s, 1);
    assert_null(for_cleanup(&s));
    list(&s, 1);
    assert_string_equal(for_cleanup(&s), "1");
}

static void shard_held_by_another_worker_is_not_obsolete(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    struct store_lease found;
    list(&s, 0);
    look(&s);
    put(&s, "2", LEASE_AT_POSITION, 1);
    put(&s, "3", LEASE_AT_POSITION, 1);
    struct store_lease ended = lease_taken(lease(&s, "1"), "bob", "ffffffffffffffffffffffffffffffff");
    ended.checkpoint = LEASE_SHARD_END;
    assert_ok(store_update_lease(s.t->store, lease(&s, "1"), &ended, NULL, &found, &support_error));
    look(&s);
    list(&s, 1);
    list(&s, 1);
    assert_null(for_cleanup(&s));
}

static void shard_without_the_time_of_its_end_is_for_the_cleanup_where_there_are_watermarks(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    list(&s, 0);
    look(&s);
    put(&s, "1", LEASE_SHARD_END, 1);
    assert_null(for_cleanup(&s));
    tear(s.t->store, NULL);
    torn.ops.remove_watermarks = remove_none;
    assert_string_equal(for_cleanup(&s), "1");
    s.table.leases[0].ended_at_ms = 1;
    assert_null(for_cleanup(&s));
}

/* Freshness. */

static int64_t as_of(struct scene *s) {
    lease_table_report_freshness(&s->table, s->freshness, NULL);
    return freshness_as_of(s->freshness);
}

static void child_has_the_as_of_of_its_parents(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    list(&s, 0);
    look(&s);
    assert_int_equal(as_of(&s), FRESHNESS_UNKNOWN);
    put(&s, "1", LEASE_AT_POSITION, 1000);
    assert_int_equal(as_of(&s), 1000); /* the children wait, so they do not count */
    put(&s, "1", LEASE_SHARD_END, 2000);
    assert_int_equal(as_of(&s), 2000);
    put(&s, "2", LEASE_AT_POSITION, 3000);
    assert_int_equal(as_of(&s), 2000);
    put(&s, "3", LEASE_AT_POSITION, 4000);
    assert_int_equal(as_of(&s), 3000);
}

/* A process that only serves has no listing, so it does not know the child. */
static void scan_with_an_end_and_no_child_is_not_believed(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    struct lease_table follower;
    const struct store_lease other = {.shard_id = "0", .checkpoint = LEASE_TRIM_HORIZON, .as_of_ms = 9000};
    struct store_lease found;
    lease_table_init(&follower, s.t->store, NULL, &s.table.start, FAILOVER_MS);
    list(&s, 0);
    for (size_t i = 0; i < COUNT(all); i++)
        make(&s, i, s.table.start);
    assert_ok(store_create_lease(s.t->store, &other, &support_error));
    look(&s);
    struct store_lease ended = *lease(&s, "1");
    ended.counter++;
    ended.checkpoint = LEASE_SHARD_END;
    ended.as_of_ms = 2000;
    strcpy(ended.children[0], "2");
    strcpy(ended.children[1], "3");
    assert_ok(store_update_lease(s.t->store, lease(&s, "1"), &ended, NULL, &found, &support_error));
    look(&s);
    put(&s, "2", LEASE_AT_POSITION, 8000);

    tear(s.t->store, "3");
    assert_ok(lease_table_refresh(&follower, &support_error));
    assert_int_equal(torn.scans, 2);
    lease_table_report_freshness(&follower, s.freshness, NULL);
    assert_int_equal(freshness_as_of(s.freshness), 2000);

    tear(s.t->store,
         "3"); /* the lease of "3" is missing, as after its deletion: only the first such scan is repeated */
    assert_ok(lease_table_refresh(&follower, &support_error));
    assert_int_equal(torn.scans, 1);
    lease_table_deinit(&follower);
}

static void shards_are_counted_by_state(void **state) {
    SCENE(.checkpoint = LEASE_TRIM_HORIZON);
    struct buffer text;
    list(&s, 0);
    look(&s);
    put(&s, "1", LEASE_SHARD_END, 1);
    lease_table_count_states(&s.table);
    buffer_init(&text, 1 << 20);
    metrics_write(&text);
    assert_non_null(strstr(text.data, "winner_view_shards{state=\"ended\"} 1"));
    assert_non_null(strstr(text.data, "winner_view_shards{state=\"free\"} 2"));
    assert_non_null(strstr(text.data, "winner_view_shards{state=\"waiting\"} 0"));
    buffer_deinit(&text);
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        support_test_sqlite("a refresh makes a lease for every listed shard",
                            every_listed_shard_gets_a_lease),
        support_test_sqlite("the pulse beats before each call of a refresh",
                            pulse_beats_before_each_call_of_a_refresh),
        support_test_sqlite("start at a time: leases are made only for shards that were open then",
                            start_at_a_time_makes_leases_of_shards_open_then),
        support_test_sqlite("start at a time: shards that were open then are readable at once",
                            shards_open_at_the_start_are_readable_at_once),
        support_test_sqlite("a scan that shows a child without its parent is not believed",
                            scan_with_a_child_alone_is_not_believed),
        support_test_sqlite("no lease is made from a scan that shows a child without its parent",
                            scan_with_a_child_alone_makes_no_lease),
        support_test_sqlite(
            "start at a time: children of shards that were open then are read from their first record",
            children_of_shards_open_at_the_start_are_read_from_their_first_record),
        support_test_sqlite("scans are consistent until a failover time after the last change",
                            scans_are_consistent_until_a_failover_time_after_the_last_change),
        support_test_sqlite("a scan without a lease that was there is settled by a consistent one",
                            scan_without_a_lease_that_was_there_is_settled_by_a_consistent_one),
        support_test_sqlite("a scan with older rows is settled by a consistent one",
                            scan_with_older_rows_is_settled_by_a_consistent_one),
        support_test_sqlite("a scan with an older row than was written is settled by a consistent one",
                            scan_with_an_older_row_than_was_written_is_settled_by_a_consistent_one),
        support_test_sqlite("a listed shard without a lease is settled by a consistent scan",
                            listed_shard_without_a_lease_is_settled_by_a_consistent_scan),
        support_test_sqlite("a new lease that is not in the listing is judged only by a newer listing",
                            new_lease_needs_a_newer_listing),
        support_test_sqlite("a shard is obsolete when two listings in a row do not have it",
                            shard_is_obsolete_when_two_listings_lack_it),
        support_test_sqlite("a shard whose lease another worker holds is not obsolete",
                            shard_held_by_another_worker_is_not_obsolete),
        support_test_sqlite("an end without its time is for the cleanup, where there are watermarks",
                            shard_without_the_time_of_its_end_is_for_the_cleanup_where_there_are_watermarks),
        support_test_sqlite("a child without an as-of has the as-of of its parents",
                            child_has_the_as_of_of_its_parents),
        support_test_sqlite("a scan that shows an end without a child is not believed",
                            scan_with_an_end_and_no_child_is_not_believed),
        support_test_sqlite("shards are counted by state", shards_are_counted_by_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
