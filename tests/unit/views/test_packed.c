#include "views/packed.h"

#include "tests/unit/support/contribution.h"
#include "tests/unit/support/test.h"

static const struct contribution stored = {
    .product_id = "lamp",
    .creator = "ann",
    .photographer = "pia",
    .creator_score = 3,
    .photographer_score = 2,
    .last_event_id = "s:9",
    .photographer_event_id = "s:2",
    .created_ms = -10,
    .updated_ms = 20,
    .created_by = "ann",
    .updated_by = "cid",
    .name = "Lamp",
    .image = "",
    .place = 7,
};

static void assert_row(const struct packed *p, const struct contribution *expected) {
    const struct contribution row = packed_row(p);
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++) {
        const char *text = contribution_text(&row, i), *other = contribution_text(expected, i);
        assert_int_equal(!text, !other);
        if (text)
            assert_string_equal(text, other);
    }
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        assert_int_equal(contribution_number(&row, i), contribution_number(expected, i));
    assert_int_equal(row.place, expected->place);
    assert_string_equal(packed_product_id(p), expected->product_id);
}

static void assert_old(const struct packed *p, const char *expected) {
    const char *old = packed_old_last_event_id(p);
    assert_int_equal(!old, !expected);
    if (old)
        assert_string_equal(old, expected);
}

static void a_packed_row_is_equal_and_as_the_store_has_it(void **state) {
    (void)state;
    _cleanup_(mem_freep) struct packed *p = packed_new(&stored);
    assert_row(p, &stored);
    assert_false(p->has_changed);
    assert_old(p, NULL);
}

/* As a purchase does. */
static void sell(struct packed **p, char *last_event_id, char *updated_by) {
    struct contribution row = packed_row(*p);
    row.last_event_id = last_event_id;
    row.updated_by = updated_by;
    row.creator_score++;
    *p = packed_change(*p, &row);
}

static void a_purchase_changes_the_row_where_it_lies(void **state) {
    (void)state;
    char event[] = "s:10", customers[][8] = {"joanna", "jo"};
    _cleanup_(mem_freep) struct packed *p = packed_new(&stored);
    const struct packed *place = p;
    struct contribution expected = stored;
    for (int64_t score = 4; score < 10; score++) {
        expected.last_event_id = "s:10";
        expected.updated_by = customers[score % 2];
        expected.creator_score = score;
        sell(&p, event, customers[score % 2]);
        assert_ptr_equal(p, place);
        assert_row(p, &expected);
        assert_true(p->has_changed);
        assert_old(p, "s:9");
    }
}

static void the_stores_event_is_known_until_the_store_has_the_row(void **state) {
    (void)state;
    _cleanup_(mem_freep) struct packed *p = packed_new(&stored);
    sell(&p, "s:10", "dan");
    packed_settle(p);
    assert_old(p, NULL);
    assert_false(p->has_changed);
    struct contribution expected = stored;
    expected.last_event_id = "s:10";
    expected.updated_by = "dan";
    expected.creator_score++;
    assert_row(p, &expected);
    sell(&p, "s:11", "eve");
    assert_old(p, "s:10");
}

static void a_row_that_the_store_lacks_has_no_old_event(void **state) {
    (void)state;
    _cleanup_(mem_freep) struct packed *p = packed_new(&(struct contribution){.product_id = "lamp"});
    sell(&p, "s:1", "dan");
    sell(&p, "s:2", "dan");
    assert_true(p->has_changed);
    assert_old(p, NULL);
    packed_settle(p);
    sell(&p, "s:3", "dan");
    assert_old(p, "s:2");
}

static const char *draw(uint64_t *random, char texts[], const char *own) {
    uint64_t drawn = support_random(random) % 8;
    if (drawn < 3)
        return own;
    if (drawn == 3)
        return NULL;
    snprintf(texts, 100, "%0*d", (int)(support_random(random) % 90), 7);
    return texts;
}

/* Whatever changes, also to a text of another field. */
static void the_row_is_as_it_was_changed_last(void **state) {
    (void)state;
    uint64_t random = 1;
    char texts[CONTRIBUTION_TEXTS][100];
    _cleanup_(contribution_freep) struct contribution *expected = contribution_copy(&stored);
    _cleanup_(mem_freep) struct packed *p = packed_new(&stored);
    _cleanup_(mem_freep) char *old = mem_strdup(stored.last_event_id);
    expected->place = stored.place;
    for (int n = 0; n < 20000; n++) {
        struct contribution row = packed_row(p);
        for (size_t i = CONTRIBUTION_CREATOR; i < CONTRIBUTION_TEXTS; i++) {
            size_t from = support_random(&random) % 4 ? i : support_random(&random) % CONTRIBUTION_TEXTS;
            const char *own = contribution_text(&row, from);
            contribution_set_text(&row, i, draw(&random, texts[i], own));
        }
        row.updated_ms = n;
        contribution_freep(&expected);
        expected = contribution_copy(&row);
        expected->place = row.place;
        p = packed_change(p, &row);
        assert_row(p, expected);
        assert_old(p, old);
        if (support_random(&random) % 4 == 0) {
            packed_settle(p);
            assert_row(p, expected);
            free(old);
            old = expected->last_event_id ? mem_strdup(expected->last_event_id) : NULL;
        }
    }
}

static void a_creator_who_registered_the_product_is_kept_once(void **state) {
    (void)state;
    char name[500];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const struct contribution row = {.product_id = "lamp", .creator = name, .created_by = name};
    _cleanup_(mem_freep) struct packed *p = packed_new(&row);
    assert_row(p, &row);
    assert_true(packed_size(p) < 2 * sizeof name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packed_row_is_equal_and_as_the_store_has_it),
        cmocka_unit_test(a_purchase_changes_the_row_where_it_lies),
        cmocka_unit_test(the_stores_event_is_known_until_the_store_has_the_row),
        cmocka_unit_test(a_row_that_the_store_lacks_has_no_old_event),
        cmocka_unit_test(the_row_is_as_it_was_changed_last),
        cmocka_unit_test(a_creator_who_registered_the_product_is_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
