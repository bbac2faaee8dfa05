#include "tests/unit/support/live.h"
#include "views/progress.h"

/* A hub without a thread over a scripted store: a test steps it, and its time. Nothing is kept in the cache,
 * so that each refresh of the boards is two reads. */

enum { MOST = 300 };

#define ANN "widget/merchant/100000001/Ann"

static int64_t begun_ms;

static int setup(void **state) {
    (void)state;
    struct api_options options = support_options_without_cache();
    support_init(&f, &options, false);
    begun_ms = support_now();
    support_set_as_of(&f, begun_ms);
    scripted_store_set_score(f.store, ROLE_CREATOR, ANN, 1);
    begin_hub(MOST);
    return 0;
}

static void set_score(int64_t score) {
    scripted_store_set_score(f.store, ROLE_CREATOR, ANN, score);
}

/* What is sent. */

static void a_new_reader_gets_both_boards_and_their_freshness(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    const char *text = clients[0].text;
    assert_memory_equal(text, "retry: 2000\n\n", 13);
    assert_non_null(strstr(text, "event: merchant\nid: "));
    assert_non_null(strstr(text, "data: {\"role\":\"merchant\",\"items\":[{\"rank\":1,"));
    assert_non_null(strstr(text, "event: photographer\nid: "));
    assert_non_null(strstr(text, "data: {\"role\":\"photographer\",\"items\":[],"));
    char as_of[CLOCK_TEXT_SIZE], wanted[128];
    snprintf(wanted, sizeof wanted, "data: {\"asOf\":\"%s\",\"caughtUp\":true,\"time\":\"20",
             clock_format(begun_ms, as_of));
    assert_non_null(strstr(text, wanted));
    assert_int_equal(count(&clients[0], "event: "), 3);
    live_leave(&clients[0].reader);
}

static void the_data_of_an_event_is_the_body_of_the_board(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    struct waiting_call w;
    support_begin(&f, &w, "GET", "/scores/merchant");
    support_finish(&w);
    const struct body *body = w.call.answer->body;
    char *wanted = mem_printf("data: %.*s\n\n", (int)body->length, body->data);
    assert_non_null(strstr(clients[0].text, wanted));
    free(wanted);
    answer_unref(w.call.answer);
    live_leave(&clients[0].reader);
}

static void only_a_board_that_changed_is_sent_again(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    clear(&clients[0]);
    set_score(2);
    step_until(&clients[0], "\"score\":2,", 100);
    assert_int_equal(count(&clients[0], "event: merchant"), 1);
    assert_int_equal(count(&clients[0], "event: photographer"), 0);
    live_leave(&clients[0].reader);
}

static void a_newer_as_of_without_a_changed_board_is_only_a_freshness_event(void **state) {
    (void)state;
    char as_of[CLOCK_TEXT_SIZE];
    join_and_read(&clients[0]);
    clear(&clients[0]);
    support_set_as_of(&f, begun_ms + 5);
    step_until(&clients[0], clock_format(begun_ms + 5, as_of), 100);
    assert_int_equal(count(&clients[0], "event: freshness"), 1);
    assert_int_equal(count(&clients[0], "event: "), 1);
    live_leave(&clients[0].reader);
}

static void event_ids_grow_and_a_later_reader_gets_the_current_state(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    set_score(2);
    step_until(&clients[0], "\"score\":2,", 100);
    join(&clients[1]);
    read_all(&clients[1]);
    step_until(&clients[1], "event: freshness", 0);
    assert_int_equal(count(&clients[1], "event: "), 3);
    assert_non_null(strstr(clients[1].text, "\"score\":2,"));
    for (int i = 0; i < 2; i++) {
        unsigned long last = 0;
        for (const char *at = clients[i].text; (at = strstr(at, "\nid: ")); at++) {
            unsigned long id = strtoul(strchr(at + 5, '-') + 1, NULL, 10);
            assert_true(id > last);
            last = id;
        }
        live_leave(&clients[i].reader);
    }
}

/* Clients set their clock by the `time` of this event. */
static void a_later_reader_gets_a_new_freshness_event(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    now_ms += LIMIT_LIVE_FRESHNESS_MS;
    join(&clients[1]);
    read_all(&clients[1]);
    assert_int_equal(count(&clients[1], "event: freshness"), 0);
    step_until(&clients[1], "event: freshness", 0);
    live_leave(&clients[0].reader);
    live_leave(&clients[1].reader);
}

static void a_slow_reader_gets_only_the_latest_events(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    join_and_read(&clients[1]);
    clear(&clients[1]);
    for (int score = 2; score <= 6; score++) {
        char part[32];
        set_score(score);
        snprintf(part, sizeof part, "\"score\":%d,", score);
        step_until(&clients[0], part, 100);
    }
    assert_true(clients[1].woken);
    read_all(&clients[1]);
    assert_int_equal(count(&clients[1], "event: merchant"), 1);
    assert_non_null(strstr(clients[1].text, "\"score\":6,"));
    live_leave(&clients[0].reader);
    live_leave(&clients[1].reader);
}

static void an_event_stream_has_the_same_bytes_in_reads_of_any_size(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    join(&clients[1]);
    read_by(&clients[1], 7);
    assert_string_equal(clients[1].text, clients[0].text);
    live_leave(&clients[0].reader);
    live_leave(&clients[1].reader);
}

/* The rate of events. */

static void a_whole_board_that_changes_all_the_time_is_sent_every_two_seconds(void **state) {
    (void)state;
    enum { SECONDS = 20 };
    int64_t last_ms = 0;
    join_and_read(&clients[0]);
    clear(&clients[0]);
    for (int64_t i = 0, end_ms = now_ms + SECONDS * 1000; now_ms < end_ms; i++, now_ms += 50) {
        size_t before = count(&clients[0], "event: merchant");
        set_score(100 + i);
        support_set_as_of(&f, begun_ms + i);
        live_step(hub, now_ms);
        if (clients[0].woken)
            read_all(&clients[0]);
        if (count(&clients[0], "event: merchant") > before) {
            assert_true(now_ms - last_ms >= LIMIT_LIVE_WHOLE_MS - LIMIT_LIVE_TICK_LATE_MS);
            last_ms = now_ms;
        }
        size_t reads = scripted_store_reads(f.store);
        assert_true(reads <= 2 * (size_t)(2 + (i * 50) / LIMIT_LIVE_BOARD_MS));
        sched_yield();
    }
    step_until(&clients[0], "event: merchant", 50);
    assert_true(count(&clients[0], "event: merchant") <= SECONDS / 2 + 1);
    assert_true(count(&clients[0], "event: freshness") <= SECONDS + 1);
    live_leave(&clients[0].reader);
}

static void many_readers_cause_as_many_reads_of_the_store_as_one(void **state) {
    (void)state;
    struct client *many = mem_zalloc(MOST * sizeof *many);
    for (int i = 0; i < MOST; i++) {
        join(&many[i]);
        read_all(&many[i]);
    }
    step_until(&many[0], "event: freshness", 0);
    size_t reads = scripted_store_reads(f.store);
    for (int i = 1; i < MOST; i++) {
        step_until(&many[i], "event: freshness", 0);
        assert_string_equal(many[i].text, many[0].text);
    }
    assert_int_equal(scripted_store_reads(f.store), reads);
    assert_int_equal(reads, 2);
    for (int i = 0; i < MOST; i++)
        live_leave(&many[i].reader);
    free(many);
}

static int count_woken(const struct client *all) {
    int n = 0;
    for (int i = 0; i < MOST; i++)
        n += all[i].woken;
    return n;
}

/* Otherwise other requests would wait until all readers were woken. */
static void many_readers_are_woken_in_groups_a_millisecond_apart(void **state) {
    (void)state;
    struct client *many = mem_zalloc(MOST * sizeof *many);
    for (int i = 0; i < MOST; i++) {
        join(&many[i]);
        read_all(&many[i]);
    }
    int64_t deadline_ms = clock_boot_ms() + 20000;
    for (int woken = 0, before = 0; woken < MOST; before = woken) {
        assert_true(clock_boot_ms() < deadline_ms);
        int64_t next_ms = live_step(hub, now_ms);
        woken = count_woken(many);
        assert_true(woken - before <= MOST / LIMIT_LIVE_WAKES + 1);
        if (woken > before && woken < MOST)
            assert_int_equal(next_ms, now_ms + 1);
        sched_yield();
    }
    live_end(hub);
    for (int i = 0; i < MOST; i++)
        live_leave(&many[i].reader);
    free(many);
}

static void the_end_of_the_hub_wakes_every_reader(void **state) {
    (void)state;
    struct client *many = mem_zalloc(MOST * sizeof *many);
    for (int i = 0; i < MOST; i++) {
        join(&many[i]);
        read_all(&many[i]);
    }
    live_end(hub);
    assert_int_equal(count_woken(many), MOST);
    for (int i = 0; i < MOST; i++)
        live_leave(&many[i].reader);
    free(many);
}

static void a_hub_without_readers_reads_nothing(void **state) {
    (void)state;
    assert_int_equal(live_step(hub, now_ms), INT64_MAX);
    assert_int_equal(scripted_store_reads(f.store), 0);
    join_and_read(&clients[0]);
    live_leave(&clients[0].reader);
    size_t reads = scripted_store_reads(f.store);
    for (int i = 0; i < 10; i++)
        assert_int_equal(live_step(hub, now_ms += 1000), INT64_MAX);
    assert_int_equal(scripted_store_reads(f.store), reads);
}

static void old_events_are_not_sent_after_a_time_without_readers(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    live_leave(&clients[0].reader);
    live_step(hub, now_ms);
    set_score(9);
    now_ms += 100; /* a hub with readers would not read again yet */
    join(&clients[1]);
    read_all(&clients[1]);
    assert_int_equal(count(&clients[1], "event: "), 0);
    step_until(&clients[1], "event: freshness", 100);
    assert_int_equal(count(&clients[1], "event: merchant"), 1);
    assert_non_null(strstr(clients[1].text, "\"score\":9,"));
    live_leave(&clients[1].reader);
}

static void a_reader_without_events_gets_a_heartbeat(void **state) {
    (void)state;
    join_and_read(&clients[0]);
    clear(&clients[0]);
    int64_t silent_since_ms = now_ms;
    for (int beats = 1; beats <= 2; beats++) {
        step_until(&clients[0], ": heartbeat\n\n", 100);
        int64_t silent_ms = now_ms - 100 - silent_since_ms;
        assert_string_equal(clients[0].text, ": heartbeat\n\n");
        assert_true(silent_ms >= LIMIT_LIVE_HEARTBEAT_MS);
        assert_true(silent_ms < LIMIT_LIVE_HEARTBEAT_MS + 500);
        silent_since_ms = now_ms - 100;
        clear(&clients[0]);
    }
    live_leave(&clients[0].reader);
}

/* A store that fails. */

static void no_board_and_no_newer_freshness_is_sent_while_the_store_fails(void **state) {
    (void)state;
    char as_of[CLOCK_TEXT_SIZE];
    join_and_read(&clients[0]);
    clear(&clients[0]);
    scripted_store_fail(f.store, STATUS_RETRY);
    set_score(2);
    support_set_as_of(&f, begun_ms + 7); /* but the boards that were sent are older */
    step_until(&clients[0], ": heartbeat", 100);
    assert_int_equal(count(&clients[0], "event: "), 0);
    scripted_store_fail(f.store, STATUS_OK);
    step_until(&clients[0], "\"score\":2,", 100);
    step_until(&clients[0], clock_format(begun_ms + 7, as_of), 100);
    live_leave(&clients[0].reader);
}

static void the_freshness_event_has_the_as_of_from_before_the_boards_were_read(void **state) {
    (void)state;
    char as_of[CLOCK_TEXT_SIZE];
    scripted_store_hold(f.store);
    join(&clients[0]);
    read_all(&clients[0]);
    live_step(hub, now_ms);
    assert_true(scripted_store_await_held(f.store, 2));
    support_set_as_of(&f, begun_ms + 5);
    scripted_store_release(f.store);
    step_until(&clients[0], "event: freshness", 0);
    assert_non_null(strstr(strstr(clients[0].text, "event: freshness"), clock_format(begun_ms, as_of)));
    live_leave(&clients[0].reader);
}

static void the_freshness_event_has_no_as_of_while_a_board_was_never_read(void **state) {
    (void)state;
    scripted_store_fail(f.store, STATUS_RETRY);
    join_and_read(&clients[0]);
    assert_int_equal(count(&clients[0], "event: "), 1);
    assert_non_null(strstr(clients[0].text, "data: {\"asOf\":null,\"caughtUp\":false,"));
    live_leave(&clients[0].reader);
}

static void a_view_that_is_behind_is_not_caught_up(void **state) {
    (void)state;
    struct api_options options = support_options();
    end_hub(state);
    support_init(&f, &options, false);
    support_set_as_of(&f, begun_ms - FRESHNESS_CAUGHT_UP_MS - 1);
    hub = live_new(f.api, MOST);
    join_and_read(&clients[0]);
    assert_non_null(strstr(clients[0].text, "\"caughtUp\":false,"));
    live_leave(&clients[0].reader);
}

/* The end. */

static void more_readers_than_allowed_are_refused_until_one_leaves(void **state) {
    (void)state;
    struct live *small = live_new(f.api, 2);
    assert_true(live_join(small, &clients[0].reader, &whole_boards, now_ms));
    assert_true(live_join(small, &clients[1].reader, &whole_boards, now_ms));
    assert_false(live_join(small, &clients[2].reader, &whole_boards, now_ms));
    live_leave(&clients[0].reader);
    assert_true(live_join(small, &clients[2].reader, &whole_boards, now_ms));
    live_leave(&clients[1].reader);
    live_leave(&clients[2].reader);
    live_free(small);
}

static void at_the_end_of_the_hub_readers_finish_their_event_and_none_can_join(void **state) {
    (void)state;
    char few[20];
    join_and_read(&clients[0]);
    join(&clients[1]);
    assert_int_equal(live_read(&clients[1].reader, now_ms, few, sizeof few),
                     sizeof few); /* inside an event */
    live_end(hub);
    assert_true(clients[0].woken);
    size_t length = clients[0].length;
    read_all(&clients[0]);
    assert_true(clients[0].ended);
    assert_int_equal(clients[0].length, length);
    read_all(&clients[1]);
    assert_true(clients[1].ended);
    assert_int_equal(count(&clients[1], "\n\n"), 1);
    assert_string_equal(clients[1].text + clients[1].length - 2, "\n\n");
    assert_false(live_join(hub, &clients[2].reader, &whole_boards, now_ms));
    live_leave(&clients[0].reader);
    live_leave(&clients[1].reader);
}

static void a_hub_can_end_while_a_read_of_the_store_runs(void **state) {
    (void)state;
    scripted_store_hold(f.store);
    join(&clients[0]);
    read_all(&clients[0]);
    live_step(hub, now_ms);
    assert_true(scripted_store_await_held(f.store, 2));
    live_end(hub);
    assert_true(clients[0].woken);
    live_leave(&clients[0].reader);
    live_free(hub);
    hub = NULL;
}

static void a_hub_with_its_own_thread_sends_events_without_steps(void **state) {
    (void)state;
    struct error e;
    struct client *c = &clients[0];
    assert_int_equal(live_start(hub, &e), STATUS_OK);
    now_ms = clock_boot_ms();
    join(c);
    int64_t deadline_ms = clock_boot_ms() + 20000;
    while (!strstr(c->text, "event: freshness") && clock_boot_ms() < deadline_ms) {
        ssize_t n = live_read(&c->reader, clock_boot_ms(), c->text + c->length, 4096);
        c->length += n > 0 ? (size_t)n : 0;
        sched_yield();
    }
    assert_int_equal(count(c, "event: "), 3);
    live_end(hub);
    live_leave(&c->reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, end_hub)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_reader_gets_both_boards_and_their_freshness),
        TEST(the_data_of_an_event_is_the_body_of_the_board),
        TEST(only_a_board_that_changed_is_sent_again),
        TEST(a_newer_as_of_without_a_changed_board_is_only_a_freshness_event),
        TEST(event_ids_grow_and_a_later_reader_gets_the_current_state),
        TEST(a_later_reader_gets_a_new_freshness_event),
        TEST(a_slow_reader_gets_only_the_latest_events),
        TEST(an_event_stream_has_the_same_bytes_in_reads_of_any_size),
        TEST(a_whole_board_that_changes_all_the_time_is_sent_every_two_seconds),
        TEST(many_readers_cause_as_many_reads_of_the_store_as_one),
        TEST(many_readers_are_woken_in_groups_a_millisecond_apart),
        TEST(the_end_of_the_hub_wakes_every_reader),
        TEST(a_hub_without_readers_reads_nothing),
        TEST(old_events_are_not_sent_after_a_time_without_readers),
        TEST(a_reader_without_events_gets_a_heartbeat),
        TEST(no_board_and_no_newer_freshness_is_sent_while_the_store_fails),
        TEST(the_freshness_event_has_the_as_of_from_before_the_boards_were_read),
        TEST(the_freshness_event_has_no_as_of_while_a_board_was_never_read),
        TEST(a_view_that_is_behind_is_not_caught_up),
        TEST(more_readers_than_allowed_are_refused_until_one_leaves),
        TEST(at_the_end_of_the_hub_readers_finish_their_event_and_none_can_join),
        TEST(a_hub_can_end_while_a_read_of_the_store_runs),
        TEST(a_hub_with_its_own_thread_sends_events_without_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
