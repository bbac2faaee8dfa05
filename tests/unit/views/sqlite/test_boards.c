/* A pass over a board of which a page cannot be read. */
#include "tests/unit/support/store.h"
#include "tests/unit/support/test.h"
#include "views/sqlite/store.h"

/* Without what the tables refuse. */
static const char damaged_table[] =
    "DROP TABLE scores;"
    "CREATE TABLE scores (userId TEXT, role TEXT, score INTEGER, updated INTEGER, updatedBy TEXT, expires);"
    "INSERT INTO scores VALUES ('ann', 'creator', 5, 1, 'ann', NULL), (NULL, 'creator', 3, 1, 'bo', NULL)";

static void run_sql(const struct fixture *t, const char *sql) {
    sqlite3 *db = support_run_sql(t, sql);
    sqlite3_close(db);
}

static void a_page_that_failed_is_counted_whole_the_next_time(void **state) {
    struct fixture *t = *state;
    struct store_pass pass = {0};
    struct store_score_counts counts;
    struct error e;
    run_sql(t, damaged_table);
    assert_int_equal(store_count_board(t->store, &board_all_time[ROLE_CREATOR], &pass, 0, &counts, &e),
                     STATUS_FAILED);
    run_sql(t, "UPDATE scores SET userId = 'bo' WHERE userId IS NULL");
    assert_int_equal(store_count_board(t->store, &board_all_time[ROLE_CREATOR], &pass, 0, &counts, &e),
                     STATUS_OK);
    assert_true(pass.is_done);
    assert_int_equal(counts.n, 2);
    assert_int_equal(counts.items[0].score, 5);
    store_score_counts_deinit(&counts);
    store_pass_deinit(&pass);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"a page that failed is counted whole the next time",
         a_page_that_failed_is_counted_whole_the_next_time, support_setup_sqlite, support_teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
