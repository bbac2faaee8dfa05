#include "tests/unit/support/api.h"

#define ANN "widget/merchant/100000001/Ann"
#define BOB "widget/merchant/200000002/Bob"

static struct fixture f;

/* A Sunday: the last day of week 48. */
static int setup(void **state) {
    (void)state;
    const struct api_options options = support_options();
    const struct view_shape shape = {.periods = 1U << PERIOD_DAY | 1U << PERIOD_WEEK | 1U << PERIOD_MONTH,
                                     .board_partitions = 1};
    support_init_at(&f, &options, "2026-11-29T12:00:00Z", &shape);
    support_set_row(&f, "creator", ANN, 9);
    support_set_row(&f, "creator", BOB, 8);
    support_set_row(&f, "creator#day#2026-11-29", ANN, 3);
    support_set_row(&f, "creator#day#2026-11-29", BOB, 2);
    support_set_row(&f, "creator#day#2026-11-28", BOB, 7);
    support_set_row(&f, "creator#week#2026-W48", BOB, 5);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    support_deinit(&f);
    return 0;
}

/* The scores of a board, and the id of its period: "2026-11-29: 3 2". */
static void assert_board(const char *target, const char *expected) {
    json_t *board = support_get_json(&f, target), *period = json_object_get(board, "period"), *item;
    char text[256];
    size_t i, length = (size_t)snprintf(
                  text, sizeof text,
                  "%s:", json_is_null(period) ? "all" : json_string_value(json_object_get(period, "id")));
    json_array_foreach(json_object_get(board, "items"), i, item) length += (size_t)snprintf(
        text + length, sizeof text - length, " %d", (int)json_integer_value(json_object_get(item, "score")));
    assert_string_equal(text, expected);
    json_decref(board);
}

/* The description of the board's period. */
static void assert_period(const char *target, const char *expected) {
    json_t *board = support_get_json(&f, target);
    support_assert_json(json_object_get(board, "period"), expected);
    json_decref(board);
}

static void a_board_of_a_period_has_its_rows_and_describes_it(void **state) {
    (void)state;
    assert_board("/scores/merchant?period=2026-11-29", "2026-11-29: 3 2");
    assert_board("/scores/merchant?period=2026-W48", "2026-W48: 5");
    assert_board("/scores/merchant?period=2026-11", "2026-11:");
    assert_board("/scores/merchant", "all: 9 8");
    assert_period("/scores/merchant?period=2026-11-28",
                  "{\"id\":\"2026-11-28\",\"kind\":\"day\",\"start\":\"2026-11-28T00:00:00.000Z\","
                  "\"end\":\"2026-11-29T00:00:00.000Z\",\"final\":true,\"previous\":\"2026-11-27\","
                  "\"next\":\"2026-11-29\"}");
}

static void the_word_of_a_kind_is_the_period_under_way_or_the_one_before(void **state) {
    (void)state;
    assert_board("/scores/merchant?period=day", "2026-11-29: 3 2");
    assert_board("/scores/merchant?period=day:previous", "2026-11-28: 7");
    assert_board("/scores/merchant?period=day%3Aprevious", "2026-11-28: 7");
    assert_board("/scores/merchant?period=week", "2026-W48: 5");
    assert_board("/scores/merchant?period=week:previous", "2026-W47:");
    assert_board("/scores/merchant?period=month:previous", "2026-10:");
}

static void a_word_and_the_name_of_its_period_are_one_request(void **state) {
    (void)state;
    assert_board("/scores/merchant?period=day", "2026-11-29: 3 2");
    size_t reads = scripted_store_reads(f.store);
    assert_board("/scores/merchant?period=2026-11-29", "2026-11-29: 3 2");
    assert_int_equal(scripted_store_reads(f.store), reads);
}

/* The cache keeps answers for a minute here. */
static void a_word_is_another_period_once_the_period_has_ended(void **state) {
    (void)state;
    assert_board("/scores/merchant?period=day", "2026-11-29: 3 2");
    assert_board("/scores/merchant?period=day:previous", "2026-11-28: 7");
    support_set_time(&f, "2026-11-30T00:00:01Z");
    assert_board("/scores/merchant?period=day", "2026-11-30:");
    assert_board("/scores/merchant?period=day:previous", "2026-11-29: 3 2");
    assert_board("/scores/merchant?period=week", "2026-W49:");
}

static void the_next_of_a_period_is_null_until_that_has_begun(void **state) {
    (void)state;
    json_t *today = support_get_json(&f, "/scores/merchant?period=day&limit=5"),
           *tomorrow = support_get_json(&f, "/scores/merchant?period=2026-11-30");
    assert_true(json_is_null(json_object_get(json_object_get(today, "period"), "next")));
    json_t *ahead = json_object_get(tomorrow, "period");
    assert_string_equal(json_string_value(json_object_get(ahead, "previous")), "2026-11-29");
    assert_true(json_is_null(json_object_get(ahead, "next")));
    json_decref(today);
    json_decref(tomorrow);
    json_t *last = support_get_json(&f, "/scores/merchant?period=9999-12");
    assert_true(json_is_null(json_object_get(json_object_get(last, "period"), "next")));
    json_decref(last);
}

static bool is_final(const char *target) {
    json_t *board = support_get_json(&f, target);
    json_t *final = json_object_get(json_object_get(board, "period"), "final");
    assert_true(json_is_boolean(final));
    bool is = json_is_true(final);
    json_decref(board);
    return is;
}

/* Events may arrive an hour late. Different limits, so that nothing is from the cache. */
static void a_period_is_final_once_the_view_is_complete_an_hour_past_its_end(void **state) {
    (void)state;
    int64_t as_of_ms;
    assert_false(is_final("/scores/merchant?period=2026-11-29&limit=1"));
    support_set_time(&f, "2026-11-30T01:30:00Z");
    assert_false(
        is_final("/scores/merchant?period=2026-11-29&limit=2")); /* the view is from the day before */
    assert_true(clock_parse("2026-11-30T00:59:59Z", 20, &as_of_ms));
    support_set_as_of(&f, as_of_ms);
    assert_false(is_final("/scores/merchant?period=2026-11-29&limit=3"));
    support_set_as_of(&f, as_of_ms + 1000);
    assert_true(is_final("/scores/merchant?period=2026-11-29&limit=4"));
}

static void nobody_knows_when_a_period_is_final_if_events_arrived_in_another_stream_before(void **state) {
    (void)state;
    freshness_note_foreign_arrivals(f.freshness);
    json_t *board = support_get_json(&f, "/scores/merchant?period=2026-11-20");
    assert_true(json_is_null(json_object_get(json_object_get(board, "period"), "final")));
    json_decref(board);
}

static void a_period_that_the_view_does_not_keep_is_refused_with_what_it_keeps(void **state) {
    (void)state;
    struct got got = support_get(&f, "/scores/merchant?period=hour");
    assert_int_equal(got.status, 404);
    assert_string_equal(json_string_value(json_object_get(got.json, "code")), "period-not-kept");
    assert_string_equal(json_string_value(json_object_get(got.json, "parameter")), "period");
    assert_string_equal(json_string_value(json_object_get(got.json, "given")), "hour");
    assert_string_equal(json_string_value(json_object_get(got.json, "allowed")), "day,week,month");
    json_decref(got.json);
    support_assert_problem(&f, "/scores/merchant?period=2026-11-29T14", 404, "period-not-kept");
    support_assert_problem(&f, "/sales?period=hour:previous", 404, "period-not-kept");
    support_assert_problem(&f, "/sales/history?kind=hour", 404, "period-not-kept");
}

/* A day is kept for 400 days after its end. */
static void a_period_is_not_served_once_it_has_expired(void **state) {
    (void)state;
    assert_board("/scores/merchant?period=2025-10-25", "2025-10-25:");
    json_t *board = support_get_json(&f, "/scores/merchant?period=2025-10-25");
    assert_true(json_is_null(json_object_get(json_object_get(board, "period"), "previous")));
    json_decref(board);
    support_assert_problem(&f, "/scores/merchant?period=2025-10-24", 404, "period-not-kept");
    support_assert_problem(&f, "/scores/merchant/{" ANN "}?period=1999-01-01", 404, "period-not-kept");
    support_set_time(&f, "2026-11-30T00:00:01Z");
    support_assert_problem(&f, "/scores/merchant?period=2025-10-25", 404, "period-not-kept");
}

static void what_names_no_period_is_an_invalid_parameter(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "all",
                                        "days",
                                        "day:",
                                        "day:next",
                                        "day:previous:previous",
                                        ":previous",
                                        "previous",
                                        "Day",
                                        "2026",
                                        "2026-13",
                                        "2026-02-29",
                                        "2026-11-2",
                                        "2026-11-29T24",
                                        "2026-W54",
                                        "2026-W00",
                                        "2026-11-29T14:00:00Z",
                                        "20261129"};
    char target[128];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(target, sizeof target, "/scores/merchant?period=%s", wrong[i]);
        support_assert_problem(&f, target, 400, "invalid-parameter");
    }
    support_assert_problem(&f, "/sales/history?kind=year", 400, "invalid-parameter");
    support_assert_problem(&f, "/sales/history?kind=", 400, "invalid-parameter");
    assert_int_equal(scripted_store_reads(f.store), 0);
}

static void a_cursor_is_refused_in_another_period(void **state) {
    (void)state;
    char target[LIMIT_URI_BYTES];
    json_t *page = support_get_json(&f, "/scores/merchant?period=day&limit=1");
    const char *next = json_string_value(json_object_get(page, "next"));
    snprintf(target, sizeof target, "/scores/merchant?period=2026-11-29&cursor=%s", next);
    assert_board(target, "2026-11-29: 2");
    static const char *const others[] = {"merchant?", "merchant?period=week&", "merchant?period=2026-11-28&",
                                         "photographer?period=day&"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(target, sizeof target, "/scores/%scursor=%s", others[i], next);
        support_assert_problem(&f, target, 400, "invalid-parameter");
    }
    support_set_time(&f, "2026-11-30T00:00:01Z");
    snprintf(target, sizeof target, "/scores/merchant?period=day&cursor=%s", next);
    support_assert_problem(&f, target, 400, "invalid-parameter");
    json_decref(page);
}

static void both_boards_are_of_the_same_period(void **state) {
    (void)state;
    json_t *both = support_get_json(&f, "/scores?period=day"),
           *one = support_get_json(&f, "/scores/merchant?period=day");
    assert_true(json_equal(json_object_get(both, "merchant"), one));
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(json_object_get(both, "photographer"), "period"), "id")),
                        "2026-11-29");
    json_decref(both);
    json_decref(one);
    support_assert_problem(&f, "/scores?period=day&role=creator", 400, "invalid-parameter");
}

/* Boards that a write changes are read again in the background; of a period that has ended hardly any write
 * does. */
static void only_boards_of_all_time_and_of_periods_under_way_are_read_again(void **state) {
    (void)state;
    static const struct {
        const char *target;
        bool is_refreshable;
    } cases[] = {{"/scores/merchant", true},
                 {"/scores/merchant?period=day", true},
                 {"/scores?period=week", true},
                 {"/scores/merchant?period=day:previous", false},
                 {"/scores/merchant?around={" ANN "}", false},
                 {"/sales", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct waiting_call w;
        support_begin(&f, &w, "GET", cases[i].target);
        support_finish(&w);
        if (w.call.answer->value.refreshable != cases[i].is_refreshable)
            fail_msg("%s", cases[i].target);
        answer_unref(w.call.answer);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_board_of_a_period_has_its_rows_and_describes_it),
        TEST(the_word_of_a_kind_is_the_period_under_way_or_the_one_before),
        TEST(a_word_and_the_name_of_its_period_are_one_request),
        TEST(a_word_is_another_period_once_the_period_has_ended),
        TEST(the_next_of_a_period_is_null_until_that_has_begun),
        TEST(a_period_is_final_once_the_view_is_complete_an_hour_past_its_end),
        TEST(nobody_knows_when_a_period_is_final_if_events_arrived_in_another_stream_before),
        TEST(a_period_that_the_view_does_not_keep_is_refused_with_what_it_keeps),
        TEST(a_period_is_not_served_once_it_has_expired),
        TEST(what_names_no_period_is_an_invalid_parameter),
        TEST(a_cursor_is_refused_in_another_period),
        TEST(both_boards_are_of_the_same_period),
        TEST(only_boards_of_all_time_and_of_periods_under_way_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
