#include "api/sale_feed.h"

#include <pthread.h>

#include "tests/unit/support/test.h"

static struct contribution lamp = {.product_id = "lamp", .name = "Desk lamp", .creator = "ann"},
                           vase = {.product_id = "vase", .creator = "bob", .photographer = "pia"},
                           old = {.product_id = "old",
                                  .creator = CONTRIBUTION_UNKNOWN,
                                  .photographer = CONTRIBUTION_UNKNOWN};

static int begin(void **state) {
    *state = sale_feed_new();
    sale_feed_open(*state, true);
    return 0;
}

static int end(void **state) {
    sale_feed_free(*state);
    return 0;
}

static void sell(struct sale_feed *feed, const struct contribution *product, size_t n) {
    sale_feed_note(feed, &(struct apply_sales){n, product, 1000 + (int64_t)n});
}

static void assert_nothing(struct sale_feed *feed) {
    struct sale sale;
    assert_false(sale_feed_take(feed, &sale));
    sale_deinit(&sale);
}

static void the_newest_sale_stands_for_all_since_the_last_was_taken(void **state) {
    struct sale sale;
    sell(*state, &lamp, 3);
    sell(*state, &vase, 2);
    assert_true(sale_feed_take(*state, &sale));
    assert_int_equal(sale.n, 5);
    assert_string_equal(sale.product_id, "vase");
    assert_null(sale.name);
    assert_string_equal(sale.merchant, "bob");
    assert_string_equal(sale.photographer, "pia");
    assert_int_equal(sale.time_ms, 1002);
    sale_deinit(&sale);
    assert_nothing(*state);
    sell(*state, &lamp, 1);
    assert_true(sale_feed_take(*state, &sale));
    assert_int_equal(sale.n, 1);
    assert_string_equal(sale.name, "Desk lamp");
    assert_null(sale.photographer);
    sale_deinit(&sale);
}

static void the_unknown_merchant_is_nobody(void **state) {
    struct sale sale;
    sell(*state, &old, 1);
    assert_true(sale_feed_take(*state, &sale));
    assert_null(sale.merchant);
    assert_null(sale.photographer);
    sale_deinit(&sale);
}

static void what_was_sold_while_it_was_closed_is_forgotten(void **state) {
    struct sale_feed *feed = *state;
    sell(feed, &lamp, 1);
    sale_feed_open(feed, false);
    assert_nothing(feed);
    sell(feed, &lamp, 1);
    assert_nothing(feed);
    sale_feed_open(feed, true);
    assert_nothing(feed);
    sell(feed, &lamp, 1);
    sale_feed_open(feed, true);
    struct sale sale;
    assert_true(sale_feed_take(feed, &sale));
    assert_int_equal(sale.n, 1);
    sale_deinit(&sale);
}

enum { SELLERS = 3, SALES_EACH = 5000 };

static void *sell_many(void *data) {
    for (int i = 0; i < SALES_EACH; i++)
        sell(data, i % 2 ? &lamp : &vase, 1);
    return NULL;
}

static size_t take(struct sale_feed *feed) {
    struct sale sale;
    size_t n = sale_feed_take(feed, &sale) ? sale.n : 0;
    sale_deinit(&sale);
    return n;
}

static void no_sale_is_lost_or_doubled_while_threads_sell_and_one_takes(void **state) {
    pthread_t sellers[SELLERS];
    size_t taken = 0;
    for (int i = 0; i < SELLERS; i++)
        assert_int_equal(pthread_create(&sellers[i], NULL, sell_many, *state), 0);
    for (int i = 0; i < SALES_EACH; i++)
        taken += take(*state);
    for (int i = 0; i < SELLERS; i++)
        pthread_join(sellers[i], NULL);
    assert_int_equal(taken + take(*state), SELLERS * SALES_EACH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_newest_sale_stands_for_all_since_the_last_was_taken),
        TEST(the_unknown_merchant_is_nobody),
        TEST(what_was_sold_while_it_was_closed_is_forgotten),
        TEST(no_sale_is_lost_or_doubled_while_threads_sell_and_one_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
