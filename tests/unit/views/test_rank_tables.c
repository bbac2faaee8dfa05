/* The time is stepped: tests/unit/support/stepped_clock.h. */
#include "views/rank_tables.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tests/unit/support/stepped_clock.h"
#include "tests/unit/support/test.h"

enum { PAGE_ROWS = 2, PAGE_UNITS = 50, UNITS_PER_S = 100, HIGHEST = 6 };

static const struct board all_time = {ROLE_CREATOR, {0}};

/* A store with one board, whose contributors have the scores HIGHEST to 1, and pages of PAGE_ROWS. */
struct fixture {
    struct store store;
    struct store_ops ops;
    struct rank_tables *tables;
    _Atomic int64_t sales;
    enum status failure;
    size_t checks, pages;
    double page_units;
    int64_t as_of_ms;
    bool is_final;
};

static enum status read_sales(struct store *store, struct period period, int64_t deadline_boot_ms,
                              int64_t *sales, struct error *e) {
    struct fixture *f = (struct fixture *)store;
    (void)period, (void)deadline_boot_ms;
    f->checks++;
    *sales = f->sales;
    return f->failure ? error_set(e, f->failure, "scripted") : STATUS_OK;
}

static enum status count_board(struct store *store, const struct board *board, struct store_pass *pass,
                               int64_t deadline_boot_ms, struct store_score_counts *counts, struct error *e) {
    struct fixture *f = (struct fixture *)store;
    (void)board, (void)deadline_boot_ms;
    *counts = (struct store_score_counts){0};
    if (f->failure)
        return error_set(e, f->failure, "scripted");
    f->pages++;
    counts->items = mem_alloc(PAGE_ROWS * sizeof *counts->items);
    counts->rows = PAGE_ROWS;
    counts->units = f->page_units;
    for (int i = 0; i < PAGE_ROWS; i++) {
        pass->score = pass->score ? pass->score - 1 : HIGHEST;
        store_score_counts_add(counts, pass->score, 1);
    }
    pass->is_done = pass->score == 1;
    return STATUS_OK;
}

static int64_t as_of(void *data) {
    return ((struct fixture *)data)->as_of_ms;
}

static bool is_final(void *data, const struct period *period, int64_t as_of_ms) {
    (void)period, (void)as_of_ms;
    return ((struct fixture *)data)->is_final;
}

static int set_up(void **state) {
    struct fixture *f = mem_zalloc(sizeof *f);
    f->ops = (struct store_ops){.name = "scripted", .read_sales = read_sales, .count_board = count_board};
    f->store.ops = &f->ops;
    f->sales = 7;
    f->page_units = PAGE_UNITS;
    f->as_of_ms = 1700000000000;
    const struct rank_tables_options options = {UNITS_PER_S, as_of, is_final, f};
    f->tables = rank_tables_new(&options, &f->store);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    rank_tables_free(f->tables);
    free(f);
    return 0;
}

static bool has_table(struct fixture *f, const struct board *board) {
    _cleanup_(rank_table_releasep) const struct rank_table *t = rank_tables_acquire(f->tables, board);
    return t;
}

static int64_t turn(struct fixture *f) {
    return rank_tables_turn(f->tables, clock_boot_ms());
}

/* Turns for `ms`, each time that one is due; whether none is due any more. */
static bool turn_for(struct fixture *f, int64_t ms) {
    int64_t end_ms = clock_boot_ms() + ms, next_ms;
    while ((next_ms = turn(f)) <= end_ms)
        if (next_ms > clock_boot_ms())
            stepped_clock_add(next_ms - clock_boot_ms());
    if (end_ms > clock_boot_ms())
        stepped_clock_add(end_ms - clock_boot_ms());
    return next_ms == INT64_MAX;
}

static struct board day(int number) {
    return (struct board){ROLE_CREATOR, {PERIOD_DAY, 86400000LL * number}};
}

static void wanted_board_gets_a_table(void **state) {
    struct fixture *f = *state;
    assert_int_equal(turn(f), INT64_MAX); /* nothing is wanted */
    assert_false(has_table(f, &all_time));
    turn_for(f, 2000);
    _cleanup_(rank_table_releasep) const struct rank_table *t = rank_tables_acquire(f->tables, &all_time);
    assert_non_null(t);
    assert_int_equal(rank_table_of(t), HIGHEST);
    assert_int_equal(rank_table_rank(t, HIGHEST), 1);
    assert_int_equal(rank_table_rank(t, 1), HIGHEST);
    assert_int_equal(rank_table_as_of_ms(t), 1700000000000);
}

/* PAGE_UNITS at UNITS_PER_S: two pages a second. */
static void pass_keeps_its_pace(void **state) {
    struct fixture *f = *state;
    assert_false(has_table(f, &all_time));
    int64_t before_ms = clock_boot_ms();
    turn_for(f, STORE_SHOP_ROWS * 1000 / UNITS_PER_S);
    size_t pages = f->pages;
    for (int64_t next_ms = 0; f->pages < HIGHEST / PAGE_ROWS; pages = f->pages) {
        next_ms = turn(f);
        size_t once = f->pages;
        assert_int_equal(turn(f), next_ms); /* too early: reads nothing */
        assert_int_equal(f->pages, once);
        assert_true(once <= pages + 1);
        stepped_clock_add(next_ms - clock_boot_ms());
    }
    assert_true(clock_boot_ms() - before_ms >= HIGHEST / PAGE_ROWS * PAGE_UNITS * 1000 / UNITS_PER_S);
}

static void board_that_stands_still_is_not_read_again(void **state) {
    struct fixture *f = *state;
    has_table(f, &all_time);
    turn_for(f, LIMIT_RANK_SETTLE_MS + 2 * LIMIT_RANK_CHECK_MS);
    size_t pages = f->pages, checks = f->checks;
    assert_int_equal(pages, 2 * HIGHEST / PAGE_ROWS); /* once more when it has settled */
    turn_for(f, 10 * LIMIT_RANK_CHECK_MS);
    assert_int_equal(f->pages, pages);
    assert_true(f->checks >= checks + 9);
}

static void board_that_moved_is_read_again(void **state) {
    struct fixture *f = *state;
    has_table(f, &all_time);
    turn_for(f, LIMIT_RANK_SETTLE_MS + 2 * LIMIT_RANK_CHECK_MS);
    size_t pages = f->pages;
    f->sales++;
    f->as_of_ms += 60000;
    turn_for(f, 2 * LIMIT_RANK_CHECK_MS);
    assert_int_equal(f->pages, pages + HIGHEST / PAGE_ROWS);
    _cleanup_(rank_table_releasep) const struct rank_table *t = rank_tables_acquire(f->tables, &all_time);
    assert_int_equal(rank_table_as_of_ms(t), 1700000060000);
    assert_int_equal(rank_table_of(t), HIGHEST);
}

static void board_that_is_not_wanted_is_not_read(void **state) {
    struct fixture *f = *state;
    has_table(f, &all_time);
    assert_true(turn_for(f, LIMIT_RANK_WANTED_MS + 60000));
    size_t checks = f->checks;
    f->sales++;
    assert_true(turn_for(f, LIMIT_RANK_WANTED_MS));
    assert_int_equal(f->checks, checks);
    assert_true(has_table(f, &all_time)); /* the old one; and it is wanted again */
    turn_for(f, 0);
    assert_int_equal(f->checks, checks + 1);
}

static void pass_that_was_begun_is_finished(void **state) {
    struct fixture *f = *state;
    has_table(f, &all_time);
    while (!f->pages)
        stepped_clock_add(turn(f) - clock_boot_ms());
    stepped_clock_add(LIMIT_RANK_WANTED_MS);
    turn_for(f, 2000);
    assert_int_equal(f->pages, HIGHEST / PAGE_ROWS);
    assert_true(has_table(f, &all_time));
}

static void table_is_wanted_for_twice_its_pass(void **state) {
    enum { PASS_MS = 2 * LIMIT_RANK_WANTED_MS };
    struct fixture *f = *state;
    f->page_units =
        (double)PASS_MS * UNITS_PER_S / 1000 / (HIGHEST / PAGE_ROWS - 1); /* the last is not waited for */
    has_table(f, &all_time);
    assert_false(turn_for(f, PASS_MS + 10000)); /* it was begun */
    has_table(f, &all_time);
    assert_false(turn_for(f, 2 * PASS_MS - 10000));
    assert_true(turn_for(f, PASS_MS + 20000)); /* another may have been begun */
}

static void final_period_is_read_once(void **state) {
    struct fixture *f = *state;
    const struct board yesterday = day(19000);
    f->is_final = true;
    has_table(f, &yesterday);
    assert_true(turn_for(f, 2000));
    assert_int_equal(f->pages, HIGHEST / PAGE_ROWS);
    f->sales++;
    assert_true(turn_for(f, 10 * LIMIT_RANK_CHECK_MS));
    assert_int_equal(f->pages, HIGHEST / PAGE_ROWS);
    has_table(f, &all_time); /* is never final */
    assert_false(turn_for(f, 2000));
}

static void periods_leave_the_places_of_all_time_alone(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 2 * RANK_TABLES_PERIODS; i++) {
        const struct board board = day(19000 + i);
        has_table(f, &board);
    }
    for (enum role role = 0; role < ROLE_SHOP; role++) {
        const struct board board = {role, {0}};
        has_table(f, &board);
    }
    turn_for(f, 60000);
    for (int i = 0; i < 2 * RANK_TABLES_PERIODS; i++) {
        const struct board board = day(19000 + i);
        assert_int_equal(has_table(f, &board), i < RANK_TABLES_PERIODS);
    }
    for (enum role role = 0; role < ROLE_SHOP; role++) {
        const struct board board = {role, {0}};
        assert_true(has_table(f, &board));
    }
    stepped_clock_add(LIMIT_RANK_WANTED_MS); /* now there are places again */
    const struct board late = day(20000);
    assert_false(has_table(f, &late));
    turn_for(f, 5000);
    assert_true(has_table(f, &late));
}

static void page_that_fails_is_read_again(void **state) {
    struct fixture *f = *state;
    has_table(f, &all_time);
    while (!f->pages)
        stepped_clock_add(turn(f) - clock_boot_ms());
    f->failure = STATUS_RETRY;
    turn_for(f, 3 * LIMIT_BACKOFF_MS);
    assert_false(has_table(f, &all_time));
    f->failure = STATUS_OK;
    turn_for(f, 2 * LIMIT_BACKOFF_MS);
    _cleanup_(rank_table_releasep) const struct rank_table *t = rank_tables_acquire(f->tables, &all_time);
    assert_non_null(t);
    assert_int_equal(rank_table_of(t), HIGHEST);
    assert_int_equal(f->pages, HIGHEST / PAGE_ROWS);
}

static void no_units_make_no_tables(void **state) {
    struct fixture *f = *state;
    const struct rank_tables_options options = {0, as_of, is_final, f};
    struct rank_tables *none = rank_tables_new(&options, &f->store);
    rank_tables_start(none);
    assert_null(rank_tables_acquire(none, &all_time));
    assert_int_equal(rank_tables_turn(none, clock_boot_ms()), INT64_MAX);
    rank_tables_free(none);
}

/* No board was ever wanted, and boottime 0 is less than LIMIT_RANK_WANTED_MS ago. */
static void thread_wakes_on_a_machine_that_has_just_started(void **state) {
    struct fixture *f = *state;
    bool read = false;
    stepped_clock_set(1000);
    rank_tables_start(f->tables);
    while (stepped_clock_awaited() != INT64_MAX)
        sched_yield();
    for (int i = 0; i < 10000 && !read; i++) {
        read = has_table(f, &all_time);
        stepped_clock_set(1000 + i);
        poll(NULL, 0, 1);
    }
    assert_true(read);
}

static void *acquire_often(void *data) {
    struct fixture *f = data;
    for (int i = 0; i < 20000; i++) {
        const struct board board = day(19000 + i % (2 * RANK_TABLES_PERIODS));
        _cleanup_(rank_table_releasep) const struct rank_table *t =
            rank_tables_acquire(f->tables, i % 2 ? &board : &all_time);
        if (t)
            assert_int_equal(rank_table_rank(t, 1), HIGHEST);
        f->sales++;
    }
    return NULL;
}

static void tables_are_replaced_while_they_are_read(void **state) {
    enum { THREADS = 3 };
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    rank_tables_start(f->tables);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_often, f), 0);
    while (!has_table(f, &all_time))
        stepped_clock_add(500);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const struct rank_table *kept = rank_tables_acquire(f->tables, &all_time);
    rank_tables_free(f->tables);
    f->tables = NULL;
    assert_int_equal(rank_table_of(kept), HIGHEST);
    rank_table_release(kept);
}

#define TEST(title, function)                                                                                \
    { title, function, set_up, tear_down, NULL }

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST("a board that is wanted gets a table", wanted_board_gets_a_table),
        TEST("a pass keeps its pace", pass_keeps_its_pace),
        TEST("a board that stands still is not read again", board_that_stands_still_is_not_read_again),
        TEST("a board that moved is read again", board_that_moved_is_read_again),
        TEST("a board that is not wanted is not read", board_that_is_not_wanted_is_not_read),
        TEST("a pass that was begun is finished", pass_that_was_begun_is_finished),
        TEST("a table is wanted for twice its pass", table_is_wanted_for_twice_its_pass),
        TEST("a final period is read once", final_period_is_read_once),
        TEST("periods leave the places of all time alone", periods_leave_the_places_of_all_time_alone),
        TEST("a page that fails is read again", page_that_fails_is_read_again),
        TEST("without units there are no tables", no_units_make_no_tables),
        TEST("the thread wakes on a machine that has just started",
             thread_wakes_on_a_machine_that_has_just_started),
        TEST("tables are replaced while they are read", tables_are_replaced_while_they_are_read),
    };
    return cmocka_run_group_tests_name("rank_tables", tests, NULL, NULL);
}
