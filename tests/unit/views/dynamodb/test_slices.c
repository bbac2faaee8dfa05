/* A batch with more rows than a slice, over a scripted transport: what is sent, in which order, and how much
 * of it is in memory at once. */
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/limits.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/test.h"
#include "views/contribution.h"
#include "views/dynamodb/store.h"

#define REFUSAL(name) "{\"__type\":\"com.amazonaws.dynamodb.v20120810#" name "\",\"message\":\"no\"}"

enum { ROWS = 3 * LIMIT_SLICE_ROWS + 7, POSITIONS = 3 };

static struct {
    struct aws_transport transport;
    const char *failing;        /* this operation, ... */
    const char *only;           /* ... where this is in the body (NULL: all of them), is answered with ... */
    const char *refusal;        /* ... this, ... */
    int times;                  /* ... so many times */
    size_t counts, rows, reads; /* requests that succeeded, by step */
    size_t sent;                /* all of the step under way */
    size_t unsettled;          /* the most requests whose success was not marked when the next one was sent */
    size_t rows_before_scores; /* contributions that were sent while a score was not acknowledged */
} service;

static struct aws_settings *settings;
static struct store *store;
static struct store_context context;
static struct error e;
static bool scores_written[ROWS], contributions_written[ROWS];
static struct position positions[ROWS][POSITIONS];
static const struct position *positions_of[ROWS][POSITIONS];
static char names[ROWS][16];
static struct store_score_write scores[ROWS];
static struct packed *contributions[ROWS];

static size_t marked(const bool *flags) {
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++)
        n += flags[i];
    return n;
}

static void note_unsettled(size_t answered, const bool *flags) {
    size_t unsettled = answered + 1 - marked(flags);
    if (unsettled > service.unsettled)
        service.unsettled = unsettled;
}

static const char *success(const char *operation) {
    if (strcmp(operation, "UpdateItem") == 0) {
        note_unsettled(service.counts++, scores_written);
    } else if (strcmp(operation, "PutItem") == 0) {
        service.rows_before_scores += marked(scores_written) < ROWS;
        note_unsettled(service.rows++, contributions_written);
    } else {
        service.reads++;
        return "{\"Responses\":{\"dev-Contributions\":[]}}";
    }
    return "{}";
}

static void answer(const struct aws_transport *transport, struct aws_session *session,
                   struct aws_exchange *x) {
    (void)transport;
    service.sent++;
    if (service.failing && strcmp(x->operation, service.failing) == 0 &&
        (!service.only || strstr(x->body, service.only)) && service.times-- > 0)
        aws_exchange_answer(x, 400, service.refusal);
    else
        aws_exchange_answer(x, 200, success(x->operation));
    aws_exchange_header(x, "x-amz-retry-after", "0");
    aws_session_finish(session, x, 0);
}

static struct packed *make_row(const char *name) {
    _cleanup_(contribution_freep) struct contribution *row = contribution_new(name);
    contribution_set_text(row, CONTRIBUTION_CREATOR, name);
    contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, "s:7");
    contribution_set_text(row, CONTRIBUTION_CREATED_BY, name);
    contribution_set_text(row, CONTRIBUTION_UPDATED_BY, name);
    return pack_over(row, NULL);
}

static int set_up(void **state) {
    (void)state;
    const struct store_dynamodb_options options = {.stage = "dev"};
    support_set_environment();
    memset(&service, 0, sizeof service);
    memset(scores_written, 0, sizeof scores_written);
    memset(contributions_written, 0, sizeof contributions_written);
    service.transport = (struct aws_transport){.send = answer};
    context = (struct store_context){0};
    for (unsigned i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof names[i], "name-%u", i);
        for (unsigned k = 0; k < POSITIONS; k++) {
            positions[i][k] = position_from_u64(i * POSITIONS + k);
            positions_of[i][k] = &positions[i][k];
        }
        scores[i] = (struct store_score_write){
            {.role = ROLE_CREATOR}, names[i], positions_of[i], POSITIONS, 1, names[i]};
        contributions[i] = make_row(names[i]);
    }
    return aws_settings_load(&settings, &e) ||
           store_dynamodb_open(&store, &options, settings, &service.transport, &e);
}

static int tear_down(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        free(contributions[i]);
    store_free(store);
    aws_settings_free(settings);
    return 0;
}

static enum status write_all(void) {
    const struct store_batch batch = {.shard_id = "s",
                                      .scores = scores,
                                      .n_scores = ROWS,
                                      .contributions = contributions,
                                      .n_contributions = ROWS,
                                      .scores_written = scores_written,
                                      .contributions_written = contributions_written};
    service.sent = 0;
    return store_write_batch(store, &batch, &context, &e);
}

static void refuse(const char *operation, const char *only, const char *refusal, int times) {
    service.failing = operation;
    service.only = only;
    service.refusal = refusal;
    service.times = times;
}

static void a_batch_of_many_rows_has_only_a_slice_of_requests_in_memory(void **state) {
    (void)state;
    assert_int_equal(write_all(), STATUS_OK);
    assert_in_range(service.unsettled, 1, LIMIT_SLICE_ROWS);
}

static void each_row_of_a_sliced_batch_is_written_once_and_the_scores_first(void **state) {
    (void)state;
    assert_int_equal(write_all(), STATUS_OK);
    assert_int_equal(service.counts, ROWS);
    assert_int_equal(service.rows, ROWS);
    assert_int_equal(marked(scores_written), ROWS);
    assert_int_equal(marked(contributions_written), ROWS);
    assert_int_equal(service.rows_before_scores, 0);
}

static void rows_that_fail_for_now_are_sent_again_in_any_slice(void **state) {
    (void)state;
    refuse("UpdateItem", NULL, REFUSAL("ProvisionedThroughputExceededException"), 2 * LIMIT_SLICE_ROWS);
    assert_int_equal(write_all(), STATUS_OK);
    assert_int_equal(service.counts, ROWS);
    assert_int_equal(service.rows_before_scores, 0);
    refuse("PutItem", NULL, REFUSAL("ProvisionedThroughputExceededException"), 2 * LIMIT_SLICE_ROWS);
    memset(scores_written, 0, sizeof scores_written);
    memset(contributions_written, 0, sizeof contributions_written);
    service.counts = service.rows = 0;
    assert_int_equal(write_all(), STATUS_OK);
    assert_int_equal(service.rows, ROWS);
}

static void a_conflict_in_the_first_slice_is_reported_and_the_other_slices_are_written(void **state) {
    (void)state;
    refuse("PutItem", "\"name-5\"", REFUSAL("ConditionalCheckFailedException"), 1);
    assert_int_equal(write_all(), STATUS_CONFLICT);
    assert_contains(e.message, "cannot write 'name-5'");
    assert_int_equal(marked(contributions_written), ROWS - 1);
}

static void a_refused_row_ends_the_step_with_its_slice(void **state) {
    (void)state;
    refuse("UpdateItem", "\"name-5\"", REFUSAL("ValidationException"), 1);
    assert_int_equal(write_all(), STATUS_INVALID);
    assert_string_equal(e.user_id, "name-5");
    assert_int_equal(service.sent, LIMIT_SLICE_ROWS);
    assert_int_equal(service.rows, 0);
}

static void a_store_that_fails_each_request_is_sent_one_slice(void **state) {
    (void)state;
    refuse("UpdateItem", NULL, REFUSAL("InternalServerError"), 1 << 30);
    assert_int_equal(write_all(), STATUS_RETRY);
    assert_in_range(service.sent, LIMIT_SLICE_ROWS, 4 * LIMIT_SLICE_ROWS);
    assert_int_equal(service.rows, 0);
}

static void all_rows_of_many_slices_are_read(void **state) {
    (void)state;
    static const char *ids[ROWS];
    static struct contribution *rows[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        ids[i] = names[i];
    assert_int_equal(store_read_contributions(store, ids, ROWS, rows, &context, &e), STATUS_OK);
    size_t a_slice = (LIMIT_SLICE_ROWS + LIMIT_DYNAMODB_BATCH_GET - 1) / LIMIT_DYNAMODB_BATCH_GET;
    assert_int_equal(service.reads, 3 * a_slice + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_batch_of_many_rows_has_only_a_slice_of_requests_in_memory),
        TEST(each_row_of_a_sliced_batch_is_written_once_and_the_scores_first),
        TEST(rows_that_fail_for_now_are_sent_again_in_any_slice),
        TEST(a_conflict_in_the_first_slice_is_reported_and_the_other_slices_are_written),
        TEST(a_refused_row_ends_the_step_with_its_slice),
        TEST(a_store_that_fails_each_request_is_sent_one_slice),
        TEST(all_rows_of_many_slices_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
