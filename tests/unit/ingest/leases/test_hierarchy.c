#include "ingest/leases/hierarchy.h"

#include "tests/unit/support/test.h"

/* Shards are named so that a parent sorts before its children, as they are in a stream. */
static struct store_lease lease(const char *id, const char *parent, const char *other_parent,
                                enum lease_checkpoint checkpoint) {
    struct store_lease lease = {.checkpoint = checkpoint, .as_of_ms = -1};
    strcpy(lease.shard_id, id);
    strcpy(lease.parents[0], parent);
    strcpy(lease.parents[1], other_parent);
    return lease;
}

static struct source_shard shard(const char *id, const char *parent, const char *other_parent) {
    struct source_shard shard = {0};
    strcpy(shard.id, id);
    strcpy(shard.parents[0], parent);
    strcpy(shard.parents[1], other_parent);
    return shard;
}

#define LEASES(...) (struct store_lease[]){__VA_ARGS__}, COUNT(((struct store_lease[]){__VA_ARGS__}))
#define LISTED(...) (struct source_shard[]){__VA_ARGS__}, COUNT(((struct source_shard[]){__VA_ARGS__}))
#define NONE NULL, 0

/* The leases, and the stream's shards. All leases are new, or all were there at an earlier scan. */
#define SCAN(...) ((struct hierarchy){__VA_ARGS__, NULL})
#define SECOND_SCAN(...) ((struct hierarchy){__VA_ARGS__, (bool[]){true, true, true, true}})

/* The ids of the missing shards. A + follows the id of a child, a ~ that of a shard that waits for a parent.
 */
static const char *missing(struct hierarchy l) {
    static char text[256];
    struct hierarchy_missing *list;
    size_t n = hierarchy_missing(&l, &list);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s%s", i ? " " : "", list[i].shard->id,
                 list[i].is_child ? "+" : "", list[i].is_waiting ? "~" : "");
    free(list);
    return text;
}

/* Readable. */

static enum hierarchy_state state_of_last(struct hierarchy l) {
    enum hierarchy_state *states = hierarchy_states(&l), state = states[l.n_leases - 1];
    free(states);
    return state;
}

static bool last_is_readable(struct hierarchy l) {
    return state_of_last(l) == HIERARCHY_READABLE;
}

static void a_shard_without_parents_is_readable_until_it_has_ended(void **state) {
    (void)state;
    assert_true(last_is_readable(SCAN(LEASES(lease("a", "", "", LEASE_TRIM_HORIZON)), NONE)));
    assert_true(last_is_readable(SCAN(LEASES(lease("a", "", "", LEASE_AT_POSITION)), NONE)));
    assert_false(last_is_readable(SCAN(LEASES(lease("a", "", "", LEASE_SHARD_END)), NONE)));
}

static void a_child_waits_for_its_parent_to_end(void **state) {
    (void)state;
    struct store_lease child = lease("b", "a", "", LEASE_TRIM_HORIZON);
    assert_false(last_is_readable(SCAN(LEASES(lease("a", "", "", LEASE_AT_POSITION), child), NONE)));
    assert_true(last_is_readable(SCAN(LEASES(lease("a", "", "", LEASE_SHARD_END), child), NONE)));
}

static void a_child_of_a_merge_waits_for_both_parents(void **state) {
    (void)state;
    struct store_lease child = lease("c", "a", "b", LEASE_TRIM_HORIZON);
    struct store_lease a_ended = lease("a", "", "", LEASE_SHARD_END),
                       b_ended = lease("b", "", "", LEASE_SHARD_END);
    struct store_lease a = lease("a", "", "", LEASE_AT_POSITION), b = lease("b", "", "", LEASE_TRIM_HORIZON);
    assert_false(last_is_readable(SCAN(LEASES(a_ended, b, child), NONE)));
    assert_false(last_is_readable(SCAN(LEASES(a, b_ended, child), NONE)));
    assert_true(last_is_readable(SCAN(LEASES(a_ended, b_ended, child), NONE)));
}

static void a_child_does_not_wait_for_a_parent_without_lease_and_listing(void **state) {
    (void)state;
    struct store_lease child = lease("b", "a", "", LEASE_TRIM_HORIZON);
    assert_true(last_is_readable(SCAN(LEASES(child), LISTED(shard("b", "a", "")))));
}

/* r was split into q, and q merged with p into z. The end of p has made the lease of z; the end of r will
 * make the lease of q. */
static void a_child_waits_for_a_parent_that_has_no_lease_yet(void **state) {
    (void)state;
    struct store_lease r = lease("a-r", "", "", LEASE_AT_POSITION), p = lease("b-p", "", "", LEASE_SHARD_END),
                       z = lease("z", "b-p", "q", LEASE_TRIM_HORIZON);
    struct source_shard listed[] = {shard("a-r", "", ""), shard("b-p", "", ""), shard("q", "a-r", ""),
                                    shard("z", "b-p", "q")};
    assert_false(last_is_readable(SCAN(LEASES(r, p, z), listed, 4)));
}

static void a_child_does_not_wait_for_a_listed_parent_from_before_the_start(void **state) {
    (void)state;
    struct store_lease child = lease("b", "a", "", LEASE_AT_TIMESTAMP);
    assert_true(
        last_is_readable(SECOND_SCAN(LEASES(child), LISTED(shard("a", "", ""), shard("b", "a", "")))));
}

/* The leases of a and b were made in this order, but a scan may show only that of b. */
static void one_scan_is_not_enough_to_conclude_that_a_parent_has_no_lease(void **state) {
    (void)state;
    struct store_lease child = lease("b", "a", "", LEASE_TRIM_HORIZON);
    struct source_shard listed[] = {shard("a", "", ""), shard("b", "a", "")};
    const bool is_new[] = {false};
    assert_int_equal(state_of_last(SCAN(LEASES(child), listed, 2)), HIERARCHY_UNCERTAIN);
    assert_int_equal(state_of_last(((struct hierarchy){LEASES(child), listed, 2, is_new})),
                     HIERARCHY_UNCERTAIN);
    /* the second scan shows both */
    assert_int_equal(
        state_of_last(SECOND_SCAN(LEASES(lease("a", "", "", LEASE_TRIM_HORIZON), child), listed, 2)),
        HIERARCHY_WAITING);
}

static void a_child_that_waits_still_waits_after_a_second_scan(void **state) {
    (void)state;
    struct store_lease a = lease("a", "", "", LEASE_AT_POSITION), c = lease("c", "b", "", LEASE_TRIM_HORIZON);
    struct source_shard listed[] = {shard("a", "", ""), shard("b", "a", ""), shard("c", "b", "")};
    assert_int_equal(state_of_last(SECOND_SCAN(LEASES(a, c), listed, 3)), HIERARCHY_WAITING);
}

enum { DIAMONDS = 40, IN_DIAMONDS = 3 * DIAMONDS + 1 };

/* The first shard was split, its children were merged, the result was split, and so on. */
static void make_diamonds(struct source_shard listed[IN_DIAMONDS]) {
    memset(listed, 0, IN_DIAMONDS * sizeof *listed);
    for (int i = 0; i < IN_DIAMONDS; i++) {
        snprintf(listed[i].id, sizeof listed[i].id, "s%03d", i);
        if (i)
            snprintf(listed[i].parents[0], sizeof listed[i].id, "s%03d", (i - 1) / 3 * 3 + (i % 3 == 0));
        if (i && i % 3 == 0)
            snprintf(listed[i].parents[1], sizeof listed[i].id, "s%03d", i - 1);
    }
}

/* With a walk up to both parents each time this would take 2^40 steps. */
static void shards_split_and_merged_many_times_are_visited_once_each(void **state) {
    (void)state;
    struct source_shard listed[IN_DIAMONDS];
    make_diamonds(listed);
    const struct source_shard *last = &listed[IN_DIAMONDS - 1];
    struct store_lease youngest = lease(last->id, last->parents[0], last->parents[1], LEASE_AT_TIMESTAMP);
    assert_true(last_is_readable(SECOND_SCAN(LEASES(youngest), listed, IN_DIAMONDS)));
    assert_string_equal(missing(SCAN(LEASES(youngest), listed, IN_DIAMONDS)), "");
    assert_false(last_is_readable(
        SECOND_SCAN(LEASES(lease("s000", "", "", LEASE_AT_POSITION), youngest), listed, IN_DIAMONDS)));
}

/* Missing. */

static void without_leases_every_listed_shard_is_missing_and_children_are_marked(void **state) {
    (void)state;
    assert_string_equal(missing(SCAN(NONE, LISTED(shard("a", "", ""), shard("b", "", ""),
                                                  shard("c", "a", "b"), shard("d", "c", "")))),
                        "a b c+ d+");
}

static void a_shard_with_a_lease_is_not_missing(void **state) {
    (void)state;
    assert_string_equal(missing(SCAN(LEASES(lease("a", "", "", LEASE_AT_POSITION)),
                                     LISTED(shard("a", "", ""), shard("b", "a", ""), shard("c", "", "")))),
                        "b+~ c");
}

static void shards_before_the_first_leases_are_not_missing(void **state) {
    (void)state;
    /* a and its child b ended before the start; c was open then; d is younger */
    struct source_shard listed[] = {shard("a", "", ""), shard("b", "a", ""), shard("c", "b", ""),
                                    shard("d", "c", "")};
    assert_string_equal(missing(SCAN(LEASES(lease("c", "b", "", LEASE_AT_TIMESTAMP)), listed, 4)), "d+~");
}

static void a_shard_between_two_leases_is_missing(void **state) {
    (void)state;
    struct source_shard listed[] = {shard("a", "", ""), shard("b", "a", ""), shard("c", "b", "")};
    assert_string_equal(
        missing(SCAN(LEASES(lease("a", "", "", LEASE_AT_POSITION), lease("c", "b", "", LEASE_TRIM_HORIZON)),
                     listed, 3)),
        "b+~");
}

/* Children, obsolete shards. */

static void the_children_of_a_shard_are_those_that_name_it_as_a_parent(void **state) {
    (void)state;
    struct source_shard children[STORE_LEASE_PARENTS];
    struct hierarchy l = SCAN(
        NONE, LISTED(shard("a", "", ""), shard("b", "a", ""), shard("c", "x", "a"), shard("d", "b", "")));
    assert_int_equal(hierarchy_children(&l, "a", children), 2);
    assert_string_equal(children[0].id, "b");
    assert_string_equal(children[1].id, "c");
    assert_int_equal(hierarchy_children(&l, "d", children), 0);
}

static struct store_lease ended_with(const char *child, const char *other_child) {
    struct store_lease ended = lease("a", "", "", LEASE_SHARD_END);
    strcpy(ended.children[0], child);
    strcpy(ended.children[1], other_child);
    return ended;
}

static bool first_is_obsolete(struct hierarchy l) {
    return hierarchy_is_obsolete(&l, &l.leases[0]);
}

static void a_shard_is_obsolete_when_it_is_not_listed_and_all_children_have_begun(void **state) {
    (void)state;
    struct store_lease a = ended_with("b", "c"), b = lease("b", "a", "", LEASE_AT_POSITION),
                       c = lease("c", "a", "", LEASE_TRIM_HORIZON);
    struct source_shard listed[] = {shard("b", "a", ""), shard("c", "a", "")};
    assert_false(first_is_obsolete(SCAN(LEASES(a, b, c), listed, 2)));
    c.checkpoint = LEASE_AT_TIMESTAMP;
    assert_false(first_is_obsolete(SCAN(LEASES(a, b, c), listed, 2)));
    c.checkpoint = LEASE_SHARD_END;
    assert_true(first_is_obsolete(SCAN(LEASES(a, b, c), listed, 2)));
    a.checkpoint = LEASE_AT_POSITION;
    assert_false(first_is_obsolete(SCAN(LEASES(a, b, c), listed, 2)));
}

static void a_shard_is_not_obsolete_while_it_is_listed(void **state) {
    (void)state;
    struct store_lease a = ended_with("b", ""), b = lease("b", "a", "", LEASE_AT_POSITION);
    assert_false(first_is_obsolete(SCAN(LEASES(a, b), LISTED(shard("a", "", ""), shard("b", "a", "")))));
    assert_true(first_is_obsolete(SCAN(LEASES(a, b), LISTED(shard("b", "a", "")))));
}

static void a_shard_is_obsolete_only_when_every_listed_child_has_a_lease(void **state) {
    (void)state;
    struct store_lease a = ended_with("b", "");
    assert_true(first_is_obsolete(SCAN(LEASES(a), LISTED(shard("d", "", "")))));
    assert_false(first_is_obsolete(SCAN(LEASES(a), LISTED(shard("b", "a", "")))));
}

/* Freshness. */

static void a_child_without_an_as_of_has_the_latest_as_of_of_its_ended_parents(void **state) {
    (void)state;
    struct store_lease leases[] = {lease("a", "", "", LEASE_SHARD_END), lease("b", "", "", LEASE_SHARD_END),
                                   lease("c", "a", "b", LEASE_TRIM_HORIZON)};
    struct hierarchy l = SCAN(leases, 3, NONE);
    assert_int_equal(hierarchy_as_of(&l, &leases[2]), -1);
    leases[0].as_of_ms = 1000;
    leases[1].as_of_ms = 2000;
    assert_int_equal(hierarchy_as_of(&l, &leases[2]), 2000);
    leases[1].checkpoint =
        LEASE_AT_POSITION; /* it may still get records that are later than the child's first */
    assert_int_equal(hierarchy_as_of(&l, &leases[2]), 1000);
}

static void a_shard_with_an_as_of_does_not_use_its_parents(void **state) {
    (void)state;
    struct store_lease leases[] = {lease("a", "", "", LEASE_SHARD_END),
                                   lease("b", "a", "", LEASE_TRIM_HORIZON)};
    struct hierarchy l = SCAN(leases, 2, NONE);
    leases[0].as_of_ms = 2000;
    leases[1].as_of_ms = 500;
    assert_int_equal(hierarchy_as_of(&l, &leases[1]), 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shard_without_parents_is_readable_until_it_has_ended),
        cmocka_unit_test(a_child_waits_for_its_parent_to_end),
        cmocka_unit_test(a_child_of_a_merge_waits_for_both_parents),
        cmocka_unit_test(a_child_does_not_wait_for_a_parent_without_lease_and_listing),
        cmocka_unit_test(a_child_waits_for_a_parent_that_has_no_lease_yet),
        cmocka_unit_test(a_child_does_not_wait_for_a_listed_parent_from_before_the_start),
        cmocka_unit_test(one_scan_is_not_enough_to_conclude_that_a_parent_has_no_lease),
        cmocka_unit_test(a_child_that_waits_still_waits_after_a_second_scan),
        cmocka_unit_test(shards_split_and_merged_many_times_are_visited_once_each),
        cmocka_unit_test(without_leases_every_listed_shard_is_missing_and_children_are_marked),
        cmocka_unit_test(a_shard_with_a_lease_is_not_missing),
        cmocka_unit_test(shards_before_the_first_leases_are_not_missing),
        cmocka_unit_test(a_shard_between_two_leases_is_missing),
        cmocka_unit_test(the_children_of_a_shard_are_those_that_name_it_as_a_parent),
        cmocka_unit_test(a_shard_is_obsolete_when_it_is_not_listed_and_all_children_have_begun),
        cmocka_unit_test(a_shard_is_not_obsolete_while_it_is_listed),
        cmocka_unit_test(a_shard_is_obsolete_only_when_every_listed_child_has_a_lease),
        cmocka_unit_test(a_child_without_an_as_of_has_the_latest_as_of_of_its_ended_parents),
        cmocka_unit_test(a_shard_with_an_as_of_does_not_use_its_parents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
