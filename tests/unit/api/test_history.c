/* Histories and sales: api/history.c and api/sales.c. */
#include "tests/unit/support/api.h"

#define ANN "widget/merchant/100000001/Ann"
#define BOB "widget/merchant/200000002/Bob"
#define HISTORY "/scores/merchant/{" ANN "}/history"

static struct fixture f;

static int setup(void **state) {
    (void)state;
    const struct api_options options = support_options();
    const struct view_shape shape = {.periods = 1U << PERIOD_DAY | 1U << PERIOD_WEEK, .board_partitions = 1};
    support_init_at(&f, &options, "2026-11-29T12:00:00Z", &shape);
    support_set_row(&f, "creator", ANN, 9);
    support_set_row(&f, "creator#day#2026-11-28", ANN, 2);
    support_set_row(&f, "creator#day#2026-11-25", ANN, 7);
    support_set_row(&f, "shop", "SHOP/0", 12);
    support_set_row(&f, "shop#day#2026-11-28", "SHOP/0", 4);
    support_set_row(&f, "shop#day#2026-11-27", "SHOP/0", 8);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

/* "29:0 28:2": the end of each period's name, and what it has. */
static void describe(const json_t *page, const char *name, char *out, size_t size) {
    json_t *item;
    size_t i, length = strlen(out);
    json_array_foreach(json_object_get(page, "items"), i, item) {
        const char *id = json_string_value(json_object_get(json_object_get(item, "period"), "id"));
        length += (size_t)snprintf(out + length, size - length, "%s%s:%d", length ? " " : "",
                                   id + strlen(id) - 2, (int)json_integer_value(json_object_get(item, name)));
    }
}

static void assert_page(const char *target, const char *name, const char *expected, bool has_next) {
    char text[1024] = "";
    json_t *page = support_get_json(&f, target);
    describe(page, name, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(json_is_string(json_object_get(page, "next")), has_next);
    assert_true(json_is_string(json_object_get(page, "asOf")));
    assert_int_equal(json_object_size(page), 3);
    json_decref(page);
}

static void a_history_goes_from_the_period_under_way_back_to_the_first_credit(void **state) {
    (void)state;
    assert_page(HISTORY, "score", "29:0 28:2 27:0 26:0 25:7", false);
    assert_page(HISTORY "?kind=day&limit=5", "score", "29:0 28:2 27:0 26:0 25:7", false);
    assert_page("/sales/history", "sales", "29:0 28:4 27:8", false);
}

/* Pages of any size join to the same list. */
static void the_pages_of_a_history_are_together_all_of_it(void **state) {
    (void)state;
    for (unsigned limit = 1; limit <= 6; limit++) {
        char text[1024] = "", target[LIMIT_URI_BYTES];
        snprintf(target, sizeof target, HISTORY "?limit=%u", limit);
        for (unsigned pages = 1; *target; pages++) {
            json_t *page = support_get_json(&f, target);
            const char *next = json_string_value(json_object_get(page, "next"));
            describe(page, "score", text, sizeof text);
            assert_true(pages < 7);
            assert_true(!next || json_array_size(json_object_get(page, "items")) == limit);
            *target = '\0';
            if (next)
                snprintf(target, sizeof target, HISTORY "?limit=%u&cursor=%s", limit, next);
            json_decref(page);
        }
        assert_string_equal(text, "29:0 28:2 27:0 26:0 25:7");
    }
}

static void a_page_of_a_history_goes_on_where_it_ended_when_the_period_has_changed(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    json_t *page = support_get_json(&f, HISTORY "?limit=2");
    snprintf(target, sizeof target, HISTORY "?cursor=%s", json_string_value(json_object_get(page, "next")));
    json_decref(page);
    support_set_time(&f, "2026-11-30T00:00:01Z");
    assert_page(target, "score", "27:0 26:0 25:7", false);
    assert_page(HISTORY, "score", "30:0 29:0 28:2 27:0 26:0 25:7", false);
}

static void a_cursor_of_a_history_is_refused_in_another(void **state) {
    (void)state;
    static const char *const others[] = {"/scores/merchant/{" BOB "}/history?", "/sales/history?",
                                         HISTORY "?kind=week&", "/scores/photographer/{" ANN "}/history?",
                                         "/scores/merchant?"};
    char target[LIMIT_URI_BYTES];
    json_t *page = support_get_json(&f, HISTORY "?limit=1");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(target, sizeof target, "%scursor=%s", others[i],
                 json_string_value(json_object_get(page, "next")));
        support_assert_problem(&f, target, 400, "invalid-parameter");
    }
    json_decref(page);
}

static void a_contributor_who_sold_nothing_in_what_is_kept_has_an_empty_history(void **state) {
    (void)state;
    support_set_row(&f, "creator", BOB, 1);
    assert_page("/scores/merchant/{" BOB "}/history", "score", "", false);
    assert_page(HISTORY "?kind=week", "score", "", false);
    support_assert_problem(&f, "/scores/photographer/{" BOB "}/history", 404, "not-found");
    support_assert_problem(&f, "/scores/merchant/nobody/history", 404, "not-found");
}

/* Whether or not their rows have been deleted. */
static void a_history_ends_where_periods_have_expired(void **state) {
    (void)state;
    support_set_row(&f, "creator#day#2025-10-26", BOB, 3);
    support_set_row(&f, "creator#day#2025-10-20", BOB, 5);
    support_set_row(&f, "creator", BOB, 8);
    char target[LIMIT_URI_BYTES] = "/scores/merchant/{" BOB "}/history?limit=100", text[65536] = "";
    size_t n = 0;
    while (*target) {
        json_t *page = support_get_json(&f, target);
        const char *next = json_string_value(json_object_get(page, "next"));
        n += json_array_size(json_object_get(page, "items"));
        describe(page, "score", text, sizeof text);
        snprintf(target, sizeof target, "%s%s",
                 next ? "/scores/merchant/{" BOB "}/history?limit=100&cursor=" : "", next ? next : "");
        json_decref(page);
    }
    assert_int_equal(n, 400); /* from 2026-11-29 back to 2025-10-26 */
    assert_string_equal(text + strlen(text) - 9, "27:0 26:3");
}

static void rows_of_periods_ahead_are_not_in_a_history(void **state) {
    (void)state;
    support_set_row(&f, "shop#day#2099-01-01", "SHOP/0", 1);
    assert_page("/sales/history", "sales", "29:0 28:4 27:8", false);
}

static void the_default_kind_of_a_history_is_day_or_the_shortest_that_is_kept(void **state) {
    (void)state;
    static const struct {
        unsigned periods;
        const char *kind;
    } cases[] = {{1U << PERIOD_HOUR | 1U << PERIOD_DAY, "day"},
                 {1U << PERIOD_HOUR | 1U << PERIOD_WEEK, "hour"},
                 {1U << PERIOD_WEEK | 1U << PERIOD_MONTH, "week"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture other;
        const struct api_options options = support_options();
        const struct view_shape shape = {.periods = cases[i].periods, .board_partitions = 1};
        support_init_at(&other, &options, "2026-11-29T12:00:00Z", &shape);
        support_set_row(&other, "shop#hour#2026-11-29T12", "SHOP/0", 1);
        support_set_row(&other, "shop#day#2026-11-29", "SHOP/0", 1);
        support_set_row(&other, "shop#week#2026-W48", "SHOP/0", 1);
        json_t *page = support_get_json(&other, "/sales/history");
        json_t *period = json_object_get(json_array_get(json_object_get(page, "items"), 0), "period");
        assert_string_equal(json_string_value(json_object_get(period, "kind")), cases[i].kind);
        json_decref(page);
        support_deinit(&other);
    }
}

static void a_view_without_periods_has_no_histories(void **state) {
    (void)state;
    struct fixture none;
    const struct api_options options = support_options();
    support_init(&none, &options, false);
    support_assert_problem(&none, "/sales/history", 404, "period-not-kept");
    support_assert_problem(&none, "/sales?period=day", 404, "period-not-kept");
    support_deinit(&none);
}

static void sales_are_of_all_time_or_of_one_period(void **state) {
    (void)state;
    json_t *all = support_get_json(&f, "/sales"), *day = support_get_json(&f, "/sales?period=2026-11-28"),
           *none = support_get_json(&f, "/sales?period=day");
    assert_int_equal(json_integer_value(json_object_get(all, "sales")), 12);
    assert_true(json_is_null(json_object_get(all, "period")));
    assert_int_equal(json_object_size(all), 3);
    assert_int_equal(json_integer_value(json_object_get(day, "sales")), 4);
    assert_string_equal(json_string_value(json_object_get(json_object_get(day, "period"), "id")),
                        "2026-11-28");
    assert_int_equal(json_integer_value(json_object_get(none, "sales")), 0);
    json_decref(all);
    json_decref(day);
    json_decref(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_history_goes_from_the_period_under_way_back_to_the_first_credit),
        TEST(the_pages_of_a_history_are_together_all_of_it),
        TEST(a_page_of_a_history_goes_on_where_it_ended_when_the_period_has_changed),
        TEST(a_cursor_of_a_history_is_refused_in_another),
        TEST(a_contributor_who_sold_nothing_in_what_is_kept_has_an_empty_history),
        TEST(a_history_ends_where_periods_have_expired),
        TEST(rows_of_periods_ahead_are_not_in_a_history),
        TEST(the_default_kind_of_a_history_is_day_or_the_shortest_that_is_kept),
        TEST(a_view_without_periods_has_no_histories),
        TEST(sales_are_of_all_time_or_of_one_period),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
