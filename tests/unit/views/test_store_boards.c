/* How boards, histories, sales and an owner's products are read, in any store (views/store.h). */
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/positions.h"
#include "tests/unit/support/store.h"
#include "tests/unit/support/test.h"

#include "base/clock.h"
#include "base/limits.h"

#define SHARD "shardId-000000000000"

enum { PEOPLE = 40, DAY_MS = 86400000, PARTITIONS = 5 };

static const struct board merchants = {ROLE_CREATOR, {0}};
static uint64_t next_position = 1;

/* The tests take days of the year 2052: DynamoDB deletes rows that have expired. */
static struct period day(int number) {
    return (struct period){PERIOD_DAY, (int64_t)DAY_MS * number};
}

static void add(struct fixture *t, struct board board, const char *user_id, size_t n) {
    _cleanup_(mem_freep) const struct position **positions = support_positions(next_position, n);
    next_position += n;
    const struct store_score_write write = {board, user_id, positions, n, 1700000000123, "w/web/9/Cid"};
    const struct store_batch batch = {.shard_id = SHARD, .scores = &write, .n_scores = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

/* Most of them are tied with others. */
static void put_people(struct fixture *t, struct board board) {
    for (int i = 0; i < PEOPLE; i++) {
        char user_id[64];
        snprintf(user_id, sizeof user_id, "w/merchant/%d/Zoë %0*d", i * 37 % PEOPLE, i % 9 + 1, 0);
        add(t, board, user_id, i < 3 ? (size_t)10 + i : 1 + (size_t)i % 3);
    }
}

static struct store_board read_board(struct fixture *t, struct board board, const struct store_place *from,
                                     enum store_direction direction, size_t limit) {
    struct store_board rows;
    assert_ok(store_read_board(t->store, &board, from, direction, limit, 0, &rows, &support_error));
    assert_true(rows.n <= limit);
    return rows;
}

static struct store_place place_of(const struct store_score *row) {
    return (struct store_place){row->score, row->user_id};
}

static void assert_same_row(const struct store_score *a, const struct store_score *b) {
    assert_string_equal(a->user_id, b->user_id);
    assert_int_equal(a->score, b->score);
}

/* From any row on, each direction has what lies on that side, nearest first. */
static void board_is_the_same_up_and_down(void **state) {
    struct fixture *t = support_fixture(state);
    put_people(t, merchants);
    _cleanup_(store_board_deinit) struct store_board down = read_board(t, merchants, NULL, STORE_DOWN, 100),
                                                     up = read_board(t, merchants, NULL, STORE_UP, 100);
    assert_int_equal(down.n, PEOPLE);
    assert_int_equal(up.n, PEOPLE);
    for (size_t i = 0; i < down.n; i++) {
        const struct store_place from = place_of(&down.items[i]);
        _cleanup_(store_board_deinit) struct store_board below =
                                                             read_board(t, merchants, &from, STORE_DOWN, 7),
                                                         above = read_board(t, merchants, &from, STORE_UP, 7);
        assert_true(i == 0 || down.items[i - 1].score >= down.items[i].score);
        assert_same_row(&down.items[i], &up.items[up.n - 1 - i]);
        assert_int_equal(below.n, down.n - i - 1 < 7 ? down.n - i - 1 : 7);
        assert_int_equal(above.n, i < 7 ? i : 7);
        for (size_t j = 0; j < below.n; j++)
            assert_same_row(&below.items[j], &down.items[i + 1 + j]);
        for (size_t j = 0; j < above.n; j++)
            assert_same_row(&above.items[j], &down.items[i - 1 - j]);
    }
}

static void place_needs_no_row(void **state) {
    struct fixture *t = support_fixture(state);
    add(t, merchants, "Ann", 3);
    add(t, merchants, "Bob", 1);
    const struct store_place between = {2, "w/merchant/nobody/ever"};
    _cleanup_(store_board_deinit) struct store_board below =
                                                         read_board(t, merchants, &between, STORE_DOWN, 9),
                                                     above = read_board(t, merchants, &between, STORE_UP, 9);
    assert_int_equal(below.n, 1);
    assert_string_equal(below.items[0].user_id, "Bob");
    assert_int_equal(above.n, 1);
    assert_string_equal(above.items[0].user_id, "Ann");
}

static void each_period_has_a_board(void **state) {
    struct fixture *t = support_fixture(state);
    const struct board today = {ROLE_CREATOR, day(30000)}, yesterday = {ROLE_CREATOR, day(29999)};
    add(t, merchants, "Ann", 5);
    add(t, today, "Ann", 2);
    add(t, today, "Bob", 3);
    _cleanup_(store_board_deinit) struct store_board one = read_board(t, today, NULL, STORE_DOWN, 9),
                                                     none = read_board(t, yesterday, NULL, STORE_DOWN, 9);
    assert_int_equal(one.n, 2);
    assert_string_equal(one.items[0].user_id, "Bob");
    assert_int_equal(one.items[1].score, 2);
    assert_int_equal(one.items[1].updated_ms, 1700000000123);
    assert_int_equal(none.n, 0);
}

static void scores_of_several_boards_are_read_at_once(void **state) {
    struct fixture *t = support_fixture(state);
    const struct board boards[] = {
        {ROLE_CREATOR, day(30000)}, merchants, {ROLE_PHOTOGRAPHER, {0}}, {ROLE_CREATOR, day(29999)}};
    struct store_score scores[COUNT(boards)];
    add(t, merchants, "Ann", 5);
    add(t, boards[0], "Ann", 2);
    assert_ok(store_read_scores(t->store, "Ann", boards, COUNT(boards), 0, scores, &support_error));
    assert_int_equal(scores[0].score, 2);
    assert_int_equal(scores[1].score, 5);
    assert_null(scores[2].user_id);
    assert_null(scores[3].user_id);
    store_score_deinit(&scores[0]);
    store_score_deinit(&scores[1]);
}

/* Ranks. */

static void assert_rank(struct fixture *t, struct board board, int64_t score, const char *user_id, size_t max,
                        size_t above, bool tied) {
    size_t found;
    bool is_tied;
    assert_ok(store_read_rank(t->store, &board, score, user_id, max, 0, &found, &is_tied, &support_error));
    assert_int_equal(found, above);
    assert_int_equal(is_tied, tied);
}

static void rank_is_that_of_the_whole_board(void **state) {
    struct fixture *t = support_fixture(state);
    put_people(t, merchants);
    add(t, merchants, CONTRIBUTION_UNKNOWN, 11);
    assert_rank(t, merchants, 12, "top", 1000, 0, true);
    assert_rank(t, merchants, 11, "w/merchant/37/Zoë 00", 1000, 1, false); /* UNKNOWN is nobody */
    assert_rank(t, merchants, 3, "nobody", 1000, 3, true);
    assert_rank(t, merchants, 1, "nobody", 20, 20, true); /* counted to the maximum */
}

/* The index may be ahead of the row that was read before. */
static void nobody_is_above_themselves(void **state) {
    struct fixture *t = support_fixture(state);
    add(t, merchants, "Ann", 9);
    add(t, merchants, "Bob", 8);
    add(t, merchants, "Cid", 7);
    add(t, merchants, CONTRIBUTION_UNKNOWN, 9);
    assert_rank(t, merchants, 7, "Ann", 1000, 1, true);
    assert_rank(t, merchants, 6, "Ann", 2, 2, false);
}

static void product_may_be_called_unknown(void **state) {
    struct fixture *t = support_fixture(state);
    const struct board best_sellers = {ROLE_PRODUCT, {0}};
    add(t, best_sellers, CONTRIBUTION_UNKNOWN, 2);
    add(t, best_sellers, "hat", 1);
    assert_rank(t, best_sellers, 1, "hat", 1000, 1, false);
}

/* Counts the board by passes, against its rows. */
static void pass_counts_each_contributor_once(void **state) {
    struct fixture *t = support_fixture(state);
    int64_t expected[16] = {0}, found[16] = {0}, rows = 0;
    struct store_pass pass = {0};
    put_people(t, merchants);
    add(t, merchants, CONTRIBUTION_UNKNOWN, 14);
    _cleanup_(store_board_deinit) struct store_board whole = read_board(t, merchants, NULL, STORE_DOWN, 100);
    for (size_t i = 0; i < whole.n; i++)
        expected[whole.items[i].score] += !contribution_is_unknown(whole.items[i].user_id);
    while (!pass.is_done) {
        struct store_score_counts counts;
        assert_ok(store_count_board(t->store, &merchants, &pass, 0, &counts, &support_error));
        for (size_t i = 0; i < counts.n; i++) {
            assert_true(i == 0 || counts.items[i].score < counts.items[i - 1].score);
            found[counts.items[i].score] += counts.items[i].contributors;
        }
        assert_true(counts.units > 0);
        rows += (int64_t)counts.rows;
        store_score_counts_deinit(&counts);
    }
    store_pass_deinit(&pass);
    assert_int_equal(rows, PEOPLE + 1);
    assert_memory_equal(found, expected, sizeof found);
}

static void pass_has_pages(void **state) {
    enum { MANY = LIMIT_RANK_PAGE_ROWS + 1 };
    struct fixture *t = support_fixture(state);
    struct store_pass pass = {0};
    int64_t contributors = 0;
    size_t pages = 0;
    _cleanup_(mem_freep) struct store_score_write *writes = mem_zalloc(MANY * sizeof *writes);
    _cleanup_(mem_freep) char(*ids)[16] = mem_zalloc(MANY * sizeof *ids);
    _cleanup_(mem_freep) const struct position **positions = support_positions(next_position++, 1);
    for (size_t i = 0; i < MANY; i++) { /* all tied */
        snprintf(ids[i], sizeof *ids, "w/m/%zu", i);
        writes[i] = (struct store_score_write){merchants, ids[i], positions, 1, 1, "w"};
    }
    const struct store_batch batch = {.shard_id = SHARD, .scores = writes, .n_scores = MANY};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
    while (!pass.is_done) {
        struct store_score_counts counts;
        assert_ok(store_count_board(t->store, &merchants, &pass, 0, &counts, &support_error));
        assert_true(counts.rows <= LIMIT_RANK_PAGE_ROWS);
        for (size_t i = 0; i < counts.n; i++)
            contributors += counts.items[i].contributors;
        pages++;
        store_score_counts_deinit(&counts);
    }
    store_pass_deinit(&pass);
    assert_int_equal(contributors, MANY);
    assert_true(pages >= 2);
}

/* Histories and sales. */

static struct store_history read_history(struct fixture *t, const char *user_id, enum role role,
                                         enum period_kind kind, const struct period *before, size_t limit) {
    struct store_history history;
    assert_ok(store_read_history(t->store, user_id, role, kind, before, limit, 0, &history, &support_error));
    return history;
}

static void assert_item(const struct store_history *history, size_t i, struct period period, int64_t count) {
    assert_true(i < history->n);
    assert_int_equal(history->items[i].period.kind, period.kind);
    assert_int_equal(history->items[i].period.start_ms, period.start_ms);
    assert_int_equal(history->items[i].count, count);
}

static void history_is_newest_first(void **state) {
    struct fixture *t = support_fixture(state);
    const struct period week = period_of(PERIOD_WEEK, day(30000).start_ms);
    for (int i = 0; i < 30; i += i % 2 ? 3 : 1)
        add(t, (struct board){ROLE_CREATOR, day(30000 - i)}, "Ann", 1 + (size_t)i);
    add(t, (struct board){ROLE_CREATOR, week}, "Ann", 9);
    add(t, (struct board){ROLE_PHOTOGRAPHER, day(30001)}, "Ann", 9);
    add(t, (struct board){ROLE_CREATOR, day(30001)}, "Anna", 9);
    add(t, merchants, "Ann", 9);
    _cleanup_(store_history_deinit) struct store_history all = read_history(t, "Ann", ROLE_CREATOR,
                                                                            PERIOD_DAY, NULL, 100),
                                                         weeks = read_history(t, "Ann", ROLE_CREATOR,
                                                                              PERIOD_WEEK, NULL, 100),
                                                         none = read_history(t, "Bob", ROLE_CREATOR,
                                                                             PERIOD_DAY, NULL, 100);
    assert_int_equal(none.n, 0);
    assert_int_equal(weeks.n, 1);
    assert_item(&weeks, 0, week, 9);
    assert_int_equal(all.n, 16);
    size_t at = 0;
    for (int i = 0; i < 30; i += i % 2 ? 3 : 1)
        assert_item(&all, at++, day(30000 - i), 1 + i);
    for (size_t i = 0; i < all.n; i++) {
        const struct period before = all.items[i].period;
        _cleanup_(store_history_deinit) struct store_history page =
            read_history(t, "Ann", ROLE_CREATOR, PERIOD_DAY, &before, 4);
        assert_int_equal(page.n, all.n - i - 1 < 4 ? all.n - i - 1 : 4);
        for (size_t j = 0; j < page.n; j++)
            assert_item(&page, j, all.items[i + 1 + j].period, all.items[i + 1 + j].count);
    }
}

/* Days with sales in some of the shop's rows only. */
static void shop_is_the_sum_of_its_rows(void **state) {
    struct fixture *t = support_fixture(state);
    char shop[STORE_SHOP_SIZE];
    int64_t total = 0, sales;
    for (int d = 0; d < 10; d++)
        for (unsigned k = (unsigned)d % 3; k < STORE_SHOP_ROWS; k += 5) {
            add(t, (struct board){ROLE_SHOP, day(30000 - d)}, store_shop_user_id(k, shop), 1 + k);
            add(t, (struct board){ROLE_SHOP, {0}}, store_shop_user_id(k, shop), 1 + k);
            total += 1 + k;
        }
    add(t, (struct board){ROLE_CREATOR, day(30001)}, "Ann", 100);
    assert_ok(store_read_sales(t->store, (struct period){0}, 0, &sales, &support_error));
    assert_int_equal(sales, total);
    assert_ok(store_read_sales(t->store, day(30000), 0, &sales, &support_error));
    assert_int_equal(sales, 1 + 6 + 11 + 16);
    assert_ok(store_read_sales(t->store, day(30001), 0, &sales, &support_error));
    assert_int_equal(sales, 0);
    _cleanup_(store_history_deinit) struct store_history first =
        read_history(t, NULL, ROLE_SHOP, PERIOD_DAY, NULL, 3);
    _cleanup_(store_history_deinit) struct store_history rest =
        read_history(t, NULL, ROLE_SHOP, PERIOD_DAY, &first.items[2].period, 100);
    assert_int_equal(first.n, 3);
    assert_item(&first, 0, day(30000), 1 + 6 + 11 + 16);
    assert_item(&first, 1, day(29999), 2 + 7 + 12);
    assert_int_equal(rest.n, 7);
    assert_item(&rest, 6, day(29991), 1 + 6 + 11 + 16);
}

/* An owner's products. */

static void put_product(struct fixture *t, const char *id, const char *creator, const char *photographer) {
    _cleanup_(contribution_freep) struct contribution *row = contribution_new(id);
    contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, SHARD ":7");
    contribution_set_text(row, CONTRIBUTION_CREATOR, creator);
    contribution_set_text(row, CONTRIBUTION_PHOTOGRAPHER, photographer);
    _cleanup_(mem_freep) struct packed *write = pack_over(row, NULL);
    const struct store_batch batch = {.shard_id = SHARD, .contributions = &write, .n_contributions = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

/* The ids, each with a space after it. */
static void list_ids(struct fixture *t, enum role role, const char *user_id, const char *after, size_t limit,
                     char out[512]) {
    const struct store_owner owner = {role, user_id};
    struct contribution **rows;
    size_t n;
    assert_ok(store_list_contributions(t->store, &owner, after, limit, 0, &rows, &n, &support_error));
    *out = '\0';
    for (size_t i = 0; i < n; i++) {
        strcat(strcat(out, rows[i]->product_id), " ");
        contribution_free(rows[i]);
    }
    free(rows);
}

static void list_has_the_products_of_its_owner(void **state) {
    struct fixture *t = support_fixture(state);
    char ids[512];
    put_product(t, "hut", "Ann", NULL);
    put_product(t, "hat", "Ann", "Bob");
    put_product(t, "cap", "Bob", "Ann");
    put_product(t, "häm", "Ann", "Ann");
    put_product(t, "fez", NULL, NULL);
    list_ids(t, ROLE_CREATOR, "Ann", NULL, 10, ids);
    assert_string_equal(ids, "hat hut häm ");
    list_ids(t, ROLE_CREATOR, "Ann", NULL, 2, ids);
    assert_string_equal(ids, "hat hut ");
    list_ids(t, ROLE_CREATOR, "Ann", "hut", 2, ids);
    assert_string_equal(ids, "häm ");
    list_ids(t, ROLE_CREATOR, "Ann", "hot", 10, ids); /* not there */
    assert_string_equal(ids, "hut häm ");
    list_ids(t, ROLE_PHOTOGRAPHER, "Ann", NULL, 10, ids);
    assert_string_equal(ids, "cap häm ");
    list_ids(t, ROLE_CREATOR, "Cid", NULL, 10, ids);
    assert_string_equal(ids, "");
}

static void rows_are_read_by_a_deadline(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_context context = {.deadline_boot_ms = clock_boot_ms() + 60000};
    const char *const ids[] = {"hat", "none", "cap"};
    struct contribution *rows[COUNT(ids)];
    put_product(t, "hat", "Ann", NULL);
    put_product(t, "cap", "Ann", NULL);
    fence_shut(&t->fence); /* it needs no lease */
    assert_ok(store_read_contributions(t->store, ids, COUNT(ids), rows, &context, &support_error));
    assert_string_equal(rows[0]->product_id, "hat");
    assert_null(rows[1]);
    assert_string_equal(rows[2]->product_id, "cap");
    contribution_free(rows[0]);
    contribution_free(rows[2]);
}

/* DynamoDB only. */

static struct store_board whole_board(struct fixture *t) {
    return read_board(t, merchants, NULL, STORE_DOWN, 100);
}

/* With the smallest pages each partition is refilled many times. */
static void partitions_make_one_board(void **state) {
    struct fixture *t = support_fixture(state);
    put_people(t, merchants);
    _cleanup_(store_board_deinit) struct store_board whole = whole_board(t);
    assert_int_equal(whole.n, PEOPLE);
    for (size_t limit = 1; limit < PEOPLE; limit = 3 * limit + 1) {
        struct store_place from = {0};
        for (size_t at = 0; at < whole.n; at += limit) {
            _cleanup_(store_board_deinit) struct store_board page =
                read_board(t, merchants, at ? &from : NULL, STORE_DOWN, limit);
            assert_int_equal(page.n, whole.n - at < limit ? whole.n - at : limit);
            for (size_t i = 0; i < page.n; i++)
                assert_same_row(&page.items[i], &whole.items[at + i]);
            from = place_of(&whole.items[at + page.n - 1]);
        }
    }
}

/* A page of the index may be empty and not the last: here the first of each query is. */
static void empty_pages(struct aws_exchange *x, void *context) {
    (void)context;
    if (strcmp(x->operation, "Query") != 0 || memmem(x->body, x->length, "ExclusiveStartKey", 17))
        return;
    json_auto_t *request = json_loadb(x->body, x->length, 0, NULL);
    const char *key = NULL, *index = json_string_value(json_object_get(request, "IndexName"));
    json_unpack(request, "{s:{s:{s:s}}}", "ExpressionAttributeValues", ":k", "S", &key);
    json_auto_t *start = json_pack("{s:{s:s},s:{s:s},s:{s:s}}", "userId", "S", "~", "role", "S", "creator",
                                   "score", "N", "9999999");
    json_object_set_new(start, strcmp(index, "ScoresByBoard") == 0 ? "board" : "role",
                        json_pack("{s:s}", "S", key));
    json_auto_t *reply = json_pack("{s:[],s:O}", "Items", "LastEvaluatedKey", start);
    _cleanup_(mem_freep) char *text = json_dumps(reply, 0);
    aws_exchange_answer(x, 200, text);
}

static void empty_page_does_not_end_a_board(void **state) {
    struct fixture *t = support_fixture(state);
    put_people(t, merchants);
    _cleanup_(store_board_deinit) struct store_board expected = whole_board(t);
    t->faulty.filter = empty_pages;
    _cleanup_(store_board_deinit) struct store_board found = whole_board(t);
    support_no_faults(t);
    assert_int_equal(found.n, PEOPLE);
    for (size_t i = 0; i < found.n; i++)
        assert_same_row(&found.items[i], &expected.items[i]);
}

static void assert_no_index(enum status status, const char *index) {
    assert_int_equal(status, STATUS_FAILED);
    assert_string_equal(support_error.code, STORE_ERROR_NO_INDEX);
    assert_contains(support_error.message, index);
    assert_contains(support_error.message, "create-tables");
}

/* The tables have the index of one partition only. */
static void missing_index_is_named(void **state) {
    struct fixture *t = support_fixture(state);
    struct store_board rows;
    struct store_pass pass = {0};
    struct store_score_counts counts;
    size_t above;
    bool tied;
    add(t, merchants, "Ann", 3);
    t->store->shape.board_partitions = PARTITIONS;
    assert_no_index(store_read_board(t->store, &merchants, NULL, STORE_DOWN, 9, 0, &rows, &support_error),
                    "ScoresByBoard");
    assert_no_index(store_read_rank(t->store, &merchants, 1, "Ann", 9, 0, &above, &tied, &support_error),
                    "ScoresByBoard");
    assert_no_index(store_count_board(t->store, &merchants, &pass, 0, &counts, &support_error),
                    "ScoresByBoard");
    struct store_score score;
    assert_ok(store_read_scores(t->store, "Ann", &merchants, 1, 0, &score, &support_error)); /* needs none */
    assert_int_equal(score.score, 3);
    store_score_deinit(&score);
}

static void replace(struct aws_exchange *x, const char *old, const char *new) {
    char *at = memmem(x->reply.data, x->reply.length, old, strlen(old));
    if (at)
        memcpy(at, new, strlen(new));
    x->has_crc32 = false;
}

/* The index is late: it has a product that was Ann's in another view of the row, and one that is not there.
 */
static void late_index(struct aws_exchange *x, void *context) {
    (void)context;
    if (strcmp(x->operation, "Query") == 0) {
        replace(x, "\"hat\"", "\"cap\"");
        replace(x, "\"hut\"", "\"gon\"");
    }
}

static void list_leaves_out_what_the_index_has_wrong(void **state) {
    struct fixture *t = support_fixture(state);
    char ids[512];
    put_product(t, "cap", "Bob", NULL);
    put_product(t, "fez", "Ann", NULL);
    put_product(t, "hat", "Ann", NULL);
    put_product(t, "hut", "Ann", NULL);
    put_product(t, "tie", "Ann", NULL);
    put_product(t, "wig", "Ann", NULL);
    t->faulty.filter = late_index;
    list_ids(t, ROLE_CREATOR, "Ann", NULL, 2, ids); /* goes on until it has two */
    assert_string_equal(ids, "fez tie ");
    list_ids(t, ROLE_CREATOR, "Ann", "tie", 2, ids);
    assert_string_equal(ids, "wig ");
    support_no_faults(t);
}

static void reads_for_serving_end_at_their_deadline(void **state) {
    struct fixture *t = support_fixture(state);
    const int64_t past_ms = clock_boot_ms() - 1;
    struct store_context context = {.deadline_boot_ms = past_ms};
    const char *const ids[] = {"hat"};
    struct contribution *rows[1];
    struct store_board board;
    struct store_history history;
    int64_t sales;
    assert_int_equal(store_read_contributions(t->store, ids, 1, rows, &context, &support_error),
                     STATUS_RETRY);
    assert_int_equal(
        store_read_board(t->store, &merchants, NULL, STORE_UP, 9, past_ms, &board, &support_error),
        STATUS_RETRY);
    assert_int_equal(store_read_sales(t->store, day(1), past_ms, &sales, &support_error), STATUS_RETRY);
    assert_int_equal(
        store_read_history(t->store, NULL, ROLE_SHOP, PERIOD_DAY, NULL, 9, past_ms, &history, &support_error),
        STATUS_RETRY);
}

static int set_up_parts(void **state) {
    const struct store_creation creation = {.board_partitions = PARTITIONS};
    const struct store_source source = {.name = "arn:aws:kinesis:eu-west-1:1:stream/parts", .created_ms = 1};
    const struct store_wish wish = {.source = &source, .shape = {.board_partitions = PARTITIONS}};
    struct store_binding binding;
    if (support_setup_with(state, &creation))
        return -1;
    struct fixture *t = *state;
    return t->store && store_bind(t->store, &wish, &binding, &support_error) ? -1 : 0;
}

#define parts_test(title, function)                                                                          \
    { title, function, set_up_parts, support_teardown, NULL }

#define BOARDS(test)                                                                                         \
    test("a board is the same up and down, from any place", board_is_the_same_up_and_down),                  \
        test("a place on a board needs no row", place_needs_no_row),                                         \
        test("each period has a board of its own", each_period_has_a_board),                                 \
        test("a rank is that of the whole board", rank_is_that_of_the_whole_board),                          \
        test("nobody is above themselves", nobody_is_above_themselves),                                      \
        test("a product may be called UNKNOWN", product_may_be_called_unknown),                              \
        test("a pass counts each contributor once", pass_counts_each_contributor_once)

#define CONTRACT(test)                                                                                       \
    BOARDS(test), test("a pass over tied contributors has pages", pass_has_pages),                           \
        test("scores of several boards are read at once", scores_of_several_boards_are_read_at_once),        \
        test("a history is newest first, and has pages", history_is_newest_first),                           \
        test("the shop's sales are the sum of its rows", shop_is_the_sum_of_its_rows),                       \
        test("a list has the products of its owner, by id", list_has_the_products_of_its_owner),             \
        test("rows for serving are read by a deadline, without a lease", rows_are_read_by_a_deadline)

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest dynamodb[] = {
        CONTRACT(support_test),
        support_test("an empty page does not end a board", empty_page_does_not_end_a_board),
        support_test("a missing index is named", missing_index_is_named),
        support_test("a list leaves out what its index has wrong", list_leaves_out_what_the_index_has_wrong),
        support_test("reads for serving end at their deadline", reads_for_serving_end_at_their_deadline),
    };
    const struct CMUnitTest parts[] = {
        BOARDS(parts_test),
        parts_test("the pages of partitions join to one board", partitions_make_one_board),
        parts_test("an empty page does not end a board", empty_page_does_not_end_a_board),
    };
    const struct CMUnitTest sqlite[] = {CONTRACT(support_test_sqlite)};
    int failed = cmocka_run_group_tests_name("store boards: dynamodb", dynamodb, NULL, NULL);
    failed += cmocka_run_group_tests_name("store boards: dynamodb, several partitions", parts, NULL, NULL);
    return failed + cmocka_run_group_tests_name("store boards: sqlite", sqlite, NULL, NULL);
}
