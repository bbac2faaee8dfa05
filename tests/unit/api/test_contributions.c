#include "tests/unit/support/api.h"

#include <stdio.h>

#include "api/products.h"

#define ANN "widget/merchant/100000001/Ann"
#define BOB "widget/photographer/200000002/Bob"

static struct fixture f;

static int setup_without_as_of(void **state) {
    (void)state;
    struct api_options options = support_options();
    support_init(&f, &options, false);
    return 0;
}

static int setup(void **state) {
    setup_without_as_of(state);
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
    assert_int_equal(json_object_size(c), 13);
    json_decref(c);
}

static void a_contribution_has_the_texts_of_its_product_cleaned(void **state) {
    (void)state;
    scripted_store_set_contribution(f.store, "p", ANN, BOB, 1);
    scripted_store_set_texts(f.store, "p", "\xe2\x80\xaemeht lamp", " \t", "Home", "https://x.example/p.jpg");
    scripted_store_set_contribution(f.store, "q", ANN, BOB, 1);
    json_t *p = get("/contributions/p"), *q = get("/contributions/q");
    assert_string_equal(text(p, "name"), "\xef\xbf\xbdmeht lamp");
    assert_true(json_is_null(json_object_get(p, "brand")));
    assert_string_equal(text(p, "category"), "Home");
    assert_string_equal(text(p, "image"), "https://x.example/p.jpg");
    static const char *const names[] = {"name", "brand", "category", "image"};
    for (size_t i = 0; i < 4; i++)
        assert_true(json_is_null(json_object_get(q, names[i])));
    json_decref(p);
    json_decref(q);
}

static void an_image_is_visible_only_if_a_page_may_load_it(void **state) {
    (void)state;
    static const char *const visible[] = {"https://x.example/a.jpg",
                                          "HTTPS://x.example",
                                          "shirt.jpg",
                                          "/a/b.jpg",
                                          "a/b:c.jpg",
                                          "./a:b.jpg",
                                          "my shirt.jpg"};
    static const char *const hidden[] = {"",
                                         "  ",
                                         "http://x.example/a.jpg",
                                         "javascript:alert(1)",
                                         "data:image/png;base64,AA",
                                         "//x.example/a.jpg",
                                         " //x.example/a.jpg",
                                         "/\\x.example/a.jpg",
                                         "\\\\x.example/a.jpg",
                                         "/\t/x.example/a.jpg",
                                         "java\nscript:x",
                                         "https:/x.example",
                                         "https:///x.example",
                                         "https://x.example/\xe2\x80\xae.jpg",
                                         "a:b.jpg"};
    for (size_t i = 0; i < sizeof visible / sizeof *visible; i++) {
        json_t *json = products_image(visible[i]);
        assert_string_equal(json_string_value(json), visible[i]);
        json_decref(json);
    }
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (!json_is_null(products_image(hidden[i])))
            fail_msg("'%s' is visible", hidden[i]);
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
    assert_int_equal(json_object_size(three), 3);
    assert_non_null(text(three, "asOf"));
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

/* Products p00, p01, …: Ann made all, Bob photographed every other. */
static void put_products(int n) {
    char id[16];
    for (int i = 0; i < n; i++) {
        snprintf(id, sizeof id, "p%02d", i);
        scripted_store_set_contribution(f.store, id, i % 3 ? ANN : "widget/merchant/3/Cy", i % 2 ? NULL : BOB,
                                        i);
    }
}

static void assert_refused(const char *target, const char *parameter) {
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 400);
    assert_string_equal(text(got.json, "code"), "invalid-parameter");
    assert_string_equal(text(got.json, "parameter"), parameter);
    json_decref(got.json);
}

static void assert_status(const char *target, unsigned status) {
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, status);
    json_decref(got.json);
}

/* The sealed id that an answer has for the merchant or photographer of a product. */
static const char *id_of(const char *product, const char *role) {
    static char id[LIMIT_URI_BYTES];
    char target[64];
    snprintf(target, sizeof target, "/contributions/%s", product);
    json_t *c = get(target);
    snprintf(id, sizeof id, "%s", text(json_object_get(c, role), "id"));
    json_decref(c);
    return id;
}

static void assert_pages(const char *role, const char *id, const char *const expected[], size_t n) {
    char target[LIMIT_URI_BYTES];
    size_t found = 0;
    snprintf(target, sizeof target, "/contributions?%s=%s&limit=2", role, id);
    while (*target) {
        json_t *page = get(target), *item;
        const char *next = text(page, "next");
        size_t i;
        json_array_foreach(json_object_get(page, "items"), i, item) {
            assert_true(found < n);
            assert_string_equal(text(item, "productId"), expected[found++]);
        }
        target[0] = '\0';
        if (next)
            snprintf(target, sizeof target, "/contributions?%s=%s&cursor=%s&limit=2", role, id, next);
        json_decref(page);
    }
    assert_int_equal(found, n);
}

static void the_products_of_a_merchant_or_a_photographer_are_listed_page_by_page(void **state) {
    (void)state;
    static const char *const anns[] = {"p01", "p02", "p04", "p05", "p07"};
    static const char *const bobs[] = {"p00", "p02", "p04", "p06"};
    put_products(8);
    assert_pages("merchant", id_of("p01", "merchant"), anns, 5);
    assert_pages("photographer", id_of("p00", "photographer"), bobs, 4);
    assert_pages("merchant", id_of("p00", "photographer"), NULL, 0);
}

static void an_owner_that_can_be_nobodys_id_is_missing_and_one_beside_another_list_is_refused(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    put_products(2);
    assert_status("/contributions?merchant=nobody", 404);
    assert_status("/contributions?photographer=" BOB, 404); /* masked, a userId is no id */
    assert_status("/contributions?merchant=UNKNOWN", 404);
    assert_refused("/contributions?merchant=", "merchant");
    assert_refused("/contributions?merchant=nobody&limit=0", "limit");
    snprintf(target, sizeof target, "/contributions?merchant=%s&photographer=x", id_of("p01", "merchant"));
    assert_refused(target, "photographer");
}

static void a_cursor_of_one_list_is_refused_by_every_other(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES], cursor[LIMIT_URI_BYTES];
    put_products(8);
    snprintf(target, sizeof target, "/contributions?limit=1&merchant=%s", id_of("p01", "merchant"));
    json_t *page = get(target);
    snprintf(cursor, sizeof cursor, "%s", text(page, "next"));
    json_decref(page);
    snprintf(target, sizeof target, "/contributions?cursor=%s", cursor);
    assert_refused(target, "cursor");
    snprintf(target, sizeof target, "/contributions?cursor=%s&merchant=%s", cursor, id_of("p00", "merchant"));
    assert_refused(target, "cursor");
    snprintf(target, sizeof target, "/contributions?cursor=%s&photographer=%s", cursor,
             id_of("p01", "merchant"));
    assert_refused(target, "cursor");
}

static void chosen_products_are_listed_in_the_order_of_their_ids(void **state) {
    (void)state;
    static const char *const expected[] = {"p03", "a,b", NULL, "p01", "p03"};
    put_products(4);
    scripted_store_set_contribution(f.store, "a,b", ANN, NULL, 1);
    json_t *list = get("/contributions?productIds=p03,a%2Cb,none,p01,p03"), *item;
    json_t *items = json_object_get(list, "items"), *p01 = get("/contributions/p01");
    size_t i;
    assert_int_equal(json_array_size(items), 5);
    json_array_foreach(items, i, item) {
        if (expected[i])
            assert_string_equal(text(item, "productId"), expected[i]);
        else
            assert_true(json_is_null(item));
    }
    assert_true(json_equal(json_array_get(items, 3), p01));
    assert_true(json_is_null(json_object_get(list, "next")));
    assert_non_null(text(list, "asOf"));
    json_decref(p01);
    json_decref(list);
}

static void chosen_products_cost_one_read_and_those_in_the_cache_none(void **state) {
    (void)state;
    put_products(4);
    json_decref(get("/contributions/p01"));
    json_decref(get("/contributions/p02"));
    size_t before = scripted_store_reads(f.store);
    json_decref(get("/contributions?productIds=p01,p02,p01"));
    assert_int_equal(scripted_store_reads(f.store), before);
    json_decref(get("/contributions?productIds=p00,p01,p02,p03"));
    assert_int_equal(scripted_store_reads(f.store), before + 1);
}

static void the_time_of_chosen_products_is_that_of_the_oldest(void **state) {
    (void)state;
    int64_t now_ms = support_now();
    put_products(2);
    support_set_as_of(&f, now_ms - 700);
    json_t *p00 = get("/contributions/p00");
    support_set_as_of(&f, now_ms);
    json_t *list = get("/contributions?productIds=p01,p00"), *items = json_object_get(list, "items");
    assert_string_equal(text(list, "asOf"), text(p00, "asOf"));
    assert_string_not_equal(text(json_array_get(items, 0), "asOf"), text(p00, "asOf"));
    json_decref(list);
    json_decref(p00);
}

static void a_chosen_product_that_is_not_there_is_null_only_if_the_view_has_caught_up(void **state) {
    (void)state;
    put_products(1);
    support_set_as_of(&f, support_now() - 60000);
    struct got got = support_get(&f, "/contributions?productIds=p00,none");
    assert_int_equal(got.status, 503);
    assert_string_equal(text(got.json, "code"), "view-not-ready");
    json_decref(got.json);
    json_decref(get("/contributions?productIds=p00"));
}

static int setup_without_fresh_answers(void **state) {
    (void)state;
    struct api_options options = support_options();
    options.cache.ttl_ms = 0;
    support_init(&f, &options, false);
    support_set_as_of(&f, support_now());
    return 0;
}

/* As no answer does that a product is not there. */
static void a_list_that_says_so_is_never_served_stale(void **state) {
    (void)state;
    json_t *list = get("/contributions?productIds=p00"), *later;
    assert_true(json_is_null(json_array_get(json_object_get(list, "items"), 0)));
    put_products(1);
    later = get("/contributions?productIds=p00");
    assert_false(json_is_null(json_array_get(json_object_get(later, "items"), 0)));
    json_decref(later);
    json_decref(list);
}

static void chosen_products_are_1_to_100_ids_and_nothing_else(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES], *end = stpcpy(target, "/contributions?productIds=p");
    for (int i = 1; i < 100; i++)
        end = stpcpy(end, ",p");
    assert_status(target, 200);
    strcpy(end, ",p");
    assert_refused(target, "productIds");
    static const char *const others[] = {"", ",", "p,", ",p", "p,,q"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(target, sizeof target, "/contributions?productIds=%s", others[i]);
        assert_refused(target, "productIds");
    }
    end = stpcpy(target, "/contributions?productIds=p,");
    memset(end, 'q', LIMIT_PRODUCT_ID_BYTES + 1);
    end[LIMIT_PRODUCT_ID_BYTES + 1] = '\0';
    assert_refused(target, "productIds");
    end[LIMIT_PRODUCT_ID_BYTES] = '\0';
    assert_status(target, 200);
    assert_refused("/contributions?productIds=p&limit=1", "limit");
    assert_refused("/contributions?productIds=p&merchant=x", "merchant");
    assert_status("/contributions?productIds=p&maxLag=10000", 200);
}

static void a_product_id_that_is_too_long_for_the_tables_is_refused(void **state) {
    (void)state;
    enum { LIMIT = LIMIT_PRODUCT_ID_BYTES };
    static char target[LIMIT + 32] = "/contributions/";
    memset(target + 15, 'a', LIMIT + 1);
    struct got got = support_get(&f, target);
    assert_int_equal(got.status, 400);
    assert_string_equal(text(got.json, "parameter"), "productId");
    json_decref(got.json);
    target[15 + LIMIT] = '\0';
    got = support_get(&f, target);
    assert_int_equal(got.status, 404);
    json_decref(got.json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_contribution_has_both_contributors_and_their_scores),
        TEST(a_contribution_has_the_texts_of_its_product_cleaned),
        TEST(an_image_is_visible_only_if_a_page_may_load_it),
        TEST(a_product_without_a_photographer_has_null_as_photographer),
        TEST(a_product_whose_creation_was_trimmed_has_no_contributors),
        TEST(a_list_has_the_requested_number_in_the_order_of_the_store),
        TEST(the_pages_of_a_list_are_together_the_whole_list_for_every_limit),
        TEST(a_cursor_of_a_board_is_refused_by_a_list),
        TEST(the_products_of_a_merchant_or_a_photographer_are_listed_page_by_page),
        TEST(an_owner_that_can_be_nobodys_id_is_missing_and_one_beside_another_list_is_refused),
        TEST(a_cursor_of_one_list_is_refused_by_every_other),
        TEST(chosen_products_are_listed_in_the_order_of_their_ids),
        TEST(chosen_products_cost_one_read_and_those_in_the_cache_none),
        cmocka_unit_test_setup_teardown(the_time_of_chosen_products_is_that_of_the_oldest,
                                        setup_without_as_of, teardown),
        cmocka_unit_test_setup_teardown(
            a_chosen_product_that_is_not_there_is_null_only_if_the_view_has_caught_up, setup_without_as_of,
            teardown),
        cmocka_unit_test_setup_teardown(a_list_that_says_so_is_never_served_stale,
                                        setup_without_fresh_answers, teardown),
        TEST(chosen_products_are_1_to_100_ids_and_nothing_else),
        TEST(a_product_id_that_is_too_long_for_the_tables_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
