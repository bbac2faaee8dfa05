#include "views/credits.h"

#include "tests/unit/support/test.h"

enum { MAX_WRITES = 128, HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS };
static const int64_t noon_ms = 1795348800000; /* 2026-11-22T12:00Z, a Sunday */

struct fixture {
    struct credits *credits;
    struct earner *lamp[ROLES];
    struct position positions[MAX_WRITES]; /* 1, 2, 3 ... */
    int64_t times_ms[MAX_WRITES];
    size_t n;
    struct store_score_write writes[MAX_WRITES];
    size_t n_writes;
};

static void begin(struct fixture *t, unsigned periods, bool best_sellers) {
    *t = (struct fixture){0};
    t->credits = credits_new(&(struct view_shape){.periods = periods, .best_sellers = best_sellers},
                             "shardId-000000000018");
}

/* A lamp of ann's, photographed by `photographer` (NULL: nobody), is bought. */
static void buy(struct fixture *t, int64_t time_ms, const char *photographer) {
    const struct fold_credits to = {{"ann", photographer}};
    t->positions[t->n] = position_from_u64(t->n + 1);
    t->times_ms[t->n] = time_ms;
    const struct credits_sale sale = {"lamp", time_ms, time_ms, "cid", &t->positions[t->n]};
    t->n++;
    credits_earn(t->credits, &sale, &to, t->lamp);
}

static void list(struct fixture *t) {
    t->n_writes = credits_count(t->credits);
    assert_true(t->n_writes <= MAX_WRITES);
    credits_list(t->credits, t->writes);
}

/* By the last bytes of positions: "1 2 3". NULL: there is no such write. */
static const char *earned(struct fixture *t, const char *board_text, const char *user_id) {
    static char text[4 * MAX_WRITES];
    struct board board;
    assert_true(board_parse(board_text, &board));
    for (size_t i = 0; i < t->n_writes; i++) {
        const struct store_score_write *w = &t->writes[i];
        char have[BOARD_TEXT_SIZE];
        if (strcmp(board_format(&w->board, have), board_text) != 0 || strcmp(w->user_id, user_id) != 0)
            continue;
        *text = '\0';
        for (size_t j = 0; j < w->n; j++)
            snprintf(text + strlen(text), 5, "%s%d", j ? " " : "", (int)(w->positions[j] - t->positions) + 1);
        assert_int_equal(w->updated_ms, t->times_ms[w->positions[w->n - 1] - t->positions]);
        return text;
    }
    return NULL;
}

static void assert_earned(struct fixture *t, const char *board, const char *user_id, const char *positions) {
    const char *have = earned(t, board, user_id);
    if (!have || strcmp(have, positions) != 0)
        fail_msg("%s %s: %s, not %s", board, user_id, have, positions);
}

static void a_purchase_counts_for_people_and_the_shop_in_all_and_in_each_kept_period(void **state) {
    (void)state;
    struct fixture t;
    begin(&t, 1U << PERIOD_DAY | 1U << PERIOD_MONTH, false);
    buy(&t, noon_ms, NULL);
    buy(&t, noon_ms + 1, "pia");
    list(&t);
    assert_int_equal(t.n_writes, 3 * 3);
    assert_earned(&t, "creator", "ann", "1 2");
    assert_earned(&t, "creator#day#2026-11-22", "ann", "1 2");
    assert_earned(&t, "creator#month#2026-11", "ann", "1 2");
    assert_earned(&t, "photographer#day#2026-11-22", "pia", "2");
    assert_earned(&t, "shop", "SHOP/2", "1 2");
    assert_earned(&t, "shop#month#2026-11", "SHOP/2", "1 2");
    credits_free(t.credits);
}

static void best_sellers_are_products_that_earn_what_they_sell(void **state) {
    (void)state;
    struct fixture t;
    begin(&t, 1U << PERIOD_WEEK, true);
    buy(&t, noon_ms, "pia");
    list(&t);
    assert_int_equal(t.n_writes, 4 * 2);
    assert_earned(&t, "product", "lamp", "1");
    assert_earned(&t, "product#week#2026-W47", "lamp", "1");
    credits_free(t.credits);
}

static void periods_that_alternate_have_each_their_own_positions(void **state) {
    (void)state;
    struct fixture t;
    begin(&t, 1U << PERIOD_HOUR | 1U << PERIOD_DAY | 1U << PERIOD_WEEK, false);
    const int64_t days[] = {0, 1, 0, 0, 1, -1, 1, 0};
    for (size_t i = 0; i < COUNT(days); i++)
        buy(&t, noon_ms + days[i] * DAY_MS, NULL);
    list(&t);
    assert_earned(&t, "creator", "ann", "1 2 3 4 5 6 7 8");
    assert_earned(&t, "creator#day#2026-11-22", "ann", "1 3 4 8");
    assert_earned(&t, "creator#day#2026-11-23", "ann", "2 5 7");
    assert_earned(&t, "creator#hour#2026-11-21T12", "ann", "6");
    assert_earned(&t, "creator#week#2026-W47", "ann", "1 3 4 6 8");
    assert_earned(&t, "shop#week#2026-W48", "SHOP/2", "2 5 7");
    credits_free(t.credits);
}

static void a_contributors_scores_lie_together(void **state) {
    (void)state;
    struct fixture t;
    size_t changes = 0;
    begin(&t, 0x1e, true);
    for (int i = 0; i < 6; i++)
        buy(&t, noon_ms + i * DAY_MS, i % 2 ? "pia" : "ann");
    list(&t);
    for (size_t i = 1; i < t.n_writes; i++)
        changes += t.writes[i].user_id != t.writes[i - 1].user_id;
    assert_int_equal(changes, 4); /* ann twice, pia, the lamp, the shop */
    credits_free(t.credits);
}

static void another_photographer_of_a_product_earns_from_then_on(void **state) {
    (void)state;
    struct fixture t;
    begin(&t, 0, false);
    buy(&t, noon_ms, "pia");
    buy(&t, noon_ms, "UNKNOWN");
    list(&t);
    assert_earned(&t, "photographer", "pia", "1");
    assert_earned(&t, "photographer", "UNKNOWN", "2");
    credits_free(t.credits);
}

static void without_positions_sales_are_counted(void **state) {
    (void)state;
    struct fixture t;
    const int64_t days[] = {0, 1, 0, 0, 1};
    begin(&t, 1U << PERIOD_DAY, false);
    for (size_t i = 0; i < COUNT(days); i++) {
        const struct fold_credits to = {{"ann", NULL}};
        const struct credits_sale sale = {"lamp", noon_ms, noon_ms + days[i] * DAY_MS, "cid", NULL};
        credits_earn(t.credits, &sale, &to, t.lamp);
    }
    list(&t);
    assert_int_equal(t.n_writes, 2 * 3);
    size_t n = 0;
    for (size_t i = 0; i < t.n_writes; i++) {
        assert_null(t.writes[i].positions);
        n += t.writes[i].board.role == ROLE_CREATOR ? t.writes[i].n : 0;
    }
    assert_int_equal(n, 5 + 3 + 2);
    credits_free(t.credits);
}

static void the_size_grows_with_what_is_kept(void **state) {
    (void)state;
    struct fixture t;
    begin(&t, 1U << PERIOD_DAY, true);
    for (size_t i = 0, before = 0; i < 100; i++) {
        char pia[16];
        size_t size = credits_size(t.credits);
        assert_true(size >= before);
        assert_true(size >= 4 * i * sizeof(struct position *) +
                                credits_count(t.credits) * sizeof(struct store_score_write));
        before = size;
        snprintf(pia, sizeof pia, "pia %zu", i % 10);
        buy(&t, noon_ms, pia);
    }
    credits_free(t.credits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_purchase_counts_for_people_and_the_shop_in_all_and_in_each_kept_period),
        cmocka_unit_test(best_sellers_are_products_that_earn_what_they_sell),
        cmocka_unit_test(periods_that_alternate_have_each_their_own_positions),
        cmocka_unit_test(a_contributors_scores_lie_together),
        cmocka_unit_test(another_photographer_of_a_product_earns_from_then_on),
        cmocka_unit_test(without_positions_sales_are_counted),
        cmocka_unit_test(the_size_grows_with_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
