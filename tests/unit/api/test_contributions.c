#include "tests/unit/support/api.h"

#include <stdio.h>

#define ANN "widget/merchant/100000001/Ann"
#define BOB "widget/photographer/200000002/Bob"

static struct fixture f;

static int setup(void **state) {
    (void)state;
    struct api_options options = support_options();
    support_init(&f, &options, false);
    support_set_as_of(&f, support_now());
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

static json_t *get(const char *target) {
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 200);
    return got.json;
}

static const char *text(json_t *json, const char *name) {
    return json_string_value(json_object_get(json, name));
}

static void a_contribution_has_both_contributors_and_their_scores(void **state) {
    (void)state;
    scripted_store_set_contribution(f.store, "p/1", ANN, BOB, 42);
    json_t *c = get("/contributions/p%2F1");
    json_t *merchant = json_object_get(c, "merchant"), *photographer = json_object_get(c, "photographer");
    assert_string_equal(text(c, "productId"), "p/1");
    assert_int_equal(json_integer_value(json_object_get(c, "purchases")), 42);
    assert_true(json_is_true(json_object_get(c, "attributed")));
    assert_string_equal(text(merchant, "name"), "Ann");
    assert_string_equal(text(merchant, "userId"), "Ann (**...**000****)");
    assert_int_equal(json_integer_value(json_object_get(merchant, "score")), 42);
    assert_string_equal(text(photographer, "name"), "Bob");
    assert_int_equal(json_integer_value(json_object_get(photographer, "score")), 21);
    assert_string_equal(text(c, "lastEventId"), "shardId-000000000001:42");
    assert_string_equal(text(c, "created"), "2020-09-13T12:26:40.000Z");
    assert_string_equal(text(c, "updated"), "2023-11-14T22:13:20.000Z");
    assert_non_null(text(c, "asOf"));
    assert_int_equal(json_object_size(c), 9);
    json_decref(c);
}

static void a_product_without_a_photographer_has_null_as_photographer(void **state) {
    (void)state;
    scripted_store_set_contribution(f.store, "p", ANN, NULL, 1);
    json_t *c = get("/contributions/p");
    assert_true(json_is_true(json_object_get(c, "attributed")));
    assert_true(json_is_null(json_object_get(c, "photographer")));
    json_decref(c);
}

static void a_product_whose_creation_was_trimmed_has_no_contributors(void **state) {
    (void)state;
    scripted_store_set_contribution(f.store, "p", "UNKNOWN", "UNKNOWN", 5);
    scripted_store_set_contribution(f.store, "q", "UNKNOWN", BOB, 0);
    static const char *const targets[] = {"/contributions/p", "/contributions/q"};
    for (int i = 0; i < 2; i++) {
        json_t *c = get(targets[i]);
        assert_true(json_is_false(json_object_get(c, "attributed")));
        assert_true(json_is_null(json_object_get(c, "merchant")));
        assert_true(json_is_null(json_object_get(c, "photographer")));
        assert_int_equal(json_integer_value(json_object_get(c, "purchases")), i ? 0 : 5);
        json_decref(c);
    }
}

static void a_list_has_the_requested_number_in_the_order_of_the_store(void **state) {
    (void)state;
    char id[16];
    for (int i = 0; i < 60; i++) {
        snprintf(id, sizeof id, "p%02d", i);
        scripted_store_set_contribution(f.store, id, ANN, NULL, i);
    }
    json_t *fifty = get("/contributions"), *three = get("/contributions?limit=3");
    assert_int_equal(json_array_size(json_object_get(fifty, "items")), 50);
    json_t *items = json_object_get(three, "items"), *third = get("/contributions/p02");
    assert_int_equal(json_array_size(items), 3);
    assert_true(json_equal(json_array_get(items, 2), third));
    assert_non_null(text(three, "next"));
    assert_int_equal(json_object_size(three), 2);
    json_decref(fifty);
    json_decref(three);
    json_decref(third);
}

static void the_pages_of_a_list_are_together_the_whole_list_for_every_limit(void **state) {
    (void)state;
    enum { PRODUCTS = 12 };
    char target[LIMIT_URI_BYTES], id[16];
    for (int i = 0; i < PRODUCTS; i++) {
        snprintf(id, sizeof id, "p%02d", i);
        scripted_store_set_contribution(f.store, id, ANN, NULL, i);
    }
    for (int limit = 1; limit <= PRODUCTS + 1; limit++) {
        int n = 0, pages = 0;
        snprintf(target, sizeof target, "/contributions?limit=%d", limit);
        while (*target) {
            json_t *page = get(target), *items = json_object_get(page, "items"), *item;
            const char *next = text(page, "next");
            size_t i;
            json_array_foreach(items, i, item) {
                snprintf(id, sizeof id, "p%02d", n++);
                assert_string_equal(text(item, "productId"), id);
            }
            target[0] = '\0';
            if (next)
                snprintf(target, sizeof target, "/contributions?cursor=%s&limit=%d", next, limit);
            json_decref(page);
            pages++;
        }
        assert_int_equal(n, PRODUCTS);
        assert_int_equal(pages, (PRODUCTS + limit - 1) / limit); /* none is empty */
    }
}

static void a_cursor_of_a_board_is_refused_by_a_list(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    scripted_store_set_score(f.store, ROLE_CREATOR, ANN, 2);
    scripted_store_set_score(f.store, ROLE_CREATOR, BOB, 1);
    json_t *board = get("/scores/merchant?limit=1");
    const char *next = text(board, "next");
    assert_non_null(next);
    snprintf(target, sizeof target, "/contributions?cursor=%s", next);
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 400);
    assert_string_equal(text(got.json, "parameter"), "cursor");
    json_decref(got.json);
    json_decref(board);
}

static void a_product_id_that_is_too_long_for_the_tables_is_refused(void **state) {
    (void)state;
    static char target[LIMIT_KEY_BYTES + 32] = "/contributions/";
    memset(target + 15, 'a', LIMIT_KEY_BYTES + 1);
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 400);
    assert_string_equal(text(got.json, "parameter"), "productId");
    json_decref(got.json);
    target[15 + LIMIT_KEY_BYTES] = '\0';
    got = support_get(&f, target);
    assert_int_equal(got.status, 404);
    json_decref(got.json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_contribution_has_both_contributors_and_their_scores),
        TEST(a_product_without_a_photographer_has_null_as_photographer),
        TEST(a_product_whose_creation_was_trimmed_has_no_contributors),
        TEST(a_list_has_the_requested_number_in_the_order_of_the_store),
        TEST(the_pages_of_a_list_are_together_the_whole_list_for_every_limit),
        TEST(a_cursor_of_a_board_is_refused_by_a_list),
        TEST(a_product_id_that_is_too_long_for_the_tables_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
