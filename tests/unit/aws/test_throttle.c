#include "aws/throttle.h"

#include "aws/client.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/unit/support/test.h"

#define ARN "arn:aws:dynamodb:eu-west-1:123456789012:"

/* The resources that are found, joined by spaces. */
static const char *found(const char *reply, const char *body, const char *resource) {
    static char text[AWS_THROTTLE_RESOURCES * AWS_THROTTLE_NAME_SIZE];
    struct aws_call call = {.body = body, .length = strlen(body), .resource = resource};
    struct aws_throttle throttle;
    json_auto_t *json = reply ? json_loads(reply, 0, NULL) : NULL;
    aws_throttle_find(&throttle, json, &call);
    text[0] = '\0';
    for (size_t i = 0; i < throttle.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", throttle.names[i]);
    return text;
}

static void the_table_or_index_is_read_from_either_spelling_of_dynamodb(void **state) {
    (void)state;
    assert_string_equal(found("{\"ThrottlingReasons\":[{\"reason\":\"IndexWriteKeyRangeThroughputExceeded\","
                              "\"resource\":\"" ARN "table/shop-Scores/index/ScoresByRole\"}]}",
                              "{\"TableName\":\"shop-Scores\"}", NULL),
                        "table/shop-Scores/index/ScoresByRole");
    assert_string_equal(found("{\"throttlingReasons\":[{\"resource\":\"" ARN "table/x\"}]}", "{}", NULL),
                        "table/x");
}

static void a_resource_named_twice_is_found_once_and_those_beyond_the_limit_dropped(void **state) {
    (void)state;
    assert_string_equal(found("{\"ThrottlingReasons\":[{\"resource\":\"" ARN "table/a\"},{\"resource\":\"" ARN
                              "table/a\"},{\"resource\":\"" ARN "table/a/index/i\"}]}",
                              "{}", NULL),
                        "table/a table/a/index/i");
    assert_string_equal(
        found("{\"ThrottlingReasons\":[{\"resource\":\"a\"},{\"resource\":\"b\"},{\"resource\":"
              "\"c\"},{\"resource\":\"d\"},{\"resource\":\"e\"}]}",
              "{}", NULL),
        "a b c d");
}

static void the_request_names_the_throttled_resource_if_the_reply_does_not(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"TableName\":\"x\"}", "table/x"},
        {"{\"TableName\":\"" ARN "table/x\"}", "table/x"},
        {"{\"TableName\":\"x\",\"IndexName\":\"y\"}", "table/x/index/y"},
        {"{\"RequestItems\":{\"x\":{},\"y\":{}}}", "table/x table/y"},
        {"{\"StreamName\":\"s\"}", "stream/s"},
        {"{\"StreamARN\":\"arn:aws:kinesis:eu-west-1:123456789012:stream/s\"}", "stream/s"},
        {"{\"QueueUrl\":\"https://sqs.eu-west-1.amazonaws.com/123456789012/q\"}", "queue/q"},
    };
    static const char *const replies[] = {NULL, "{}", "{\"ThrottlingReasons\":null}",
                                          "{\"ThrottlingReasons\":[]}",
                                          "{\"ThrottlingReasons\":[{\"reason\":\"x\"},7]}"};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t r = 0; r < COUNT(replies); r++)
            assert_string_equal(found(replies[r], cases[i][0], "stream/other"), cases[i][1]);
}

static void the_caller_names_the_throttled_resource_if_request_and_reply_do_not(void **state) {
    (void)state;
    assert_string_equal(found("{}", "{\"ShardIterator\":\"AAA\"}", "stream/s"), "stream/s");
    assert_string_equal(found(NULL, "", NULL), "unknown");
    assert_string_equal(found("[]", "7", NULL), "unknown");
}

static void a_name_of_a_throttled_resource_that_is_too_long_is_cut(void **state) {
    (void)state;
    char body[2048];
    snprintf(body, sizeof body, "{\"TableName\":\"%01000d\"}", 7);
    assert_int_equal(strlen(found(NULL, body, NULL)), AWS_THROTTLE_NAME_SIZE - 1);
}

static void each_throttled_resource_is_counted(void **state) {
    (void)state;
    struct aws_call call = {.body = "{\"TableName\":\"x\"}", .length = 17};
    aws_throttle_count("dynamodb", NULL, &call);
    aws_throttle_count("dynamodb", NULL, &call);
    struct buffer text;
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    assert_contains(text.data,
                    "winner_view_aws_throttles_total{service=\"dynamodb\",resource=\"table/x\"} 2\n");
    buffer_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_or_index_is_read_from_either_spelling_of_dynamodb),
        cmocka_unit_test(a_resource_named_twice_is_found_once_and_those_beyond_the_limit_dropped),
        cmocka_unit_test(the_request_names_the_throttled_resource_if_the_reply_does_not),
        cmocka_unit_test(the_caller_names_the_throttled_resource_if_request_and_reply_do_not),
        cmocka_unit_test(a_name_of_a_throttled_resource_that_is_too_long_is_cut),
        cmocka_unit_test(each_throttled_resource_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
