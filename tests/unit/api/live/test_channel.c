#include "api/live/channel.h"
#include "tests/unit/support/live.h"

/* A channel whose readers arrive and leave while its thread is within a step. */

static struct live_shared shared;
static struct channel channel;

static void keep(struct live_shared *s) {
    (void)s;
}

static int setup(void **state) {
    (void)state;
    const struct api_options options = support_options();
    const struct view_shape shape = {.board_partitions = 1};
    support_init_at(&f, &options, "2026-11-30T12:00:00Z", &shape);
    live_shared_init(&shared, f.api, keep);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    channel_deinit(&channel);
    live_shared_unref(&shared);
    support_deinit(&f);
    return 0;
}

static void offer_boards(void) {
    for (int i = 0; i < CHANNEL_BOARDS; i++) {
        struct answer *answer = answer_json(200, json_pack("{s:s, s:[]}", "role", "r", "items"));
        answer_set_etag(answer);
        channel_offer(&channel, i, answer, now_ms);
        answer_unref(answer);
    }
}

/* Of the present state or of the events that the channel has for a reader that just joined; "": nothing. */
static const char *offered(void) {
    static char text[TEXT_BYTES];
    uint64_t number = 0;
    text[0] = '\0';
    if (channel.has_changes && event_log_has_start(&channel.log))
        snprintf(text, sizeof text, "%s", event_log_start(&channel.log)->data);
    for (const struct event_log_entry *event; (event = event_log_next(&channel.log, number));
         number = event->number)
        strncat(text, event->text->data, sizeof text - 1 - strlen(text));
    return text;
}

static void a_reader_that_joins_within_a_step_gets_nothing_of_that_step(void **state) {
    (void)state;
    for (int has_changes = 0; has_changes < 2; has_changes++) {
        bool begins;
        channel_deinit(&channel);
        channel_init(&channel, &shared, has_changes);
        channel_join(&channel, false, now_ms);
        assert_true(channel_begin_step(&channel, &begins));
        offer_boards();
        channel.readers--; /* under the lock, as live_leave does it */
        channel_join(&channel, false, now_ms);
        offer_boards();
        channel_publish_freshness(&channel, now_ms);
        assert_string_equal(offered(), "");

        assert_true(channel_begin_step(&channel, &begins));
        assert_true(begins);
        offer_boards();
        channel_publish_freshness(&channel, now_ms);
        const char *text = offered(), *freshness = strstr(text, "event: freshness");
        assert_non_null(freshness);
        assert_true(strstr(text, "event: merchant") < freshness);
        assert_true(strstr(text, "event: photographer") < freshness);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reader_that_joins_within_a_step_gets_nothing_of_that_step, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
