/* Rows that this program does not write are refused, whichever call reads them, over a scripted transport. */
#include "views/dynamodb/rows.h"

#include "aws/settings.h"
#include "aws/transport.h"
#include "tests/unit/support/all_time.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/test.h"
#include "views/dynamodb/store.h"
#include "views/fold.h"

#define CASES "tests/data/dynamodb_rows.json"

static struct {
    struct aws_transport transport;
    char *reply;
} service;

static struct aws_settings *settings;
static struct store *store;
static json_t *good_rows; /* by the name of their kind */

/* Any update is acknowledged: the removal of watermarks begins with one. */
static void answer(const struct aws_transport *transport, struct aws_session *session,
                   struct aws_exchange *x) {
    (void)transport;
    aws_exchange_answer(x, 200, strcmp(x->operation, "UpdateItem") == 0 ? "{}" : service.reply);
    aws_session_finish(session, x, 0);
}

static int set_up(void) {
    const struct store_dynamodb_options options = {.stage = "dev"};
    struct error e;
    json_t *cases = json_load_file(CASES, JSON_ALLOW_NUL, NULL), *one, *good;
    size_t i;
    good_rows = json_object();
    json_array_foreach(cases, i, one) {
        if ((good = json_object_get(one, "good")))
            json_object_set(good_rows, support_text(one, "row"), good);
    }
    json_decref(cases);
    json_object_set_new(json_object_get(good_rows, "record"), "viewVersion",
                        json_pack("{s:o}", "N", json_sprintf("%d", FOLD_VIEW_VERSION)));
    support_set_environment();
    service.transport = (struct aws_transport){.send = answer};
    return aws_settings_load(&settings, &e) ||
           store_dynamodb_open(&store, &options, settings, &service.transport, &e);
}

static void tear_down(void) {
    store_free(store);
    aws_settings_free(settings);
    json_decref(good_rows);
}

static enum status read_leases(struct error *e) {
    struct store_lease *leases = NULL;
    size_t n;
    enum status status = store_read_leases(store, true, &leases, &n, e);
    if (!status)
        free(leases);
    return status;
}

static enum status read_board(struct error *e) {
    struct store_board board;
    enum status status =
        store_read_board(store, &board_all_time[ROLE_CREATOR], NULL, STORE_DOWN, 1, 0, &board, e);
    if (!status)
        store_board_deinit(&board);
    return status;
}

static enum status read_contribution(struct error *e) {
    struct contribution *row;
    enum status status = store_read_contribution(store, "p", 0, &row, e);
    if (!status)
        contribution_free(row);
    return status;
}

static enum status bind_store(struct error *e) {
    static const struct store_source source = {.name = "arn:aws:kinesis:eu-west-1:1:stream/events",
                                               .created_ms = 5};
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    return bind_to(store, &source, key, e);
}

static bool end_now(void *data, int ms) {
    (void)data, (void)ms;
    return false;
}

static enum status remove_watermarks(struct error *e) {
    static const char *const shards[] = {"shardId-000000000000"};
    return store_remove_watermarks(store, shards, 1, 1700000000000,
                                   &(const struct store_pacer){.wait = end_now}, e);
}

static const struct {
    const char *row, *good, *reply;
    enum status (*read)(struct error *e);
} kinds[] = {
    {"lease", "lease", "Items", read_leases},
    {"score", "score", "Items", read_board},
    {"contribution", "contribution", "Item", read_contribution},
    {"record", "record", "Item", bind_store},
    {"watermarks", "score", "Items", remove_watermarks},
};

/* Returns what the call makes of the row (stolen). */
static enum status read_row(const char *kind, json_t *row, struct error *e) {
    size_t i = 0;
    while (i < COUNT(kinds) - 1 && strcmp(kinds[i].row, kind) != 0)
        i++;
    bool is_list = strcmp(kinds[i].reply, "Items") == 0;
    json_auto_t *reply = json_pack(is_list ? "{s:[o]}" : "{s:o}", kinds[i].reply, row);
    service.reply = json_dumps(reply, 0);
    enum status status = kinds[i].read(e);
    free(service.reply);
    return status;
}

static json_t *good_row(const char *kind) {
    return json_copy(json_object_get(good_rows, strcmp(kind, "watermarks") == 0 ? "score" : kind));
}

static void a_row_is_read_as_it_is_or_refused(void **state) {
    const json_t *one = *state;
    const char *kind = support_text(one, "row"), *attribute = support_text(one, "attribute");
    json_t *row = good_row(kind), *value = json_object_get(one, "value");
    struct error e = {0};
    if (!attribute) {
        assert_int_equal(read_row(kind, row, &e), STATUS_OK);
        return;
    }
    json_is_null(value) ? json_object_del(row, attribute) : json_object_set(row, attribute, value);
    assert_int_equal(read_row(kind, row, &e), STATUS_FAILED);
    assert_int_equal(e.status, STATUS_FAILED);
    assert_contains(e.message, "table 'dev-");
}

int main(void) {
    if (set_up())
        return 1;
    int failed = support_run_cases(CASES, a_row_is_read_as_it_is_or_refused);
    tear_down();
    return failed;
}
