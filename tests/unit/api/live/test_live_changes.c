#include "tests/unit/support/live.h"

#include "views/apply.h"

/* Readers of changes, over a view that keeps days, at the end of one. Nothing is kept in the cache. */

enum { LONG_NAME = 80 };

static const struct live_wishes changes = {.changes = true};
static const struct live_wishes changes_of_day = {.kind = PERIOD_DAY, .changes = true};

/* So long that a board is always longer than its changes. */
static const char *origin(int i) {
    static char text[160];
    snprintf(text, sizeof text, "widget/merchant/10000000%d/%0*d", i, LONG_NAME, i);
    return text;
}

static int setup(void **state) {
    (void)state;
    struct api_options options = support_options_without_cache();
    const struct view_shape shape = {.periods = 1U << PERIOD_DAY, .board_partitions = 1};
    support_init_at(&f, &options, "2026-11-30T12:00:00Z", &shape);
    for (int i = 0; i < 10; i++)
        scripted_store_set_score(f.store, ROLE_CREATOR, origin(i), 1000 - 10 * i);
    support_set_row(&f, "creator#day#2026-11-30", origin(0), 7);
    begin_hub(10);
    return 0;
}

/* The scores of the first on the board, one after the other; each is an event for the client. */
static void set_scores(struct client *c, int from, int to) {
    for (int score = from; score <= to; score++) {
        char part[32];
        snprintf(part, sizeof part, "\"score\":%d}]", score);
        scripted_store_set_score(f.store, ROLE_CREATOR, origin(0), score);
        step_until(c, part, 100);
    }
}

/* The last id that the client got. */
static const char *last_id(const struct client *c) {
    static char id[LIVE_ID_SIZE];
    const char *last = NULL;
    for (const char *at = c->text; (at = strstr(at, "\nid: ")); at++)
        last = at + 5;
    assert_non_null(last);
    snprintf(id, sizeof id, "%.*s", (int)strcspn(last, "\n"), last);
    return id;
}

static void follow_from(struct client *c, const char *id) {
    const struct live_wishes wishes = {.changes = true, .last_event_id = id};
    clear(c);
    follow(c, &wishes);
    read_all(c);
}

static void leave(int n) {
    for (int i = 0; i < n; i++)
        live_leave(&clients[i].reader);
}

static void a_reader_gets_whole_boards_and_then_what_changes(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    assert_int_equal(count(&clients[0], "event: merchant\n"), 1);
    assert_int_equal(count(&clients[0], "event: photographer\n"), 1);
    clear(&clients[0]);
    scripted_store_set_score(f.store, ROLE_CREATOR, origin(0), 1001);
    step_until(&clients[0], "event: rows", 100);
    assert_int_equal(count(&clients[0], "event: merchant\n"), 0);
    assert_non_null(
        strstr(clients[0].text, "data: {\"role\":\"merchant\",\"period\":null,\"asOf\":\"2026-11-30T"));
    assert_non_null(strstr(clients[0].text, "\"rows\":[{\"at\":0,\"score\":1001}],\"left\":[]}\n\n"));
    leave(1);
}

static void readers_of_whole_boards_and_of_changes_share_the_reads_of_the_store(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    follow_and_read(&clients[1], &whole_boards);
    size_t reads = scripted_store_reads(f.store);
    scripted_store_set_score(f.store, ROLE_CREATOR, origin(0), 1001);
    step_until(&clients[0], "event: rows", 250);
    step_until(&clients[1], "\"score\":1001,", 250);
    assert_int_equal(count(&clients[1], "event: rows"), 0);
    assert_true(scripted_store_reads(f.store) - reads <= 2 * (LIMIT_LIVE_WHOLE_MS / LIMIT_LIVE_BOARD_MS + 1));
    leave(2);
}

static void a_later_reader_begins_with_the_present_boards(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    set_scores(&clients[0], 1001, 1003);
    follow_and_read(&clients[1], &changes);
    assert_int_equal(count(&clients[1], "event: rows"), 0);
    assert_int_equal(count(&clients[1], "\"score\":1003,"), 1);
    set_scores(&clients[0], 1004, 1004);
    step_until(&clients[1], "\"score\":1004}", 0);
    leave(2);
}

static void a_reader_that_returns_with_its_last_id_gets_what_it_missed(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    follow_and_read(&clients[1], &changes);
    set_scores(&clients[0], 1001, 1001);
    step_until(&clients[1], "\"score\":1001}", 0);
    const char *id = last_id(&clients[1]);
    live_leave(&clients[1].reader);
    set_scores(&clients[0], 1002, 1004);
    follow_from(&clients[1], id);
    step_until(&clients[1], "\"score\":1004}", 0);
    assert_int_equal(count(&clients[1], "event: merchant\n"), 0);
    assert_int_equal(count(&clients[1], "event: rows"), 3);
    assert_true(strstr(clients[1].text, "1002}") < strstr(clients[1].text, "1003}"));
    leave(2);
}

static void the_only_reader_that_returns_gets_what_changed_meanwhile(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    const char *id = last_id(&clients[0]);
    live_leave(&clients[0].reader);
    assert_int_equal(live_step(hub, now_ms), INT64_MAX);
    scripted_store_set_score(f.store, ROLE_CREATOR, origin(0), 1009);
    now_ms += 60000;
    follow_from(&clients[0], id);
    assert_int_equal(count(&clients[0], "event: "), 0);
    step_until(&clients[0], "event: freshness", 100);
    assert_int_equal(count(&clients[0], "event: merchant\n"), 0);
    assert_non_null(strstr(clients[0].text, "\"score\":1009}"));
    leave(1);
}

static void a_reader_with_an_id_of_another_stream_begins_with_whole_boards(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    follow_and_read(&clients[1], &changes_of_day);
    char of_day[LIVE_ID_SIZE];
    snprintf(of_day, sizeof of_day, "%s", last_id(&clients[1]));
    const char *const ids[] = {of_day, "00000000-1", "1", "", NULL};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        follow_from(&clients[2], ids[i]);
        step_until(&clients[2], "event: merchant\n", 0);
        live_leave(&clients[2].reader);
    }
    leave(2);
}

static void a_slow_reader_gets_every_change_in_order(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    follow_and_read(&clients[1], &changes);
    clear(&clients[1]);
    set_scores(&clients[0], 1001, 1020);
    read_all(&clients[1]);
    const char *at = clients[1].text;
    for (int score = 1001; score <= 1020; score++) {
        char part[32];
        snprintf(part, sizeof part, "\"score\":%d}", score);
        at = strstr(at, part);
        assert_non_null(at);
    }
    leave(2);
}

static void a_reader_that_is_too_far_behind_gets_whole_boards(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    follow_and_read(&clients[1], &changes);
    clear(&clients[1]);
    for (int i = 0; i < LIMIT_LIVE_HISTORY + 1; i++) {
        clear(&clients[0]);
        set_scores(&clients[0], 1001 + i, 1001 + i);
    }
    read_all(&clients[1]);
    assert_int_equal(count(&clients[1], "event: merchant\n"), 1);
    assert_int_equal(count(&clients[1], "event: rows"), 0);
    clear(&clients[1]);
    set_scores(&clients[0], 2001, 2001);
    step_until(&clients[1], "\"score\":2001}", 0);
    assert_int_equal(count(&clients[1], "event: merchant\n"), 0);
    leave(2);
}

static void a_reader_of_a_period_gets_its_boards(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes_of_day);
    assert_non_null(strstr(clients[0].text, "\"score\":7,"));
    assert_non_null(strstr(clients[0].text, "\"period\":{\"id\":\"2026-11-30\""));
    clear(&clients[0]);
    support_set_row(&f, "creator#day#2026-11-30", origin(0), 8);
    step_until(&clients[0], "\"period\":\"2026-11-30\"", 100);
    leave(1);
}

static void when_a_period_ends_the_board_of_the_next_one_is_whole(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes_of_day);
    follow_and_read(&clients[1], &changes_of_day);
    const char *id = last_id(&clients[1]);
    live_leave(&clients[1].reader);
    clear(&clients[0]);
    support_set_row(&f, "creator#day#2026-12-01", origin(1), 1);
    support_set_time(&f, "2026-12-01T00:00:00Z");
    step_until(&clients[0], "event: merchant\n", 100);
    assert_non_null(strstr(clients[0].text, "\"period\":{\"id\":\"2026-12-01\""));
    const struct live_wishes wishes = {.kind = PERIOD_DAY, .changes = true, .last_event_id = id};
    clear(&clients[1]);
    follow(&clients[1], &wishes);
    read_all(&clients[1]);
    step_until(&clients[1], "\"period\":{\"id\":\"2026-12-01\"", 0);
    leave(2);
}

/* How many events of changes there are in 20 s while the scores of so many rows change all the time. */
static size_t changes_in_20_s(int rows) {
    struct client *c = &clients[0];
    size_t found = 0;
    int64_t score = 2000, end_ms = now_ms + 20000;
    for (; now_ms < end_ms; now_ms += 50) {
        for (int i = 0; i < rows; i++)
            scripted_store_set_score(f.store, ROLE_CREATOR, origin(i), score += 1000);
        live_step(hub, now_ms);
        read_all(c);
        found += count(c, "event: rows");
        clear(c);
        sched_yield();
    }
    scripted_store_set_score(f.store, ROLE_CREATOR, origin(0), score + 1000);
    step_until(c, "event: rows", 50);
    return found;
}

static void a_board_that_changes_all_the_time_is_sent_twice_a_second(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    size_t found = changes_in_20_s(1);
    assert_true(found <= 41);
    leave(1);
}

/* Otherwise 1,000 events a second would cost every viewer twice as much. */
static void many_changes_at_a_time_are_sent_less_often(void **state) {
    (void)state;
    follow_and_read(&clients[0], &changes);
    size_t found = changes_in_20_s(10);
    assert_true(found <= 28);
    leave(1);
}

/* The last asOf of the events of this kind that the text has; "": none. */
static const char *last_as_of(const struct client *c, const char *kind) {
    static char as_of[CLOCK_TEXT_SIZE];
    as_of[0] = '\0';
    for (const char *at = c->text; (at = strstr(at, kind)); at++) {
        const char *end = strstr(at, "\n\n"), *name = NULL;
        for (const char *next = at; (next = strstr(next, "\"asOf\":\"")) && next < end; next++)
            name = next + strlen("\"asOf\":\"");
        snprintf(as_of, sizeof as_of, "%s", name ? name : "");
    }
    return as_of;
}

/* Its freshness is of the boards that it got, which are older than those of the other reader. */
static void a_reader_of_changes_does_not_speed_up_one_of_whole_boards(void **state) {
    (void)state;
    struct client *c = &clients[1];
    size_t found = 0;
    char sent[CLOCK_TEXT_SIZE];
    const int64_t begun_ms = api_now(f.api), end_ms = now_ms + 20000;
    follow_and_read(&clients[0], &changes);
    follow_and_read(c, &whole_boards);
    snprintf(sent, sizeof sent, "%s", last_as_of(c, "event: merchant"));
    for (int i = 1; now_ms < end_ms; now_ms += 50, i++) {
        scripted_store_set_score(f.store, ROLE_CREATOR, origin(0), 2000 + i);
        support_set_as_of(&f, begun_ms + i);
        clear(&clients[0]);
        clear(c);
        live_step(hub, now_ms);
        read_all(&clients[0]);
        read_all(c);
        found += count(c, "event: merchant");
        if (count(c, "event: merchant"))
            snprintf(sent, sizeof sent, "%s", last_as_of(c, "event: merchant"));
        if (count(c, "event: freshness"))
            assert_true(strcmp(last_as_of(c, "event: freshness"), sent) <= 0);
        sched_yield();
    }
    assert_true(found <= 20000 / LIMIT_LIVE_WHOLE_MS + 1);
    leave(2);
}

static void a_sale_reaches_all_who_follow_changes_in_its_order(void **state) {
    (void)state;
    struct contribution lamp = {.product_id = "lamp", .name = "Desk lamp"};
    follow_and_read(&clients[0], &changes);
    follow_and_read(&clients[1], &changes_of_day);
    follow_and_read(&clients[2], &whole_boards);
    for (int i = 0; i < 2; i++) {
        api_sold(f.api, &(struct apply_sales){1, &lamp, now_ms});
        now_ms += LIMIT_LIVE_SALE_MS;
        live_step(hub, now_ms);
    }
    for (int i = 0; i < 3; i++) {
        read_all(&clients[i]);
        assert_int_equal(count(&clients[i], "event: sale"), i < 2 ? 2 : 0);
    }
    leave(3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, end_hub)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_reader_gets_whole_boards_and_then_what_changes),
        TEST(readers_of_whole_boards_and_of_changes_share_the_reads_of_the_store),
        TEST(a_later_reader_begins_with_the_present_boards),
        TEST(a_reader_that_returns_with_its_last_id_gets_what_it_missed),
        TEST(the_only_reader_that_returns_gets_what_changed_meanwhile),
        TEST(a_reader_with_an_id_of_another_stream_begins_with_whole_boards),
        TEST(a_slow_reader_gets_every_change_in_order),
        TEST(a_reader_that_is_too_far_behind_gets_whole_boards),
        TEST(a_reader_of_a_period_gets_its_boards),
        TEST(when_a_period_ends_the_board_of_the_next_one_is_whole),
        TEST(a_board_that_changes_all_the_time_is_sent_twice_a_second),
        TEST(many_changes_at_a_time_are_sent_less_often),
        TEST(a_reader_of_changes_does_not_speed_up_one_of_whole_boards),
        TEST(a_sale_reaches_all_who_follow_changes_in_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
