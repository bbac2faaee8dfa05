/* The identity of a Kinesis stream: what a check proves, and to whom. And its shards: the cases are
 * tests/data/shards.json, `shard` as the service describes it, and `expect`, what is read (null: no shard).
 */
#include "ingest/kinesis/stream.h"

#include <stdatomic.h>

#include "tests/unit/support/source_kinesis.h"

static struct kinesis_stream *stream_of(struct fixture *t) {
    return (struct kinesis_stream *)t->source;
}

static enum status check(struct fixture *t) {
    return kinesis_stream_check(stream_of(t), &t->error);
}

static void the_same_stream_is_proven_by_arn_and_creation_time(void **state) {
    struct fixture *t = *state;
    assert_int_equal(check(t), STATUS_OK); /* without a call: nothing to compare with yet */
    identify(t, 5, 24);
    plan_summary(t, 5, 24);
    assert_int_equal(check(t), STATUS_OK);
    plan_summary(t, 6, 24);
    assert_int_equal(check(t), STATUS_INVALID);
    plan(t, "DescribeStreamSummary", "", 200,
         "{\"StreamDescriptionSummary\":{\"StreamARN\":\"arn:of-another-account\","
         "\"StreamCreationTimestamp\":5,\"RetentionPeriodHours\":24}}");
    assert_int_equal(check(t), STATUS_INVALID);
    assert_contains(t->error.message, "arn:of-another-account");
}

static void a_stream_has_a_whole_arn(void **state) {
    struct fixture *t = *state;
    static const char *const arns[] = {"", "arn:s\\u0000"};
    identify(t, 5, 24);
    for (size_t i = 0; i < sizeof arns / sizeof *arns; i++) {
        plan(t, "DescribeStreamSummary", "", 200,
             "{\"StreamDescriptionSummary\":{\"StreamARN\":\"%s\",\"StreamCreationTimestamp\":5,"
             "\"RetentionPeriodHours\":24}}",
             arns[i]);
        assert_int_equal(check(t), STATUS_FAILED);
    }
}

static void each_check_reads_the_retention(void **state) {
    struct fixture *t = *state;
    assert_int_equal(kinesis_stream_retention_ms(stream_of(t)), 24 * HOUR_MS);
    identify(t, 5, 48);
    assert_int_equal(kinesis_stream_retention_ms(stream_of(t)), 48 * HOUR_MS);
    plan_summary(t, 5, 25);
    assert_int_equal(check(t), STATUS_OK);
    assert_int_equal(kinesis_stream_retention_ms(stream_of(t)), 25 * HOUR_MS);
    plan(t, "DescribeStreamSummary", "", 200,
         "{\"StreamDescriptionSummary\":{\"StreamARN\":\"arn:s\",\"StreamCreationTimestamp\":5,"
         "\"RetentionPeriodHours\":9223372036854775807}}");
    assert_int_equal(check(t), STATUS_OK);
    assert_int_equal(kinesis_stream_retention_ms(stream_of(t)), 24 * HOUR_MS); /* as if it were unknown */
}

static void a_stream_that_was_not_found_is_in_doubt_until_a_check_is_good(void **state) {
    struct fixture *t = *state;
    identify(t, 5, 24);
    plan(t, "DescribeStreamSummary", "", 400, "{\"__type\":\"AccessDeniedException\"}");
    assert_int_equal(check(t), STATUS_FAILED);
    assert_false(kinesis_stream_is_in_doubt(stream_of(t)));
    plan_refusal(t, "DescribeStreamSummary", "ResourceNotFoundException", "not found");
    assert_int_equal(check(t), STATUS_FAILED);
    assert_true(kinesis_stream_is_in_doubt(stream_of(t)));
    plan(t, "DescribeStreamSummary", "", 400, "{\"__type\":\"AccessDeniedException\"}");
    assert_int_equal(check(t), STATUS_FAILED);
    assert_true(kinesis_stream_is_in_doubt(stream_of(t)));
    plan_summary(t, 5, 24);
    assert_int_equal(check(t), STATUS_OK);
    assert_false(kinesis_stream_is_in_doubt(stream_of(t)));
    plan_summary(t, 6, 24);
    assert_int_equal(check(t), STATUS_INVALID);
    assert_true(kinesis_stream_is_in_doubt(stream_of(t)));
}

static void a_listing_of_another_stream_is_not_returned(void **state) {
    struct fixture *t = *state;
    struct source_shard *shards = NULL;
    size_t n;
    identify(t, 5, 24);
    plan(t, "ListShards", "\"StreamName\":\"a-stream\"", 200, "{\"Shards\":[%s],\"NextToken\":\"t\"}",
         LISTED("shardId-000000000000", ""));
    plan(t, "ListShards", "\"NextToken\":\"t\"", 200, "{\"Shards\":[%s]}",
         LISTED("shardId-000000000001", ""));
    plan_summary(t, 6, 24);
    assert_int_equal(source_list_shards(t->source, -1, &shards, &n, &t->error), STATUS_INVALID);
    assert_null(shards);
}

/* Threads that ask for a check while one is under way. */

enum { ASKERS = 8 };

struct slow {
    struct fixture *t;
    struct aws_transport scripted;
    atomic_int calls, asking;
    pthread_t threads[ASKERS];
};

static void *ask(void *data) {
    struct slow *slow = data;
    struct error e;
    atomic_fetch_add(&slow->asking, 1);
    assert_int_equal(kinesis_stream_check(stream_of(slow->t), &e), STATUS_OK);
    return NULL;
}

/* The first call is answered once all others ask. */
static void send_slowly(const struct aws_transport *transport, struct aws_session *session,
                        struct aws_exchange *x) {
    struct slow *slow = transport->context;
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS;
    if (atomic_fetch_add(&slow->calls, 1) == 0) {
        for (int i = 0; i < ASKERS; i++)
            assert_int_equal(pthread_create(&slow->threads[i], NULL, ask, slow), 0);
        while (atomic_load(&slow->asking) < ASKERS)
            assert_true(clock_boot_ms() < give_up_ms);
    }
    slow->scripted.send(&slow->scripted, session, x);
}

static void callers_share_a_check_that_began_after_they_asked(void **state) {
    struct fixture *t = *state;
    struct slow slow = {.t = t, .scripted = t->transport};
    identify(t, 5, 24);
    for (int i = 0; i < 1 + ASKERS; i++) /* at most: one asker may begin to wait only after the first reply */
        plan_summary(t, 5, 24);
    t->transport.send = send_slowly;
    t->transport.context = &slow;
    assert_int_equal(check(t), STATUS_OK);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(slow.threads[i], NULL);
    assert_in_range(atomic_load(&slow.calls), 2, 4);
    t->played = t->planned;
}

static void check_shard(void **state) {
    const json_t *one = *state, *expect = json_object_get(one, "expect"),
                 *parents = json_object_get(expect, "parents"), *range = json_object_get(expect, "range");
    struct source_shard shard;
    bool is_one = kinesis_stream_parse_shard(json_object_get(one, "shard"), &shard);
    assert_int_equal(is_one, !json_is_null(expect));
    if (!is_one)
        return;
    assert_string_equal(shard.id, support_text(expect, "id"));
    assert_string_equal(shard.parents[0], json_string_value(json_array_get(parents, 0)));
    assert_string_equal(shard.parents[1], json_string_value(json_array_get(parents, 1)));
    assert_string_equal(shard.starting_hash_key, json_string_value(json_array_get(range, 0)));
    assert_string_equal(shard.ending_hash_key, json_string_value(json_array_get(range, 1)));
}

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        test("a stream is the same if its ARN and its creation time are",
             the_same_stream_is_proven_by_arn_and_creation_time),
        test("an ARN that is empty or has a NUL is none", a_stream_has_a_whole_arn),
        test("each check reads how long the stream keeps records", each_check_reads_the_retention),
        test("a stream that was not found is in doubt until a check is good, and other failures change "
             "nothing",
             a_stream_that_was_not_found_is_in_doubt_until_a_check_is_good),
        test("a listing of another stream with the same name is not returned",
             a_listing_of_another_stream_is_not_returned),
        test("callers share a check that began after they asked",
             callers_share_a_check_that_began_after_they_asked),
    };
    int failed = support_run_cases("tests/data/shards.json", check_shard);
    return failed + cmocka_run_group_tests_name("stream: kinesis", tests, NULL, NULL);
}
