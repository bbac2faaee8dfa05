/* A reader to which the stream pushes. A scripted subscription brings its messages and ends. */
#include "ingest/kinesis/fan_out.h"

#include "base/fence.h"
#include "tests/unit/support/eventstream.h"
#include "tests/unit/support/source_kinesis.h"
#include "tests/unit/support/stepped_clock.h"

enum { MESSAGES_BYTES = 512 << 10 };

#define CONSUMER "arn:aws:kinesis:eu-west-1:1:stream/a-stream/consumer/c:1"

static char noted[256];
static struct error note_failure;
static struct fence fence;

static enum status note(void *context, const char *arn, struct error *e) {
    (void)context;
    snprintf(noted, sizeof noted, "%s", arn);
    *e = note_failure;
    return note_failure.status;
}

static int make_pushed(void **state) {
    static const struct source_kinesis_options options = {
        .stream = "a-stream", .poll_interval_ms = 1, .consumer = "c", .on_consumer = note};
    *noted = '\0';
    note_failure = (struct error){0};
    fence_open_until(&fence, INT64_MAX);
    stepped_clock_add(60000);
    return make_with(state, &options);
}

#undef test
#define test(title, function)                                                                                \
    { title, function, make_pushed, tear_down, NULL }

/* The script. */

static void plan_described(struct fixture *t, const char *status) {
    plan(t, "DescribeStreamConsumer", "\"ConsumerName\":\"c\"", 200,
         "{\"ConsumerDescription\":{\"ConsumerARN\":\"" CONSUMER "\",\"ConsumerStatus\":\"%s\"}}", status);
}

/* The messages of the subscription that was planned last. */
static void add(struct fixture *t, const uint8_t *message, size_t length) {
    struct step *step = &t->steps[t->planned - 1];
    assert_true(step->length + length <= MESSAGES_BYTES);
    memcpy(step->reply + step->length, message, length);
    step->length += length;
}

/* SubscribeToShard with a part of the request. */
static void plan_subscription(struct fixture *t, const char *part) {
    plan(t, "SubscribeToShard", part, 200, "%*s", MESSAGES_BYTES, "");
}

static void add_payload(struct fixture *t, const char *payload) {
    uint8_t message[4096];
    add(t, message, SUPPORT_MESSAGE(message, payload, SUPPORT_EVENT));
}

static void add_event(struct fixture *t, const char *records, const char *continuation, int behind_ms) {
    char payload[3000];
    snprintf(payload, sizeof payload,
             "{\"Records\":[%s],\"ContinuationSequenceNumber\":\"%s\",\"MillisBehindLatest\":%d}", records,
             continuation, behind_ms);
    add_payload(t, payload);
}

static void add_exception(struct fixture *t, const char *name, const char *text) {
    uint8_t message[1024];
    char payload[512];
    snprintf(payload, sizeof payload, "{\"message\":\"%s\"}", text);
    add(t, message, SUPPORT_MESSAGE(message, payload, SUPPORT_EXCEPTION(name)));
}

#define AT_HORIZON "\"StartingPosition\":{\"Type\":\"TRIM_HORIZON\"}"
#define AT_NUMBER(n) "\"StartingPosition\":{\"Type\":\"AT_SEQUENCE_NUMBER\",\"SequenceNumber\":\"" n "\"}"
#define AFTER(n) "\"StartingPosition\":{\"Type\":\"AFTER_SEQUENCE_NUMBER\",\"SequenceNumber\":\"" n "\"}"

/* The reads. */

static void begin(struct fixture *t) {
    open_at_horizon(t);
    t->reader->fence = &fence;
}

static enum status read_for(struct fixture *t, int64_t ms) {
    t->error = (struct error){0};
    return source_read(t->reader, clock_boot_ms() + ms, &t->batch, &t->error);
}

/* A read, and then a second. */
static void read_and_pause(struct fixture *t) {
    read_ok(t);
    stepped_clock_add(1000);
}

/* Subscribed, with record 7 read, and the end of that subscription seen. */
static void read_pushed_seven(struct fixture *t) {
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    begin(t);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
    read_and_pause(t);
    assert_int_equal(t->batch.n, 0);
}

static void a_subscription_begins_at_the_place_and_goes_on_after_the_continuation(void **state) {
    struct fixture *t = *state;
    read_pushed_seven(t);
    assert_string_equal(noted, CONSUMER);
    plan_subscription(t, AFTER("77"));
    add_event(t, RECORD("8", B), "88", 0);
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void records_up_to_the_checkpoint_are_left_out(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_NUMBER("7"));
    add_event(t, RECORD("7", A) "," RECORD("8", B), "88", 0);
    open_after(t, "7", 0);
    read_ok(t);
    assert_int_equal(t->batch.n, 1);
    assert_record(t, 0, "8", 0, "b");
}

static void an_event_of_another_type_is_ignored(void **state) {
    struct fixture *t = *state;
    uint8_t message[200];
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add(t, message, SUPPORT_MESSAGE(message, "x", ":message-type", "event", ":event-type", "NewEvent"));
    add_event(t, RECORD("7", A), "77", 0);
    begin(t);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

static void after_a_stall_a_subscription_begins_at_the_last_record(void **state) {
    struct fixture *t = *state;
    read_pushed_seven(t);
    stepped_clock_add(LIMIT_PUSH_STALL_MS);
    plan_subscription(t, AT_NUMBER("7"));
    add_event(t, RECORD("7", A) "," RECORD("8", B), "88", 0);
    read_ok(t);
    assert_int_equal(t->batch.n, 1);
    assert_record(t, 0, "8", 0, "b");
}

static void a_shard_is_subscribed_once_a_second(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    begin(t);
    read_ok(t);
    assert_int_equal(read_for(t, 100), STATUS_OK);
    assert_int_equal(read_for(t, 100), STATUS_OK); /* nothing was planned */
    stepped_clock_add(1000);
    plan_subscription(t, AFTER("77"));
    add_event(t, "", "77", 0);
    read_ok(t);
}

/* The consumer. */

static void a_consumer_that_is_missing_is_registered_and_awaited(void **state) {
    struct fixture *t = *state;
    plan_refusal(t, "DescribeStreamConsumer", "ResourceNotFoundException", "no consumer");
    plan(t, "RegisterStreamConsumer", "\"ConsumerName\":\"c\"", 200,
         "{\"Consumer\":{\"ConsumerARN\":\"" CONSUMER "\",\"ConsumerStatus\":\"CREATING\"}}");
    begin(t);
    read_and_pause(t);
    plan_described(t, "CREATING");
    read_and_pause(t);
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

static void a_consumer_that_another_process_registers_is_awaited(void **state) {
    struct fixture *t = *state;
    plan_refusal(t, "DescribeStreamConsumer", "ResourceNotFoundException", "no consumer");
    plan_refusal(t, "RegisterStreamConsumer", "ResourceInUseException", "it is there");
    begin(t);
    read_and_pause(t);
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, "", "77", 0);
    read_ok(t);
}

static void a_consumer_that_stays_in_the_making_is_a_trouble(void **state) {
    struct fixture *t = *state;
    begin(t);
    for (int i = 0; i < LIMIT_CONSUMER_TRIES - 1; i++) {
        plan_described(t, "CREATING");
        read_and_pause(t);
    }
    plan_described(t, "CREATING");
    assert_int_equal(read_for(t, 0), STATUS_RETRY);
    assert_contains(t->error.message, "consumer 'c' is still being created");
}

static void a_consumer_that_may_not_be_registered_is_a_trouble_that_stays(void **state) {
    struct fixture *t = *state;
    plan_refusal(t, "DescribeStreamConsumer", "ResourceNotFoundException", "no consumer");
    plan_refusal(t, "RegisterStreamConsumer", "AccessDeniedException", "not authorized");
    begin(t);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_for(t, 0), STATUS_FAILED);
        assert_contains(t->error.message, "consumer 'c' cannot be used");
        assert_contains(t->error.message, "not authorized");
    }
    stepped_clock_add(1000);
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

/* Not INVALID, which would end the worker; not NOT_FOUND, which a source does not say. */
static void no_refusal_of_the_consumer_ends_the_worker(void **state) {
    struct fixture *t = *state;
    static const char *const names[] = {"InvalidArgumentException", "UnknownOperationException",
                                        "ValidationException", "ResourceNotFoundException"};
    begin(t);
    for (size_t i = 0; i < COUNT(names); i++) {
        plan_refusal(t, "DescribeStreamConsumer", "ResourceNotFoundException", "no consumer");
        plan_refusal(t, "RegisterStreamConsumer", names[i], "refused");
        assert_int_equal(read_for(t, 0), STATUS_FAILED);
        stepped_clock_add(1000);
    }
    plan_refusal(t, "DescribeStreamConsumer", "ServiceUnavailable", "later");
    assert_int_equal(read_for(t, 0), STATUS_RETRY);
}

static void all_readers_share_one_try_a_second(void **state) {
    struct fixture *t = *state;
    plan_refusal(t, "DescribeStreamConsumer", "AccessDeniedException", "not authorized");
    begin(t);
    struct source_reader *first = t->reader;
    assert_int_equal(read_for(t, 0), STATUS_FAILED);
    begin(t);
    assert_int_equal(read_for(t, 0), STATUS_FAILED); /* nothing was planned */
    assert_contains(t->error.message, "not authorized");
    source_close(first);
}

static void a_consumer_that_the_store_could_not_note_is_not_used(void **state) {
    struct fixture *t = *state;
    error_set(&note_failure, STATUS_RETRY, "the store is away");
    plan_described(t, "ACTIVE");
    begin(t);
    assert_int_equal(read_for(t, 0), STATUS_RETRY);
    assert_contains(t->error.message, "the store is away");
}

static void a_consumer_that_was_deregistered_is_registered_again(void **state) {
    struct fixture *t = *state;
    read_pushed_seven(t);
    plan_subscription(t, AFTER("77"));
    add_exception(t, "ResourceNotFoundException", "no consumer");
    read_and_pause(t);
    plan_refusal(t, "DescribeStreamConsumer", "ResourceNotFoundException", "no consumer");
    plan(t, "RegisterStreamConsumer", "", 200,
         "{\"Consumer\":{\"ConsumerARN\":\"" CONSUMER "\",\"ConsumerStatus\":\"CREATING\"}}");
    read_and_pause(t);
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_NUMBER("7"));
    add_event(t, RECORD("7", A) "," RECORD("8", B), "88", 0);
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void a_shard_that_is_not_listed_either_is_gone_and_its_records_lost(void **state) {
    struct fixture *t = *state;
    read_pushed_seven(t);
    plan_refusal(t, "SubscribeToShard", "ResourceNotFoundException", "no shard");
    read_and_pause(t);
    plan_described(t, "ACTIVE");
    plan_refusal(t, "SubscribeToShard", "ResourceNotFoundException", "no shard");
    plan(t, "ListShards", "", 200, "{\"Shards\":[" LISTED("shardId-000000000002", "") "]}");
    read_and_pause(t);
    assert_true(t->batch.ended && t->batch.gone);
    assert_contains(t->batch.loss, "no longer has shard");
}

/* Ends. */

static void an_event_without_a_continuation_is_the_end_with_its_children(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_payload(t, "{\"Records\":[" RECORD("7", A) "],\"MillisBehindLatest\":0,\"ChildShards\":[{\"ShardId\":"
                                                   "\"shardId-000000000005\",\"ParentShards\":[\"" SHARD
                                                   "\"]," RANGE "}]}");
    begin(t);
    read_ok(t);
    assert_true(t->batch.ended);
    assert_false(t->batch.gone);
    assert_record(t, 0, "7", 0, "a");
    assert_int_equal(t->batch.n_children, 1);
    assert_string_equal(t->batch.children[0].id, "shardId-000000000005");
}

static void an_event_without_continuation_and_children_is_read_again(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_payload(t, "{\"Records\":[" RECORD("7", A) "],\"ContinuationSequenceNumber\":null}");
    begin(t);
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_contains(t->error.message, "no continuation and no children");
    assert_int_equal(t->batch.n, 0);
    stepped_clock_add(1000);
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

static void a_damaged_message_is_asked_for_again(void **state) {
    struct fixture *t = *state;
    read_pushed_seven(t);
    plan_subscription(t, AFTER("77"));
    add_event(t, RECORD("8", B), "88", 0);
    t->steps[t->planned - 1].reply[60] ^= 1;
    read_and_pause(t);
    assert_int_equal(t->batch.n, 0);
    plan_subscription(t, AFTER("77"));
    add_event(t, RECORD("8", B), "88", 0);
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void subscriptions_that_never_bring_an_event_are_a_trouble(void **state) {
    struct fixture *t = *state;
    read_pushed_seven(t);
    for (int i = 0; i < LIMIT_PUSH_BARREN; i++) {
        uint8_t message[200];
        plan_subscription(t, AFTER("77"));
        add(t, message, SUPPORT_MESSAGE(message, "{}", SUPPORT_EVENT) - 1);
        if (i < LIMIT_PUSH_BARREN - 1)
            read_and_pause(t);
    }
    assert_int_equal(read_once(t), STATUS_RETRY);
    assert_int_equal(read_for(t, 0), STATUS_RETRY); /* it stays, ... */
    stepped_clock_add(1000);
    plan_subscription(t, AFTER("77"));
    add_event(t, RECORD("8", B), "88", 0);
    read_ok(t); /* ... until there is one */
    assert_record(t, 0, "8", 0, "b");
    assert_int_equal(read_for(t, 0), STATUS_OK);
}

/* Refusals. */

static void a_subscription_in_use_is_waited_out_and_a_trouble_if_it_stays_so(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    begin(t);
    for (int i = 0; i < LIMIT_SUBSCRIBE_REFUSED_MS / 1000; i++) {
        plan_refusal(t, "SubscribeToShard", "ResourceInUseException", "another subscription");
        read_and_pause(t);
    }
    stepped_clock_add(1000);
    plan_refusal(t, "SubscribeToShard", "ResourceInUseException", "another subscription");
    assert_int_equal(read_for(t, 0), STATUS_RETRY);
    stepped_clock_add(1000);
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

static void one_that_is_refused_by_its_first_message_is_waited_out_too(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_exception(t, "ResourceInUseException", "another subscription");
    begin(t);
    read_and_pause(t);
    plan_subscription(t, AT_HORIZON);
    add_exception(t, "LimitExceededException", "too fast");
    read_and_pause(t);
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

/* Its events are read, and then the exception after more than five seconds. */
static void be_taken_over(struct fixture *t) {
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    add_exception(t, "ResourceInUseException", "another subscription");
    begin(t);
    read_ok(t);
    stepped_clock_add(LIMIT_TAKE_OVER_MS);
    read_and_pause(t);
}

/* The lease is renewed, and so is the fence moved. */
static void a_subscription_that_is_taken_over_is_a_trouble_once_the_lease_was_renewed(void **state) {
    struct fixture *t = *state;
    be_taken_over(t);
    fence_open_until(&fence, INT64_MAX - 1);
    assert_int_equal(read_for(t, 0), STATUS_FAILED);
    assert_contains(t->error.message, "another program uses consumer 'c'");
    plan_subscription(t, AFTER("77"));
    add_event(t, RECORD("8", B), "88", 0);
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

/* It may be a worker that has taken the lease. */
static void before_that_it_is_none_and_the_subscription_is_not_taken_back(void **state) {
    struct fixture *t = *state;
    be_taken_over(t);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(read_for(t, 0), STATUS_OK);
        stepped_clock_add(1000);
    }
    fence_shut(&fence);
    assert_int_equal(read_for(t, 0), STATUS_OK);
}

static void without_its_lease_a_reader_does_not_subscribe(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 0);
    add_exception(t, "ResourceInUseException", "another subscription");
    begin(t);
    read_ok(t);
    fence_shut(&fence);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_for(t, 0), STATUS_OK);
        assert_int_equal(t->batch.n, 0);
        stepped_clock_add(1000);
    }
    fence_open_until(&fence, INT64_MAX);
    plan_subscription(t, AFTER("77"));
    add_event(t, RECORD("8", B), "88", 0);
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void a_continuation_that_is_refused_is_not_used_again(void **state) {
    struct fixture *t = *state;
    read_pushed_seven(t);
    plan_refusal(t, "SubscribeToShard", "InvalidArgumentException",
                 "that number has expired: SequenceNumber");
    read_and_pause(t);
    assert_null(t->batch.loss);
    plan_subscription(t, AT_NUMBER("7"));
    add_event(t, RECORD("8", B), "88", 0);
    read_ok(t);
    assert_record(t, 0, "8", 0, "b");
}

static void a_position_out_of_retention_is_a_loss_and_one_of_another_stream_is_invalid(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_refusal(t, "SubscribeToShard", "InvalidArgumentException",
                 "StartingSequenceNumber 7 used in SubscribeToShard is invalid: it has expired");
    open_after(t, "7", 0);
    read_and_pause(t);
    assert_contains(t->batch.loss, "after 7");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("9", B), "99", 0);
    read_ok(t);
    assert_record(t, 0, "9", 0, "b");
    source_close(t->reader);

    stepped_clock_add(1000);
    plan_refusal(t, "SubscribeToShard", "InvalidArgumentException",
                 "StartingSequenceNumber 7 is invalid because it did not come from this stream.");
    open_after(t, "7", 0);
    assert_int_equal(read_for(t, 0), STATUS_INVALID);
}

/* Memory. */

static void a_message_waits_for_the_budget_before_it_is_read(void **state) {
    struct fixture *t = *state;
    struct budget_claim other = {0};
    char *zeros = mem_zalloc(9000), *data = base64_encode((const uint8_t *)zeros, 9000),
         *payload =
             mem_printf("{\"Records\":[{\"SequenceNumber\":\"7\",\"PartitionKey\":\"k\",\"Data\":\"%s\"}],"
                        "\"ContinuationSequenceNumber\":\"77\"}",
                        data);
    uint8_t *message = mem_alloc(strlen(payload) + 500);
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add(t, message, SUPPORT_MESSAGE(message, payload, SUPPORT_EVENT));
    budget_set(t->budget, &other, LIMIT_INFLIGHT_BYTES);
    begin(t);
    read_ok(t);
    assert_true(t->batch.no_room);
    assert_int_equal(t->batch.n, 0);
    budget_set(t->budget, &other, 0);
    read_ok(t);
    assert_false(t->batch.no_room);
    assert_int_equal(t->batch.n, 1);
    assert_in_range(budget_held(t->budget), 9000, 20000); /* its records, not the message */
    source_forget(t->reader);
    assert_int_equal(budget_held(t->budget), 0);
    free(message);
    free(payload);
    free(data);
    free(zeros);
}

/* A base64 text of some 150,000 bytes. */
static char *large_record(const char *sequence) {
    _cleanup_(mem_freep) uint8_t *zeros = mem_zalloc(110000);
    _cleanup_(mem_freep) char *data = base64_encode(zeros, 110000);
    return mem_printf("{\"SequenceNumber\":\"%s\",\"PartitionKey\":\"k\",\"Data\":\"%s\"}", sequence, data);
}

static void after_a_rewind_the_first_event_is_cut_and_the_rest_asked_for_again(void **state) {
    struct fixture *t = *state;
    _cleanup_(mem_freep) char *two = large_record("8"), *three = large_record("9");
    _cleanup_(mem_freep) char *payload =
        mem_printf("{\"Records\":[%s,%s,%s],\"MillisBehindLatest\":0,\"ChildShards\":[{\"ShardId\":"
                   "\"shardId-000000000005\",\"ParentShards\":[\"" SHARD "\"]," RANGE "}]}",
                   RECORD("7", A), two, three);
    _cleanup_(mem_freep) uint8_t *message = mem_alloc(strlen(payload) + 500);
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add(t, message, SUPPORT_MESSAGE(message, payload, SUPPORT_EVENT));
    begin(t);
    t->reader->is_sparing = true;
    assert_int_equal(read_for(t, 0), STATUS_OK); /* the one before it may have subscribed just now */
    assert_int_equal(t->played, 0);
    stepped_clock_add(1000);
    read_ok(t);
    assert_int_equal(t->batch.n, 2);
    assert_record(t, 0, "7", 0, "a");
    assert_false(t->batch.ended);
    assert_true(t->batch.more);
    stepped_clock_add(1000);
    plan_subscription(t, AT_NUMBER("8"));
    add(t, message, SUPPORT_MESSAGE(message, payload, SUPPORT_EVENT));
    read_ok(t);
    assert_int_equal(t->batch.n, 1);
    assert_true(t->batch.ended);
}

/* Freshness. */

static void the_arrival_of_the_last_record_is_as_of(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    add_event(t, RECORD("7", A), "77", 5000);
    begin(t);
    read_ok(t);
    assert_int_equal(t->batch.as_of_ms, 1700000000500);
    assert_true(t->batch.more);
}

/* Whenever they are read: they may have waited since the subscription began. */
static void heartbeats_that_are_all_there_at_once_claim_nothing(void **state) {
    struct fixture *t = *state;
    plan_described(t, "ACTIVE");
    plan_subscription(t, AT_HORIZON);
    for (int i = 0; i < 200; i++)
        add_event(t, "", "77", 0);
    begin(t);
    for (int i = 0; i < 200; i++) {
        stepped_clock_add(100);
        read_ok(t);
        assert_int_equal(t->batch.as_of_ms, -1);
    }
}

int main(void) {
#define T(function) test(#function, function)
    const struct CMUnitTest tests[] = {
        T(a_subscription_begins_at_the_place_and_goes_on_after_the_continuation),
        T(records_up_to_the_checkpoint_are_left_out),
        T(an_event_of_another_type_is_ignored),
        T(after_a_stall_a_subscription_begins_at_the_last_record),
        T(a_shard_is_subscribed_once_a_second),
        T(a_consumer_that_is_missing_is_registered_and_awaited),
        T(a_consumer_that_another_process_registers_is_awaited),
        T(a_consumer_that_stays_in_the_making_is_a_trouble),
        T(a_consumer_that_may_not_be_registered_is_a_trouble_that_stays),
        T(no_refusal_of_the_consumer_ends_the_worker),
        T(all_readers_share_one_try_a_second),
        T(a_consumer_that_the_store_could_not_note_is_not_used),
        T(a_consumer_that_was_deregistered_is_registered_again),
        T(a_shard_that_is_not_listed_either_is_gone_and_its_records_lost),
        T(an_event_without_a_continuation_is_the_end_with_its_children),
        T(an_event_without_continuation_and_children_is_read_again),
        T(a_damaged_message_is_asked_for_again),
        T(subscriptions_that_never_bring_an_event_are_a_trouble),
        T(a_subscription_in_use_is_waited_out_and_a_trouble_if_it_stays_so),
        T(one_that_is_refused_by_its_first_message_is_waited_out_too),
        T(a_subscription_that_is_taken_over_is_a_trouble_once_the_lease_was_renewed),
        T(before_that_it_is_none_and_the_subscription_is_not_taken_back),
        T(without_its_lease_a_reader_does_not_subscribe),
        T(a_continuation_that_is_refused_is_not_used_again),
        T(a_position_out_of_retention_is_a_loss_and_one_of_another_stream_is_invalid),
        T(a_message_waits_for_the_budget_before_it_is_read),
        T(after_a_rewind_the_first_event_is_cut_and_the_rest_asked_for_again),
        T(the_arrival_of_the_last_record_is_as_of),
        T(heartbeats_that_are_all_there_at_once_claim_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
