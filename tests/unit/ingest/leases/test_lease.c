#include "ingest/leases/lease.h"

#include "tests/unit/support/test.h"

static const char tenure_a[33] = "0123456789abcdef0123456789abcdef",
                  tenure_b[33] = "fedcba9876543210fedcba9876543210";

/* A lease of `owner` in the middle of its shard. */
static struct store_lease held(const char *shard_id, const char *owner) {
    struct store_lease lease = {
        .counter = 7,
        .checkpoint = LEASE_AT_POSITION,
        .position = position_from_u64(42),
        .owner_switches = 2,
        .as_of_ms = 1000,
    };
    strcpy(lease.shard_id, shard_id);
    strcpy(lease.owner, owner);
    strcpy(lease.tenure, *owner ? tenure_a : "");
    return lease;
}

static void a_new_lease_has_no_owner_and_the_given_start(void **state) {
    (void)state;
    struct source_shard shard = {"s2", {"s0", "s1"}, "0", "99"};
    struct source_start start = {.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 5000};
    struct store_lease lease = lease_make(&shard, &start);
    assert_string_equal(lease.shard_id, "s2");
    assert_string_equal(lease.owner, "");
    assert_string_equal(lease.tenure, "");
    assert_int_equal(lease.counter, 0);
    assert_int_equal(lease.checkpoint, LEASE_AT_TIMESTAMP);
    assert_int_equal(lease.start_at_ms, 5000);
    assert_int_equal(lease.as_of_ms, -1);
    assert_string_equal(lease.parents[0], "s0");
    assert_string_equal(lease.parents[1], "s1");
    assert_string_equal(lease.children[0], "");
    assert_string_equal(lease.starting_hash_key, "0");
    assert_string_equal(lease.ending_hash_key, "99");
}

static void taking_a_lease_moves_its_counter_and_keeps_its_progress(void **state) {
    (void)state;
    struct store_lease before = held("s", "ann"), after = lease_taken(&before, "bob", tenure_b);
    assert_string_equal(after.owner, "bob");
    assert_string_equal(after.tenure, tenure_b);
    assert_int_equal(after.counter, 8);
    assert_int_equal(after.owner_switches, 3);
    assert_int_equal(after.checkpoint, LEASE_AT_POSITION);
    assert_int_equal(position_compare(&after.position, &before.position), 0);
    assert_int_equal(after.as_of_ms, 1000);
}

static void taking_back_our_own_lease_draws_a_new_tenure_and_counts_no_owner_switch(void **state) {
    (void)state;
    struct store_lease before = held("s", "ann"), after = lease_taken(&before, "ann", tenure_b);
    assert_int_equal(after.owner_switches, 2);
    assert_string_equal(after.tenure, tenure_b);
    assert_int_equal(after.counter, 8);
}

static void an_owner_of_the_maximum_length_is_kept_whole(void **state) {
    (void)state;
    char owner[STORE_LEASE_OWNER_BYTES + 1];
    memset(owner, 'o', sizeof owner - 1);
    owner[sizeof owner - 1] = '\0';
    struct store_lease before = held("s", "somebody"), after = lease_taken(&before, owner, tenure_b);
    assert_string_equal(after.owner, owner);
    struct store_lease again = lease_taken(&after, "short", tenure_a);
    assert_string_equal(again.owner, "short");
}

static void renewing_a_lease_moves_only_its_counter(void **state) {
    (void)state;
    struct store_lease before = held("s", "ann"), after = lease_renewed(&before);
    assert_int_equal(after.counter, 8);
    after.counter = 7;
    assert_true(lease_is_same(&before, &after));
    assert_int_equal(after.owner_switches, 2);
}

static void a_released_lease_is_free_at_once(void **state) {
    (void)state;
    struct store_lease before = held("s", "ann"), after = lease_released(&before);
    struct lease_observer nobody = {0};
    assert_string_equal(after.owner, "");
    assert_int_equal(after.counter, 8);
    assert_int_equal(position_compare(&after.position, &before.position), 0);
    assert_true(lease_is_free(&nobody, &after));
}

static void two_tenures_always_differ_and_each_contains_its_run_id(void **state) {
    (void)state;
    char a[33], b[33], run_id[LEASE_RUN_ID_SIZE], other[LEASE_RUN_ID_SIZE];
    lease_draw_run_id(run_id);
    lease_draw_run_id(other);
    lease_draw_tenure(run_id, a);
    lease_draw_tenure(run_id, b);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
    struct store_lease before = held("s", "ann"), after = lease_taken(&before, "ann", a);
    assert_true(lease_is_of_run(&after, run_id));
    assert_false(lease_is_of_run(&after, other));
    assert_false(lease_is_of_run(&(struct store_lease){.tenure = ""}, run_id));
}

static void progress_moves_the_checkpoint_and_resets_the_owner_switches(void **state) {
    (void)state;
    struct store_lease lease = held("s", "ann");
    struct shard_progress progress = {LEASE_AT_POSITION, lease.position, 1500, {{0}}, false};
    lease_add_progress(&lease, &progress); /* a renewal is not a checkpoint */
    assert_int_equal(lease.owner_switches, 2);
    progress = (struct shard_progress){LEASE_AT_POSITION, position_from_u64(99), 2000, {{7}}, false};
    lease_add_progress(&lease, &progress);
    assert_int_equal(position_compare(&lease.position, &progress.position), 0);
    assert_true(digest_is_same(&lease.hash, &progress.hash));
    assert_int_equal(lease.owner_switches, 0);
    assert_int_equal(lease.as_of_ms, 2000);
    lease_add_progress(&lease, &(struct shard_progress){LEASE_SHARD_END, {0}, 3000, {{0}}, false});
    assert_int_equal(lease.checkpoint, LEASE_SHARD_END);
}

static void a_lease_is_behind_its_progress_until_it_has_position_and_hash(void **state) {
    (void)state;
    struct store_lease lease = held("s", "ann");
    struct shard_progress progress = {LEASE_AT_POSITION, lease.position, 1000, {{0}}, false};
    assert_false(lease_is_behind(&lease, &progress));
    progress.hash.bytes[0] = 7; /* a lease that an older program wrote has none */
    assert_true(lease_is_behind(&lease, &progress));
    lease_add_progress(&lease, &progress);
    assert_false(lease_is_behind(&lease, &progress));
    progress.position = position_from_u64(99);
    assert_true(lease_is_behind(&lease, &progress));
}

static void the_as_of_of_a_lease_never_decreases(void **state) {
    (void)state;
    struct store_lease lease = held("s", "ann");
    lease_add_progress(&lease,
                       &(struct shard_progress){LEASE_AT_POSITION, position_from_u64(50), 999, {{0}}, false});
    assert_int_equal(lease.as_of_ms, 1000);
    lease_add_progress(&lease,
                       &(struct shard_progress){LEASE_AT_POSITION, position_from_u64(51), -1, {{0}}, false});
    assert_int_equal(lease.as_of_ms, 1000);
}

static void a_row_is_the_one_that_we_sent_only_if_every_field_is_equal(void **state) {
    (void)state;
    struct store_lease sent = held("s", "ann"), found[10];
    for (size_t i = 0; i < COUNT(found); i++)
        found[i] = sent;
    assert_true(lease_is_same(&sent, &found[0]));
    strcpy(found[0].owner, "bob");
    strcpy(found[1].tenure, tenure_b);
    found[2].counter++;
    found[3].checkpoint = LEASE_SHARD_END;
    found[4].position = position_from_u64(43);
    found[5].as_of_ms++;
    strcpy(found[6].shard_id, "t");
    strcpy(found[7].children[0], "t");
    found[8].hash.bytes[0]++;
    found[9].foreign_arrivals = true;
    for (size_t i = 0; i < COUNT(found); i++)
        assert_false(lease_is_same(&sent, &found[i]));
}

/* When a lease is free. */

enum { FAILOVER_MS = 10000 };

/* Reads the leases in no time. */
static void look(struct lease_observer *o, const struct store_lease *leases, size_t n, int64_t now_ms) {
    lease_observe(o, leases, n, now_ms, now_ms);
}

static void a_lease_without_an_owner_is_free_at_once(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease lease = held("s", "");
    assert_true(lease_is_free(&o, &lease));
}

static void an_owned_lease_is_free_when_it_is_unchanged_for_the_failover_time(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease lease = held("s", "ann");
    assert_false(lease_is_free(&o, &lease)); /* never seen before: it may have been renewed just now */
    look(&o, &lease, 1, 1000000);
    assert_false(lease_is_free(&o, &lease));
    look(&o, &lease, 1, 1005000); /* unchanged since the first read */
    assert_false(lease_is_free(&o, &lease));
    look(&o, &lease, 1, 1009999);
    assert_false(lease_is_free(&o, &lease));
    look(&o, &lease, 1, 1010000);
    assert_true(lease_is_free(&o, &lease));
    lease_observer_deinit(&o);
}

static void every_renewal_restarts_the_failover_time(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease lease = held("s", "ann");
    look(&o, &lease, 1, 1000);
    lease = lease_renewed(&lease);
    look(&o, &lease, 1, 9000);
    look(&o, &lease, 1, 18999);
    assert_false(lease_is_free(&o, &lease));
    look(&o, &lease, 1, 19000);
    assert_true(lease_is_free(&o, &lease));
    lease = lease_renewed(&lease);
    assert_false(lease_is_free(&o, &lease)); /* the observer has not seen this version of the lease */
    lease_observer_deinit(&o);
}

static void another_tenure_with_the_same_counter_is_a_change(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease lease = held("s", "ann");
    look(&o, &lease, 1, 1000);
    strcpy(lease.tenure, tenure_b);
    look(&o, &lease, 1, 10000);
    look(&o, &lease, 1, 19999);
    assert_false(lease_is_free(&o, &lease));
    look(&o, &lease, 1, 20000);
    assert_true(lease_is_free(&o, &lease));
    lease_observer_deinit(&o);
}

static void a_lease_that_was_missing_in_a_read_is_observed_anew(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease two[] = {held("a", "ann"), held("b", "ann")};
    look(&o, two, 2, 1000);
    look(&o, two + 1, 1, 5000);
    look(&o, two, 2, 9000);
    look(&o, two, 2, 18999);
    assert_false(lease_is_free(&o, &two[0]));
    assert_true(lease_is_free(&o, &two[1]));
    lease_observer_deinit(&o);
}

/* The owner may have been suspended at the same time, or the store was unreachable for both. */
static void after_a_failover_time_without_a_read_every_lease_is_observed_anew(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease lease = held("s", "ann");
    look(&o, &lease, 1, 1000);
    look(&o, &lease, 1, 11000);
    assert_false(lease_is_free(&o, &lease));
    look(&o, &lease, 1, 20999);
    assert_false(lease_is_free(&o, &lease));
    look(&o, &lease, 1, 21000);
    assert_true(lease_is_free(&o, &lease));
    lease_observer_deinit(&o);
}

/* If a process is stopped during a read, the answer is old and the clock is new. */
static void the_duration_of_a_read_does_not_count_as_failover_time(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease lease = held("s", "ann");
    lease_observe(&o, &lease, 1, 1000, 4000); /* the lease was in this state at 4000 or before */
    lease_observe(&o, &lease, 1, 13999, 90000);
    assert_false(lease_is_free(&o, &lease));
    lease_observe(&o, &lease, 1, 90001, 90002);
    assert_true(lease_is_free(&o, &lease));
    lease_observer_deinit(&o);
}

static void reads_a_failover_time_apart_count_if_the_store_answered_meanwhile(void **state) {
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        struct lease_observer o = {.failover_ms = FAILOVER_MS};
        struct store_lease lease = held("a", "ann");
        look(&o, &lease, 1, 1000);
        o.was_answered = answered;
        look(&o, &lease, 1, 1000 + FAILOVER_MS);
        assert_int_equal(lease_is_free(&o, &lease), answered);
        lease_observer_deinit(&o);
    }
}

static void how_long_a_lease_has_been_free_is_counted_in_failover_times(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease leases[] = {held("a", ""), held("b", "ann")};
    for (int64_t now = 1000; now <= 10999; now += 9999)
        look(&o, leases, 2, now);
    assert_false(lease_is_free_for(&o, &leases[0], 1));
    look(&o, leases, 2, 11000);
    assert_true(lease_is_free_for(&o, &leases[0], 1));
    assert_true(lease_is_free(&o, &leases[1]));
    look(&o, leases, 2, 20999);
    assert_false(lease_is_free_for(&o, &leases[1], 1));
    look(&o, leases, 2, 21000);
    assert_true(lease_is_free_for(&o, &leases[1], 1));
    lease_observer_deinit(&o);
}

static void a_lease_is_untouched_if_it_was_not_written_since_the_first_read(void **state) {
    (void)state;
    struct lease_observer o = {.failover_ms = FAILOVER_MS};
    struct store_lease leases[] = {held("a", "ann"), held("b", "ann"), held("c", "ann")};
    look(&o, leases, 2, 1000);
    assert_true(lease_is_untouched(&o, &leases[0]));
    assert_false(lease_is_untouched(&o, &leases[2]));
    leases[1] = lease_renewed(&leases[1]);
    look(&o, leases, 3, 2000);
    assert_true(lease_is_untouched(&o, &leases[0]));
    assert_false(lease_is_untouched(&o, &leases[1]));
    assert_false(lease_is_untouched(&o, &leases[2]));
    lease_observer_deinit(&o);
}

static void a_lease_is_found_by_its_shard(void **state) {
    (void)state;
    struct store_lease leases[] = {held("a", ""), held("b", ""), held("c", "")};
    assert_ptr_equal(lease_find(leases, 3, "a"), &leases[0]);
    assert_ptr_equal(lease_find(leases, 3, "c"), &leases[2]);
    assert_null(lease_find(leases, 3, "bb"));
    assert_null(lease_find(NULL, 0, "a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_lease_has_no_owner_and_the_given_start),
        cmocka_unit_test(taking_a_lease_moves_its_counter_and_keeps_its_progress),
        cmocka_unit_test(taking_back_our_own_lease_draws_a_new_tenure_and_counts_no_owner_switch),
        cmocka_unit_test(an_owner_of_the_maximum_length_is_kept_whole),
        cmocka_unit_test(renewing_a_lease_moves_only_its_counter),
        cmocka_unit_test(a_released_lease_is_free_at_once),
        cmocka_unit_test(two_tenures_always_differ_and_each_contains_its_run_id),
        cmocka_unit_test(progress_moves_the_checkpoint_and_resets_the_owner_switches),
        cmocka_unit_test(a_lease_is_behind_its_progress_until_it_has_position_and_hash),
        cmocka_unit_test(the_as_of_of_a_lease_never_decreases),
        cmocka_unit_test(a_row_is_the_one_that_we_sent_only_if_every_field_is_equal),
        cmocka_unit_test(a_lease_without_an_owner_is_free_at_once),
        cmocka_unit_test(an_owned_lease_is_free_when_it_is_unchanged_for_the_failover_time),
        cmocka_unit_test(every_renewal_restarts_the_failover_time),
        cmocka_unit_test(another_tenure_with_the_same_counter_is_a_change),
        cmocka_unit_test(a_lease_that_was_missing_in_a_read_is_observed_anew),
        cmocka_unit_test(after_a_failover_time_without_a_read_every_lease_is_observed_anew),
        cmocka_unit_test(the_duration_of_a_read_does_not_count_as_failover_time),
        cmocka_unit_test(reads_a_failover_time_apart_count_if_the_store_answered_meanwhile),
        cmocka_unit_test(how_long_a_lease_has_been_free_is_counted_in_failover_times),
        cmocka_unit_test(a_lease_is_untouched_if_it_was_not_written_since_the_first_read),
        cmocka_unit_test(a_lease_is_found_by_its_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
