#include "aws/retry.h"

#include <pthread.h>

#include "aws/client.h"
#include "tests/unit/support/aws.h"

static void the_wait_before_a_retry_doubles_from_its_base_up_to_twenty_seconds(void **state) {
    (void)state;
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 0, 25, 1.0, -1), 25);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 1, 25, 1.0, -1), 50);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_TRANSPORT, 3, 50, 1.0, -1), 400);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_OTHER, 9, 50, 1.0, -1), 20000);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_OTHER, 1000000, 50, 1.0, -1), 20000);
}

static void the_wait_after_a_throttle_doubles_from_one_second(void **state) {
    (void)state;
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_THROTTLE, 0, 25, 1.0, -1), 1000);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_THROTTLE, 2, 25, 1.0, -1), 4000);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_THROTTLE, 5, 25, 1.0, -1), 20000);
}

static void the_wait_is_a_random_fraction_of_its_maximum(void **state) {
    (void)state;
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 4, 50, 0.0, -1), 0);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 4, 50, 0.25, -1), 200);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_THROTTLE, 0, 50, 0.5, -1), 500);
}

static void a_requested_wait_is_limited_to_five_seconds_more_than_the_computed_one(void **state) {
    (void)state;
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 0, 50, 1.0, 0), 50);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 0, 50, 1.0, 49), 50);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 0, 50, 1.0, 1500), 1500);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 0, 50, 1.0, 5050), 5050);
    assert_int_equal(aws_retry_delay_ms(AWS_RETRY_SERVER, 0, 50, 1.0, 3600000), 5050);
}

/* The numbers are in aws/client.c. */
static void dynamodb_has_four_attempts_from_25_ms_and_the_others_three_from_50(void **state) {
    (void)state;
    assert_int_equal(aws_dynamodb.max_attempts, 4);
    assert_int_equal(aws_dynamodb.backoff_base_ms, 25);
    const struct aws_service *const others[] = {&aws_kinesis, &aws_sqs};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(others[i]->max_attempts, 3);
        assert_int_equal(others[i]->backoff_base_ms, 50);
    }
}

static void only_errors_that_may_pass_are_retried(void **state) {
    (void)state;
    assert_int_equal(aws_retry_cause_of("ThrottlingException", 400), AWS_RETRY_THROTTLE);
    assert_int_equal(aws_retry_cause_of("SlowDown", 503), AWS_RETRY_THROTTLE);
    assert_int_equal(aws_retry_cause_of("", 429), AWS_RETRY_THROTTLE);
    assert_int_equal(aws_retry_cause_of("InternalServerError", 500), AWS_RETRY_SERVER);
    assert_int_equal(aws_retry_cause_of("", 502), AWS_RETRY_SERVER);
    assert_int_equal(aws_retry_cause_of("", 503), AWS_RETRY_SERVER);
    assert_int_equal(aws_retry_cause_of("", 504), AWS_RETRY_SERVER);
    assert_int_equal(aws_retry_cause_of("NoAnswer", 0), AWS_RETRY_TRANSPORT);
    assert_int_equal(aws_retry_cause_of("ChecksumMismatch", 200), AWS_RETRY_OTHER);
    assert_int_equal(aws_retry_cause_of("RequestTimeout", 400), AWS_RETRY_OTHER);
    assert_int_equal(aws_retry_cause_of("", 501), AWS_RETRY_NONE);
    assert_int_equal(aws_retry_cause_of("ReplyTooLarge", 200), AWS_RETRY_NONE);
    assert_int_equal(aws_retry_cause_of("ConditionalCheckFailedException", 400), AWS_RETRY_NONE);
    assert_int_equal(aws_retry_cause_of("ValidationException", 400), AWS_RETRY_NONE);
    assert_int_equal(aws_retry_cause_of("AccessDeniedException", 400), AWS_RETRY_NONE);
    assert_int_equal(aws_retry_cause_of("ExpiredTokenException", 400), AWS_RETRY_NONE);
}

static void a_retry_of_a_throttle_costs_five_tokens_and_any_other_fourteen(void **state) {
    (void)state;
    struct aws_retry_quota q;
    aws_retry_quota_init(&q);
    int throttles = 0, others = 0;
    while (aws_retry_quota_take(&q, AWS_RETRY_THROTTLE))
        throttles++;
    assert_int_equal(throttles, 100);

    aws_retry_quota_init(&q);
    while (aws_retry_quota_take(&q, AWS_RETRY_TRANSPORT))
        others++;
    assert_int_equal(others, 35);
    assert_int_equal(aws_retry_quota_take(&q, AWS_RETRY_THROTTLE), 5);
    assert_int_equal(aws_retry_quota_take(&q, AWS_RETRY_THROTTLE), 5);
    assert_int_equal(aws_retry_quota_take(&q, AWS_RETRY_THROTTLE), 0);
}

static void a_success_returns_the_tokens_of_its_retry_or_else_one(void **state) {
    (void)state;
    struct aws_retry_quota q;
    aws_retry_quota_init(&q);
    while (aws_retry_quota_take(&q, AWS_RETRY_THROTTLE))
        ;
    for (int i = 0; i < 4; i++)
        aws_retry_quota_give(&q, 0);
    assert_int_equal(aws_retry_quota_take(&q, AWS_RETRY_THROTTLE), 0);
    aws_retry_quota_give(&q, 0);
    assert_int_equal(aws_retry_quota_take(&q, AWS_RETRY_THROTTLE), 5);
    aws_retry_quota_give(&q, 14);
    assert_int_equal(aws_retry_quota_take(&q, AWS_RETRY_SERVER), 14);
    assert_int_equal(aws_retry_quota_take(&q, AWS_RETRY_THROTTLE), 0);
}

static void the_retry_quota_is_never_above_its_maximum(void **state) {
    (void)state;
    struct aws_retry_quota q;
    aws_retry_quota_init(&q);
    aws_retry_quota_give(&q, 14);
    aws_retry_quota_give(&q, 0);
    int throttles = 0;
    while (aws_retry_quota_take(&q, AWS_RETRY_THROTTLE))
        throttles++;
    assert_int_equal(throttles, 100);
}

static void *take_and_give(void *context) {
    for (int i = 0; i < 10000; i++) {
        int taken = aws_retry_quota_take(context, i % 2 ? AWS_RETRY_THROTTLE : AWS_RETRY_SERVER);
        if (taken)
            aws_retry_quota_give(context, taken);
    }
    return NULL;
}

static void threads_that_share_a_retry_quota_lose_no_token(void **state) {
    (void)state;
    struct aws_retry_quota q;
    aws_retry_quota_init(&q);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &q), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&q.tokens), AWS_RETRY_QUOTA);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wait_before_a_retry_doubles_from_its_base_up_to_twenty_seconds),
        cmocka_unit_test(the_wait_after_a_throttle_doubles_from_one_second),
        cmocka_unit_test(the_wait_is_a_random_fraction_of_its_maximum),
        cmocka_unit_test(a_requested_wait_is_limited_to_five_seconds_more_than_the_computed_one),
        cmocka_unit_test(dynamodb_has_four_attempts_from_25_ms_and_the_others_three_from_50),
        cmocka_unit_test(only_errors_that_may_pass_are_retried),
        cmocka_unit_test(a_retry_of_a_throttle_costs_five_tokens_and_any_other_fourteen),
        cmocka_unit_test(a_success_returns_the_tokens_of_its_retry_or_else_one),
        cmocka_unit_test(the_retry_quota_is_never_above_its_maximum),
        cmocka_unit_test(threads_that_share_a_retry_quota_lose_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
