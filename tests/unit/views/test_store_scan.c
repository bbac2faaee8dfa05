/* What a scan visits, in any store (views/store.h). */
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/positions.h"
#include "tests/unit/support/store.h"

#define SHARD "shardId-000000000000"

enum { WIDE_ROWS = 30, WIDE_BYTES = 90000 }; /* DynamoDB's pages end at 1 MB */

struct seen {
    size_t rows[WIDE_ROWS], scores[2], others;
    bool after, out_of_order;
    sqlite3 *meanwhile; /* gets a row while scores are visited; may be NULL */
};

static void see_score(void *data, const struct store_row *row, bool after) {
    struct seen *seen = data;
    static const char *const expected[] = {"creator Ann 3", "creator UNKNOWN 2", "photographer Ann 1"};
    char text[64];
    size_t i = 0;
    snprintf(text, sizeof text, "%s %s %d", row->role, row->user_id, (int)row->count);
    while (i < 3 && strcmp(expected[i], text) != 0)
        i++;
    seen->others += i == 3;
    seen->scores[after]++;
    seen->out_of_order |= seen->after && !after;
    seen->after = after;
    if (seen->meanwhile)
        sqlite3_exec(seen->meanwhile, "UPDATE contributions SET productId = 'late' || rowid", NULL, NULL,
                     NULL);
}

static void see_contribution(void *data, const struct contribution *row) {
    struct seen *seen = data;
    int n = -1;
    sscanf(row->product_id, "p%d", &n);
    seen->out_of_order |= seen->after || !seen->scores[0];
    if (n >= 0 && n < WIDE_ROWS && strlen(row->created_by) == WIDE_BYTES)
        seen->rows[n]++;
    else
        seen->others++;
}

static void put_score(struct fixture *t, enum role role, const char *user_id, size_t score) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(1, score);
    const struct store_score_write write = {{.role = role}, user_id,       positions,
                                            score,          1700000000123, "w/web/9/Cid"};
    const struct store_batch batch = {.shard_id = SHARD, .scores = &write, .n_scores = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

static void put_wide_row(struct fixture *t, int n) {
    char id[16];
    snprintf(id, sizeof id, "p%d", n);
    _cleanup_(contribution_freep) struct contribution *row = contribution_new(id);
    contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, SHARD ":7");
    _cleanup_(mem_freep) char *wide = mem_zalloc(WIDE_BYTES + 1);
    memset(wide, 'x', WIDE_BYTES);
    contribution_set_text(row, CONTRIBUTION_CREATED_BY, wide);
    _cleanup_(mem_freep) struct packed *write = pack_over(row, NULL);
    const struct store_batch batch = {.shard_id = SHARD, .contributions = &write, .n_contributions = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

static void put_wide_rows(struct fixture *t) {
    put_score(t, ROLE_CREATOR, "Ann", 3);
    put_score(t, ROLE_CREATOR, CONTRIBUTION_UNKNOWN, 2);
    put_score(t, ROLE_PHOTOGRAPHER, "Ann", 1);
    for (int i = 0; i < WIDE_ROWS; i++)
        put_wide_row(t, i);
}

static void assert_all_seen(const struct seen *seen) {
    for (size_t i = 0; i < WIDE_ROWS; i++)
        assert_int_equal(seen->rows[i], 1);
    assert_int_equal(seen->scores[false], 3);
    assert_int_equal(seen->scores[true], 3);
    assert_int_equal(seen->others, 0);
    assert_false(seen->out_of_order);
}

static void scan_visits_everything(void **state) {
    struct fixture *t = support_fixture(state);
    struct seen seen = {0};
    const struct store_visitor visitor = {see_score, see_contribution, &seen};
    put_wide_rows(t);
    support_fault(t, FAULT_NONE, NULL, 0, 0); /* counts what is sent from here on */
    assert_ok(store_scan(t->store, &visitor, &support_error));
    assert_all_seen(&seen);
    if (!*t->folder)
        assert_true(atomic_load(&t->faulty.sent) >= 5); /* three pages of contributions */
}

/* Three replies: an empty page with a next key, a page of one score, an empty last page. */
static void answer_in_pages(struct aws_exchange *x, void *context) {
    struct faulty *f = context;
    int n = atomic_load(&f->sent) % 3;
    static const char *const answers[] = {
        "{\"Items\":[]}",
        "{\"Items\":[],\"LastEvaluatedKey\":{\"userId\":{\"S\":\"A\"},\"role\":{\"S\":\"creator\"}}}",
        "{\"Items\":[{\"userId\":{\"S\":\"Ann\"},\"role\":{\"S\":\"creator\"},\"score\":{\"N\":\"3\"},"
        "\"productId\":{\"S\":\"p\"},\"lastEventId\":{\"S\":\"s:1\"}}],"
        "\"LastEvaluatedKey\":{\"userId\":{\"S\":\"Ann\"},\"role\":{\"S\":\"creator\"}}}",
    };
    bool has_start_key = memmem(x->body, x->length, "ExclusiveStartKey", 17) != NULL;
    f->every += has_start_key != (n != 1); /* errors: only the first of three has no start key */
    x->http_status = 200;
    x->has_crc32 = false;
    buffer_clear(&x->reply);
    buffer_puts(&x->reply, answers[n]);
}

static void empty_page_does_not_end_a_scan(void **state) {
    struct fixture *t = support_fixture(state);
    struct seen seen = {0};
    const struct store_visitor visitor = {see_score, see_contribution, &seen};
    support_fault(t, FAULT_NONE, NULL, 0, 0);
    t->faulty.filter = answer_in_pages;
    assert_int_equal(store_scan(t->store, &visitor, &support_error), STATUS_OK);
    assert_int_equal(atomic_load(&t->faulty.sent), 9);
    assert_int_equal(t->faulty.every, 0);
    assert_int_equal(seen.scores[false], 1);
    assert_int_equal(seen.scores[true], 1);
    support_no_faults(t);
}

/* SQLite only. */

static void scan_is_of_one_moment(void **state) {
    struct fixture *t = support_fixture(state);
    struct seen seen = {0};
    const struct store_visitor visitor = {see_score, see_contribution, &seen};
    put_wide_rows(t);
    seen.meanwhile = support_run_sql(t, "");
    assert_ok(store_scan(t->store, &visitor, &support_error));
    assert_int_not_equal(sqlite3_total_changes(seen.meanwhile), 0);
    sqlite3_close(seen.meanwhile);
    assert_all_seen(&seen);
    assert_true(store_is_snapshot(t->store));
}

/* A missing database, and another program's. */
static void reader_makes_nothing(void **state) {
    struct fixture *t = support_fixture(state);
    char path[128];
    struct store *store;
    store_free(t->store);
    t->store = NULL;
    support_database(t, "", path, sizeof path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_sqlite_open_reader(&store, path, &support_error), STATUS_NOT_FOUND);
    assert_non_null(strstr(support_error.message, path));
    assert_int_equal(access(path, F_OK), -1);

    sqlite3 *db = support_run_sql(t, "CREATE TABLE theirs (a)");
    assert_int_equal(store_sqlite_open_reader(&store, path, &support_error), STATUS_NOT_FOUND);
    assert_int_equal(sqlite3_exec(db, "SELECT * FROM contributions", NULL, NULL, NULL), SQLITE_ERROR);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_sqlite_open_reader(&store, path, &support_error), STATUS_INVALID);
    sqlite3_close(db);
}

#define CONTRACT(test)                                                                                       \
    test("a scan visits every row, the scores before and after the contributions", scan_visits_everything)

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest dynamodb[] = {
        CONTRACT(support_test),
        support_test("an empty page is not the end of a scan", empty_page_does_not_end_a_scan),
    };
    const struct CMUnitTest sqlite[] = {
        CONTRACT(support_test_sqlite),
        support_test_sqlite("a scan returns the rows of one moment, whatever is written meanwhile",
                            scan_is_of_one_moment),
        support_test_sqlite("a reader creates neither file nor tables", reader_makes_nothing),
    };
    int failed = cmocka_run_group_tests_name("store scan: dynamodb", dynamodb, NULL, NULL);
    return failed + cmocka_run_group_tests_name("store scan: sqlite", sqlite, NULL, NULL);
}
