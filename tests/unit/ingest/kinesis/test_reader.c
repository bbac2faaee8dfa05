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

static void behind_the_tip_the_read_before_still_counts(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    int64_t before_ms = read_at_tip(t);
    int64_t next_before_ms = service_clock_now(support_clock());
    plan_records(t, "i1", RECORD("7", A), BEHIND("i1", 5000));
    read_ok(t);
    assert_is_time_of_read(t, before_ms, next_before_ms);
}

static void while_the_time_is_unknown_only_arrivals_count(void **state) {
    struct fixture *t = *state;
    t->settings->teacher = NULL; /* so no reply tells when its request was sent */
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", A), AT_TIP("i1"));
    plan_records(t, "i1", "", AT_TIP("i1"));
    plan_records(t, "i1", RECORD("8", A), BEHIND("i1", 5000));
    open_at_horizon(t);
    read_as_of(t, ARRIVED_MS);
    read_as_of(t, -1);
    read_as_of(t, ARRIVED_MS);
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
        test("a read at the tip counts also if the next is behind",
             behind_the_tip_the_read_before_still_counts),
        test("while the service's time is unknown, only arrivals count",
             while_the_time_is_unknown_only_arrivals_count),
    };
    return cmocka_run_group_tests_name("reader: kinesis", tests, NULL, NULL);
}
