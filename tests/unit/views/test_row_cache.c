#include "views/row_cache.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"
#include <stdio.h>

enum { ROWS = 8 };

static const char *const ids[ROWS] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};

/* All rows are kept, and fill the cache. Returns the bytes of one: all have the same. */
static size_t fill(struct row_cache *c) {
    row_cache_init(c, SIZE_MAX / ROWS);
    for (size_t i = 0; i < ROWS; i++)
        row_cache_add(c, &(struct contribution){.product_id = ids[i]});
    c->max_bytes = c->held_bytes;
    row_cache_keep_held(c);
    return c->max_bytes / ROWS;
}

/* Those used last. */
static void assert_kept(struct row_cache *c, size_t n) {
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(row_cache_find(c, ids[i]) != NULL, i >= ROWS - n);
}

static void all_rows_of_a_large_batch_are_kept(void **state) {
    (void)state;
    struct row_cache c;
    fill(&c);
    assert_kept(&c, ROWS);
    row_cache_deinit(&c);
}

static void rows_that_are_kept_make_room_for_the_batch(void **state) {
    (void)state;
    struct row_cache c;
    size_t row_bytes = fill(&c);
    row_cache_make_room(&c, 3 * row_bytes);
    assert_kept(&c, ROWS - 3);
    row_cache_make_room(&c, 2 * ROWS * row_bytes);
    assert_kept(&c, 0);
    row_cache_deinit(&c);
}

static void after_a_small_batch_few_rows_are_kept(void **state) {
    (void)state;
    struct row_cache c;
    fill(&c);
    row_cache_hold(&c, row_cache_find(&c, ids[ROWS - 1]));
    row_cache_keep_held(&c);
    assert_kept(&c, 4); /* of a batch: four times as much */
    row_cache_keep_held(&c);
    assert_kept(&c, ROWS / 4);
    row_cache_deinit(&c);
}

static void a_shard_that_rests_keeps_a_fourth_of_the_bytes(void **state) {
    (void)state;
    struct row_cache c;
    fill(&c);
    row_cache_rest(&c);
    assert_kept(&c, ROWS / 4);
    row_cache_deinit(&c);
}

static void a_shard_that_rests_after_a_backlog_keeps_none(void **state) {
    (void)state;
    _cleanup_(mem_freep) char *name = mem_zalloc(LIMIT_RETURNED_BYTES);
    memset(name, 'x', LIMIT_RETURNED_BYTES - 1);
    struct row_cache c;
    row_cache_init(&c, SIZE_MAX / ROWS);
    row_cache_add(&c, &(struct contribution){.product_id = ids[0], .name = name});
    row_cache_add(&c, &(struct contribution){.product_id = ids[1]});
    c.max_bytes = c.held_bytes;
    row_cache_keep_held(&c);
    row_cache_hold(&c, row_cache_find(&c, ids[1]));
    row_cache_keep_held(&c); /* its last batch is small */
    row_cache_rest(&c);
    assert_null(row_cache_find(&c, ids[0]));
    assert_null(row_cache_find(&c, ids[1]));

    row_cache_add(&c, &(struct contribution){.product_id = ids[1]});
    row_cache_keep_held(&c);
    row_cache_rest(&c); /* after no backlog */
    assert_non_null(row_cache_find(&c, ids[1]));
    row_cache_deinit(&c);
}

/* More than are looked up at once; some are not there. */
static void many_rows_are_found_as_each_is(void **state) {
    enum { MANY = 100 };
    (void)state;
    char names[MANY][8];
    const char *asked[MANY];
    struct row *found[MANY];
    struct row_cache c;
    row_cache_init(&c, SIZE_MAX / ROWS);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        asked[i] = names[i];
    }
    row_cache_find_all(&c, asked, MANY, found);
    for (size_t i = 0; i < MANY; i++) {
        assert_null(found[i]);
        if (i % 3)
            row_cache_add(&c, &(struct contribution){.product_id = names[i]});
    }
    row_cache_find_all(&c, asked, MANY, found);
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(found[i], row_cache_find(&c, names[i]));
        assert_int_equal(found[i] != NULL, i % 3 != 0);
    }
    row_cache_deinit(&c);
}

static void a_row_counts_with_the_texts_that_it_has_now(void **state) {
    (void)state;
    char name[1000];
    snprintf(name, sizeof name, "%0*d", (int)sizeof name - 1, 0);
    const struct contribution empty = {.product_id = ids[0]}, full = {.product_id = ids[0], .name = name};
    struct row_cache c;
    row_cache_init(&c, SIZE_MAX / ROWS);
    struct row *row = row_cache_add(&c, &empty);
    size_t empty_bytes = c.held_bytes;
    row_cache_fill(&c, row, &full);
    size_t bytes = c.held_bytes;
    assert_in_range(bytes - empty_bytes, sizeof name / 2, 2 * sizeof name);
    row_cache_keep_held(&c);
    assert_int_equal(c.kept_bytes, bytes);
    row_cache_hold(&c, row);
    assert_int_equal(c.kept_bytes, 0);
    assert_int_equal(c.held_bytes, bytes);
    row_cache_drop(&c, row);
    assert_int_equal(c.held_bytes, 0);
    assert_int_equal(c.n_held, 0);
    row_cache_deinit(&c);
}

/* The sanitizers find a row that is left. */
static void the_end_frees_rows_that_are_held_and_those_that_are_kept(void **state) {
    (void)state;
    struct row_cache c;
    fill(&c);
    row_cache_hold(&c, row_cache_find(&c, ids[2]));
    row_cache_deinit(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rows_of_a_large_batch_are_kept),
        cmocka_unit_test(rows_that_are_kept_make_room_for_the_batch),
        cmocka_unit_test(a_shard_that_rests_keeps_a_fourth_of_the_bytes),
        cmocka_unit_test(a_shard_that_rests_after_a_backlog_keeps_none),
        cmocka_unit_test(many_rows_are_found_as_each_is),
        cmocka_unit_test(after_a_small_batch_few_rows_are_kept),
        cmocka_unit_test(a_row_counts_with_the_texts_that_it_has_now),
        cmocka_unit_test(the_end_frees_rows_that_are_held_and_those_that_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
