#include "aws/promise.h"

#include "tests/unit/support/aws.h"

#define RANGE "\"HashKeyRange\":{\"StartingHashKey\":\"0\",\"EndingHashKey\":\"9\"}"
#define RECORD "{\"SequenceNumber\":\"1\",\"PartitionKey\":\"k\",\"Data\":\"eA==\"}"

static struct error e;

static enum status check(const char *operation, const char *body) {
    json_auto_t *reply = json_loads(body, JSON_DECODE_ANY, NULL);
    memset(&e, 0, sizeof e);
    return aws_promise_check(operation, reply, &e);
}

static void a_reply_with_what_its_operation_promises_is_an_answer(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"GetItem", "{}"}, /* the row is not there */
        {"GetItem", "{\"Item\":{\"n\":{\"N\":\"1\"}}}"},
        {"PutItem", "{}"},
        {"UpdateItem", "{}"},
        {"UpdateItem", "{\"Attributes\":{}}"},
        {"DeleteItem", "{\"ConsumedCapacity\":{}}"},
        {"BatchGetItem", "{\"Responses\":{}}"},
        {"BatchGetItem", "{\"Responses\":{\"t\":[{}]},\"UnprocessedKeys\":{\"t\":{\"Keys\":[{}]}}}"},
        {"Query", "{\"Items\":[]}"},
        {"Scan", "{\"Items\":[{}],\"LastEvaluatedKey\":{\"k\":{\"S\":\"x\"}}}"},
        {"DescribeTable", "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"KeySchema\":[]}}"},
        {"CreateTable", "{\"TableDescription\":{}}"},
        {"UpdateTable", "{\"TableDescription\":{}}"},
        {"DescribeTimeToLive", "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}"},
        {"UpdateTimeToLive", "{\"TimeToLiveSpecification\":{}}"},
        {"DescribeStreamSummary", "{\"StreamDescriptionSummary\":{\"StreamARN\":\"arn\","
                                  "\"StreamCreationTimestamp\":1.5,\"RetentionPeriodHours\":24}}"},
        {"ListShards",
         "{\"Shards\":[{\"ShardId\":\"s\",\"ParentShardId\":null," RANGE "}],\"NextToken\":null}"},
        {"GetShardIterator", "{\"ShardIterator\":\"i\"}"},
        {"GetRecords", "{\"Records\":[]}"},
        {"GetRecords", "{\"Records\":[" RECORD "],\"NextShardIterator\":null,\"MillisBehindLatest\":0,"
                       "\"ChildShards\":[{\"ShardId\":\"s\",\"ParentShards\":[\"p\"]," RANGE "}]}"},
        {"SendMessage", "{\"MessageId\":\"m\"}"},
        {"AnyOther", "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (check(cases[i][0], cases[i][1]))
            fail_msg("%s %s: %s", cases[i][0], cases[i][1], e.message);
}

static void what_is_no_object_is_no_answer_of_any_operation(void **state) {
    (void)state;
    static const char *const operations[] = {"GetItem",     "PutItem",          "UpdateItem",
                                             "DeleteItem",  "BatchGetItem",     "Query",
                                             "Scan",        "CreateTable",      "DescribeStreamSummary",
                                             "ListShards",  "GetShardIterator", "GetRecords",
                                             "SendMessage", "AnyOther",         NULL};
    static const char *const bodies[] = {"",   "null", "[]",           "\"x\"",
                                         "17", "true", "{\"Items\":[", "<!DOCTYPE html><html>Sign in</html>"};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        for (size_t j = 0; j < sizeof bodies / sizeof *bodies; j++) {
            assert_int_equal(check(operations[i], bodies[j]), STATUS_RETRY);
            assert_string_equal(e.code, "MalformedReply");
        }
}

static void a_reply_that_breaks_its_promise_is_no_answer_and_says_what_is_missing(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"GetItem", "{\"Item\":[]}", "Item is of another type"},
        {"UpdateItem", "{\"Attributes\":\"x\"}", "Attributes is of another type"},
        {"BatchGetItem", "{}", "the reply has no Responses"},
        {"BatchGetItem", "{\"Responses\":{\"t\":\"x\"}}", "a table's rows is of another type"},
        {"BatchGetItem", "{\"Responses\":{\"t\":[1]}}", "an item is of another type"},
        {"BatchGetItem", "{\"Responses\":{},\"UnprocessedKeys\":{\"t\":[]}}", "a table's keys is of"},
        {"BatchGetItem", "{\"Responses\":{},\"UnprocessedKeys\":{\"t\":{}}}", "a table's keys has no Keys"},
        {"Query", "{}", "the reply has no Items"},
        {"Query", "{\"Items\":[{},null]}", "an item is of another type"},
        {"Scan", "{\"Items\":{}}", "Items is of another type"},
        {"Scan", "{\"Items\":[],\"LastEvaluatedKey\":\"x\"}", "LastEvaluatedKey is of another type"},
        {"DescribeTable", "{}", "the reply has no Table"},
        {"DescribeTimeToLive", "{\"TimeToLiveDescription\":{}}",
         "TimeToLiveDescription has no TimeToLiveStatus"},
        {"DescribeStreamSummary", "{\"StreamDescriptionSummary\":{\"StreamARN\":\"arn\"}}",
         "StreamDescriptionSummary has no StreamCreationTimestamp"},
        {"ListShards", "{\"Shards\":[{\"ShardId\":\"s\"}]}", "a shard has no HashKeyRange"},
        {"ListShards", "{\"Shards\":[],\"NextToken\":7}", "NextToken is of another type"},
        {"GetShardIterator", "{\"ShardIterator\":null}", "the reply has no ShardIterator"},
        {"GetRecords", "{\"MillisBehindLatest\":0}", "the reply has no Records"},
        {"GetRecords", "{\"Records\":[" RECORD ",7]}", "a record is of another type"},
        {"GetRecords", "{\"Records\":[" RECORD ",{\"SequenceNumber\":\"2\",\"PartitionKey\":\"k\"}]}",
         "a record has no Data"},
        {"GetRecords", "{\"Records\":[],\"NextShardIterator\":{}}", "NextShardIterator is of another type"},
        {"GetRecords",
         "{\"Records\":[],\"ChildShards\":[{\"ShardId\":\"s\",\"ParentShards\":[1]," RANGE "}]}",
         "a shard id is of another type"},
        {"SendMessage", "{}", "the reply has no MessageId"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(check(cases[i][0], cases[i][1]), STATUS_RETRY);
        assert_contains(e.message, cases[i][2]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_with_what_its_operation_promises_is_an_answer),
        cmocka_unit_test(what_is_no_object_is_no_answer_of_any_operation),
        cmocka_unit_test(a_reply_that_breaks_its_promise_is_no_answer_and_says_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
