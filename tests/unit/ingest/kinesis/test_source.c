/* Tests of the Kinesis source only: iterators, aggregated records, the budget. Errors of the stream are in
 * test_refusal.c. */
#include "tests/unit/support/source_kinesis.h"

/* Iterators. */

static void an_expired_iterator_is_replaced_at_the_last_position(void **state) {
    struct fixture *t = *state;
    int64_t before = counted("winner_view_source_expired_iterators_total");
    read_seven(t);
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    read_ok(t);
    assert_int_equal(t->batch.n, 0);
    assert_null(t->batch.loss);
    plan_iterator(t, "7", "i3");
    plan_records(t, "i3", RECORD("7", A) "," RECORD("8", B), AT_TIP("i4"));
    read_ok(t);
    assert_int_equal(t->batch.n, 1);
    assert_record(t, 0, "8", 0, "b");
    assert_int_equal(counted("winner_view_source_expired_iterators_total"), before + 1);
}

static void before_the_first_record_an_expired_iterator_is_replaced_at_the_start(void **state) {
    struct fixture *t = *state;
    plan(t, "GetShardIterator", "\"ShardIteratorType\":\"AT_TIMESTAMP\",\"Timestamp\":1700000000.25", 200,
         "{\"ShardIterator\":\"i1\"}");
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan(t, "GetShardIterator", "\"ShardIteratorType\":\"AT_TIMESTAMP\",\"Timestamp\":1700000000.25", 200,
         "{\"ShardIterator\":\"i2\"}");
    plan_records(t, "i2", RECORD("7", A), AT_TIP("i3"));
    open_reader(t, &(struct source_start){.checkpoint = LEASE_AT_TIMESTAMP, .start_at_ms = 1700000000250});
    read_ok(t);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

static void iterators_that_expire_at_once_are_renewed_five_times_a_second(void **state) {
    struct fixture *t = *state;
    for (int i = 0; i < 6; i++) {
        plan_iterator(t, "TRIM_HORIZON", "i1");
        plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    }
    open_at_horizon(t);
    int64_t began_ms = clock_boot_ms();
    for (int i = 0; i < 6; i++)
        read_ok(t);
    assert_true(clock_boot_ms() >= began_ms + 1000);
}

static void expired_iterators_do_not_raise_the_read_rate(void **state) {
    struct fixture *t = *state;
    _cleanup_(mem_freep) uint8_t *zeros = mem_zalloc(1000000);
    _cleanup_(mem_freep) char *text = base64_encode(zeros, 1000000);
    _cleanup_(mem_freep) char *record =
        mem_printf("{\"SequenceNumber\":\"7\",\"PartitionKey\":\"k\",\"Data\":\"%s\"}", text);
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("6", A), BEHIND("i1", 5000)); /* the first one must be small */
    plan_records(t, "i1", record, BEHIND("i2", 5000));
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan_iterator(t, "7", "i3");
    plan_records(t, "i3", record, BEHIND("i4", 5000));
    plan_records(t, "i4", "", AT_TIP("i5"));
    open_at_horizon(t);
    int64_t began_ms = clock_boot_ms();
    for (int i = 0; i < 5; i++)
        read_ok(t);
    assert_true(clock_boot_ms() >=
                began_ms + 1000); /* 2 MB, the megabyte that was returned twice counts twice */
}

/* Aggregated records. */

/* Parts with explicit hash keys 100, 99 (a stray), 999 and 5 (a stray), and data "0" to "3"; made by
 * tests/support/aggregated.py. */
#define AGGREGATED                                                                                           \
    "84mawgoEbGFtcBIDMTAwEgI5ORIDOTk5EgE1GgcIABAAGgEwGgcIAB"                                                 \
    "ABGgExGgcIABACGgEyGgcIABADGgEzX7TlvZhEyEdIawTAG5kXIA=="

static void each_part_has_its_own_position_and_strays_are_dropped(void **state) {
    struct fixture *t = *state;
    int64_t parts = counted("winner_view_source_parts_total"),
            strays = counted("winner_view_source_stray_parts_total"),
            records = counted("winner_view_source_records_total");
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("6", A) "," RECORD("7", AGGREGATED) "," RECORD("8", B), AT_TIP("i2"));
    open_at_horizon(t);
    read_ok(t);
    assert_int_equal(t->batch.n, 4);
    assert_record(t, 0, "6", 0, "a");
    assert_record(t, 1, "7", 0, "0");
    assert_record(t, 2, "7", 2, "2"); /* its number among all parts, the dropped ones included */
    assert_record(t, 3, "8", 0, "b");
    assert_string_equal(t->batch.records[2].partition_key, "lamp");
    assert_null(t->batch.records[2].broken);
    assert_int_equal(counted("winner_view_source_parts_total"), parts + 4);
    assert_int_equal(counted("winner_view_source_stray_parts_total"), strays + 2);
    assert_int_equal(counted("winner_view_source_records_total"), records + 3);
}

static bool is_counted(const char *name, const char *shard) {
    _cleanup_(buffer_deinit) struct buffer text;
    char line[200];
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    snprintf(line, sizeof line, "\n%s{shard=\"%s\"} ", name, shard);
    return strstr(text.data, line) != NULL;
}

static void shards_of_many_reshardings_do_not_fill_the_metrics(void **state) {
    struct fixture *t = *state;
    const struct source_start start = {.checkpoint = LEASE_TRIM_HORIZON};
    for (int i = 0; i < 2 * LIMIT_METRIC_SERIES; i++) {
        struct source_shard shard = {0};
        snprintf(shard.id, sizeof shard.id, "shardId-%012d", 1000 + i);
        source_close(source_open(t->source, &shard, &start, t->budget));
    }
    assert_true(is_counted("winner_view_source_bytes_total", "shardId-000000003047"));
    assert_false(is_counted("winner_view_source_bytes_total", "overflow"));
    metrics_forget(INT64_MAX);
    assert_false(is_counted("winner_view_source_bytes_total", "shardId-000000003047"));
}

static void without_a_range_no_part_is_dropped(void **state) {
    struct fixture *t = *state;
    const struct source_shard shard = {.id = SHARD};
    const struct source_start start = {.checkpoint = LEASE_TRIM_HORIZON};
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", AGGREGATED), AT_TIP("i2"));
    t->reader = source_open(t->source, &shard, &start, t->budget);
    read_ok(t);
    assert_int_equal(t->batch.n, 4);
}

static void after_a_restart_within_a_record_its_rest_is_read(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "7", "i1");
    plan_records(t, "i1", RECORD("7", AGGREGATED) "," RECORD("8", B), AT_TIP("i2"));
    open_after(t, "7", 0);
    read_ok(t);
    assert_int_equal(t->batch.n, 2);
    assert_record(t, 0, "7", 2, "2");
    assert_record(t, 1, "8", 0, "b");
}

static void after_an_expired_iterator_no_part_is_repeated(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", AGGREGATED), AT_TIP("i2"));
    plan_refusal(t, "GetRecords", "ExpiredIteratorException", "Iterator expired.");
    plan_iterator(t, "7", "i3");
    plan_records(t, "i3", RECORD("7", AGGREGATED), AT_TIP("i4"));
    open_at_horizon(t);
    read_ok(t);
    assert_int_equal(t->batch.n, 2);
    read_ok(t);
    read_ok(t);
    assert_int_equal(t->batch.n, 0);
}

static void a_broken_aggregated_record_is_one_record_with_the_reason(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", "84mawgoEbGFtcA==") "," RECORD("8", B), AT_TIP("i2"));
    open_at_horizon(t);
    read_ok(t);
    assert_int_equal(t->batch.n, 2);
    assert_record(t, 0, "7", 0, "\xf3\x89\x9a\xc2\x0a\x04lamp");
    assert_contains(t->batch.records[0].broken, "too short");
    assert_null(t->batch.records[1].broken);
}

/* Replies. */

static void without_a_reported_lag_the_as_of_is_unknown(void **state) {
    struct fixture *t = *state;
    static const char *const rests[] = {"\"NextShardIterator\":\"i1\"",
                                        "\"NextShardIterator\":\"i1\",\"MillisBehindLatest\":null"};
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    for (size_t i = 0; i < COUNT(rests); i++) {
        plan_records(t, "i1", i ? RECORD("8", A) : RECORD("7", A), rests[i]);
        read_ok(t);
        assert_int_equal(t->batch.n, 1);
        assert_int_equal(t->batch.as_of_ms, 1700000000500);
        assert_false(t->batch.ended);
        plan_records(t, "i1", "", rests[i]);
        read_ok(t);
        assert_int_equal(t->batch.as_of_ms, -1);
    }
}

static void a_shard_without_a_next_iterator_ends(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", A),
                 "\"NextShardIterator\":null,\"MillisBehindLatest\":0,\"ChildShards\":[{\"ShardId\":\"c-1\","
                 "\"ParentShards\":[\"" SHARD "\",\"p-2\"],\"HashKeyRange\":{\"StartingHashKey\":\"100\","
                 "\"EndingHashKey\":\"999\"}}]");
    open_at_horizon(t);
    read_ok(t);
    assert_true(t->batch.ended);
    assert_false(t->batch.gone);
    assert_int_equal(t->batch.n, 1);
    assert_int_equal(t->batch.as_of_ms, 1700000000500); /* later records are in its children */
    assert_int_equal(t->batch.n_children, 1);
    assert_string_equal(t->batch.children[0].id, "c-1");
    assert_string_equal(t->batch.children[0].parents[1], "p-2");
    assert_string_equal(t->batch.children[0].ending_hash_key, "999");
}

/* The stream. */

/* The service asks for a longer wait than the deadline allows, so the call is not retried. */
static void the_stream_is_identified_in_a_bounded_time_or_the_call_fails(void **state) {
    struct fixture *t = *state;
    struct store_source identity;
    open_at_horizon(t);
    t->retry_after_ms = 60000;
    plan(t, "DescribeStreamSummary", "", 503, "%s", "{}");
    int64_t began_ms = clock_boot_ms();
    assert_int_equal(source_identify(t->source, &identity, &t->error), STATUS_RETRY);
    assert_true(clock_boot_ms() < began_ms + LIMIT_CONTACT_MS);
}

/* The budget. */

static void a_read_holds_what_it_returned_until_forgotten(void **state) {
    struct fixture *t = *state;
    read_seven(t);
    size_t held = budget_held(t->budget);
    assert_in_range(held, 1, 64 * sizeof(struct source_record) + 1000);
    source_forget(t->reader);
    assert_int_equal(budget_held(t->budget), 0);
    plan_records(t, "i2", RECORD("8", B), AT_TIP("i3"));
    read_ok(t);
    assert_int_equal(budget_held(t->budget), held);
}

static void a_failed_read_holds_nothing(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan(t, "GetRecords", "", 0, "%s", "");
    open_at_horizon(t);
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_int_equal(budget_held(t->budget), 0);
}

/* All but so many bytes of the budget are held, by others. */
static void leave_free(struct fixture *t, struct budget_claim *others, size_t bytes) {
    budget_set(t->budget, others, LIMIT_INFLIGHT_BYTES - bytes);
}

static void read_nothing(struct fixture *t, bool no_room) {
    assert_int_equal(source_read(t->reader, clock_boot_ms() + 20, &t->batch, &t->error), STATUS_OK);
    assert_int_equal(t->batch.n, 0);
    assert_int_equal(t->batch.no_room, no_room);
    source_forget(t->reader); /* as the prefetch does after each read */
}

static void a_read_does_not_begin_while_the_budget_is_full_and_reports_it_at_once(void **state) {
    struct fixture *t = *state;
    struct budget_claim others = {0};
    leave_free(t, &others, 0);
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    assert_int_equal(read_once(t), STATUS_OK); /* long before its deadline; the script has no GetRecords */
    assert_true(t->batch.no_room);
    read_nothing(t, true); /* the next one waits */
    leave_free(t, &others, LIMIT_INFLIGHT_BYTES);
    plan_records(t, "i1", RECORD("7", A), AT_TIP("i2"));
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

static void a_reader_at_the_tip_begins_with_little_room(void **state) {
    struct fixture *t = *state;
    struct budget_claim others = {0};
    read_seven(t);
    source_forget(t->reader);
    leave_free(t, &others, 1000);
    plan_records(t, "i2", RECORD("8", B), AT_TIP("i3"));
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
    budget_set(t->budget, &others, 0);
}

/* A rival asks later, for more than is free. If the read had lost its turn, it would wait behind the rival.
 */
static void a_read_whose_time_is_up_keeps_its_turn(void **state) {
    struct fixture *t = *state;
    struct budget_claim others = {0}, rival = {0}, under_way = {0};
    struct waker waker;
    waker_init(&waker);
    assert_true(budget_begin(t->budget, &under_way, 0, &waker));
    leave_free(t, &others, 0);
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    read_nothing(t, true);
    assert_false(budget_begin(t->budget, &rival, LIMIT_INFLIGHT_BYTES - 1, &waker));
    leave_free(t, &others, LIMIT_INFLIGHT_BYTES / 2);

    plan_records(t, "i1", RECORD("7", A), BEHIND("i2", 5000));
    assert_int_equal(source_read(t->reader, clock_boot_ms() + 20, &t->batch, &t->error), STATUS_OK);
    assert_int_equal(t->batch.n, 1);
    source_forget(t->reader);
    read_nothing(t, true); /* it has read once, so it is behind the rival now */
    budget_leave(t->budget, &rival);
    budget_leave(t->budget, &under_way);
    budget_set(t->budget, &others, 0);
    waker_deinit(&waker);
}

/* The rival is the oldest reply under way, and so the only one that may exceed the budget. */
static void a_reply_for_which_there_is_no_room_is_asked_again_with_half_the_limit(void **state) {
    struct fixture *t = *state;
    struct budget_claim others = {0}, rival = {0};
    struct waker waker;
    waker_init(&waker);
    assert_true(budget_begin(t->budget, &rival, 0, &waker));
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    for (int i = 0; i < 2; i++) {
        leave_free(t, &others, LIMIT_INFLIGHT_BYTES);
        t->fills = &others;
        plan(t, "GetRecords", i ? "\"Limit\":50}" : "\"Limit\":100}", 200, "{\"Records\":[%s],%s}",
             RECORD("7", A), AT_TIP("i2"));
        read_nothing(t, false);
        assert_int_equal(budget_held(t->budget), LIMIT_INFLIGHT_BYTES);
    }
    t->fills = NULL;
    budget_set(t->budget, &rival, 0);
    leave_free(t, &others, 0); /* now it is the oldest, and exceeds the budget */
    budget_set(t->budget, &others, 1000);
    t->fills = &others;
    plan(t, "GetRecords", "\"Limit\":25}", 200, "{\"Records\":[%s],%s}", RECORD("7", A), AT_TIP("i2"));
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
    t->fills = NULL;
    budget_set(t->budget, &others, 0);
    waker_deinit(&waker);
}

static void a_reply_that_is_too_large_is_asked_again_with_half_the_limit(void **state) {
    struct fixture *t = *state;
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    char part[32];
    for (int limit = 100; limit >= 1; limit /= 2) {
        snprintf(part, sizeof part, "\"Limit\":%d}", limit);
        plan(t, "GetRecords", part, TOO_LARGE, "%s", "");
        assert_int_equal(read_once(t), limit == 1 ? STATUS_FAILED : STATUS_OK);
        assert_int_equal(budget_held(t->budget), 0);
    }
    plan(t, "GetRecords", "\"Limit\":1}", 200, "{\"Records\":[%s],%s}", RECORD("7", A), AT_TIP("i2"));
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

/* It was guessed that a hundred records are a few. */
static void a_first_reply_that_is_large_is_asked_again_with_half_the_limit(void **state) {
    struct fixture *t = *state;
    _cleanup_(mem_freep) uint8_t *zeros = mem_zalloc(1000000);
    _cleanup_(mem_freep) char *text = base64_encode(zeros, 1000000);
    _cleanup_(mem_freep) char *record =
        mem_printf("{\"SequenceNumber\":\"7\",\"PartitionKey\":\"k\",\"Data\":\"%s\"}", text);
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    char part[32];
    t->reader->is_sparing = true;
    for (int limit = 100; limit >= 1; limit /= 2) {
        snprintf(part, sizeof part, "\"Limit\":%d}", limit);
        plan(t, "GetRecords", part, 200, "{\"Records\":[%s],%s}", record, AT_TIP("i2"));
        read_ok(t);
        assert_int_equal(t->batch.n, limit == 1);
    }
}

static void *wake(void *reader) {
    source_wake(reader);
    return NULL;
}

static void a_wake_ends_the_wait_for_the_budget(void **state) {
    struct fixture *t = *state;
    struct budget_claim others = {0};
    pthread_t other;
    leave_free(t, &others, 0);
    plan_iterator(t, "TRIM_HORIZON", "i1");
    open_at_horizon(t);
    int64_t began_ms = clock_boot_ms();
    source_wake(t->reader); /* before the wait */
    read_ok(t);
    assert_int_equal(pthread_create(&other, NULL, wake, t->reader), 0); /* in it, or before */
    read_ok(t);
    pthread_join(other, NULL);
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
    budget_set(t->budget, &others, 0);
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        test("an expired iterator is replaced by one at the last position, and nothing is read twice",
             an_expired_iterator_is_replaced_at_the_last_position),
        test("before the first record, an expired iterator is replaced at the start",
             before_the_first_record_an_expired_iterator_is_replaced_at_the_start),
        test("iterators that expire at once are renewed at most five times a second",
             iterators_that_expire_at_once_are_renewed_five_times_a_second),
        test("expired iterators do not raise the read rate of two megabytes a second",
             expired_iterators_do_not_raise_the_read_rate),
        test("each part of an aggregated record has its own position, and strays are dropped and counted",
             each_part_has_its_own_position_and_strays_are_dropped),
        test("if the shard's hash range is unknown, no part is dropped", without_a_range_no_part_is_dropped),
        test("after a restart within an aggregated record, the rest of its parts is read",
             after_a_restart_within_a_record_its_rest_is_read),
        test("after an iterator expires behind an aggregated record, no part is repeated",
             after_an_expired_iterator_no_part_is_repeated),
        test("a broken aggregated record is one record with the reason",
             a_broken_aggregated_record_is_one_record_with_the_reason),
        test("without a reported lag, the as-of of an empty read is unknown",
             without_a_reported_lag_the_as_of_is_unknown),
        test("a shard without a next iterator ends, and its children are reported",
             a_shard_without_a_next_iterator_ends),
        test("the stream is identified in a bounded time, or the call fails",
             the_stream_is_identified_in_a_bounded_time_or_the_call_fails),
        test("a read holds the bytes of its records in the budget, until they are forgotten",
             a_read_holds_what_it_returned_until_forgotten),
        test("a failed read holds nothing in the budget", a_failed_read_holds_nothing),
        test("a read does not begin while the budget is full, and reports it at once",
             a_read_does_not_begin_while_the_budget_is_full_and_reports_it_at_once),
        test("a reader at the tip begins with little room", a_reader_at_the_tip_begins_with_little_room),
        test("a read whose time is up keeps its turn until it was used",
             a_read_whose_time_is_up_keeps_its_turn),
        test("a reply for which there is no room is asked for again with half the Limit, and passes as the "
             "oldest",
             a_reply_for_which_there_is_no_room_is_asked_again_with_half_the_limit),
        test("a reply that is too large is asked for again with half the Limit, down to one record",
             a_reply_that_is_too_large_is_asked_again_with_half_the_limit),
        test("shards of many reshardings do not fill the metrics",
             shards_of_many_reshardings_do_not_fill_the_metrics),
        test("a first reply that is large is asked for again with half the Limit, down to one record",
             a_first_reply_that_is_large_is_asked_again_with_half_the_limit),
        test("a wake ends the wait for the budget", a_wake_ends_the_wait_for_the_budget),
    };
    return cmocka_run_group_tests_name("source: kinesis, scripted", tests, NULL, NULL);
}
