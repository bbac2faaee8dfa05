/* How calls to DynamoDB are counted, over a scripted transport. */
#include "views/dynamodb/attributes.h"

#include "aws/settings.h"
#include "aws/transport.h"
#include "base/buffer.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "tests/unit/support/aws.h"

static struct aws_settings *settings;
static struct aws_client *client;
static const char *reply;
static long http_status;
static struct buffer sent; /* the body of the last request */

static void send_reply(const struct aws_transport *transport, struct aws_session *session,
                       struct aws_exchange *x) {
    (void)transport;
    buffer_clear(&sent);
    buffer_append(&sent, x->body, x->length);
    aws_exchange_answer(x, http_status, reply);
    aws_session_finish(session, x, 0);
}

static const struct aws_transport transport = {.send = send_reply};

static int set_up(void **state) {
    (void)state;
    support_set_environment();
    buffer_init(&sent, 1 << 20);
    assert_int_equal(aws_settings_load(&settings, NULL), STATUS_OK);
    return (int)aws_client_new(&client, &aws_dynamodb, settings, &transport, NULL);
}

static int tear_down(void **state) {
    (void)state;
    aws_client_free(client);
    aws_settings_free(settings);
    buffer_deinit(&sent);
    return 0;
}

static void call(const char *operation, const char *table, long status, const char *answer) {
    http_status = status;
    reply = answer;
    dynamodb_once(client, operation, json_pack("{s:s}", "TableName", table), NULL, NULL, NULL);
}

/* `units` as in the metric's text; NULL: there is no such series. */
static void assert_units(const char *table, const char *kind, const char *units) {
    _cleanup_(buffer_deinit) struct buffer text;
    char series[256];
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    snprintf(series, sizeof series, "winner_view_dynamodb_units_total{table=\"%s\",kind=\"%s\"} %s", table,
             kind, units ? units : "");
    const char *found = strstr(text.data, series);
    assert_int_equal(found != NULL, units != NULL);
    assert_true(!found || found[strlen(series)] == '\n');
}

static void every_call_except_those_about_tables_requests_its_consumed_capacity(void **state) {
    (void)state;
    call("UpdateItem", "asked", 200, "{}");
    assert_contains(sent.data, "\"ReturnConsumedCapacity\":\"TOTAL\"");
    call("DescribeTable", "asked", 200, "{}");
    assert_null(strstr(sent.data, "ReturnConsumedCapacity"));
}

static void capacity_units_of_reads_and_writes_are_counted_separately_with_halves(void **state) {
    (void)state;
    call("UpdateItem", "apart", 200, "{\"ConsumedCapacity\":{\"TableName\":\"apart\",\"CapacityUnits\":3}}");
    call("PutItem", "apart", 200, "{\"ConsumedCapacity\":{\"TableName\":\"apart\",\"CapacityUnits\":1.0}}");
    call("Query", "apart", 200, "{\"ConsumedCapacity\":{\"TableName\":\"apart\",\"CapacityUnits\":0.5}}");
    call("GetItem", "apart", 200, "{\"ConsumedCapacity\":{\"TableName\":\"apart\",\"CapacityUnits\":1}}");
    assert_units("apart", "write", "4");
    assert_units("apart", "read", "1.5");
}

static void the_capacity_units_of_a_call_on_several_tables_are_counted_by_table(void **state) {
    (void)state;
    call("BatchGetItem", "x", 200,
         "{\"ConsumedCapacity\":[{\"TableName\":\"first\",\"CapacityUnits\":2},"
         "{\"TableName\":\"second\",\"CapacityUnits\":0.5}]}");
    assert_units("first", "read", "2");
    assert_units("second", "read", "0.5");
}

static void a_failed_condition_counts_as_one_write(void **state) {
    (void)state;
    call("UpdateItem", "failed", 400, "{\"__type\":\"ns#ConditionalCheckFailedException\"}");
    assert_units("failed", "write", "1");
}

static void a_refused_call_consumes_no_capacity(void **state) {
    (void)state;
    call("UpdateItem", "refused", 400, "{\"__type\":\"ns#ValidationException\"}");
    call("CreateTable", "refused", 400, "{\"__type\":\"ns#ResourceInUseException\"}");
    assert_units("refused", "write", NULL);
    assert_units("refused", "read", NULL);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_call_except_those_about_tables_requests_its_consumed_capacity),
        TEST(capacity_units_of_reads_and_writes_are_counted_separately_with_halves),
        TEST(the_capacity_units_of_a_call_on_several_tables_are_counted_by_table),
        TEST(a_failed_condition_counts_as_one_write),
        TEST(a_refused_call_consumes_no_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
