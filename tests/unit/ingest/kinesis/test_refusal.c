/* What the errors of a Kinesis stream do to a reader. */
#include "tests/unit/support/source_kinesis.h"

/* Out of retention. */

static void an_expired_position_goes_on_from_the_horizon_and_says_so(void **state) {
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
    assert_int_equal(t->batch.n, 1); /* what was handed out is not new, wherever reading begins */
    assert_record(t, 0, "9", 0, "b");

    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan_iterator(t, "9", "i5");
    plan_records(t, "i5", RECORD("9", B), AT_TIP("i6"));
    read_ok(t);
    read_ok(t);
    assert_int_equal(t->batch.n, 0);
}

static void empty_replies_with_the_lag_of_retention_do_too(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "7", "i1");
    plan_records(t, "i1", "", BEHIND("i1", 90000000));
    plan_summary(t, 1, 25);
    for (int i = 0; i < 4; i++)
        plan_records(t, "i1", "", BEHIND("i1", 90000000));
    plan_iterator(t, "TRIM_HORIZON", "i2");
    for (int i = 0; i < 6; i++) /* from there it may be empty for long */
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

static void a_smaller_lag_or_a_record_between_does_not(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "7", "i1");
    plan_records(t, "i1", "", BEHIND("i1", 89999999));
    plan_summary(t, 1, 25);
    for (int i = 0; i < 4; i++)
        plan_records(t, "i1", "", BEHIND("i1", 90000000));
    plan_records(t, "i1", RECORD("8", A), BEHIND("i1", 90000000));
    plan_records(t, "i1", "", BEHIND("i1", 90000000));
    open_after(t, "7", 0);
    for (int i = 0; i < 7; i++) {
        read_ok(t);
        assert_null(t->batch.loss);
    }
}

/* What ends a worker, and what must not. */

#define FOREIGN                                                                                              \
    "StartingSequenceNumber 7 used in GetShardIterator on shard " SHARD                                      \
    " in stream a-stream under account 1 is invalid because it did not come from this stream."

static void a_position_of_another_stream_is_refused_for_good(void **state) {
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

static void names_and_words_mean_one_thing_each(void **state) {
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

static void a_position_past_the_end_of_a_closed_shard_is_its_end(void **state) {
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

static void any_other_invalid_argument_holds_the_shard_and_moves_nothing(void **state) {
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

static void identify(struct fixture *t, int64_t created_s) {
    struct store_source identity;
    plan_summary(t, created_s, 24);
    assert_int_equal(source_identify(t->source, &identity, &t->error), STATUS_OK);
}

static void a_shard_that_is_not_listed_any_more_ends_with_its_children(void **state) {
    struct fixture *t = *state;
    int64_t before = counted("winner_view_source_losses_total");
    identify(t, 5);
    read_seven(t);
    plan_not_found(t, "GetRecords");
    plan_summary(t, 5, 24);
    plan(t, "ListShards", "", 200, "{\"Shards\":[%s,%s,%s]}", LISTED("shardId-000000000000", ""),
         LISTED("shardId-000000000002", ",\"ParentShardId\":\"" SHARD "\""),
         LISTED("shardId-000000000003",
                ",\"ParentShardId\":\"shardId-000000000000\",\"AdjacentParentShardId\":\"" SHARD "\""));
    read_ok(t);
    assert_true(t->batch.ended);
    assert_true(t->batch.gone);
    assert_contains(t->batch.loss, SHARD);
    assert_int_equal(t->batch.n_children, 2);
    assert_string_equal(t->batch.children[0].id, "shardId-000000000002");
    assert_string_equal(t->batch.children[1].id, "shardId-000000000003");
    assert_int_equal(counted("winner_view_source_losses_total"), before + 1);
}

static void a_shard_that_is_listed_is_no_less_there_for_an_error(void **state) {
    struct fixture *t = *state;
    plan_not_found(t, "GetShardIterator");
    plan_summary(t, 5, 24);
    plan(t, "ListShards", "", 200, "{\"Shards\":[%s]}", LISTED(SHARD, ""));
    plan_iterator(t, "7", "i1");
    plan_records(t, "i1", RECORD("8", A), AT_TIP("i2"));
    open_after(t, "7", 0);
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_contains(t->error.message, "ResourceNotFoundException");
    read_ok(t);
    assert_record(t, 0, "8", 0, "a");
}

static void a_listing_without_any_shard_ends_none(void **state) {
    struct fixture *t = *state;
    plan_not_found(t, "GetShardIterator");
    plan_summary(t, 5, 24);
    plan(t, "ListShards", "", 200, "{\"Shards\":[]}");
    open_after(t, "7", 0);
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_false(t->batch.ended);
}

static void a_stream_that_is_gone_holds_and_is_no_end(void **state) {
    struct fixture *t = *state;
    int64_t before = counted("winner_view_source_losses_total");
    identify(t, 5);
    read_seven(t);
    plan_not_found(t, "GetRecords");
    plan_refusal(t, "DescribeStreamSummary", "ResourceNotFoundException", "Stream a-stream not found");
    assert_int_equal(read_once(t), STATUS_FAILED);
    assert_contains(t->error.message, "stream 'a-stream' is gone");
    assert_false(t->batch.ended);
    assert_int_equal(counted("winner_view_source_losses_total"), before);
}

static void another_stream_of_its_name_is_refused_for_good(void **state) {
    struct fixture *t = *state;
    identify(t, 5);
    read_seven(t);
    plan_not_found(t, "GetRecords");
    plan_summary(t, 6, 24);
    assert_int_equal(read_once(t), STATUS_INVALID);
    assert_contains(t->error.message, "deleted and created again");
    assert_false(t->batch.ended);
}

/* What passes. */

static void what_may_pass_is_tried_again_with_the_same_iterator(void **state) {
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

static void a_reply_with_a_record_that_is_none_brings_none_of_it(void **state) {
    struct fixture *t = *state;
    read_seven(t);
    plan_records(t, "i2", RECORD("8", B) "," RECORD("9", "not base64"), AT_TIP("i3"));
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_int_equal(budget_held(t->budget), 0);
    plan_records(t, "i2", RECORD("8", B), AT_TIP("i3"));
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void throttled_is_no_failure(void **state) {
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

static void a_key_that_may_not_be_used_holds_the_shard_and_is_named(void **state) {
    struct fixture *t = *state;
    static const char *const names[] = {"KMSDisabledException", "KMSAccessDeniedException",
                                        "AccessDeniedException"};
    read_seven(t);
    for (size_t i = 0; i < COUNT(names); i++) {
        plan_refusal(t, i ? "GetShardIterator" : "GetRecords", names[i], "no");
        assert_int_equal(read_once(t), STATUS_FAILED);
        assert_string_equal(t->error.code, names[i]);
    }
    plan_iterator(t, "7", "i3"); /* mended: on from where it stood */
    plan_records(t, "i3", RECORD("8", B), AT_TIP("i4"));
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        test("after a position refused as expired, reading continues at the trim horizon, with one reported "
             "loss",
             an_expired_position_goes_on_from_the_horizon_and_says_so),
        test("replies that stay empty with the lag of the retention period do too",
             empty_replies_with_the_lag_of_retention_do_too),
        test("a smaller lag, or a record in between, does not", a_smaller_lag_or_a_record_between_does_not),
        test("a position of another stream is refused for good",
             a_position_of_another_stream_is_refused_for_good),
        test("names and words of an error mean one thing each", names_and_words_mean_one_thing_each),
        test("a position past the end of a closed shard is its end",
             a_position_past_the_end_of_a_closed_shard_is_its_end),
        test("any other invalid argument holds the shard and moves nothing",
             any_other_invalid_argument_holds_the_shard_and_moves_nothing),
        test("a shard that is not listed any more ends, with its children from the listing",
             a_shard_that_is_not_listed_any_more_ends_with_its_children),
        test("a shard that is listed is no less there for an error",
             a_shard_that_is_listed_is_no_less_there_for_an_error),
        test("a listing without any shard ends none", a_listing_without_any_shard_ends_none),
        test("a stream that is gone holds the shard and is no end",
             a_stream_that_is_gone_holds_and_is_no_end),
        test("another stream of its name is refused for good",
             another_stream_of_its_name_is_refused_for_good),
        test("5xx, no answer and a cut body are tried again with the same iterator",
             what_may_pass_is_tried_again_with_the_same_iterator),
        test("a reply with a record that is none brings none of it",
             a_reply_with_a_record_that_is_none_brings_none_of_it),
        test("throttled is no failure, whatever call it was", throttled_is_no_failure),
        test("a key that may not be used holds the shard and is named",
             a_key_that_may_not_be_used_holds_the_shard_and_is_named),
    };
    return cmocka_run_group_tests_name("source: kinesis, refusals", tests, NULL, NULL);
}
