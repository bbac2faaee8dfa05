#include "aws/clock_skew.h"

#include "tests/unit/support/test.h"

#define NOW INT64_C(1795408560000) /* our wall clock */
#define MINUTE INT64_C(60000)

static struct aws_skew_answer answer(int64_t date_ms, int64_t elapsed_ms) {
    return (struct aws_skew_answer){.date_ms = date_ms, .received_ms = NOW, .elapsed_ms = elapsed_ms};
}

static int64_t measured(struct aws_skew_answer a) {
    int64_t offset_ms = INT64_MIN;
    assert_true(aws_skew_measure(&a, &offset_ms));
    return offset_ms;
}

static bool is_measured(struct aws_skew_answer a) {
    int64_t offset_ms;
    return aws_skew_measure(&a, &offset_ms);
}

static void the_clock_offset_is_measured_at_the_midpoint_of_sending_and_receiving(void **state) {
    (void)state;
    assert_int_equal(measured(answer(NOW, 0)), 0);
    assert_int_equal(measured(answer(NOW + 10 * MINUTE, 0)), 10 * MINUTE);
    assert_int_equal(measured(answer(NOW - 10 * MINUTE, 0)), -10 * MINUTE);
    assert_int_equal(measured(answer(NOW, 2000)), 1000);
    assert_int_equal(measured(answer(NOW - 3 * MINUTE, 6 * MINUTE)), 0);
}

static void an_answer_without_a_date_or_from_a_cache_changes_no_offset(void **state) {
    (void)state;
    struct aws_skew_answer cached = answer(NOW - 60 * MINUTE, 0);
    cached.has_age = true;
    assert_false(is_measured(cached));
    assert_false(is_measured(answer(-1, 0)));
}

static void an_answer_that_took_over_fifteen_minutes_changes_no_offset(void **state) {
    (void)state;
    assert_true(is_measured(answer(NOW, 15 * MINUTE)));
    assert_false(is_measured(answer(NOW, 15 * MINUTE + 1)));
    assert_false(is_measured(answer(NOW, -1)));
}

static void a_clock_offset_of_over_a_year_is_ignored(void **state) {
    (void)state;
    assert_true(is_measured(answer(NOW + AWS_SKEW_MAX_MS, 0)));
    assert_true(is_measured(answer(NOW - AWS_SKEW_MAX_MS, 0)));
    assert_false(is_measured(answer(NOW + AWS_SKEW_MAX_MS + 1, 0)));
    assert_false(is_measured(answer(0, 0)));
    assert_false(is_measured(answer(INT64_C(253402300799000), 0)));
}

static void a_clock_offset_below_four_minutes_is_not_corrected(void **state) {
    (void)state;
    assert_int_equal(aws_skew_correction(0, 0), 0);
    assert_int_equal(aws_skew_correction(4 * MINUTE - 1, 0), 0);
    assert_int_equal(aws_skew_correction(-4 * MINUTE + 1, 0), 0);
    assert_int_equal(aws_skew_correction(4 * MINUTE, 0), 4 * MINUTE);
    assert_int_equal(aws_skew_correction(-4 * MINUTE, 0), -4 * MINUTE);
}

static void a_clock_correction_ends_only_below_three_and_a_half_minutes(void **state) {
    (void)state;
    static const int64_t offsets[] = {239000, 241000, 239500, 240000, -239000};
    int64_t correction_ms = 0;
    for (size_t i = 0; i < COUNT(offsets); i++) { /* the correction begins once and does not end */
        correction_ms = aws_skew_correction(offsets[i], correction_ms);
        assert_int_equal(correction_ms, i ? offsets[i] : 0);
    }
    assert_int_equal(aws_skew_correction(210000, correction_ms), 210000);
    assert_int_equal(aws_skew_correction(209999, correction_ms), 0);
    assert_int_equal(aws_skew_correction(-209999, correction_ms), 0);
    assert_int_equal(aws_skew_correction(210000, 0), 0);
}

static void an_error_is_due_to_the_clock_only_if_the_request_was_signed_for_another_time(void **state) {
    (void)state;
    static const char *const suspects[] = {
        "InvalidSignatureException", "SignatureDoesNotMatch", "RequestExpired", "AuthFailure",
        "RequestTimeTooSkewed",      "AccessDeniedException"};
    for (size_t i = 0; i < COUNT(suspects); i++) {
        print_message("%s\n", suspects[i]);
        assert_true(aws_skew_explains(suspects[i], 0, 5 * MINUTE));
        assert_true(aws_skew_explains(suspects[i], 5 * MINUTE, 0));
        assert_true(aws_skew_explains(suspects[i], -5 * MINUTE, 5 * MINUTE));
        assert_false(aws_skew_explains(suspects[i], 0, 0));
        assert_false(aws_skew_explains(suspects[i], 5 * MINUTE, 5 * MINUTE + 1000));
    }
    assert_false(aws_skew_explains("ValidationException", 0, 5 * MINUTE));
    assert_false(aws_skew_explains("", 0, 5 * MINUTE));
}

static void a_clock_correction_has_changed_when_it_begins_ends_or_jumps(void **state) {
    (void)state;
    assert_true(aws_skew_has_changed(0, 5 * MINUTE));
    assert_true(aws_skew_has_changed(5 * MINUTE, 0));
    assert_true(aws_skew_has_changed(5 * MINUTE, 60 * MINUTE));
    assert_true(aws_skew_has_changed(4 * MINUTE, -4 * MINUTE));
    assert_false(aws_skew_has_changed(0, 0));
    assert_false(aws_skew_has_changed(5 * MINUTE, 5 * MINUTE + 1000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_offset_is_measured_at_the_midpoint_of_sending_and_receiving),
        cmocka_unit_test(an_answer_without_a_date_or_from_a_cache_changes_no_offset),
        cmocka_unit_test(an_answer_that_took_over_fifteen_minutes_changes_no_offset),
        cmocka_unit_test(a_clock_offset_of_over_a_year_is_ignored),
        cmocka_unit_test(a_clock_offset_below_four_minutes_is_not_corrected),
        cmocka_unit_test(a_clock_correction_ends_only_below_three_and_a_half_minutes),
        cmocka_unit_test(an_error_is_due_to_the_clock_only_if_the_request_was_signed_for_another_time),
        cmocka_unit_test(a_clock_correction_has_changed_when_it_begins_ends_or_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
