/* What a reader concludes from one reply after another: how fresh the shard is, whether records were lost,
 * and whether the stream is still the same. */
#include "tests/unit/support/source_kinesis.h"

#define AT_END "\"NextShardIterator\":null,\"MillisBehindLatest\":0,\"ChildShards\":[]"
#define ARRIVED_MS INT64_C(1700000000500) /* RECORD's */

/* How fresh. */

static void read_as_of(struct fixture *t, int64_t expected_ms) {
    read_ok(t);
    assert_int_equal(t->batch.as_of_ms, expected_ms);
}

/* A read at the tip. Returns the time before it; it was sent then or within a second after. */
static int64_t read_at_tip(struct fixture *t) {
    int64_t before_ms = service_clock_now(support_clock());
    plan_records(t, "i1", "", AT_TIP("i1"));
    read_ok(t);
    return before_ms;
}

static void assert_is_time_of_read(const struct fixture *t, int64_t before_ms, int64_t next_before_ms) {
    assert_in_range(t->batch.as_of_ms, before_ms, next_before_ms);
}

static void a_read_at_the_tip_counts_once_the_next_has_not_ended_the_shard(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", A), AT_TIP("i1"));
    open_at_horizon(t);
    int64_t before_ms[3] = {service_clock_now(support_clock())};
    read_as_of(t, ARRIVED_MS);
    for (int i = 1; i < 3; i++) {
        before_ms[i] = read_at_tip(t);
        assert_is_time_of_read(t, before_ms[i - 1], before_ms[i]);
    }
}

static void the_end_takes_back_the_read_before_it(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    read_at_tip(t);
    plan_records(t, "i1", RECORD("7", A), AT_END);
    read_as_of(t, ARRIVED_MS);
    assert_true(t->batch.ended);
}

static void an_end_without_records_makes_nothing_fresher(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    read_at_tip(t);
    plan_records(t, "i1", "", AT_END);
    read_as_of(t, -1);
    assert_true(t->batch.ended);
}

static void failures_in_between_change_nothing(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    int64_t before_ms = read_at_tip(t);
    plan_refusal(t, "GetRecords", "ProvisionedThroughputExceededException", "Rate exceeded");
    read_as_of(t, -1);
    plan(t, "GetRecords", "", 0, "%s", "");
    assert_int_equal(read_once(t), STATUS_RETRY);
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    read_as_of(t, -1);
    plan_iterator(t, "TRIM_HORIZON", "i1");
    int64_t next_before_ms = read_at_tip(t);
    assert_is_time_of_read(t, before_ms, next_before_ms);
}

/* So that was not the tip. */
static void a_record_that_arrived_before_a_read_at_the_tip_lowers_what_that_read_proves(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    read_at_tip(t);
    plan_records(t, "i1", RECORD("7", A), AT_TIP("i1"));
    read_as_of(t, ARRIVED_MS);
}

static void behind_the_tip_the_read_before_still_counts(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    int64_t before_ms = read_at_tip(t);
    int64_t next_before_ms = service_clock_now(support_clock());
    plan_records(t, "i1", "", BEHIND("i1", 5000));
    read_ok(t);
    assert_is_time_of_read(t, before_ms, next_before_ms);
    plan_records(t, "i1", "", BEHIND("i1", 5000));
    next_before_ms = service_clock_now(support_clock());
    read_ok(t);
    assert_in_range(t->batch.as_of_ms, next_before_ms - 5000, service_clock_now(support_clock()) - 5000);
}

static void while_the_time_is_unknown_only_arrivals_count(void **state) {
    struct fixture *t = *state;
    t->settings->teacher = NULL; /* so it is unknown when requests were sent */
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", A), AT_TIP("i1"));
    plan_records(t, "i1", "", AT_TIP("i1"));
    plan_records(t, "i1", RECORD("8", A), BEHIND("i1", 5000));
    plan_records(t, "i1", "", BEHIND("i1", 5000));
    open_at_horizon(t);
    read_as_of(t, ARRIVED_MS);
    read_as_of(t, -1);
    read_as_of(t, ARRIVED_MS);
    read_as_of(t, -1);
}

/* Lost records. */

static const struct {
    const char *title;
    int64_t age_ms; /* of the as-of; -1: unknown */
    int retention_hours;
    const char *first; /* record of the first reply that has any; NULL: the shard ends without one */
    bool is_loss;
} gaps[] = {
    {"older than the retention", 25 * HOUR_MS, 24, RECORD("8", A), true},
    {"unknown", -1, 24, RECORD("8", A), true},
    {"within the allowance of a minute", 24 * HOUR_MS - 30000, 24, RECORD("8", A), true},
    {"an idle shard's checkpoint", 24 * HOUR_MS - 90000, 24, RECORD("8", A), false},
    {"a longer retention", 25 * HOUR_MS, 48, RECORD("8", A), false},
    {"a retention that is not reported", 25 * HOUR_MS, 0, RECORD("8", A), true},
    {"the checkpoint's own record", 25 * HOUR_MS, 24, RECORD("7", A) "," RECORD("8", A), false},
    {"an older record, which was read", 25 * HOUR_MS, 24, RECORD("6", A), false},
    {"an end without any record", 25 * HOUR_MS, 24, NULL, true},
};

static void a_trimmed_checkpoint_is_a_loss_if_records_after_it_may_be_trimmed(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < COUNT(gaps); i++) {
        int64_t before = counted("winner_view_source_losses_total");
        identify(t, 5, gaps[i].retention_hours);
        plan_iterator(t, "7", "i1");
        plan_records(t, "i1", "", BEHIND("i1", 100));
        plan_records(t, "i1", gaps[i].first ? gaps[i].first : "", gaps[i].first ? AT_TIP("i2") : AT_END);
        plan_summary(t, 5, gaps[i].retention_hours);
        open_long_after(t, "7", 3, gaps[i].age_ms);
        read_ok(t);
        assert_null(t->batch.loss);
        read_ok(t);
        if (gaps[i].is_loss != (t->batch.loss != NULL))
            fail_msg("%s: %s", gaps[i].title, t->batch.loss ? t->batch.loss : "no loss");
        if (gaps[i].is_loss)
            assert_contains(t->batch.loss, "after 7");
        assert_int_equal(counted("winner_view_source_losses_total"), before + gaps[i].is_loss);
        source_close(t->reader);
        t->reader = NULL;
    }
}

static void a_loss_is_reported_once_with_the_records_that_are_left(void **state) {
    struct fixture *t = *state;
    identify(t, 5, 24);
    plan_iterator(t, "7", "i1");
    plan_records(t, "i1", RECORD("9", A), BEHIND("i2", 100));
    plan_summary(t, 5, 24);
    plan_records(t, "i2", RECORD("11", B), AT_TIP("i3"));
    open_long_after(t, "7", 0, 25 * HOUR_MS);
    read_ok(t);
    assert_non_null(t->batch.loss);
    assert_record(t, 0, "9", 0, "a");
    read_ok(t);
    assert_null(t->batch.loss);
    assert_record(t, 0, "11", 0, "b");
}

/* After the iterator expired, what counts is how far this reader had read. */
static void a_reader_that_was_at_the_tip_lost_nothing(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "7", "i1");
    open_long_after(t, "7", 0, 25 * HOUR_MS);
    for (int i = 0; i < 2; i++)
        read_at_tip(t);
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan_iterator(t, "7", "i2");
    plan_records(t, "i2", RECORD("9", A), AT_TIP("i3"));
    for (int i = 0; i < 2; i++) {
        read_ok(t);
        assert_null(t->batch.loss);
    }
}

/* A later as-of is of what was read since, at the tip. */
static void a_quiet_time_before_the_first_record_hides_no_loss(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "7", "i1");
    open_long_after(t, "7", 0, 25 * HOUR_MS);
    for (int i = 0; i < 3; i++)
        read_at_tip(t);
    plan_records(t, "i1", RECORD("9", A), AT_TIP("i2"));
    read_ok(t);
    assert_non_null(t->batch.loss);
}

static void a_reader_without_a_position_loses_nothing(void **state) {
    struct fixture *t = *state;
    const struct source_start starts[] = {
        {.checkpoint = LEASE_TRIM_HORIZON, .as_of_ms = -1},
        {.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 1000, .as_of_ms = -1}};
    for (size_t i = 0; i < COUNT(starts); i++) {
        plan(t, "GetShardIterator", "", 200, "{\"ShardIterator\":\"i1\"}");
        plan_records(t, "i1", RECORD("9", A), AT_TIP("i2"));
        open_reader(t, &starts[i]);
        read_ok(t);
        assert_null(t->batch.loss);
        source_close(t->reader);
        t->reader = NULL;
    }
}

/* Another stream with the same name: the calls that find it out. */

static void reads_another_stream(struct fixture *t) {
    plan_summary(t, 6, 24);
    assert_int_equal(read_once(t), STATUS_INVALID);
    assert_int_equal(t->batch.n, 0);
    assert_false(t->batch.ended);
}

static void what_a_new_iterator_returns_first_is_checked(void **state) {
    struct fixture *t = *state;
    identify(t, 5, 24);
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", "", AT_TIP("i2")); /* which has nothing to hand out */
    plan_records(t, "i2", RECORD("7", A), AT_TIP("i3"));
    plan_summary(t, 5, 24);
    plan_records(t, "i3", RECORD("8", A), AT_TIP("i4"));
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan_iterator(t, "8", "i5");
    plan_records(t, "i5", RECORD("8", A) "," RECORD("9", A), AT_TIP("i6"));
    open_at_horizon(t);
    for (int i = 0; i < 4; i++)
        read_ok(t);
    reads_another_stream(t);
}

static void an_end_is_checked(void **state) {
    struct fixture *t = *state;
    read_seven(t);
    identify(t, 5, 24);
    plan_records(t, "i2", "", AT_END);
    reads_another_stream(t);
}

#define LONG "4968067609568354476487139082087943264204497981854135091"

static void a_sequence_number_of_another_time_is_checked(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD(LONG "4", A), AT_TIP("i2"));
    open_at_horizon(t);
    read_ok(t);
    identify(t, 5, 24);
    plan_records(t, "i2", RECORD(LONG "6", A), AT_TIP("i3"));
    plan_records(t, "i3", RECORD("49680676096040356688047880791144004134407353671356514306", A),
                 AT_TIP("i4"));
    read_ok(t);
    reads_another_stream(t);
}

/* The other calls are those of other threads. */
static void after_a_call_that_found_nothing_each_reply_is_checked_until_one_is_proven(void **state) {
    struct fixture *t = *state;
    struct source_shard *shards;
    size_t n;
    read_seven(t);
    identify(t, 5, 24);
    plan_refusal(t, "ListShards", "ResourceNotFoundException", "Stream a-stream not found");
    plan_refusal(t, "DescribeStreamSummary", "ResourceNotFoundException", "Stream a-stream not found");
    assert_int_equal(source_list_shards(t->source, -1, &shards, &n, &t->error), STATUS_FAILED);

    plan_records(t, "i2", RECORD("8", A), AT_TIP("i3"));
    plan_refusal(t, "DescribeStreamSummary", "AccessDeniedException", "no");
    assert_int_equal(read_once(t), STATUS_FAILED);
    assert_int_equal(t->batch.n, 0);
    plan_records(t, "i2", RECORD("8", A), AT_TIP("i3")); /* it is read again */
    plan_summary(t, 5, 24);
    plan_records(t, "i3", RECORD("9", A), AT_TIP("i4"));
    read_ok(t);
    assert_record(t, 0, "8", 0, "a");
    read_ok(t);
    assert_record(t, 0, "9", 0, "a");
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        test("a read at the tip counts once the next has not ended the shard",
             a_read_at_the_tip_counts_once_the_next_has_not_ended_the_shard),
        test("at the end of a shard the read before it does not count, and the last arrival does",
             the_end_takes_back_the_read_before_it),
        test("an end without records makes nothing fresher", an_end_without_records_makes_nothing_fresher),
        test("failures between a read at the tip and the next change nothing",
             failures_in_between_change_nothing),
        test("a record that arrived before a read at the tip lowers what that read proves",
             a_record_that_arrived_before_a_read_at_the_tip_lowers_what_that_read_proves),
        test("a read at the tip counts also if the next is behind",
             behind_the_tip_the_read_before_still_counts),
        test("while the service's time is unknown, only arrivals count",
             while_the_time_is_unknown_only_arrivals_count),
        test("a trimmed checkpoint is a loss if records after it may be trimmed",
             a_trimmed_checkpoint_is_a_loss_if_records_after_it_may_be_trimmed),
        test("a loss is reported once, with the records that are left",
             a_loss_is_reported_once_with_the_records_that_are_left),
        test("a reader that was at the tip before its iterator expired lost nothing",
             a_reader_that_was_at_the_tip_lost_nothing),
        test("empty reads before the first record hide no loss",
             a_quiet_time_before_the_first_record_hides_no_loss),
        test("a reader that begins without a position loses nothing",
             a_reader_without_a_position_loses_nothing),
        test("the first records of a new iterator are handed out once the stream is known to be the same",
             what_a_new_iterator_returns_first_is_checked),
        test("a shard ends once the stream is known to be the same", an_end_is_checked),
        test("a sequence number that begins with another time asks whether the stream is the same",
             a_sequence_number_of_another_time_is_checked),
        test("after a call that did not find the stream, nothing is handed out until it is known to be the "
             "same",
             after_a_call_that_found_nothing_each_reply_is_checked_until_one_is_proven),
    };
    return cmocka_run_group_tests_name("reader: kinesis", tests, NULL, NULL);
}
