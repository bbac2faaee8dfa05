#include "aws/service_error.h"

#include "tests/unit/support/aws.h"

static void each_error_name_has_a_status(void **state) {
    (void)state;
    static const struct {
        const char *name;
        long http_status;
        enum status status;
    } cases[] = {
        {"ConditionalCheckFailedException", 400, STATUS_CONFLICT},
        {"ResourceInUseException", 400, STATUS_CONFLICT},
        {"ResourceNotFoundException", 400, STATUS_NOT_FOUND},
        {"ProvisionedThroughputExceededException", 400, STATUS_RETRY},
        {"ThrottlingException", 400, STATUS_RETRY},
        {"LimitExceededException", 400, STATUS_RETRY},
        {"InternalServerError", 500, STATUS_RETRY},
        {"TransactionConflictException", 400, STATUS_RETRY},
        {"RequestTimeTooSkewed", 403, STATUS_RETRY},
        {"ExpiredTokenException", 400, STATUS_RETRY},
        {"NoAnswer", 0, STATUS_RETRY},
        {"ReplyDropped", 0, STATUS_RETRY},
        {"ValidationException", 400, STATUS_INVALID},
        {"ExpiredIteratorException", 400, STATUS_INVALID},
        {"InvalidArgumentException", 400, STATUS_INVALID},
        {"AccessDeniedException", 400, STATUS_FAILED},
        {"UnrecognizedClientException", 400, STATUS_RETRY},
        {"InvalidSignatureException", 400, STATUS_FAILED},
        {"FenceShut", 0, STATUS_FAILED},
        {"Cancelled", 0, STATUS_FAILED},
        {"DeadlineExceeded", 0, STATUS_RETRY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s\n", cases[i].name);
        assert_int_equal(aws_service_error_status(cases[i].name, cases[i].http_status), cases[i].status);
    }
}

static void an_error_without_a_known_name_has_the_status_of_its_http_status(void **state) {
    (void)state;
    assert_int_equal(aws_service_error_status("", 0), STATUS_RETRY);
    assert_int_equal(aws_service_error_status("", 408), STATUS_RETRY);
    assert_int_equal(aws_service_error_status("", 429), STATUS_RETRY);
    assert_int_equal(aws_service_error_status("SomethingNew", 503), STATUS_RETRY);
    assert_int_equal(aws_service_error_status("SomethingNew", 400), STATUS_FAILED);
    assert_int_equal(aws_service_error_status("", 403), STATUS_FAILED);
    assert_int_equal(aws_service_error_status("", 413), STATUS_INVALID);
}

static void throttles_are_recognised_by_their_error_name(void **state) {
    (void)state;
    assert_true(aws_service_error_is_throttle("ProvisionedThroughputExceededException"));
    assert_true(aws_service_error_is_throttle("RequestLimitExceeded"));
    assert_true(aws_service_error_is_throttle("KMSThrottlingException"));
    assert_false(aws_service_error_is_throttle("ConditionalCheckFailedException"));
    assert_false(aws_service_error_is_throttle("Throttl"));
    assert_false(aws_service_error_is_throttle(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_name_has_a_status),
        cmocka_unit_test(an_error_without_a_known_name_has_the_status_of_its_http_status),
        cmocka_unit_test(throttles_are_recognised_by_their_error_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
