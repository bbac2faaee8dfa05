#include "aws/reply.h"

#include "aws/transport.h"
#include "base/limits.h"
#include "tests/unit/support/aws.h"

static struct aws_exchange x;
static struct error e;
static json_t *reply;

static int set_up(void **state) {
    (void)state;
    aws_exchange_init(&x);
    reply = NULL;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    aws_exchange_deinit(&x);
    json_decref(reply);
    return 0;
}

static void the_reply_of_a_success_is_its_json(void **state) {
    (void)state;
    aws_exchange_answer(&x, 200, "{\"Item\":{\"n\":{\"S\":\"a\\u0000b\"}}}");
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_OK);
    assert_int_equal(
        json_string_length(json_object_get(json_object_get(json_object_get(reply, "Item"), "n"), "S")), 3);
}

static void an_error_reply_keeps_its_name_message_request_id_and_json(void **state) {
    (void)state;
    aws_exchange_answer(
        &x, 400,
        "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException\","
        "\"Message\":\"The conditional request failed\",\"Item\":{\"at2\":{\"B\":\"AQI=\"}}}");
    aws_exchange_header(&x, "X-AMZN-REQUESTID", "R-1");
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_CONFLICT);
    assert_int_equal(e.status, STATUS_CONFLICT);
    assert_string_equal(e.code, "ConditionalCheckFailedException");
    assert_contains(e.message, "The conditional request failed");
    assert_string_equal(e.request_id, "R-1");
    assert_non_null(json_object_get(json_object_get(reply, "Item"), "at2"));
}

static void the_error_name_is_found_in_every_place_that_services_use(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"{\"__type\":\"ExpiredIteratorException\",\"message\":\"old\"}", "", "ExpiredIteratorException"},
        {"{\"__type\":\"ns#Name:http://internal/x\",\"message\":\"m\"}", "", "Name"},
        {"{\"code\":\"ns#AccessDeniedException\"}", "", "AccessDeniedException"},
        {"{}", "ValidationException:http://amazonaws.com/x", "ValidationException"},
        {"", "ns#ThrottlingException", "ThrottlingException"},
        {"{\"__type\":null}", "", ""},
        {"<html>", "", ""},
        /* no name, so it is in no metric */
        {"{\"__type\":\"ns#Gr\u00f6\u00dfe\"}", "", ""},
        {"{}", "ns#\xff\xfe", ""},
        {"{}", "two words", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        aws_exchange_answer(&x, 400, cases[i][0]);
        aws_exchange_header(&x, "x-amzn-ErrorType", cases[i][1]);
        assert_int_not_equal(aws_reply_read(&x, &reply, &e), STATUS_OK);
        assert_string_equal(e.code, cases[i][2]);
        json_decref(reply);
        reply = NULL;
    }
    assert_contains(e.message, "HTTP 400");
}

static void a_reply_whose_checksum_is_wrong_is_damaged(void **state) {
    (void)state;
    /* CRC-32 of "123456789" is the check value of its definition. */
    aws_exchange_answer(&x, 200, "123456789");
    aws_exchange_header(&x, "x-amz-crc32", "3421780262");
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_RETRY);
    assert_string_equal(e.code, "MalformedReply"); /* undamaged, but no object */
    json_decref(reply);
    aws_exchange_header(&x, "x-amz-crc32", "3421780261");
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_RETRY);
    assert_string_equal(e.code, "ChecksumMismatch");
    assert_null(reply);
}

static void a_success_without_what_its_operation_promises_may_be_retried(void **state) {
    (void)state;
    x.operation = "Scan";
    aws_exchange_answer(&x, 200, "{\"Count\":0}");
    aws_exchange_header(&x, "x-amzn-requestid", "R-2");
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_RETRY);
    assert_string_equal(e.code, "MalformedReply");
    assert_string_equal(e.request_id, "R-2");
    assert_contains(e.message, "the reply has no Items");
}

static void a_missing_answer_is_reported_with_its_reason(void **state) {
    (void)state;
    aws_exchange_fail(&x, "Connection refused");
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_RETRY);
    assert_string_equal(e.code, "NoAnswer");
    assert_contains(e.message, "Connection refused");
}

static void a_reply_that_is_too_large_fails(void **state) {
    (void)state;
    char *large = malloc(LIMIT_AWS_REPLY_BYTES + 2);
    memset(large, ' ', LIMIT_AWS_REPLY_BYTES + 1);
    large[LIMIT_AWS_REPLY_BYTES + 1] = '\0';
    aws_exchange_answer(&x, 200, large);
    free(large);
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_FAILED);
    assert_string_equal(e.code, "ReplyTooLarge");
}

static void headers_that_are_not_numbers_are_ignored(void **state) {
    (void)state;
    aws_exchange_answer(&x, 200, "{}");
    aws_exchange_header(&x, "x-amz-crc32", "4294967296");
    aws_exchange_header(&x, "x-amz-crc32", "-1");
    aws_exchange_header(&x, "x-amz-crc32", "12x");
    aws_exchange_header(&x, "x-amz-retry-after", "soon");
    assert_false(x.has_crc32);
    assert_int_equal(x.retry_after_ms, -1);
    aws_exchange_header(&x, "X-Amz-Retry-After", "1500");
    assert_int_equal(x.retry_after_ms, 1500);
}

static void an_error_with_a_wrong_checksum_is_damaged(void **state) {
    (void)state;
    aws_exchange_answer(&x, 400, "{\"__type\":\"ConditionalCheckFailedException\"}");
    aws_exchange_header(&x, "x-amz-crc32", "1");
    assert_int_equal(aws_reply_read(&x, &reply, &e), STATUS_RETRY);
    assert_string_equal(e.code, "ChecksumMismatch");
    assert_null(reply);
}

static void the_retry_after_header_of_aws_precedes_that_of_http(void **state) {
    (void)state;
    aws_exchange_answer(&x, 503, "");
    assert_int_equal(aws_exchange_retry_after_ms(&x, 0), -1);
    aws_exchange_header(&x, "Retry-After", "soon");
    assert_int_equal(aws_exchange_retry_after_ms(&x, 0), -1);
    aws_exchange_header(&x, "Retry-After", "3");
    assert_int_equal(aws_exchange_retry_after_ms(&x, 0), 3000);
    aws_exchange_header(&x, "X-Amz-Retry-After", "1500");
    assert_int_equal(aws_exchange_retry_after_ms(&x, 0), 1500);
}

static void a_retry_after_date_is_measured_by_the_clock_of_the_service(void **state) {
    (void)state;
    aws_exchange_answer(&x, 503, "");
    aws_exchange_header(&x, "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(aws_exchange_retry_after_ms(&x, 784111777000 - 7000), 7000);
    assert_int_equal(aws_exchange_retry_after_ms(&x, 784111777000 + 7000), 0);
    aws_exchange_header(&x, "Date", "Sun, 06 Nov 1994 08:49:35 GMT");
    assert_int_equal(aws_exchange_retry_after_ms(&x, 784111777000 - 7000), 2000);
}

static void a_new_answer_discards_the_headers_of_the_one_before(void **state) {
    (void)state;
    static const char *const headers[][2] = {
        {"x-amz-crc32", "1"},       {"Age", "0"},
        {"Retry-After", "3"},       {"Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"},
        {"x-amz-retry-after", "3"}, {"Date", "Sun, 06 Nov 1994 08:49:35 GMT"}};
    aws_exchange_answer(&x, 200, "{}");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        aws_exchange_header(&x, headers[i][0], headers[i][1]);
    assert_true(x.has_crc32 && x.has_age && x.date_ms == 784111775000 && x.retry_at_ms == 784111777000);
    aws_exchange_answer(&x, 200, "{}");
    assert_true(!x.has_crc32 && !x.has_age && x.date_ms == -1);
    assert_int_equal(aws_exchange_retry_after_ms(&x, 0), -1);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_reply_of_a_success_is_its_json),

        TEST(an_error_reply_keeps_its_name_message_request_id_and_json),
        TEST(the_error_name_is_found_in_every_place_that_services_use),
        TEST(a_reply_whose_checksum_is_wrong_is_damaged),
        TEST(a_success_without_what_its_operation_promises_may_be_retried),
        TEST(a_missing_answer_is_reported_with_its_reason),
        TEST(a_reply_that_is_too_large_fails),
        TEST(headers_that_are_not_numbers_are_ignored),
        TEST(an_error_with_a_wrong_checksum_is_damaged),
        TEST(the_retry_after_header_of_aws_precedes_that_of_http),
        TEST(a_retry_after_date_is_measured_by_the_clock_of_the_service),
        TEST(a_new_answer_discards_the_headers_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
