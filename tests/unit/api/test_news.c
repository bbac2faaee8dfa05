/* The data of the events of /live that are no boards. */
#include "tests/unit/support/api.h"
#include "tests/unit/support/test.h"
#include "views/apply.h"

#define SHARD "shardId-000000000000"

enum { HOUR_MS = 3600000 };

static struct fixture f;

static struct contribution lamp = {.product_id = "lamp",
                                   .name = "Desk\nlamp",
                                   .creator = "widget/merchant/100000001/Ann",
                                   .photographer = "widget/photographer/200000002/Pia"};

static int setup(void **state) {
    (void)state;
    const struct api_options options = support_options();
    support_init(&f, &options, false);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

/* The text of it, which the next call overwrites; "": none. */
static const char *text_of(json_t *json) {
    static char text[2048];
    size_t n = json ? json_dumpb(json, text, sizeof text - 1, JSON_COMPACT) : 0;
    text[n] = '\0';
    json_decref(json);
    return text;
}

static void sell(size_t n) {
    api_sold(f.api, &(struct apply_sales){n, &lamp, 0});
}

static void a_sale_is_the_newest_with_its_people_masked(void **state) {
    (void)state;
    support_set_as_of(&f, support_now());
    api_follow_sales(f.api, true);
    sell(2);
    sell(1);
    json_t *json = api_take_sale(f.api);
    const json_t *merchant = json_object_get(json, "merchant");
    assert_string_equal(json_string_value(json_object_get(merchant, "userId")), "Ann (**...**000****)");
    assert_int_equal(json_integer_value(json_object_get(json, "skipped")), 2);
    const char *text = text_of(json);
    assert_contains(text,
                    "{\"productId\":\"lamp\",\"name\":\"Desk\xef\xbf\xbdlamp\",\"merchant\":{\"id\":\"");
    assert_contains(text, "\"name\":\"Ann\"},\"photographer\":{\"id\":\"");
    assert_contains(text, "\"name\":\"Pia\"},\"time\":\"1970-01-01T00:00:00.000Z\",\"skipped\":2}");
    assert_lacks(text, "100000001");
    assert_string_equal(text_of(api_take_sale(f.api)), "");
}

static void nothing_is_told_as_sold_while_the_view_is_behind_or_nobody_follows(void **state) {
    (void)state;
    api_follow_sales(f.api, true);
    sell(1);
    support_set_as_of(&f, support_now() - HOUR_MS);
    sell(1);
    assert_string_equal(text_of(api_take_sale(f.api)), "");
    freshness_advance(f.freshness, SHARD, support_now(), 0);
    api_follow_sales(f.api, false);
    sell(1);
    api_follow_sales(f.api, true);
    assert_string_equal(text_of(api_take_sale(f.api)), "");
}

static void freshness_has_what_the_view_keeps_and_whose_sales_are_told(void **state) {
    (void)state;
    const struct api_options options = support_options();
    const struct view_shape shape = {
        .periods = 1u << PERIOD_MONTH | 1u << PERIOD_DAY, .best_sellers = true, .board_partitions = 1};
    support_deinit(&f);
    support_init_at(&f, &options, "2026-11-30T08:00:00Z", &shape);
    assert_contains(text_of(api_freshness(f.api, FRESHNESS_UNKNOWN)),
                    "\"sales\":\"none\",\"periods\":[\"day\",\"month\"],\"bestSellers\":true}");
    freshness_count(f.freshness, SHARD, 0, 0, 0);
    assert_contains(text_of(api_freshness(f.api, FRESHNESS_UNKNOWN)), "\"sales\":\"all\"");
}

static void progress_ends_with_the_way_and_needs_something_that_moves(void **state) {
    (void)state;
    support_set_as_of(&f, support_now() - HOUR_MS);
    assert_string_equal(text_of(api_progress(f.api, clock_boot_ms())), "");
    int64_t now_ms = clock_boot_ms() + 4000;
    freshness_count(f.freshness, SHARD, 0, 0, now_ms - 1000);
    freshness_count(f.freshness, SHARD, 500, 0, now_ms);
    freshness_advance(f.freshness, SHARD, support_now() - HOUR_MS / 2, now_ms);
    const char *text = text_of(api_progress(f.api, now_ms));
    assert_contains(text, "{\"percent\":");
    assert_contains(text, ",\"eventsPerSecond\":");
    assert_contains(text, ",\"shardsBehind\":1,\"shards\":1}");
    assert_lacks(text, "null");
    freshness_advance(f.freshness, SHARD, support_now(), now_ms);
    assert_string_equal(text_of(api_progress(f.api, now_ms)), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_sale_is_the_newest_with_its_people_masked),
        TEST(nothing_is_told_as_sold_while_the_view_is_behind_or_nobody_follows),
        TEST(freshness_has_what_the_view_keeps_and_whose_sales_are_told),
        TEST(progress_ends_with_the_way_and_needs_something_that_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
