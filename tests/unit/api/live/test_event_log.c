#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/live/event_log.h"
#include "base/mem.h"

static struct event_log event_log;

static int setup(void **state) {
    (void)state;
    event_log_init(&event_log);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    event_log_deinit(&event_log);
    return 0;
}

static struct body *data(const char *text) {
    return body_new(mem_strdup(text), strlen(text));
}

static void put(const char *text) {
    struct body *body = data(text);
    event_log_put(&event_log, LIVE_ROWS, body);
    body_unref(body);
}

static void replace(enum live_event kind, const char *text) {
    struct body *body = data(text);
    event_log_replace(&event_log, kind, body);
    body_unref(body);
}

static void set_state(enum live_event kind, const char *text) {
    struct body *body = data(text);
    event_log_set_state(&event_log, kind, body);
    body_unref(body);
}

/* The text with the epoch of the log in the place of each "$"; the caller's to free. */
static char *with_epoch(const char *text) {
    char *out = mem_zalloc(strlen(text) * LIVE_EPOCH_SIZE + 1), *at = out;
    for (; *text; text++) {
        if (*text == '$')
            at = stpcpy(at, event_log.epoch);
        else
            *at++ = *text;
    }
    return out;
}

static void assert_text(const struct body *body, const char *expected) {
    _cleanup_(mem_freep) char *wanted = with_epoch(expected);
    assert_non_null(body);
    _cleanup_(mem_freep) char *text = mem_strndup(body->data, body->length);
    assert_string_equal(text, wanted);
}

static void events_are_read_in_their_order_and_only_the_latest_of_some(void **state) {
    (void)state;
    put("a");
    replace(LIVE_FRESHNESS, "old");
    put("b");
    replace(LIVE_FRESHNESS, "new");
    const struct event_log_entry *event = event_log_next(&event_log, 0);
    assert_text(event->text, "event: rows\nid: $-1\ndata: a\n\n");
    event = event_log_next(&event_log, event->number);
    assert_text(event->text, "event: rows\nid: $-3\ndata: b\n\n");
    event = event_log_next(&event_log, event->number);
    assert_text(event->text, "event: freshness\nid: $-4\ndata: new\n\n");
    assert_null(event_log_next(&event_log, event->number));
}

static void the_present_state_has_one_id_on_its_last_event(void **state) {
    (void)state;
    assert_null(event_log_start(&event_log));
    put("a");
    set_state(LIVE_PHOTOGRAPHER, "p");
    set_state(LIVE_MERCHANT, "m");
    assert_text(event_log_start(&event_log),
                "event: merchant\ndata: m\n\nevent: photographer\nid: $-1\ndata: p\n\n");
    replace(LIVE_FRESHNESS, "f");
    assert_text(event_log_start(&event_log), "event: merchant\ndata: m\n\nevent: photographer\ndata: p\n\n"
                                             "event: freshness\nid: $-2\ndata: f\n\n");
    assert_int_equal(event_log_next(&event_log, 1)->number, 2);
}

static void no_more_events_than_the_limit_are_kept(void **state) {
    (void)state;
    for (int i = 0; i < LIMIT_LIVE_HISTORY + 5; i++)
        put("x");
    assert_int_equal(event_log.n, LIMIT_LIVE_HISTORY);
    assert_true(event_log_has_lost(&event_log, 4));
    assert_false(event_log_has_lost(&event_log, 5));
    assert_int_equal(event_log_next(&event_log, 5)->number, 6);
}

static void no_more_bytes_than_the_limit_are_kept(void **state) {
    (void)state;
    enum { BYTES = LIMIT_LIVE_HISTORY_BYTES / 4 };
    char *text = mem_zalloc(BYTES + 1);
    memset(text, 'x', BYTES);
    for (int i = 0; i < 10; i++) {
        put(text);
        assert_true(event_log.bytes <= LIMIT_LIVE_HISTORY_BYTES);
    }
    assert_int_equal(event_log.n, 3);
    free(text);
}

static bool finds(const char *text) {
    _cleanup_(mem_freep) char *id = with_epoch(text);
    uint64_t number;
    return event_log_find(&event_log, id, &number);
}

static void only_an_id_of_this_log_is_found(void **state) {
    (void)state;
    uint64_t number;
    put("a");
    put("b");
    assert_true(finds("$-0") && finds("$-1") && finds("$-2"));
    static const char *const wrong[] = {
        "$-3",
        "$-01",
        "$-+1",
        "$--1",
        "$-1 ",
        "$- 1",
        "$-1x",
        "$-",
        "$",
        "$$-1",
        "x$-1",
        "$1",
        "-1",
        "1",
        "",
        "garbage",
        "00000000-1",
        "$-18446744073709551616",
        "$-18446744073709551617",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (finds(wrong[i]))
            fail_msg("%s", wrong[i]);
    assert_false(event_log_find(&event_log, NULL, &number));
}

static void an_id_whose_next_events_are_gone_is_not_found(void **state) {
    (void)state;
    for (int i = 0; i < LIMIT_LIVE_HISTORY + 5; i++)
        put("x");
    assert_false(finds("$-4"));
    assert_true(finds("$-5"));
}

static void a_log_that_is_cleared_has_another_epoch_and_nothing(void **state) {
    (void)state;
    char before[LIVE_EPOCH_SIZE];
    put("a");
    set_state(LIVE_MERCHANT, "m");
    strcpy(before, event_log.epoch);
    event_log_clear(&event_log);
    assert_string_not_equal(event_log.epoch, before);
    assert_null(event_log_next(&event_log, 0));
    assert_false(event_log_has_start(&event_log));
    put("b");
    assert_int_equal(event_log_next(&event_log, 0)->number, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(events_are_read_in_their_order_and_only_the_latest_of_some),
        TEST(the_present_state_has_one_id_on_its_last_event),
        TEST(no_more_events_than_the_limit_are_kept),
        TEST(no_more_bytes_than_the_limit_are_kept),
        TEST(only_an_id_of_this_log_is_found),
        TEST(an_id_whose_next_events_are_gone_is_not_found),
        TEST(a_log_that_is_cleared_has_another_epoch_and_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
