/* How a reader reacts to the errors of a Kinesis stream. */
#include "tests/unit/support/source_kinesis.h"

/* Out of retention. */

static void after_an_expired_position_reading_continues_at_the_trim_horizon_with_a_loss(void **state) {
    struct fixture *t = *state;
    int64_t before = counted("winner_view_source_losses_total");
    plan_refusal(t, "GetShardIterator", "InvalidArgumentException",
                 "StartingSequenceNumber 7 used in GetShardIterator on shard " SHARD " has expired.");
    open_after(t, "7", 0);
    read_ok(t);
    assert_contains(t->batch.loss, "after 7");
    assert_int_equal(t->batch.n, 0);
    assert_false(t->batch.ended);
    assert_int_equal(counted("winner_view_source_losses_total"), before + 1);
    assert_true(counted("winner_view_source_loss_timestamp_seconds") > 1700000000);

    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", "", BEHIND("i2", 86400000));
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan_iterator(t, "TRIM_HORIZON", "i3");
    plan_records(t, "i3", RECORD("7", A) "," RECORD("9", B), AT_TIP("i4"));
    for (int i = 0; i < 3; i++) {
        read_ok(t);
        assert_null(t->batch.loss);
    }
    assert_int_equal(t->batch.n, 1); /* a record that was returned already is not returned again */
    assert_record(t, 0, "9", 0, "b");

    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan_iterator(t, "9", "i5");
    plan_records(t, "i5", RECORD("9", B), AT_TIP("i6"));
    read_ok(t);
    read_ok(t);
    assert_int_equal(t->batch.n, 0);
}

static void empty_replies_with_the_lag_of_retention_are_a_loss(void **state) {
    struct fixture *t = *state;
    identify(t, 5, 25);
    plan_iterator(t, "7", "i1");
    for (int i = 0; i < 5; i++)
        plan_records(t, "i1", "", BEHIND("i1", 90000000));
    plan_iterator(t, "TRIM_HORIZON", "i2");
    for (int i = 0; i < 6; i++) /* after the trim horizon empty replies are no loss */
        plan_records(t, "i2", "", BEHIND("i2", 90000000));
    open_after(t, "7", 0);
    for (int i = 0; i < 4; i++) {
        read_ok(t);
        assert_null(t->batch.loss);
    }
    read_ok(t);
    assert_contains(t->batch.loss, "after 7");
    for (int i = 0; i < 6; i++) {
        read_ok(t);
        assert_null(t->batch.loss);
    }
}

static void empty_replies_with_a_smaller_lag_are_not_a_loss(void **state) {
    struct fixture *t = *state;
    identify(t, 5, 25);
    plan_iterator(t, "7", "i1");
    plan_records(t, "i1", "", BEHIND("i1", 89999999));
    for (int i = 0; i < 4; i++)
        plan_records(t, "i1", "", BEHIND("i1", 90000000));
    plan_records(t, "i1", RECORD("8", A), BEHIND("i1", 90000000));
    plan_summary(t, 5, 25);
    plan_records(t, "i1", "", BEHIND("i1", 90000000));
    open_after(t, "7", 0);
    for (int i = 0; i < 7; i++) {
        read_ok(t);
        assert_null(t->batch.loss);
    }
}

/* Errors that end a worker, and errors that must not. */

#define FOREIGN                                                                                              \
    "StartingSequenceNumber 7 used in GetShardIterator on shard " SHARD                                      \
    " in stream a-stream under account 1 is invalid because it did not come from this stream."

static void a_position_of_another_stream_is_invalid(void **state) {
    struct fixture *t = *state;
    int64_t before = counted("winner_view_source_losses_total");
    plan_refusal(t, "GetShardIterator", "InvalidArgumentException", FOREIGN);
    open_after(t, "7", 0);
    assert_int_equal(read_once(t), STATUS_INVALID);
    assert_contains(t->error.message, "did not come from this stream");
    assert_int_equal(counted("winner_view_source_losses_total"), before);
}

static const struct {
    const char *name, *message;
    enum kinesis_refusal refusal;
} refusals[] = {
    {"InvalidArgumentException", FOREIGN, KINESIS_FOREIGN_POSITION},
    {"ValidationException", FOREIGN, KINESIS_OTHER},
    {"InvalidArgumentException",
     "Invalid SequenceNumber for ShardIteratorType AFTER_SEQUENCE_NUMBER, SequenceNumber has reached max "
     "possible "
     "value for the shard.",
     KINESIS_PAST_THE_END},
    {"InvalidArgumentException", "StartingSequenceNumber 7 has expired.", KINESIS_OUT_OF_RETENTION},
    {"InvalidArgumentException", "The StartingSequenceNumber is older than the trim horizon.",
     KINESIS_OUT_OF_RETENTION},
    {"InvalidArgumentException", "SequenceNumber 7 is beyond the retention period of the stream.",
     KINESIS_OUT_OF_RETENTION},
    {"InvalidArgumentException",
     "StartingSequenceNumber 7 used in GetShardIterator on shard s in stream has_expired-trim-horizon under "
     "account 1 "
     "is invalid.",
     KINESIS_OTHER},
    {"InvalidArgumentException",
     "Invalid StartingSequenceNumber. It encodes shardId-000000000007, while it was used in a call to a "
     "shard with "
     "shardId-000000000000",
     KINESIS_OTHER},
    {"InvalidArgumentException", "The ShardIterator has expired.", KINESIS_OTHER},
    {"ResourceNotFoundException", "Shard " SHARD " has expired: SequenceNumber", KINESIS_NOT_FOUND},
    {"ExpiredIteratorException", FOREIGN, KINESIS_EXPIRED_ITERATOR},
    {"ExpiredTokenException", "SequenceNumber has expired", KINESIS_OTHER},
    {"ProvisionedThroughputExceededException", "Rate exceeded for shard", KINESIS_THROTTLED},
    {"KMSThrottlingException", "", KINESIS_THROTTLED},
    {"KMSDisabledException", "", KINESIS_OTHER},
    {"", "SequenceNumber has expired", KINESIS_OTHER},
};

static void each_error_name_and_message_has_one_meaning(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct error e;
        error_set(&e, STATUS_INVALID, "cannot call X on stream 'a-stream': %s: %s", refusals[i].name,
                  refusals[i].message);
        strcpy(e.code, refusals[i].name);
        if (kinesis_refusal(&e) != refusals[i].refusal)
            fail_msg("%s: %s: is %d", refusals[i].name, refusals[i].message, kinesis_refusal(&e));
    }
}

static void a_position_past_the_end_of_a_closed_shard_ends_it(void **state) {
    struct fixture *t = *state;
    plan_refusal(
        t, "GetShardIterator", "InvalidArgumentException",
        "Invalid SequenceNumber for ShardIteratorType AT_SEQUENCE_NUMBER, SequenceNumber has reached max "
        "possible value for the shard.");
    open_after(t, "7", 0);
    read_ok(t);
    assert_true(t->batch.ended);
    assert_false(t->batch.gone);
    assert_int_equal(t->batch.n_children, 0);
    assert_null(t->batch.loss);
}

static void any_other_invalid_argument_keeps_the_position(void **state) {
    struct fixture *t = *state;
    plan_refusal(t, "GetShardIterator", "InvalidArgumentException",
                 "StartingSequenceNumber 7 used in GetShardIterator on shard " SHARD " is invalid.");
    plan_iterator(t, "7", "i1");
    plan_refusal(t, "GetRecords", "InvalidArgumentException", "StartingSequenceNumber has expired");
    plan_iterator(t, "7", "i2");
    plan_records(t, "i2", RECORD("8", A), AT_TIP("i3"));
    open_after(t, "7", 0);
    assert_int_equal(read_once(t), STATUS_FAILED);
    assert_int_equal(read_once(t), STATUS_FAILED);
    read_ok(t);
    assert_record(t, 0, "8", 0, "a");
}

/* Not found. */

static void plan_not_found(struct fixture *t, const char *operation) {
    plan_refusal(t, operation, "ResourceNotFoundException", "Shard " SHARD " does not exist");
}

static void a_shard_that_is_not_listed_any_more_ends_with_its_children(void **state) {
    struct fixture *t = *state;
    int64_t before = counted("winner_view_source_losses_total");
    read_seven(t);
    identify(t, 5, 24);
    plan_not_found(t, "GetRecords");
    plan(t, "ListShards", "", 200, "{\"Shards\":[%s,%s,%s]}", LISTED("shardId-000000000000", ""),
         LISTED("shardId-000000000002", ",\"ParentShardId\":\"" SHARD "\""),
         LISTED("shardId-000000000003",
                ",\"ParentShardId\":\"shardId-000000000000\",\"AdjacentParentShardId\":\"" SHARD "\""));
    plan_summary(t, 5, 24);
    read_ok(t);
    assert_true(t->batch.ended);
    assert_true(t->batch.gone);
    assert_contains(t->batch.loss, SHARD);
    assert_int_equal(t->batch.n_children, 2);
    assert_string_equal(t->batch.children[0].id, "shardId-000000000002");
    assert_string_equal(t->batch.children[1].id, "shardId-000000000003");
    assert_int_equal(counted("winner_view_source_losses_total"), before + 1);
}

static void a_not_found_error_for_a_listed_shard_is_retried(void **state) {
    struct fixture *t = *state;
    plan_not_found(t, "GetShardIterator");
    plan(t, "ListShards", "", 200, "{\"Shards\":[%s]}", LISTED(SHARD, ""));
    plan_iterator(t, "7", "i1");
    plan_records(t, "i1", RECORD("8", A), AT_TIP("i2"));
    open_after(t, "7", 0);
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_contains(t->error.message, "ResourceNotFoundException");
    read_ok(t);
    assert_record(t, 0, "8", 0, "a");
}

static void a_listing_without_any_shard_ends_no_shard(void **state) {
    struct fixture *t = *state;
    plan_not_found(t, "GetShardIterator");
    plan(t, "ListShards", "", 200, "{\"Shards\":[]}");
    open_after(t, "7", 0);
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_false(t->batch.ended);
}

static void the_shard_waits_if_the_stream_is_gone(void **state) {
    struct fixture *t = *state;
    int64_t before = counted("winner_view_source_losses_total");
    read_seven(t);
    identify(t, 5, 24);
    plan_not_found(t, "GetRecords");
    plan_not_found(t, "ListShards");
    plan_refusal(t, "DescribeStreamSummary", "ResourceNotFoundException", "Stream a-stream not found");
    assert_int_equal(read_once(t), STATUS_FAILED);
    assert_contains(t->error.message, "stream 'a-stream' is gone");
    assert_false(t->batch.ended);
    assert_int_equal(counted("winner_view_source_losses_total"), before);
}

static void another_stream_with_the_same_name_is_invalid(void **state) {
    struct fixture *t = *state;
    read_seven(t);
    identify(t, 5, 24);
    plan_not_found(t, "GetRecords");
    plan(t, "ListShards", "", 200, "{\"Shards\":[]}"); /* of the other one: proves nothing */
    plan_summary(t, 6, 24);
    assert_int_equal(read_once(t), STATUS_INVALID);
    assert_contains(t->error.message, "deleted and created again");
    assert_contains(t->error.message, "1970-01-01T00:00:05.000Z");
    assert_contains(t->error.message, "1970-01-01T00:00:06.000Z");
    assert_false(t->batch.ended);
}

/* Temporary failures. */

static void temporary_failures_are_retried_with_the_same_iterator(void **state) {
    struct fixture *t = *state;
    const struct {
        long http_status;
        const char *reply;
    } failures[] = {
        {500, "{\"__type\":\"InternalFailureException\"}"}, {503, ""}, {0, ""}, {200, "{\"Records\":[{\""}};
    read_seven(t);
    for (size_t i = 0; i < COUNT(failures); i++) {
        plan(t, "GetRecords", "\"ShardIterator\":\"i2\"", failures[i].http_status, "%s", failures[i].reply);
        assert_int_equal(read_once(t), STATUS_RETRY);
        assert_int_equal(t->batch.n, 0);
    }
    plan_records(t, "i2", RECORD("8", B), AT_TIP("i3"));
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void a_reply_with_one_malformed_record_is_rejected(void **state) {
    struct fixture *t = *state;
    read_seven(t);
    plan_records(t, "i2", RECORD("8", B) "," RECORD("9", "not base64"), AT_TIP("i3"));
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_int_equal(budget_held(t->budget), 0);
    plan_records(t, "i2", RECORD("8", B), AT_TIP("i3"));
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void a_throttled_call_is_not_an_error(void **state) {
    struct fixture *t = *state;
    static const char *const names[] = {"ProvisionedThroughputExceededException", "KMSThrottlingException"};
    static const char by_stream[] = "service=\"kinesis\",resource=\"stream/a-stream\"";
    int64_t before = counted("winner_view_source_throttles_total");
    int64_t before_by_stream = counted_as("winner_view_aws_throttles_total", by_stream);
    plan_refusal(t, "GetShardIterator", names[0], "Rate exceeded");
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_refusal(t, "GetRecords", names[0], "Rate exceeded");
    plan_refusal(t, "GetRecords", names[1], "Rate exceeded");
    plan_records(t, "i1", RECORD("7", A), AT_TIP("i2"));
    open_at_horizon(t);
    for (int i = 0; i < 3; i++) {
        read_ok(t);
        assert_int_equal(t->batch.n, 0);
    }
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
    assert_int_equal(counted("winner_view_source_throttles_total"), before + 3);
    assert_int_equal(counted_as("winner_view_aws_throttles_total", by_stream), before_by_stream + 3);
}

static void the_shard_waits_if_the_key_may_not_be_used(void **state) {
    struct fixture *t = *state;
    static const char *const names[] = {"KMSDisabledException", "KMSAccessDeniedException",
                                        "AccessDeniedException"};
    read_seven(t);
    for (size_t i = 0; i < COUNT(names); i++) {
        plan_refusal(t, i ? "GetShardIterator" : "GetRecords", names[i], "no");
        assert_int_equal(read_once(t), STATUS_FAILED);
        assert_string_equal(t->error.code, names[i]);
    }
    plan_iterator(t, "7", "i3"); /* allowed again: reading continues after the last record */
    plan_records(t, "i3", RECORD("8", B), AT_TIP("i4"));
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        test("after a position refused as expired, reading continues at the trim horizon, with one reported "
             "loss",
             after_an_expired_position_reading_continues_at_the_trim_horizon_with_a_loss),
        test("after five empty replies whose lag is the retention period, reading continues at the trim "
             "horizon, with one reported loss",
             empty_replies_with_the_lag_of_retention_are_a_loss),
        test("empty replies with a smaller lag, or with a record in between, are not a loss",
             empty_replies_with_a_smaller_lag_are_not_a_loss),
        test("a position of another stream is refused with INVALID", a_position_of_another_stream_is_invalid),
        test("each error name and message has one meaning", each_error_name_and_message_has_one_meaning),
        test("a position past the end of a closed shard ends the shard",
             a_position_past_the_end_of_a_closed_shard_ends_it),
        test("after any other invalid argument the shard waits at its position",
             any_other_invalid_argument_keeps_the_position),
        test("a shard that is not listed any more ends, and its children are those in the listing",
             a_shard_that_is_not_listed_any_more_ends_with_its_children),
        test("a not-found error for a shard that is still listed is retried",
             a_not_found_error_for_a_listed_shard_is_retried),
        test("a listing without any shard does not end the shard", a_listing_without_any_shard_ends_no_shard),
        test("if the stream is gone, the shard waits and does not end",
             the_shard_waits_if_the_stream_is_gone),
        test("another stream with the same name is refused with INVALID",
             another_stream_with_the_same_name_is_invalid),
        test("a read is retried with the same iterator after 5xx, no answer or a cut body",
             temporary_failures_are_retried_with_the_same_iterator),
        test("a reply with one malformed record is rejected as a whole",
             a_reply_with_one_malformed_record_is_rejected),
        test("a throttled call returns no records and no error", a_throttled_call_is_not_an_error),
        test("while the stream's KMS key may not be used, the shard waits and the error is named",
             the_shard_waits_if_the_key_may_not_be_used),
    };
    return cmocka_run_group_tests_name("source: kinesis, refusals", tests, NULL, NULL);
}
