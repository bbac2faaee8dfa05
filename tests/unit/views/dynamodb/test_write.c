/* How the DynamoDB store reports refusals and throttles, over a scripted transport: no emulator throttles, or
 * refuses for AWS's reasons. */
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "tests/unit/support/all_time.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/positions.h"
#include "tests/unit/support/test.h"
#include "views/contribution.h"
#include "views/dynamodb/store.h"

#define REFUSAL(name)                                                                                        \
    "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" name "\",\"message\":\"DynamoDB's own words\"}"

static struct {
    struct aws_transport transport;
    const char *operation; /* answered with this, so many times; others with success */
    long http_status;
    const char *reply;
    int times;
    const char *retry_after_ms; /* in every answer */
    int sent;
} service;

static struct aws_settings *settings;
static struct store *store;
static struct store_context context;
static struct error e;

static void answer(const struct aws_transport *transport, struct aws_session *session,
                   struct aws_exchange *x) {
    (void)transport;
    service.sent++;
    if (service.operation && strcmp(x->operation, service.operation) == 0 && service.times-- > 0)
        aws_exchange_answer(x, service.http_status, service.reply);
    else if (strcmp(x->operation, "BatchGetItem") == 0)
        aws_exchange_answer(x, 200, "{\"Responses\":{\"dev-Contributions\":[]}}");
    else
        aws_exchange_answer(x, 200, "{}");
    aws_exchange_header(x, "x-amz-retry-after", service.retry_after_ms);
    aws_session_finish(session, x, 0);
}

static int set_up(void **state) {
    (void)state;
    const struct store_dynamodb_options options = {.stage = "dev"};
    support_set_environment();
    memset(&service, 0, sizeof service);
    service.transport = (struct aws_transport){.send = answer};
    service.retry_after_ms = "0";
    context = (struct store_context){0};
    return aws_settings_load(&settings, &e) ||
           store_dynamodb_open(&store, &options, settings, &service.transport, &e);
}

static int tear_down(void **state) {
    (void)state;
    store_free(store);
    aws_settings_free(settings);
    return 0;
}

static void answer_with(const char *operation, long http_status, const char *reply, int times) {
    service.operation = operation;
    service.http_status = http_status;
    service.reply = reply;
    service.times = times;
}

static enum status write_one(const char *product_id, const char *user_id) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(7, 1);
    struct contribution *row = contribution_new(product_id);
    contribution_set_text(row, CONTRIBUTION_CREATOR, user_id);
    contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, "s:7");
    contribution_set_text(row, CONTRIBUTION_CREATED_BY, user_id);
    contribution_set_text(row, CONTRIBUTION_UPDATED_BY, user_id);
    const struct store_score_write score = {{.role = ROLE_CREATOR}, user_id, positions, 1, 1, user_id};
    _cleanup_(mem_freep) struct packed *write = pack_over(row, NULL);
    const struct store_batch batch = {
        .shard_id = "s", .scores = &score, .n_scores = 1, .contributions = &write, .n_contributions = 1};
    enum status status = store_write_batch(store, &batch, &context, &e);
    contribution_free(row);
    return status;
}

static const struct {
    const char *reply;
    long http_status;
    enum status status;
} refusals[] = {
    {REFUSAL("ValidationException"), 400, STATUS_INVALID},
    {REFUSAL("AccessDeniedException"), 400, STATUS_FAILED},
    {REFUSAL("ResourceNotFoundException"), 400, STATUS_NOT_FOUND},
    {REFUSAL("KMSAccessDeniedException"), 400, STATUS_FAILED},
};

static void a_refused_score_is_reported_with_table_key_and_reason(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        answer_with("UpdateItem", refusals[i].http_status, refusals[i].reply, 1);
        assert_int_equal(write_one("lamp", "web/merchant/1/Ann"), refusals[i].status);
        assert_contains(e.message, "cannot count for a creator in table 'dev-Scores': ");
        assert_null(strstr(e.message, "Ann"));
        assert_string_equal(e.user_id, "web/merchant/1/Ann");
        assert_contains(e.message, "DynamoDB's own words");
        assert_contains(refusals[i].reply, e.code);
    }
}

static void a_refused_contribution_is_reported_with_table_key_and_reason(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        answer_with("PutItem", refusals[i].http_status, refusals[i].reply, 1);
        assert_int_equal(write_one("lamp", "ann"), refusals[i].status);
        assert_contains(e.message, "cannot write 'lamp' to table 'dev-Contributions': ");
        assert_contains(e.message, "DynamoDB's own words");
    }
}

static void a_refused_read_is_reported_with_table_key_and_reason(void **state) {
    (void)state;
    static const char *const ids[] = {"lamp", "vase", "chair"};
    struct contribution *rows[3];
    for (size_t i = 0; i < COUNT(refusals); i++) {
        answer_with("BatchGetItem", refusals[i].http_status, refusals[i].reply, 1);
        assert_int_equal(store_read_contributions(store, ids, 3, rows, &context, &e), refusals[i].status);
        assert_contains(e.message, "cannot read 'lamp' and 2 more from table 'dev-Contributions': ");
        assert_contains(e.message, "DynamoDB's own words");
    }
}

static void an_error_with_a_long_key_still_has_the_reason(void **state) {
    (void)state;
    char product_id[2048];
    for (size_t i = 0; i + 2 < sizeof product_id; i += 2)
        memcpy(product_id + i, "\xc3\xa9", 2);
    product_id[sizeof product_id - 2] = '\0';
    answer_with("PutItem", 400, REFUSAL("ValidationException"), 1);
    assert_int_equal(write_one(product_id, "ann"), STATUS_INVALID);
    assert_contains(e.message, "\xc3\xa9...' to table");
    assert_contains(e.message, "DynamoDB's own words");
    assert_true(utf8_is_valid(e.message, strlen(e.message)));
}

static void throttled_writes_are_counted_even_if_they_succeed(void **state) {
    (void)state;
    answer_with("UpdateItem", 400, REFUSAL("ProvisionedThroughputExceededException"), 2);
    assert_int_equal(write_one("lamp", "ann"), STATUS_OK);
    assert_int_equal(context.throttles, 2);
    answer_with("PutItem", 400, REFUSAL("ThrottlingException"), 1);
    assert_int_equal(write_one("lamp", "ann"), STATUS_OK);
    assert_int_equal(context.throttles, 3);
}

static void throttled_reads_and_server_errors_are_not_counted_as_throttled_writes(void **state) {
    (void)state;
    static const char *const ids[] = {"lamp"};
    struct contribution *rows[1];
    answer_with("BatchGetItem", 400, REFUSAL("ProvisionedThroughputExceededException"), 1);
    assert_int_equal(store_read_contributions(store, ids, 1, rows, &context, &e), STATUS_OK);
    answer_with("UpdateItem", 500, REFUSAL("InternalServerError"), 1);
    assert_int_equal(write_one("lamp", "ann"), STATUS_OK);
    assert_int_equal(context.throttles, 0);
}

static void a_reply_that_leaves_out_the_table_shows_no_row_as_absent(void **state) {
    (void)state;
    static const char *const ids[] = {"lamp"};
    struct contribution *rows[1];
    answer_with("BatchGetItem", 200, "{\"Responses\":{\"another\":[]}}", 1000);
    assert_int_equal(store_read_contributions(store, ids, 1, rows, &context, &e), STATUS_RETRY);
    assert_contains(e.message, "neither rows nor keys");
}

static void a_row_with_an_attribute_of_another_type_is_refused(void **state) {
    (void)state;
    static const char *const ids[] = {"lamp"}, *const broken[] = {"\"creator\":{\"N\":\"1\"}",
                                                                  "\"creator\":\"ann\"",
                                                                  "\"creatorScore\":{\"N\":\"x\"}"};
    struct contribution *rows[1];
    char reply[256];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        snprintf(reply, sizeof reply,
                 "{\"Responses\":{\"dev-Contributions\":[{\"productId\":{\"S\":\"lamp\"},%s,"
                 "\"lastEventId\":{\"S\":\"s:1\"}}]}}",
                 broken[i]);
        answer_with("BatchGetItem", 200, reply, 1);
        assert_int_equal(store_read_contributions(store, ids, 1, rows, &context, &e), STATUS_FAILED);
        assert_contains(e.message, "row 'lamp' in table 'dev-Contributions' has no valid creator");
    }
}

static void the_pulse_beats_only_while_the_store_answers(void **state) {
    (void)state;
    struct pulse pulse = {0};
    context.pulse = &pulse;
    answer_with("UpdateItem", 500, REFUSAL("InternalServerError"), 1000);
    assert_int_equal(write_one("lamp", "ann"), STATUS_RETRY);
    assert_int_equal(pulse_last_ms(&pulse), 0);
    service.times = 0;
    assert_int_equal(write_one("lamp", "ann"), STATUS_OK);
    assert_true(pulse_last_ms(&pulse) > 0);
}

/* The service asks for a longer wait than the deadline allows. */
static void reading_the_source_of_a_store_ends_in_a_bounded_time(void **state) {
    (void)state;
    static const char *const operations[] = {"GetItem", "PutItem"};
    const struct store_source source = {.name = "arn:s"};
    uint8_t identity_key[STORE_IDENTITY_KEY_BYTES];
    service.retry_after_ms = "60000";
    for (size_t i = 0; i < COUNT(operations); i++) {
        answer_with(operations[i], 503, "{}", 1);
        int64_t began_ms = clock_boot_ms();
        assert_int_equal(bind_to(store, &source, identity_key, &e), STATUS_RETRY);
        assert_true(clock_boot_ms() < began_ms + LIMIT_CONTACT_MS);
        assert_contains(e.message, "cannot read which source table 'dev-Leases' belongs to");
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_refused_score_is_reported_with_table_key_and_reason),
        TEST(a_refused_contribution_is_reported_with_table_key_and_reason),
        TEST(a_refused_read_is_reported_with_table_key_and_reason),
        TEST(an_error_with_a_long_key_still_has_the_reason),
        TEST(throttled_writes_are_counted_even_if_they_succeed),
        TEST(throttled_reads_and_server_errors_are_not_counted_as_throttled_writes),
        TEST(a_reply_that_leaves_out_the_table_shows_no_row_as_absent),
        TEST(a_row_with_an_attribute_of_another_type_is_refused),
        TEST(the_pulse_beats_only_while_the_store_answers),
        TEST(reading_the_source_of_a_store_ends_in_a_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
