/* The score and rank of one contributor or product: api/contributor.c. tests/unit/api/test_boards.c has more.
 */
#include "tests/unit/support/api.h"

#include <poll.h>

#define ANN "widget/merchant/100000001/Ann"
#define BOB "widget/merchant/200000002/Bob"
#define CAT "widget/merchant/300000003/Cat"

static struct fixture f;

static int setup(void **state) {
    (void)state;
    const struct api_options options = support_options();
    const struct view_shape shape = {
        .periods = 1U << PERIOD_DAY, .best_sellers = true, .board_partitions = 1};
    support_init_at(&f, &options, "2026-11-29T12:00:00Z", &shape);
    support_set_row(&f, "creator", ANN, 9);
    support_set_row(&f, "creator", BOB, 5);
    support_set_row(&f, "creator", CAT, 5);
    support_set_row(&f, "creator#day#2026-11-29", BOB, 2);
    support_set_row(&f, "creator#day#2026-11-29", CAT, 1);
    support_set_row(&f, "product", "lamp", 4);
    support_set_row(&f, "product", CONTRIBUTION_UNKNOWN, 6);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

static void assert_fields(const char *target, const char *expected) {
    json_t *row = support_get_json(&f, target), *wanted = json_loads(expected, 0, NULL), *value;
    const char *name;
    assert_non_null(wanted);
    json_object_foreach(wanted, name, value) {
        if (!json_equal(json_object_get(row, name), value)) {
            char *text = json_dumps(row, 0);
            print_error("%s of %s: %s\n", name, target, text);
            free(text);
            fail();
        }
    }
    json_decref(wanted);
    json_decref(row);
}

static void a_rank_in_a_period_is_that_on_the_board_of_the_period(void **state) {
    (void)state;
    assert_fields("/scores/merchant/{" BOB "}", "{\"score\":5,\"rank\":2,\"tied\":true}");
    assert_fields("/scores/merchant/{" BOB "}?period=day", "{\"score\":2,\"rank\":1,\"tied\":false}");
    assert_fields("/scores/merchant/{" CAT "}?period=2026-11-29", "{\"score\":1,\"rank\":2,\"tied\":false}");
}

static void a_contributor_without_sales_in_a_period_has_a_score_of_0_and_no_rank(void **state) {
    (void)state;
    assert_fields("/scores/merchant/{" ANN "}?period=day",
                  "{\"name\":\"Ann\",\"score\":0,\"rank\":null,\"tied\":false,\"of\":null,"
                  "\"percentile\":null,\"rankAsOf\":null,\"updated\":null}");
    support_assert_problem(&f, "/scores/photographer/{" ANN "}?period=day", 404, "not-found");
    support_assert_problem(&f, "/scores/merchant/nobody?period=day", 404, "not-found");
}

static void a_counted_rank_is_as_of_the_answer(void **state) {
    (void)state;
    assert_fields("/scores/merchant/{" ANN "}",
                  "{\"rank\":1,\"rankAsOf\":\"2026-11-29T12:00:00.000Z\","
                  "\"asOf\":\"2026-11-29T12:00:00.000Z\",\"of\":null,\"percentile\":null}");
}

/* The name UNKNOWN means nobody, but a product may have it. */
static void a_product_has_a_rank_and_an_id_instead_of_a_person(void **state) {
    (void)state;
    scripted_store_set_contribution(f.store, "lamp", "Ann", NULL, 4);
    scripted_store_set_texts(f.store, "lamp", "Desk lamp", "Oak", "home", "lamp.jpg");
    assert_fields("/scores/product/lamp",
                  "{\"role\":\"product\",\"productId\":\"lamp\",\"name\":\"Desk lamp\","
                  "\"score\":4,\"rank\":1}");
    assert_fields("/scores/product/UNKNOWN", "{\"productId\":\"UNKNOWN\",\"score\":6,\"rank\":1}");
    assert_fields("/scores/product?around=lamp", "{\"role\":\"product\",\"previous\":null}");
    support_assert_problem(&f, "/scores/product/chair", 404, "not-found");
}

static void a_board_of_products_has_their_names_from_one_read(void **state) {
    (void)state;
    scripted_store_set_contribution(f.store, "lamp", "Ann", NULL, 4);
    scripted_store_set_texts(f.store, "lamp", "Desk lamp", "Oak", "home", "lamp.jpg");
    size_t before = scripted_store_reads(f.store);
    json_t *board = support_get_json(&f, "/scores/product"), *items = json_object_get(board, "items");
    assert_int_equal(scripted_store_reads(f.store), before + 2);
    json_t *unknown = json_array_get(items, 0), *lamp = json_array_get(items, 1);
    assert_string_equal(json_string_value(json_object_get(lamp, "productId")), "lamp");
    assert_string_equal(json_string_value(json_object_get(lamp, "name")), "Desk lamp");
    assert_true(json_is_null(json_object_get(unknown, "name")));
    assert_int_equal(json_object_size(lamp), 6);
    json_decref(board);
}

static void the_names_of_products_are_read_once(void **state) {
    (void)state;
    scripted_store_set_contribution(f.store, "lamp", "Ann", NULL, 4);
    scripted_store_set_contribution(f.store, CONTRIBUTION_UNKNOWN, "Ann", NULL, 6);
    scripted_store_set_texts(f.store, "lamp", "Desk lamp", "Oak", "home", "lamp.jpg");
    json_decref(support_get_json(&f, "/scores/product?limit=3"));
    size_t before = scripted_store_reads(f.store);
    json_t *board = support_get_json(&f, "/scores/product?limit=4");
    json_t *lamp = json_array_get(json_object_get(board, "items"), 1);
    assert_int_equal(scripted_store_reads(f.store), before + 1); /* the board alone */
    assert_string_equal(json_string_value(json_object_get(lamp, "name")), "Desk lamp");
    json_decref(board);
}

static void a_view_without_best_sellers_has_no_board_of_products(void **state) {
    (void)state;
    struct fixture none;
    const struct api_options options = support_options();
    const struct view_shape shape = {.periods = 1U << PERIOD_DAY, .board_partitions = 1};
    support_init_at(&none, &options, "2026-11-29T12:00:00Z", &shape);
    support_assert_problem(&none, "/scores/product", 404, "not-found");
    support_assert_problem(&none, "/scores/product/lamp", 404, "not-found");
    support_assert_problem(&none, "/scores/product/lamp/history", 404, "not-found");
    support_deinit(&none);
}

/* Kept for a minute unless a write drops them. */
static void a_write_drops_the_ranks_of_all_time_and_of_periods_under_way(void **state) {
    (void)state;
    static const char *const targets[] = {"/scores/{" BOB "}", "/scores/merchant/{" BOB "}",
                                          "/scores/merchant/{" BOB "}?period=day", "/scores/product/lamp"};
    const char *const users[] = {BOB}, *const products[] = {"lamp"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        json_decref(support_get_json(&f, targets[i]));
        size_t reads = scripted_store_reads(f.store);
        json_decref(support_get_json(&f, targets[i]));
        assert_int_equal(scripted_store_reads(f.store), reads);
        api_rows_changed(f.api, products, 1, users, 1);
        json_decref(support_get_json(&f, targets[i]));
        assert_true(scripted_store_reads(f.store) > reads);
    }
}

/* Ranks from the table. */

static int setup_with_tables(void **state) {
    (void)state;
    struct api_options options = support_options_without_cache();
    const struct view_shape shape = {.periods = 1U << PERIOD_DAY, .board_partitions = 1};
    options.rank_units = 1000000;
    support_init_at(&f, &options, "2026-11-29T12:00:00Z", &shape);
    for (int i = 0; i < LIMIT_RANKED + 100; i++) {
        char user_id[32];
        snprintf(user_id, sizeof user_id, "w/m/%09d/P", i);
        support_set_row(&f, "creator", user_id, 10000 - 2 * i);
    }
    return 0;
}

/* Until the table of the board has been made. */
static json_t *await_of(const char *target) {
    int64_t deadline_ms = clock_boot_ms() + 20000;
    for (;;) {
        json_t *row = support_get_json(&f, target);
        if (json_is_integer(json_object_get(row, "of")))
            return row;
        json_decref(row);
        assert_true(clock_boot_ms() < deadline_ms);
        poll(NULL, 0, 5);
    }
}

static void a_rank_beyond_those_that_are_counted_is_from_the_table(void **state) {
    (void)state;
    json_decref(await_of("/scores/merchant/{w/m/000001049/P}"));
    assert_fields(
        "/scores/merchant/{w/m/000001049/P}",
        "{\"rank\":1050,\"of\":1100,\"percentile\":4.55,\"rankAsOf\":\"2026-11-29T12:00:00.000Z\"}");
    assert_fields("/scores/merchant/{w/m/000000274/P}", "{\"rank\":275,\"of\":1100,\"percentile\":75.0}");
    assert_fields("/scores/merchant/{w/m/000000000/P}", "{\"rank\":1,\"percentile\":99.91}");
}

/* The table has the score of a moment ago, which is lower. */
static void nobody_outranks_themselves(void **state) {
    (void)state;
    json_decref(await_of("/scores/merchant/{w/m/000001049/P}"));
    support_set_row(&f, "creator", "w/m/000001049/P", 10000 - 2 * 1039 + 1);
    assert_fields("/scores/merchant/{w/m/000001049/P}", "{\"rank\":1040}");
    assert_fields("/scores/merchant/{w/m/000001099/P}", "{\"rank\":1100,\"of\":1100,\"percentile\":0.0}");
    support_set_row(&f, "creator", "w/m/1/Newcomer", 1);
    assert_fields("/scores/merchant/{w/m/1/Newcomer}", "{\"rank\":1101,\"of\":1101,\"percentile\":0.0}");
}

static void a_board_around_somebody_far_down_has_ranks_from_the_table(void **state) {
    (void)state;
    json_decref(await_of("/scores/merchant/{w/m/000001049/P}"));
    json_t *page = support_get_json(&f, "/scores/merchant?limit=3&around={w/m/000001049/P}"), *item;
    char target[LIMIT_URI_BYTES];
    size_t i;
    json_array_foreach(json_object_get(page, "items"), i, item)
        assert_int_equal(json_integer_value(json_object_get(item, "rank")), 1049 + i);
    snprintf(target, sizeof target, "/scores/merchant?limit=2&cursor=%s",
             json_string_value(json_object_get(page, "next")));
    json_decref(page);
    page = support_get_json(&f, target);
    json_array_foreach(json_object_get(page, "items"), i, item)
        assert_int_equal(json_integer_value(json_object_get(item, "rank")), 1052 + i);
    json_decref(page);
}

/* The last rank that is counted, then one from a table of before 51 newcomers. */
static void ranks_do_not_go_down_from_a_counted_one_to_one_of_an_older_table(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES], user_id[32];
    json_decref(await_of("/scores/merchant/{w/m/000001049/P}"));
    support_set_row(&f, "creator", "w/m/000000949/P", 10000 - 2 * 948); /* as the one above */
    for (int i = 0; i < 51; i++) {
        snprintf(user_id, sizeof user_id, "w/m/%d/New", i);
        support_set_row(&f, "creator", user_id, 20000 + i);
    }
    json_t *page = support_get_json(&f, "/scores/merchant?limit=1&around={w/m/000000949/P}");
    json_t *item = json_array_get(json_object_get(page, "items"), 0);
    assert_int_equal(json_integer_value(json_object_get(item, "rank")), 1000);
    snprintf(target, sizeof target, "/scores/merchant?limit=1&cursor=%s",
             json_string_value(json_object_get(page, "next")));
    json_decref(page);
    page = support_get_json(&f, target);
    item = json_array_get(json_object_get(page, "items"), 0);
    assert_true(json_integer_value(json_object_get(item, "rank")) > 1000);
    json_decref(page);
}

#define TEST_WITH_TABLES(name) cmocka_unit_test_setup_teardown(name, setup_with_tables, teardown)
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_rank_in_a_period_is_that_on_the_board_of_the_period),
        TEST(a_contributor_without_sales_in_a_period_has_a_score_of_0_and_no_rank),
        TEST(a_counted_rank_is_as_of_the_answer),
        TEST(a_product_has_a_rank_and_an_id_instead_of_a_person),
        TEST(a_board_of_products_has_their_names_from_one_read),
        TEST(the_names_of_products_are_read_once),
        TEST(a_view_without_best_sellers_has_no_board_of_products),
        TEST(a_write_drops_the_ranks_of_all_time_and_of_periods_under_way),
        TEST_WITH_TABLES(a_rank_beyond_those_that_are_counted_is_from_the_table),
        TEST_WITH_TABLES(nobody_outranks_themselves),
        TEST_WITH_TABLES(ranks_do_not_go_down_from_a_counted_one_to_one_of_an_older_table),
        TEST_WITH_TABLES(a_board_around_somebody_far_down_has_ranks_from_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
