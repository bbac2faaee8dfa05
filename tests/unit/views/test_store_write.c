/* The contract of every store (views/store.h): what it belongs to, and what it writes. test_store.c has the
 * rest. */
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/positions.h"
#include "tests/unit/support/store.h"

#include "base/clock.h"
#include "views/dynamodb/rows.h"

#define SHARD "shardId-000000000000"

/* 2099-11-29T12:00:00Z: DynamoDB Local deletes rows that have expired. */
static const int64_t noon_ms = 4099636800000;
static const int64_t day_ms = 86400000;

static bool is_sqlite(const struct fixture *t) {
    return *t->folder;
}

static struct board board_of(enum role role, enum period_kind kind, int64_t time_ms) {
    return (struct board){role, period_of(kind, time_ms)};
}

/* Writing. */

/* `n` events at positions from `first` on, the last at `time_ms`. */
static enum status count(struct fixture *t, struct board board, const char *user_id, size_t n, uint64_t first,
                         int64_t time_ms, bool *written) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(first, n);
    const struct store_score_write write = {board, user_id, positions, n, time_ms, "w/web/9/Cid"};
    const struct store_batch batch = {
        .shard_id = SHARD, .scores = &write, .n_scores = 1, .scores_written = written};
    return store_write_batch(t->store, &batch, &t->context, &support_error);
}

/* Reading a row as it lies. */

static void read_item(struct fixture *t, const char *user_id, const char *role, const char *attribute,
                      char *out, size_t size) {
    const char *text = NULL;
    json_auto_t *reply = support_call_dynamodb(
        t, "GetItem",
        json_pack("{s:o,s:{s:{s:s},s:{s:s}},s:b}", "TableName", json_sprintf("%s-Scores", t->stage), "Key",
                  "userId", "S", user_id, "role", "S", role, "ConsistentRead", 1));
    json_t *value = json_object_get(json_object_get(reply, "Item"), attribute), *inner;
    const char *type;
    json_object_foreach(value, type, inner) {
        text = json_string_value(inner);
    }
    snprintf(out, size, "%s", text ? text : "");
}

static void read_column(struct fixture *t, const char *user_id, const char *role, const char *column,
                        char *out, size_t size) {
    sqlite3 *db = support_run_sql(t, "");
    sqlite3_stmt *s;
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT %s FROM scores WHERE userId = '%s' AND role = '%s'", column, user_id,
             role);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    bool any = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_text(s, 0);
    snprintf(out, size, "%s", any ? (const char *)sqlite3_column_text(s, 0) : "");
    sqlite3_finalize(s);
    sqlite3_close(db);
}

/* "": there is no such row, or none such in it. */
static void assert_attribute(struct fixture *t, const char *user_id, const char *role, const char *attribute,
                             const char *expected) {
    char found[100];
    (is_sqlite(t) ? read_column : read_item)(t, user_id, role, attribute, found, sizeof found);
    assert_string_equal(found, expected);
}

/* What rows have. */

static void a_period_has_a_row_that_expires(void **state) {
    struct fixture *t = support_fixture(state);
    assert_ok(count(t, board_all_time[ROLE_CREATOR], "Ann", 2, 1, noon_ms, NULL));
    assert_ok(count(t, board_of(ROLE_CREATOR, PERIOD_DAY, noon_ms), "Ann", 2, 1, noon_ms, NULL));
    assert_ok(count(t, board_of(ROLE_CREATOR, PERIOD_DAY, noon_ms), "Ann", 3, 3, noon_ms, NULL));
    assert_attribute(t, "Ann", "creator", "score", "2");
    assert_attribute(t, "Ann", "creator", "expires", "");
    assert_attribute(t, "Ann", "creator#day#2099-11-29", "score", "5");
    assert_attribute(t, "Ann", "creator#day#2099-11-29", "updated", "4099636800000");
    /* 400 days after 2099-11-30, in seconds */
    assert_attribute(t, "Ann", "creator#day#2099-11-29", "expires", "4134240000");
}

static void every_role_counts_in_every_kind_of_period(void **state) {
    struct fixture *t = support_fixture(state);
    static const char *const periods[] = {"", "#hour#2099-11-29T12", "#day#2099-11-29", "#week#2099-W48",
                                          "#month#2099-11"};
    for (int role = 0; role < ROLES; role++)
        for (int kind = 0; kind < PERIOD_KINDS; kind++) {
            char text[64];
            struct board board = board_of((enum role)role, (enum period_kind)kind, noon_ms);
            assert_ok(count(t, board, "key", 3, 1, noon_ms, NULL));
            snprintf(text, sizeof text, "%s%s", role_name((enum role)role), periods[kind]);
            assert_attribute(t, "key", text, role == ROLE_SHOP && !is_sqlite(t) ? "sales" : "score", "3");
        }
}

/* Contributions. */

static struct contribution *make_row(const char *event_id) {
    struct contribution *c = contribution_new("hat");
    contribution_set_text(c, CONTRIBUTION_LAST_EVENT_ID, event_id);
    contribution_set_text(c, CONTRIBUTION_UPDATED_BY, event_id);
    return c;
}

static void register_it(struct contribution *c) {
    contribution_set_text(c, CONTRIBUTION_CREATOR, "w/merchant/1/Ann");
    contribution_set_text(c, CONTRIBUTION_NAME, "H\xc3\xa4t");
    contribution_set_text(c, CONTRIBUTION_BRAND, "Acme");
    contribution_set_text(c, CONTRIBUTION_CATEGORY, "Hats");
}

static void photograph_it(struct contribution *c) {
    contribution_set_text(c, CONTRIBUTION_PHOTOGRAPHER, "w/photographer/2/Bo");
    contribution_set_text(c, CONTRIBUTION_PHOTOGRAPHER_EVENT_ID, SHARD ":3");
    contribution_set_text(c, CONTRIBUTION_IMAGE, "https://example.com/hat.png");
}

static enum status replace(struct fixture *t, struct contribution *row, const char *old) {
    _cleanup_(mem_freep) struct packed *write = pack_over(row, old);
    const struct store_batch batch = {.shard_id = SHARD, .contributions = &write, .n_contributions = 1};
    enum status status = store_write_batch(t->store, &batch, &t->context, &support_error);
    row->place = write->place;
    return status;
}

static void assert_reads_back(struct fixture *t, const struct contribution *row) {
    _cleanup_(contribution_freep) struct contribution *back = NULL;
    assert_ok(store_read_contribution(t->store, "hat", 0, &back, &support_error));
    for (size_t i = 0; i < CONTRIBUTION_TEXTS; i++) {
        const char *a = contribution_text(row, i), *b = contribution_text(back, i);
        assert_int_equal(!a, !b);
        if (a)
            assert_string_equal(a, b);
    }
    for (size_t i = 0; i < CONTRIBUTION_NUMBERS; i++)
        assert_int_equal(contribution_number(row, i), contribution_number(back, i));
}

static void a_contribution_is_replaced_in_every_attribute(void **state) {
    struct fixture *t = support_fixture(state);
    _cleanup_(contribution_freep) struct contribution *row = make_row(SHARD ":1");
    for (int step = 1; step <= 5; step++) {
        char old[40], last[40];
        snprintf(old, sizeof old, "%s:%d", SHARD, step - 1);
        snprintf(last, sizeof last, "%s:%d", SHARD, step);
        contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, last);
        contribution_set_text(row, CONTRIBUTION_UPDATED_BY, last);
        row->updated_ms = step;
        if (step == 2)
            register_it(row);
        if (step == 3)
            photograph_it(row);
        row->creator_score += step > 3;
        row->photographer_score += step > 4;
        assert_ok(replace(t, row, step == 1 ? NULL : old));
        assert_reads_back(t, row);
        assert_int_equal(replace(t, row, old), STATUS_CONFLICT);
        assert_int_equal(replace(t, row, NULL), STATUS_CONFLICT);
    }
}

/* What the store belongs to. */

static const struct store_source source = {"arn:aws:kinesis:eu-west-1:1:stream/mine", 1700000000123};
static const struct view_shape kept = {1U << PERIOD_HOUR | 1U << PERIOD_WEEK, true, 4};

/* Of a process that is given no option. */
static struct store_wish plain_wish(void) {
    return (struct store_wish){.source = &source, .shape = {.board_partitions = 1}};
}

static enum status bind(struct fixture *t, const struct store_wish *wish, struct store_binding *binding) {
    return store_bind(t->store, wish, binding, &support_error);
}

static void bind_as(struct fixture *t, struct view_shape shape) {
    struct store_binding binding;
    const struct store_wish wish = {.source = &source, .shape = shape};
    assert_ok(bind(t, &wish, &binding));
}

static void assert_kept(const struct view_shape *shape) {
    assert_int_equal(shape->periods, kept.periods);
    assert_int_equal(shape->best_sellers, kept.best_sellers);
    assert_int_equal(shape->board_partitions, kept.board_partitions);
}

static void the_first_process_decides_the_shape(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_binding binding;
    struct store_wish wish = plain_wish();
    bind_as(t, kept);
    assert_ok(bind(t, &wish, &binding));
    assert_kept(&binding.shape);
    wish.source = NULL;
    assert_ok(bind(t, &wish, &binding));
    assert_kept(&binding.shape);
    assert_kept(store_shape(t->store));
}

static void assert_refused(struct fixture *t, const struct store_wish *wish, const char *theirs,
                           const char *ours) {
    struct store_binding binding;
    assert_int_equal(bind(t, wish, &binding), STATUS_INVALID);
    assert_non_null(strstr(support_error.message, theirs));
    assert_non_null(strstr(support_error.message, ours));
    assert_non_null(strstr(support_error.message, is_sqlite(t) ? "another file" : "another stage"));
    assert_non_null(strstr(support_error.message, "deploy/README.md"));
}

static void another_shape_that_an_option_asks_for_is_refused(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_binding binding;
    struct store_wish wish = {&source, kept, true, true, true, NULL};
    bind_as(t, kept);
    assert_ok(bind(t, &wish, &binding));

    wish.shape.periods = 0;
    assert_refused(t, &wish, "--periods hour,week", "not none");
    wish.source = NULL; /* nor may it serve */
    assert_refused(t, &wish, "--periods hour,week", "not none");
    wish.shape = kept;
    wish.shape.best_sellers = false;
    assert_refused(t, &wish, "--best-sellers on", "not off");
    wish.shape = kept;
    wish.shape.board_partitions = 5;
    assert_refused(t, &wish, "--board-partitions 4", "not 5");
}

static void an_identity_key_is_taken_over_at_the_first_use(void **state) {
    struct fixture *t = support_fixture(state);
    static const uint8_t mine[STORE_IDENTITY_KEY_BYTES] = {1, 2, 3}, other[STORE_IDENTITY_KEY_BYTES] = {4};
    struct store_binding binding;
    struct store_wish wish = plain_wish();
    wish.identity_key = mine;
    assert_ok(bind(t, &wish, &binding));
    assert_memory_equal(binding.identity_key, mine, sizeof mine);
    wish.identity_key = other;
    assert_ok(bind(t, &wish, &binding));
    assert_memory_equal(binding.identity_key, mine, sizeof mine);
}

static void a_view_remembers_its_consumer_until_it_is_gone(void **state) {
    struct fixture *t = support_fixture(state);
    static const char *const arns[] = {"arn:aws:kinesis:eu-west-1:1:stream/s/consumer/view:1",
                                       "arn:aws:kinesis:eu-west-1:1:stream/s/consumer/view:2"};
    char noted[STORE_CONSUMER_SIZE];
    assert_int_equal(store_note_consumer(t->store, arns[0], &support_error), STATUS_NOT_FOUND);
    bind_as(t, kept);
    assert_int_equal(store_read_consumer(t->store, noted, &support_error), STATUS_NOT_FOUND);
    for (size_t i = 0; i < sizeof arns / sizeof *arns; i++) {
        assert_ok(store_note_consumer(t->store, arns[i], &support_error));
        assert_ok(store_read_consumer(t->store, noted, &support_error));
        assert_string_equal(noted, arns[i]);
    }
    assert_ok(store_note_consumer(t->store, NULL, &support_error));
    assert_int_equal(store_read_consumer(t->store, noted, &support_error), STATUS_NOT_FOUND);
    bind_as(t, kept); /* the rest of the record stays */
}

static void change_record(struct fixture *t, const char *attribute, const char *type, const char *value) {
    if (is_sqlite(t)) {
        char sql[200];
        snprintf(sql, sizeof sql, "UPDATE leases SET %s = '%s' WHERE entityType = 'SOURCE'", attribute,
                 value);
        sqlite3_close(support_run_sql(t, sql));
        return;
    }
    json_decref(support_call_dynamodb(t, "UpdateItem",
                                      json_pack("{s:o,s:{s:{s:s}},s:s,s:{s:s},s:{s:{s:s}}}", "TableName",
                                                json_sprintf("%s-Leases", t->stage), "Key", "leaseKey", "S",
                                                ROWS_SOURCE_KEY, "UpdateExpression", "SET #a = :a",
                                                "ExpressionAttributeNames", "#a", attribute,
                                                "ExpressionAttributeValues", ":a", type, value)));
}

static void a_view_of_another_version_is_refused(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_wish wish = plain_wish();
    bind_as(t, kept);
    change_record(t, "viewVersion", "N", "2");
    assert_refused(t, &wish, "view version 2", "version 3");
    wish.source = NULL;
    assert_refused(t, &wish, "view version 2", "version 3");
}

static void a_malformed_record_is_reported(void **state) {
    struct fixture *t = support_fixture(state);
    static const char *const wrong[][3] = {
        {"periods", "S", "day,year"}, {"bestSellers", "S", "yes"}, {"boardPartitions", "N", "65"}};
    static const char *const right[] = {"hour,week", "on", "4"};
    struct store_binding binding;
    const struct store_wish wish = plain_wish();
    bind_as(t, kept);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        change_record(t, wrong[i][0], wrong[i][1], wrong[i][2]);
        assert_int_equal(bind(t, &wish, &binding), STATUS_FAILED);
        assert_non_null(strstr(support_error.message, "malformed"));
        change_record(t, wrong[i][0], wrong[i][1], right[i]);
        assert_ok(bind(t, &wish, &binding));
    }
}

/* DynamoDB only. */

static void a_row_that_has_expired_is_not_written(void **state) {
    struct fixture *t = support_fixture(state);
    struct board hour = board_of(ROLE_CREATOR, PERIOD_HOUR, noon_ms);
    bool written = false;
    t->context.now_ms = period_expires_ms(hour.period);
    assert_ok(count(t, hour, "Ann", 1, 1, noon_ms, &written));
    assert_false(written);
    assert_attribute(t, "Ann", "creator#hour#2099-11-29T12", "score", "");
    assert_ok(count(t, board_of(ROLE_CREATOR, PERIOD_DAY, noon_ms), "Ann", 1, 1, noon_ms, &written));
    assert_true(written);
    t->context.now_ms--;
    assert_ok(count(t, hour, "Ann", 1, 1, noon_ms, NULL));
    t->context.now_ms = 0; /* unknown */
    assert_ok(count(t, hour, "Bob", 1, 1, noon_ms, NULL));
    assert_attribute(t, "Ann", "creator#hour#2099-11-29T12", "score", "1");
    assert_attribute(t, "Bob", "creator#hour#2099-11-29T12", "score", "1");
}

static void the_shop_is_in_no_index(void **state) {
    struct fixture *t = support_fixture(state);
    bind_as(t, kept);
    assert_ok(count(t, board_all_time[ROLE_SHOP], "SHOP/0", 3, 1, noon_ms, NULL));
    assert_attribute(t, "SHOP/0", "shop", "sales", "3");
    assert_attribute(t, "SHOP/0", "shop", "score", "");
    assert_attribute(t, "SHOP/0", "shop", "board", "");
}

/* The parts are those of Python's hashlib: int.from_bytes(sha256(user).digest()[:8], "big") % 4. */
static void a_row_names_its_part_of_a_divided_board(void **state) {
    struct fixture *t = support_fixture(state);
    bind_as(t, kept);
    assert_ok(count(t, board_all_time[ROLE_CREATOR], "Ann", 1, 1, noon_ms, NULL));
    assert_ok(count(t, board_of(ROLE_PRODUCT, PERIOD_WEEK, noon_ms), "m\xc3\xbctze", 1, 1, noon_ms, NULL));
    assert_attribute(t, "Ann", "creator", "board", "creator/3");
    assert_attribute(t, "m\xc3\xbctze", "product#week#2099-W48", "board", "product#week#2099-W48/2");
}

static void an_undivided_board_has_no_parts(void **state) {
    struct fixture *t = support_fixture(state);
    bind_as(t, (struct view_shape){.board_partitions = 1});
    assert_ok(count(t, board_all_time[ROLE_CREATOR], "Ann", 1, 1, noon_ms, NULL));
    assert_attribute(t, "Ann", "creator", "board", "");
}

/* Another process makes the record after this one has found none. */
static void make_record_meanwhile(struct aws_exchange *x, void *context) {
    struct faulty *faulty = context;
    struct fixture *t = (struct fixture *)((char *)faulty - offsetof(struct fixture, faulty));
    if (strcmp(x->operation, "Scan") != 0)
        return;
    faulty->filter = NULL;
    bind_as(t, kept);
}

static void the_first_of_two_processes_decides(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_binding binding;
    struct store_wish wish = plain_wish();
    t->faulty.filter = make_record_meanwhile;
    assert_ok(bind(t, &wish, &binding));
    assert_null(t->faulty.filter);
    assert_kept(&binding.shape);
}

/* SQLite only. */

static size_t count_rows(struct fixture *t, const char *where) {
    sqlite3 *db = support_run_sql(t, "");
    sqlite3_stmt *s;
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM scores WHERE %s", where);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    size_t n = (size_t)sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* A batch whose latest event is of this time. */
static void pass(struct fixture *t, int64_t time_ms) {
    assert_ok(count(t, board_all_time[ROLE_CREATOR], "Zoe", 1, 1, time_ms, NULL));
}

static void rows_are_deleted_when_they_expire(void **state) {
    struct fixture *t = support_fixture(state);
    for (int role = 0; role < ROLES; role++)
        for (int kind = 0; kind < PERIOD_KINDS; kind++) {
            struct board board = board_of((enum role)role, (enum period_kind)kind, 0);
            assert_ok(count(t, board, "key", 1, 1, 0, NULL));
        }
    for (int kind = PERIOD_HOUR; kind < PERIOD_KINDS; kind++) {
        const struct period period = period_of((enum period_kind)kind, 0);
        size_t left = (size_t)(PERIOD_KINDS - kind) * ROLES;
        pass(t, period_expires_ms(period) - 1);
        assert_int_equal(count_rows(t, "expires IS NOT NULL"), left);
        pass(t, period_expires_ms(period));
        assert_int_equal(count_rows(t, "expires IS NOT NULL"), left - ROLES);
    }
    assert_int_equal(count_rows(t, "expires IS NULL"), ROLES + 1);
}

static void neither_an_event_nor_a_clock_of_the_future_deletes(void **state) {
    struct fixture *t = support_fixture(state);
    int64_t now_ms = clock_real_ms();
    struct board today = board_of(ROLE_CREATOR, PERIOD_HOUR, now_ms),
                 old = board_of(ROLE_CREATOR, PERIOD_HOUR, 0);
    assert_ok(count(t, today, "Ann", 1, 1, now_ms, NULL));
    pass(t, now_ms + 73 * 365 * day_ms); /* the event's */
    assert_int_equal(count_rows(t, "userId = 'Ann'"), 1);
    assert_ok(count(t, old, "Bob", 1, 1, 0, NULL));
    pass(t, day_ms); /* the clock is 50 years ahead of all events */
    assert_int_equal(count_rows(t, "userId = 'Bob'"), 1);
}

static void put_hour(struct fixture *t, int n) {
    sqlite3_close(support_run_sql(t, "DELETE FROM scores"));
    for (int i = 0; i < n; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        assert_ok(count(t, board_of(ROLE_PRODUCT, PERIOD_HOUR, 0), user, 1, 1, 0, NULL));
    }
}

static void a_batch_deletes_a_bounded_number_of_rows(void **state) {
    enum { ROWS = LIMIT_SQLITE_EXPIRED_ROWS + 40 };
    struct fixture *t = support_fixture(state);
    put_hour(t, ROWS);
    pass(t, 30 * day_ms);
    assert_int_equal(count_rows(t, "expires IS NOT NULL"), ROWS - LIMIT_SQLITE_EXPIRED_ROWS - 1);
    pass(t, 30 * day_ms);
    assert_int_equal(count_rows(t, "expires IS NOT NULL"), 0);
}

/* The batch's second part fails, so all of it is undone. */
static void what_a_failed_batch_deleted_is_deleted_by_the_next(void **state) {
    struct fixture *t = support_fixture(state);
    _cleanup_(mem_freep) const struct position **positions = support_positions(1, 1);
    const struct store_score_write score = {
        board_all_time[ROLE_CREATOR], "Zoe", positions, 1, 30 * day_ms, "x"};
    _cleanup_(contribution_freep) struct contribution *row = make_row(SHARD ":2");
    _cleanup_(mem_freep) struct packed *write = pack_over(row, SHARD ":1");
    const struct store_batch batch = {
        .shard_id = SHARD, .scores = &score, .n_scores = 1, .contributions = &write, .n_contributions = 1};
    put_hour(t, 3);
    assert_int_equal(store_write_batch(t->store, &batch, &t->context, &support_error), STATUS_CONFLICT);
    assert_int_equal(count_rows(t, "expires IS NOT NULL"), 3);
    pass(t, 30 * day_ms);
    assert_int_equal(count_rows(t, "expires IS NOT NULL"), 0);
}

/* As after VACUUM. Another row with the same last event lies where it was. */
static void a_row_is_replaced_where_it_lies_now(void **state) {
    struct fixture *t = support_fixture(state);
    _cleanup_(contribution_freep) struct contribution *row = make_row(SHARD ":1"), *other = NULL;
    assert_ok(replace(t, row, NULL));
    sqlite3_close(support_run_sql(t, "UPDATE contributions SET rowid = rowid + 1;"
                                     "INSERT INTO contributions SELECT 'cap', creator, photographer,"
                                     " creatorScore, photographerScore, lastEventId, photographerEventId,"
                                     " created, updated, createdBy, updatedBy, name, brand, category, image"
                                     " FROM contributions;"
                                     "UPDATE contributions SET rowid = 1 WHERE productId = 'cap'"));
    for (int step = 2; step <= 3; step++) {
        char old[40], last[40];
        snprintf(old, sizeof old, "%s:%d", SHARD, step - 1);
        snprintf(last, sizeof last, "%s:%d", SHARD, step);
        contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, last);
        assert_ok(replace(t, row, old));
        assert_reads_back(t, row);
    }
    assert_ok(store_read_contribution(t->store, "cap", 0, &other, &support_error));
    assert_string_equal(other->last_event_id, SHARD ":1");
}

static void older_tables_are_refused_and_stay(void **state) {
    struct fixture *t = support_fixture(state);
    char path[128];
    struct store *store, *mine = t->store;
    const struct store_wish wish = {.shape = {.board_partitions = 1}};
    sqlite3_close(support_run_sql(t, "PRAGMA user_version = 2"));
    support_database(t, "", path, sizeof path);
    assert_int_equal(store_sqlite_open(&store, path, &support_error), STATUS_INVALID);
    assert_non_null(strstr(support_error.message, "version 2"));
    assert_non_null(strstr(support_error.message, "deploy/README.md"));
    assert_ok(store_sqlite_open_reader(&store, path, &support_error));
    t->store = store;
    assert_refused(t, &wish, "version 2", "begin with 3");
    store_free(store);
    t->store = mine;
    assert_int_equal(count_rows(t, "1"), 0); /* the table is there */
}

#define CONTRACT(test)                                                                                       \
    test("a period has a row of its own, which expires", a_period_has_a_row_that_expires),                   \
        test("every role counts in every kind of period", every_role_counts_in_every_kind_of_period),        \
        test("a contribution is replaced in every attribute",                                                \
             a_contribution_is_replaced_in_every_attribute),                                                 \
        test("the first process decides the view's shape", the_first_process_decides_the_shape),             \
        test("another shape is refused if an option asks for it",                                            \
             another_shape_that_an_option_asks_for_is_refused),                                              \
        test("an identity key is taken over at the first use",                                               \
             an_identity_key_is_taken_over_at_the_first_use),                                                \
        test("a view remembers its consumer until it is gone",                                               \
             a_view_remembers_its_consumer_until_it_is_gone),                                                \
        test("a view of another version is refused", a_view_of_another_version_is_refused),                  \
        test("a malformed record is reported", a_malformed_record_is_reported),

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest dynamodb[] = {
        CONTRACT(support_test) /* It has indexes, and deletes rows by itself: */
        support_test("a row that has expired is not written", a_row_that_has_expired_is_not_written),
        support_test("the shop is in no index", the_shop_is_in_no_index),
        support_test("a row names its part of a divided board", a_row_names_its_part_of_a_divided_board),
        support_test("an undivided board has no parts", an_undivided_board_has_no_parts),
        support_test("the first of two processes decides", the_first_of_two_processes_decides),
    };
    const struct CMUnitTest sqlite[] = {
        CONTRACT(support_test_sqlite) /* It deletes rows with its batches: */
        support_test_sqlite("rows are deleted when they expire", rows_are_deleted_when_they_expire),
        support_test_sqlite("neither an event nor a clock of the future deletes rows",
                            neither_an_event_nor_a_clock_of_the_future_deletes),
        support_test_sqlite("a batch deletes a bounded number of rows",
                            a_batch_deletes_a_bounded_number_of_rows),
        support_test_sqlite("what a failed batch deleted is deleted by the next",
                            what_a_failed_batch_deleted_is_deleted_by_the_next),
        support_test_sqlite("a row is replaced where it lies now", a_row_is_replaced_where_it_lies_now),
        support_test_sqlite("older tables are refused, and stay", older_tables_are_refused_and_stay),
    };
    int failed = cmocka_run_group_tests_name("writing: dynamodb", dynamodb, NULL, NULL);
    return failed + cmocka_run_group_tests_name("writing: sqlite", sqlite, NULL, NULL);
}
