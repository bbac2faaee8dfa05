#include "ingest/lease.h"

#include "tests/unit/test_support.h"

static const char tenure_a[33] = "0123456789abcdef0123456789abcdef",
                  tenure_b[33] = "fedcba9876543210fedcba9876543210";

/* Somebody's lease in the middle of its shard. */
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

static void a_new_lease_is_nobodys_and_starts_where_it_is_told(void **state) {
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

static void taking_moves_the_counter_and_leaves_the_progress(void **state) {
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

static void taking_ones_own_lease_back_is_no_switch_but_a_new_tenure(void **state) {
    (void)state;
    struct store_lease before = held("s", "ann"), after = lease_taken(&before, "ann", tenure_b);
    assert_int_equal(after.owner_switches, 2);
    assert_string_equal(after.tenure, tenure_b);
    assert_int_equal(after.counter, 8);
}

static void an_owner_of_the_largest_length_is_kept_whole(void **state) {
    (void)state;
    char owner[STORE_LEASE_OWNER_BYTES + 1];
    memset(owner, 'o', sizeof owner - 1);
    owner[sizeof owner - 1] = '\0';
    struct store_lease before = held("s", "somebody"), after = lease_taken(&before, owner, tenure_b);
    assert_string_equal(after.owner, owner);
    struct store_lease again = lease_taken(&after, "short", tenure_a);
    assert_string_equal(again.owner, "short");
}

static void renewing_moves_nothing_but_the_counter(void **state) {
    (void)state;
    struct store_lease before = held("s", "ann"), after = lease_renewed(&before);
    assert_int_equal(after.counter, 8);
    after.counter = 7;
    assert_true(lease_is_same(&before, &after));
    assert_int_equal(after.owner_switches, 2);
}

static void releasing_leaves_it_to_anybody(void **state) {
    (void)state;
    struct store_lease before = held("s", "ann"), after = lease_released(&before);
    struct lease_observer nobody = {0};
    assert_string_equal(after.owner, "");
    assert_int_equal(after.counter, 8);
    assert_int_equal(position_compare(&after.position, &before.position), 0);
    assert_true(lease_is_free(&nobody, &after, 0, 10000));
}

static void two_tenures_are_never_the_same(void **state) {
    (void)state;
    char a[33], b[33];
    lease_draw_tenure(a);
    lease_draw_tenure(b);
    assert_int_equal(strlen(a), 32);
    assert_string_not_equal(a, b);
}

static void progress_moves_the_checkpoint_and_forgives_the_switches(void **state) {
    (void)state;
    struct store_lease lease = held("s", "ann");
    struct lease_progress progress = {LEASE_AT_POSITION, position_from_u64(99), 2000};
    lease_add_progress(&lease, &progress);
    assert_int_equal(position_compare(&lease.position, &progress.position), 0);
    assert_int_equal(lease.owner_switches, 0);
    assert_int_equal(lease.as_of_ms, 2000);
    lease_add_progress(&lease, &(struct lease_progress){LEASE_SHARD_END, {0}, 3000});
    assert_int_equal(lease.checkpoint, LEASE_SHARD_END);
}

static void as_of_never_goes_back(void **state) {
    (void)state;
    struct store_lease lease = held("s", "ann");
    lease_add_progress(&lease, &(struct lease_progress){LEASE_AT_POSITION, position_from_u64(50), 999});
    assert_int_equal(lease.as_of_ms, 1000);
    lease_add_progress(&lease, &(struct lease_progress){LEASE_AT_POSITION, position_from_u64(51), -1});
    assert_int_equal(lease.as_of_ms, 1000);
}

static void a_row_is_the_one_we_sent_only_if_all_of_it_is(void **state) {
    (void)state;
    struct store_lease sent = held("s", "ann"), found[7];
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
    for (size_t i = 0; i < COUNT(found); i++)
        assert_false(lease_is_same(&sent, &found[i]));
}

/* ---- when is a lease free?
 * ---------------------------------------------------------------------------------------- */

static void nobodys_lease_is_free_at_once(void **state) {
    (void)state;
    struct lease_observer o = {0};
    struct store_lease lease = held("s", "");
    assert_true(lease_is_free(&o, &lease, 0, 10000));
}

static void somebodys_lease_is_free_once_seen_unchanged_for_the_failover_time(void **state) {
    (void)state;
    struct lease_observer o = {0};
    struct store_lease lease = held("s", "ann");
    assert_false(
        lease_is_free(&o, &lease, 1000000, 10000)); /* never seen before: it may have been renewed just now */
    lease_observe(&o, &lease, 1, 1000000);
    assert_false(lease_is_free(&o, &lease, 1009999, 10000));
    lease_observe(&o, &lease, 1, 1005000); /* unchanged: seen since the first look */
    assert_false(lease_is_free(&o, &lease, 1009999, 10000));
    assert_true(lease_is_free(&o, &lease, 1010000, 10000));
    lease_observer_deinit(&o);
}

static void every_renewal_starts_the_failover_time_anew(void **state) {
    (void)state;
    struct lease_observer o = {0};
    struct store_lease lease = held("s", "ann");
    lease_observe(&o, &lease, 1, 0);
    lease = lease_renewed(&lease);
    assert_false(lease_is_free(&o, &lease, 10000, 10000)); /* what is judged is not what was seen */
    lease_observe(&o, &lease, 1, 9000);
    assert_false(lease_is_free(&o, &lease, 18999, 10000));
    assert_true(lease_is_free(&o, &lease, 19000, 10000));
    lease_observer_deinit(&o);
}

static void another_tenure_with_the_same_counter_is_a_change(void **state) {
    (void)state;
    struct lease_observer o = {0};
    struct store_lease lease = held("s", "ann");
    lease_observe(&o, &lease, 1, 0);
    strcpy(lease.tenure, tenure_b);
    assert_false(lease_is_free(&o, &lease, 10000, 10000));
    lease_observe(&o, &lease, 1, 10000);
    assert_false(lease_is_free(&o, &lease, 19999, 10000));
    lease_observer_deinit(&o);
}

static void a_lease_that_was_gone_is_observed_anew(void **state) {
    (void)state;
    struct lease_observer o = {0};
    struct store_lease two[] = {held("a", "ann"), held("b", "ann")};
    lease_observe(&o, two, 2, 0);
    lease_observe(&o, two + 1, 1, 5000);
    lease_observe(&o, two, 2, 9000);
    assert_false(lease_is_free(&o, &two[0], 18999, 10000));
    assert_true(lease_is_free(&o, &two[0], 19000, 10000));
    assert_true(lease_is_free(&o, &two[1], 10000, 10000));
    lease_observe(&o, NULL, 0, 20000);
    assert_false(lease_is_free(&o, &two[1], 90000, 10000));
    lease_observer_deinit(&o);
}

/* ---- when is a shard readable?
 * ------------------------------------------------------------------------------------ */

static struct store_lease child_of(const char *first, const char *second) {
    struct store_lease lease = held("z-child", "");
    strcpy(lease.parents[0], first);
    strcpy(lease.parents[1], second);
    return lease;
}

static void a_shard_without_parents_is_readable_until_it_has_ended(void **state) {
    (void)state;
    struct store_lease lease = child_of("", "");
    assert_true(lease_is_readable(&lease, &lease, 1, NULL, 0));
    lease.checkpoint = LEASE_SHARD_END;
    assert_false(lease_is_readable(&lease, &lease, 1, NULL, 0));
}

static void a_child_waits_for_its_parent_to_end(void **state) {
    (void)state;
    struct store_lease leases[] = {held("p", "ann"), child_of("p", "")};
    assert_false(lease_is_readable(&leases[1], leases, 2, NULL, 0));
    leases[0].checkpoint = LEASE_SHARD_END;
    assert_true(lease_is_readable(&leases[1], leases, 2, NULL, 0));
}

static void after_a_merge_it_waits_for_both_parents(void **state) {
    (void)state;
    struct store_lease leases[] = {held("p", "ann"), held("q", "ann"), child_of("p", "q")};
    leases[0].checkpoint = LEASE_SHARD_END;
    assert_false(lease_is_readable(&leases[2], leases, 3, NULL, 0));
    leases[1].checkpoint = LEASE_SHARD_END;
    assert_true(lease_is_readable(&leases[2], leases, 3, NULL, 0));
    leases[0].checkpoint = LEASE_TRIM_HORIZON;
    assert_false(lease_is_readable(&leases[2], leases, 3, NULL, 0));
}

static void a_parent_without_a_lease_counts_as_ended_only_if_it_is_not_listed(void **state) {
    (void)state;
    struct store_lease leases[] = {held("p", "ann"), child_of("p", "q")};
    struct source_shard listed[] = {{.id = "p"}, {.id = "q"}, {.id = "z-child"}};
    leases[0].checkpoint = LEASE_SHARD_END;
    assert_false(lease_is_readable(&leases[1], leases, 2, listed, 3)); /* its lease is about to be made */
    assert_true(lease_is_readable(&leases[1], leases, 2, listed, 1));  /* out of retention, long ago */
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
        cmocka_unit_test(a_new_lease_is_nobodys_and_starts_where_it_is_told),
        cmocka_unit_test(taking_moves_the_counter_and_leaves_the_progress),
        cmocka_unit_test(taking_ones_own_lease_back_is_no_switch_but_a_new_tenure),
        cmocka_unit_test(an_owner_of_the_largest_length_is_kept_whole),
        cmocka_unit_test(renewing_moves_nothing_but_the_counter),
        cmocka_unit_test(releasing_leaves_it_to_anybody),
        cmocka_unit_test(two_tenures_are_never_the_same),
        cmocka_unit_test(progress_moves_the_checkpoint_and_forgives_the_switches),
        cmocka_unit_test(as_of_never_goes_back),
        cmocka_unit_test(a_row_is_the_one_we_sent_only_if_all_of_it_is),
        cmocka_unit_test(nobodys_lease_is_free_at_once),
        cmocka_unit_test(somebodys_lease_is_free_once_seen_unchanged_for_the_failover_time),
        cmocka_unit_test(every_renewal_starts_the_failover_time_anew),
        cmocka_unit_test(another_tenure_with_the_same_counter_is_a_change),
        cmocka_unit_test(a_lease_that_was_gone_is_observed_anew),
        cmocka_unit_test(a_shard_without_parents_is_readable_until_it_has_ended),
        cmocka_unit_test(a_child_waits_for_its_parent_to_end),
        cmocka_unit_test(after_a_merge_it_waits_for_both_parents),
        cmocka_unit_test(a_parent_without_a_lease_counts_as_ended_only_if_it_is_not_listed),
        cmocka_unit_test(a_lease_is_found_by_its_shard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
