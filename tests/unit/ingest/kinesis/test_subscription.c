#include "ingest/kinesis/subscription.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"

static bool is_prompt(int64_t ready_ms, int64_t silent_ms) {
    const struct kinesis_subscription s = {.ready_since_ms = 1000000};
    const struct aws_stream_event event = {.empty = {.boot_ms = 1000000 + ready_ms}, .silent_ms = silent_ms};
    return kinesis_subscription_is_prompt(&s, &event);
}

static void an_event_is_prompt_if_the_stream_was_ready_to_read_and_then_silent(void **state) {
    (void)state;
    assert_true(is_prompt(LIMIT_PUSH_READY_MS, LIMIT_PUSH_QUIET_MS));
    assert_false(is_prompt(LIMIT_PUSH_READY_MS - 1, LIMIT_PUSH_QUIET_MS));
    assert_false(is_prompt(LIMIT_PUSH_READY_MS, LIMIT_PUSH_QUIET_MS - 1));
}

/* Nor of one that was last found empty before it was held up. */
static void an_event_of_a_stream_that_was_never_found_empty_is_not_prompt(void **state) {
    (void)state;
    assert_false(is_prompt(-1000000, 0));
    assert_false(is_prompt(-1, 60000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_prompt_if_the_stream_was_ready_to_read_and_then_silent),
        cmocka_unit_test(an_event_of_a_stream_that_was_never_found_empty_is_not_prompt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
