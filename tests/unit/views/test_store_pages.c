/* How boards and lists are read page by page, in any store (views/store.h). */
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/positions.h"
#include "tests/unit/support/store.h"

#define SHARD "shardId-000000000000"

enum { PEOPLE = 23, PRODUCTS = 30, WIDE_BYTES = 90000 }; /* DynamoDB's pages end at 1 MB */

static uint64_t next_position = 1;

static void add_to_score(struct fixture *t, enum role role, const char *user_id, size_t n) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(next_position, n);
    next_position += n;
    const struct store_score_write write = {{.role = role}, user_id,      positions, n,
                                            1700000000123,  "w/web/9/Cid"};
    const struct store_batch batch = {.shard_id = SHARD, .scores = &write, .n_scores = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

/* Most of them are tied with others; ids are of many lengths and not only ASCII. */
static void put_people(struct fixture *t) {
    for (int i = 0; i < PEOPLE; i++) {
        char user_id[64];
        snprintf(user_id, sizeof user_id, "w/merchant/%d/Zoë %0*d", i * 37 % PEOPLE, i + 1, 0);
        add_to_score(t, ROLE_CREATOR, user_id, i < 3 ? (size_t)10 + i : 1 + (size_t)i % 3);
        if (i % 4 == 0)
            add_to_score(t, ROLE_PHOTOGRAPHER, user_id, 2);
    }
}

static struct store_board read_board(struct fixture *t, const struct store_place *after, size_t limit) {
    struct store_board board;
    assert_ok(store_read_board(t->store, &board_all_time[ROLE_CREATOR], after, STORE_DOWN, limit, 0, &board,
                               &support_error));
    assert_true(board.n <= limit);
    return board;
}

static void board_is_best_first(void **state) {
    struct fixture *t = support_fixture(state);
    add_to_score(t, ROLE_CREATOR, "Ann", 9);
    add_to_score(t, ROLE_CREATOR, "Bob", 10);
    add_to_score(t, ROLE_CREATOR, "Cid", 100);
    add_to_score(t, ROLE_PHOTOGRAPHER, "Dee", 50);
    _cleanup_(store_board_deinit) struct store_board two = read_board(t, NULL, 2),
                                                     all = read_board(t, NULL, 10);
    assert_int_equal(two.n, 2);
    assert_string_equal(two.items[0].user_id, "Cid");
    assert_int_equal(two.items[0].score, 100);
    assert_int_equal(two.items[0].updated_ms, 1700000000123);
    assert_string_equal(two.items[1].user_id, "Bob");
    assert_int_equal(all.n, 3);
    assert_string_equal(all.items[2].user_id, "Ann");
}

static struct store_place place_of(const struct store_score *row) {
    return (struct store_place){row->score, row->user_id};
}

/* From row `at` of `whole` on, the board is `page`. */
static void assert_continues(const struct store_board *whole, size_t at, const struct store_board *page,
                             size_t limit) {
    size_t left = whole->n - at;
    assert_int_equal(page->n, left < limit ? left : limit);
    for (size_t i = 0; i < page->n; i++) {
        assert_string_equal(page->items[i].user_id, whole->items[at + i].user_id);
        assert_int_equal(page->items[i].score, whole->items[at + i].score);
    }
}

static void board_continues_after_any_row(void **state) {
    struct fixture *t = support_fixture(state);
    put_people(t);
    _cleanup_(store_board_deinit) struct store_board whole = read_board(t, NULL, 100);
    assert_int_equal(whole.n, PEOPLE);
    for (size_t i = 1; i < whole.n; i++)
        assert_true(whole.items[i - 1].score >= whole.items[i].score);
    for (size_t i = 0; i < whole.n; i++) {
        const struct store_place after = place_of(&whole.items[i]);
        for (size_t limit = 1; limit < 100; limit = 3 * limit + 1) {
            _cleanup_(store_board_deinit) struct store_board page = read_board(t, &after, limit);
            assert_continues(&whole, i + 1, &page, limit);
        }
    }
}

static void place_outlives_its_row(void **state) {
    struct fixture *t = support_fixture(state);
    put_people(t);
    _cleanup_(store_board_deinit) struct store_board whole = read_board(t, NULL, 100);
    for (size_t i = 0; i < whole.n; i++) { /* each moves to the top in turn; the rows behind it stay */
        const struct store_place after = place_of(&whole.items[i]);
        add_to_score(t, ROLE_CREATOR, whole.items[i].user_id, 50);
        _cleanup_(store_board_deinit) struct store_board page = read_board(t, &after, 100);
        assert_continues(&whole, i + 1, &page, 100);
    }
    const struct store_place never = {2, "w/merchant/nobody/ever"};
    _cleanup_(store_board_deinit) struct store_board page = read_board(t, &never, 100);
    assert_int_equal(page.n, 0); /* all rows are above it now */
}

/* Lists. */

static void put_product(struct fixture *t, const char *id, size_t bytes) {
    _cleanup_(contribution_freep) struct contribution *row = contribution_new(id);
    contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, SHARD ":7");
    _cleanup_(mem_freep) char *wide = mem_zalloc(bytes + 1);
    memset(wide, 'x', bytes);
    contribution_set_text(row, CONTRIBUTION_CREATED_BY, wide);
    _cleanup_(mem_freep) struct packed *write = pack_over(row, NULL);
    const struct store_batch batch = {.shard_id = SHARD, .contributions = &write, .n_contributions = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

struct list {
    size_t n;
    char *ids[PRODUCTS + 1];
};

static void list_deinit(struct list *list) {
    while (list->n)
        free(list->ids[--list->n]);
}

static size_t list_page(struct fixture *t, const char *after, size_t limit, struct list *list) {
    struct contribution **rows;
    size_t n;
    assert_ok(store_list_contributions(t->store, NULL, after, limit, 0, &rows, &n, &support_error));
    for (size_t i = 0; i < n; i++) {
        assert_true(list->n <= PRODUCTS);
        list->ids[list->n++] = mem_strdup(rows[i]->product_id);
        contribution_free(rows[i]);
    }
    free(rows);
    return n;
}

static void assert_each_once(const struct list *list) {
    bool seen[PRODUCTS] = {false};
    assert_int_equal(list->n, PRODUCTS);
    for (size_t i = 0; i < list->n; i++) {
        int number = -1;
        assert_int_equal(sscanf(list->ids[i], "p%d/", &number), 1);
        assert_true(number >= 0 && number < PRODUCTS && !seen[number]);
        seen[number] = true;
    }
}

static void list_continues_after_any_product(void **state) {
    struct fixture *t = support_fixture(state);
    for (int i = 0; i < PRODUCTS; i++) {
        char id[64];
        snprintf(id, sizeof id, "p%d/hät \"%0*d\"", i, i + 1, 0);
        put_product(t, id, WIDE_BYTES);
    }
    static const size_t limits[] = {1, 7, PRODUCTS - 1, PRODUCTS, 100};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        _cleanup_(list_deinit) struct list list = {0};
        while (list_page(t, list.n ? list.ids[list.n - 1] : NULL, limits[i], &list) == limits[i])
            ;
        assert_each_once(&list);
    }
}

static void empty_store_has_empty_pages(void **state) {
    struct fixture *t = support_fixture(state);
    _cleanup_(list_deinit) struct list list = {0};
    const struct store_place after = {7, "w/merchant/1/Ann"};
    assert_int_equal(list_page(t, NULL, 10, &list), 0);
    assert_int_equal(list_page(t, "p", 10, &list), 0);
    _cleanup_(store_board_deinit) struct store_board first = read_board(t, NULL, 10),
                                                     next = read_board(t, &after, 10);
    assert_int_equal(first.n + next.n, 0);
}

#define CONTRACT(test)                                                                                       \
    test("a board has the rows of its role, the highest score first", board_is_best_first),                  \
        test("a board can be continued after any row, to its end", board_continues_after_any_row),           \
        test("a board can be continued after a place whose row has moved", place_outlives_its_row),          \
        test("a list can be continued after any product, to its end", list_continues_after_any_product),     \
        test("pages of an empty store are empty", empty_store_has_empty_pages)

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest dynamodb[] = {CONTRACT(support_test)};
    const struct CMUnitTest sqlite[] = {CONTRACT(support_test_sqlite)};
    int failed = cmocka_run_group_tests_name("store pages: dynamodb", dynamodb, NULL, NULL);
    return failed + cmocka_run_group_tests_name("store pages: sqlite", sqlite, NULL, NULL);
}
