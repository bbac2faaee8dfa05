/* Making what is missing of tables that have many rows, over a scripted transport. The time is stepped:
 * tests/unit/support/stepped_clock.h. */
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/limits.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/stepped_clock.h"
#include "tests/unit/support/test.h"
#include "views/dynamodb/store.h"

#define KEY(name, type) "{\"AttributeName\":\"" name "\",\"KeyType\":\"" type "\"}"
#define INDEX(name, hash, range, status)                                                                     \
    "{\"IndexName\":\"" name "\",\"IndexStatus\":\"" status "\",\"KeySchema\":[" KEY(hash, "HASH") "," KEY(  \
        range, "RANGE") "],\"Projection\":{\"ProjectionType\":\"ALL\"}}"
#define TABLE(keys, indexes)                                                                                 \
    "{\"Table\":{\"TableStatus\":\"ACTIVE\",\"KeySchema\":[" keys "],\"GlobalSecondaryIndexes\":[" indexes   \
    "]}}"
#define SCORES(indexes) TABLE(KEY("userId", "HASH") "," KEY("role", "RANGE"), indexes)

static struct {
    struct aws_transport transport;
    enum { MISSING, FILLING, FILLED } index; /* of Scores */
    bool expires;
    bool refuses;    /* any change */
    bool was_beaten; /* to each change, by another process */
} service;

static struct aws_settings *settings;
static struct store *store;
static struct error e;

static const char *describe(const char *body) {
    static const char *const scores[] = {
        [MISSING] = SCORES(""),
        [FILLING] = SCORES(INDEX("ScoresByRole", "role", "score", "CREATING")),
        [FILLED] = SCORES(INDEX("ScoresByRole", "role", "score", "ACTIVE")),
    };
    if (strstr(body, "dev-Scores"))
        return scores[service.index];
    return strstr(body, "dev-Leases")
               ? TABLE(KEY("leaseKey", "HASH"), "")
               : TABLE(KEY("productId", "HASH"),
                       INDEX("ProductsByCreator", "creator", "productId", "ACTIVE") "," INDEX(
                           "ProductsByPhotographer", "photographer", "productId", "ACTIVE"));
}

static const char *reply_to(const struct aws_exchange *x) {
    if (strcmp(x->operation, "DescribeTable") == 0)
        return describe(x->body);
    if (strcmp(x->operation, "DescribeTimeToLive") == 0)
        return service.expires ? "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"ENABLING\","
                                 "\"AttributeName\":\"expires\"}}"
                               : "{\"TimeToLiveDescription\":{\"TimeToLiveStatus\":\"DISABLED\"}}";
    if (strcmp(x->operation, "UpdateTable") == 0)
        service.index = FILLING;
    else
        service.expires = true;
    return "{\"TableDescription\":{},\"TimeToLiveSpecification\":{}}";
}

#define REFUSAL(type, message) "{\"__type\":\"" type "\",\"message\":\"" message "\"}"

/* Of a change that has been made. */
static const char *beaten(const struct aws_exchange *x) {
    reply_to(x);
    return strcmp(x->operation, "UpdateTable") == 0
               ? REFUSAL("ValidationException", "Attempting to create an index which already exists")
               : REFUSAL("ValidationException", "TimeToLive is already enabled");
}

static void answer(const struct aws_transport *transport, struct aws_session *session,
                   struct aws_exchange *x) {
    (void)transport;
    bool changes = strncmp(x->operation, "Update", strlen("Update")) == 0;
    if (changes && service.refuses)
        aws_exchange_answer(x, 400, REFUSAL("LimitExceededException", "no more of them"));
    else if (changes && service.was_beaten)
        aws_exchange_answer(x, 400, beaten(x));
    else
        aws_exchange_answer(x, 200, reply_to(x));
    aws_session_finish(session, x, 0);
}

static int set_up(void **state) {
    (void)state;
    const struct store_dynamodb_options options = {.stage = "dev"};
    support_set_environment();
    memset(&service, 0, sizeof service);
    service.transport = (struct aws_transport){.send = answer};
    return aws_settings_load(&settings, &e) ||
           store_dynamodb_open(&store, &options, settings, &service.transport, &e);
}

static int tear_down(void **state) {
    (void)state;
    store_free(store);
    aws_settings_free(settings);
    return 0;
}

static void fill_for_hours(const char *table, const char *what) {
    (void)table;
    if (!strstr(what, "CREATING"))
        return;
    stepped_clock_add(10 * LIMIT_CREATE_TABLE_MS);
    service.index = FILLED;
}

static void what_follows_an_index_that_was_filled_for_hours_has_its_own_time(void **state) {
    (void)state;
    const struct store_creation creation = {.board_partitions = 1, .report = fill_for_hours};
    assert_int_equal(store_create(store, &creation, &e), STATUS_OK);
    assert_int_equal(service.index, FILLED);
    assert_true(service.expires);
}

static void never_end(const char *table, const char *what) {
    (void)table, (void)what;
    stepped_clock_add(LIMIT_CREATE_INDEX_MS / 2);
}

static void an_index_that_is_never_filled_is_not_awaited_for_ever(void **state) {
    (void)state;
    const struct store_creation creation = {.board_partitions = 1, .report = never_end};
    assert_int_equal(store_create(store, &creation, &e), STATUS_RETRY);
    assert_contains(e.message, "index ScoresByRole is CREATING");
}

static void the_reason_why_a_change_is_not_made_is_said(void **state) {
    (void)state;
    const struct store_creation creation = {.board_partitions = 1, .report = never_end};
    service.refuses = true;
    assert_int_equal(store_create(store, &creation, &e), STATUS_RETRY);
    assert_contains(e.message, "index ScoresByRole is being added: ");
    assert_contains(e.message, "no more of them");
}

static void what_another_process_has_made_meanwhile_is_as_good(void **state) {
    (void)state;
    const struct store_creation creation = {.board_partitions = 1, .report = fill_for_hours};
    service.was_beaten = true;
    assert_int_equal(store_create(store, &creation, &e), STATUS_OK);
    assert_int_equal(service.index, FILLED);
    assert_true(service.expires);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_follows_an_index_that_was_filled_for_hours_has_its_own_time),
        TEST(an_index_that_is_never_filled_is_not_awaited_for_ever),
        TEST(what_another_process_has_made_meanwhile_is_as_good),
        TEST(the_reason_why_a_change_is_not_made_is_said),
    };
    return cmocka_run_group_tests_name("dynamodb_tables", tests, NULL, NULL);
}
