#include "server/commands/audit.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"

/* A store whose rows the test sets, for each round of reading and each part of a round. */

struct shown_score {
    const char *role, *user_id;
    int64_t before, after; /* AUDIT_NONE: no row */
};

struct shown_product {
    const char *creator, *photographer;
    int64_t creator_score, photographer_score;
};

struct shown_round {
    struct shown_score scores[16];
    struct shown_product products[4];
};

struct shown {
    struct store store;
    struct store_ops ops;
    const struct shown_round *rounds;
    size_t n_rounds, scans;
    const char *owner; /* of the one lease */
    int64_t counter;   /* its counter; one more at each read, unless it is 0 */
    enum status failure;
    int64_t now_ms;
};

static void show_scores(const struct shown_round *round, const struct store_visitor *visitor, bool after) {
    for (size_t i = 0; i < COUNT(round->scores) && round->scores[i].role; i++) {
        const struct shown_score *s = &round->scores[i];
        int64_t score = after ? s->after : s->before;
        const struct store_row row = {s->role, s->user_id, score, 0};
        if (score != AUDIT_NONE)
            visitor->score(visitor->data, &row, after);
    }
}

/* The shop's sales, which are right. */
static void show_sales(const struct shown_round *round, const struct store_visitor *visitor, bool after) {
    int64_t sales = 0;
    for (size_t i = 0; i < COUNT(round->products); i++)
        sales += round->products[i].creator_score;
    const struct store_row row = {"shop", "SHOP/0", sales, 0};
    if (sales)
        visitor->score(visitor->data, &row, after);
}

static enum status show(struct store *store, const struct store_visitor *visitor, struct error *e) {
    struct shown *s = (struct shown *)store;
    if (s->failure)
        return error_set(e, s->failure, "shown: it fails");
    size_t last = s->n_rounds - 1, n = s->scans < last ? s->scans : last;
    const struct shown_round *round = &s->rounds[n];
    s->scans++;
    show_scores(round, visitor, false);
    show_sales(round, visitor, false);
    for (size_t i = 0; i < COUNT(round->products) && round->products[i].creator_score; i++) {
        const struct shown_product *p = &round->products[i];
        struct contribution row = {.product_id = (char[]){"p"},
                                   .creator = (char *)(uintptr_t)p->creator,
                                   .photographer = (char *)(uintptr_t)p->photographer,
                                   .creator_score = p->creator_score,
                                   .photographer_score = p->photographer_score};
        visitor->contribution(visitor->data, &row);
    }
    show_scores(round, visitor, true);
    show_sales(round, visitor, true);
    return STATUS_OK;
}

static enum status show_leases(struct store *store, bool consistent, struct store_lease **leases, size_t *n,
                               struct error *e) {
    struct shown *s = (struct shown *)store;
    (void)e, (void)consistent;
    *leases = mem_zalloc(sizeof **leases);
    strcpy((*leases)->shard_id, "shardId-000000000000");
    strcpy((*leases)->owner, s->owner);
    (*leases)->counter = s->counter ? s->counter++ : 0;
    *n = 1;
    return STATUS_OK;
}

/* No lease is held, unless the test sets an owner. */
static struct shown shown_store(const struct shown_round *rounds, size_t n_rounds) {
    return (struct shown){.ops = {.read_leases = show_leases, .scan = show},
                          .rounds = rounds,
                          .n_rounds = n_rounds,
                          .owner = ""};
}

static struct audit audited(struct shown *s) {
    struct audit audit;
    struct error e;
    s->store.ops = &s->ops;
    if (audit_store(&s->store, s->now_ms, 0, &audit, &e))
        fail_msg("%s", e.message);
    return audit;
}

/* The difference that is searched for by its place among those visited. */
struct place {
    size_t i, visited;
    const char *role, *user_id;
    int64_t score, derived;
};

static void compare_in_place(void *data, const struct audit_difference *d) {
    struct place *place = data;
    if (place->visited++ != place->i)
        return;
    assert_string_equal(d->role, place->role);
    assert_string_equal(d->user_id, place->user_id);
    assert_int_equal(d->score, place->score);
    assert_int_equal(d->derived, place->derived);
}

static void assert_difference(struct audit *audit, size_t i, const char *role, const char *user_id,
                              int64_t score, int64_t derived) {
    struct place place = {i, 0, role, user_id, score, derived};
    struct error e;
    assert_int_equal(audit_visit(audit, compare_in_place, &place, &e), STATUS_OK);
    assert_true(i < place.visited);
    assert_int_equal(place.visited, audit->n_differences);
}

/* A table at rest. */

static void a_score_that_equals_the_sum_of_its_products_is_not_a_difference(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator", "Ann", 5, 5},
                    {"photographer", "Bo", 2, 2},
                    {"creator", "UNKNOWN", 1, 1},
                    {"photographer", "UNKNOWN", 1, 1}},
         .products = {{"Ann", "Bo", 4, 2}, {"Ann", NULL, 1, 0}, {"UNKNOWN", "UNKNOWN", 1, 1}}}};
    struct shown s = shown_store(rounds, 1);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 0);
    assert_int_equal(audit.products, 3);
    assert_int_equal(audit.scores, 5);
    assert_int_equal(audit.moving, 0);
    assert_int_equal(audit.rounds, 1);
    audit_deinit(&audit);
}

static void a_score_that_is_wrong_missing_or_without_products_is_a_difference(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"photographer", "Bo", 3, 3},
                    {"creator", "Eve", 7, 7},
                    {"creator", "Ann", 4, 4},
                    {"owner", "Ann", 0, 0}},
         .products = {{"Ann", "Bo", 4, 2}, {"Ann", NULL, 1, 0}, {"Cid", NULL, 9, 0}, {NULL, NULL, 1, 0}}}};
    struct shown s = shown_store(rounds, 1);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 6);
    assert_difference(&audit, 0, "creator", "", AUDIT_NONE, 1); /* a product without a creator was sold */
    assert_difference(&audit, 1, "creator", "Ann", 4, 5);
    assert_difference(&audit, 2, "creator", "Cid", AUDIT_NONE, 9);
    assert_difference(&audit, 3, "creator", "Eve", 7, AUDIT_NONE);
    assert_difference(&audit, 4, "owner", "Ann", 0, AUDIT_NONE);
    assert_difference(&audit, 5, "photographer", "Bo", 3, 2);
    assert_int_equal(audit.rounds, 1); /* no lease is held, so the table does not change */
    audit_deinit(&audit);
}

static void scores_are_compared_by_role_and_user_id(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator", "Ann", 1, 1}, {"creatorA", "nn", 1, 1}}, .products = {{"Ann", NULL, 1, 0}}}};
    struct shown s = shown_store(rounds, 1);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 1);
    assert_difference(&audit, 0, "creatorA", "nn", 1, AUDIT_NONE);
    audit_deinit(&audit);
}

/* Periods. */

enum { DAY = 1U << PERIOD_DAY, MONTH = 1U << PERIOD_MONTH, BEST = 1 };

static int64_t start_of(const char *text) {
    struct period period;
    assert_true(period_parse(text, &period));
    return period.start_ms;
}

static struct shown store_with_periods(const struct shown_round *rounds, size_t n_rounds, bool best_sellers) {
    struct shown s = shown_store(rounds, n_rounds);
    s.store.shape = (struct view_shape){.periods = DAY | MONTH, .best_sellers = best_sellers};
    s.now_ms = start_of("2026-11-29");
    return s;
}

/* Two products were sold, four times and once, on two days of one month. */
#define SOLD .products = {{"Ann", "Bo", 4, 2}, {"UNKNOWN", NULL, 1, 0}}
#define ALL_TIME                                                                                             \
    {"creator", "Ann", 4, 4}, {"creator", "UNKNOWN", 1, 1}, {                                                \
        "photographer", "Bo", 2, 2                                                                           \
    }
#define DAYS                                                                                                 \
    {"creator#day#2026-11-01", "Ann", 3, 3}, {"creator#day#2026-11-02", "Ann", 1, 1},                        \
        {"creator#day#2026-11-01", "UNKNOWN", 1, 1}, {"photographer#day#2026-11-01", "Bo", 2, 2},            \
        {"shop#day#2026-11-01", "SHOP/0", 3, 3}, {"shop#day#2026-11-01", "SHOP/2", 1, 1}, {                  \
        "shop#day#2026-11-02", "SHOP/0", 1, 1                                                                \
    }
#define MONTHS                                                                                               \
    {"creator#month#2026-11", "Ann", 4, 4}, {"creator#month#2026-11", "UNKNOWN", 1, 1},                      \
        {"photographer#month#2026-11", "Bo", 2, 2}, {"shop#month#2026-11", "SHOP/0", 4, 4}, {                \
        "shop#month#2026-11", "SHOP/2", 1, 1                                                                 \
    }

static void the_sales_of_each_period_and_the_days_of_a_month_add_up(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {{.scores = {ALL_TIME, DAYS, MONTHS}, SOLD}};
    struct shown s = store_with_periods(rounds, 1, false);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 0);
    assert_int_equal(audit.moving, 0);
    audit_deinit(&audit);
}

static void a_month_that_is_not_its_days_and_not_its_sales_is_a_difference(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {{.scores = {ALL_TIME,
                                                            DAYS,
                                                            {"creator#month#2026-11", "Ann", 5, 5},
                                                            {"photographer#month#2026-11", "Bo", 9, 9},
                                                            {"shop#month#2026-11", "SHOP/0", 5, 5}},
                                                 SOLD}};
    struct shown s = store_with_periods(rounds, 1, false);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 6);
    assert_difference(&audit, 0, "creator#month#2026-11", "Ann", 5, 4);
    assert_difference(&audit, 1, "creator#month#2026-11", "UNKNOWN", AUDIT_NONE, 1);
    assert_difference(&audit, 2, "photographer#month#2026-11", "", 9, 5); /* more than was sold */
    assert_difference(&audit, 3, "photographer#month#2026-11", "Bo", 9, 2);
    assert_difference(&audit, 4, "shop#month#2026-11", "SHOP/0", 5, 4);
    assert_difference(&audit, 5, "shop#month#2026-11", "SHOP/2", AUDIT_NONE, 1);
    audit_deinit(&audit);
}

static void a_best_seller_is_compared_with_its_own_contribution_and_in_a_period_with_the_sales(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {{.scores = {{"creator", "Ann", 4, 4},
                                                            {"product", "p", 3, 3},
                                                            {"product", "q", 1, 1},
                                                            {"creator#day#2026-11-29", "Ann", 4, 4},
                                                            {"product#day#2026-11-29", "p", 3, 3},
                                                            {"creator#month#2026-11", "Ann", 4, 4},
                                                            {"product#month#2026-11", "p", 3, 3},
                                                            {"shop#day#2026-11-29", "SHOP/1", 4, 4},
                                                            {"shop#month#2026-11", "SHOP/1", 4, 4}},
                                                 .products = {{"Ann", NULL, 4, 0}}}};
    struct shown s = store_with_periods(rounds, 1, BEST);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 4);
    assert_difference(&audit, 0, "product", "p", 3, 4);
    assert_difference(&audit, 1, "product", "q", 1, AUDIT_NONE);
    assert_difference(&audit, 2, "product#day#2026-11-29", "", 3, 4);
    assert_difference(&audit, 3, "product#month#2026-11", "", 3, 4);
    audit_deinit(&audit);
}

static void a_row_of_a_period_or_role_that_the_view_does_not_keep_is_a_difference(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator#hour#2026-11-29T00", "Ann", 1, 1}, {"product", "p", 1, 1}}}};
    struct shown s = store_with_periods(rounds, 1, false);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 2);
    assert_difference(&audit, 0, "creator#hour#2026-11-29T00", "Ann", 1, AUDIT_NONE);
    assert_difference(&audit, 1, "product", "p", 1, AUDIT_NONE);
    audit_deinit(&audit);
}

/* The days of a month expire before it does. */
static void what_has_expired_or_whose_parts_have_is_passed_over(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {{.scores = {{"creator#day#2020-01-01", "Ann", 3, 3},
                                                            {"creator#month#2024-01", "Ann", 7, 7},
                                                            {"shop#month#2024-01", "SHOP/0", 7, 7}}}};
    struct shown s = store_with_periods(rounds, 1, false);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 0);
    assert_int_equal(audit.rules.expired, 1);
    audit_deinit(&audit);
}

/* A batch's rows of a period are written in any order. */
static void a_period_whose_batch_is_in_progress_agrees_when_it_is_written(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {{.scores = {{"creator", "Ann", 2, 2},
                                                            {"creator#day#2026-11-29", "Ann", 2, 2},
                                                            {"creator#month#2026-11", "Ann", 1, 1},
                                                            {"shop#day#2026-11-29", "SHOP/0", 1, 1},
                                                            {"shop#month#2026-11", "SHOP/0", 2, 2}},
                                                 .products = {{"Ann", NULL, 2, 0}}},
                                                {.scores = {{"creator", "Ann", 2, 2},
                                                            {"creator#day#2026-11-29", "Ann", 2, 3},
                                                            {"creator#month#2026-11", "Ann", 2, 2},
                                                            {"shop#day#2026-11-29", "SHOP/0", 2, 2},
                                                            {"shop#month#2026-11", "SHOP/0", 2, 3}},
                                                 .products = {{"Ann", NULL, 2, 0}}}};
    struct shown s = store_with_periods(rounds, 2, false);
    s.owner = "worker";
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 0);
    assert_int_equal(audit.rounds, 2);
    assert_true(audit.settled && audit.moving);
    audit_deinit(&audit);
}

static void a_past_period_whose_sums_never_agree_is_a_difference_however_others_move(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {{.scores = {{"creator#day#2026-11-01", "Ann", 5, 5},
                                                            {"shop#day#2026-11-01", "SHOP/0", 6, 6},
                                                            {"creator#day#2026-11-29", "Ann", 1, 4},
                                                            {"shop#day#2026-11-29", "SHOP/0", 3, 9},
                                                            {"creator#month#2026-11", "Ann", 6, 9},
                                                            {"shop#month#2026-11", "SHOP/0", 6, 15}}}};
    struct shown s = store_with_periods(rounds, 1, false);
    s.owner = "worker";
    s.counter = 1;
    struct audit audit = audited(&s);
    assert_int_equal(audit.rounds, LIMIT_AUDIT_ROUNDS);
    assert_int_equal(audit.n_differences, 1);
    assert_difference(&audit, 0, "creator#day#2026-11-01", "", 5, 6);
    audit_deinit(&audit);
}

/* A table that moves. */

static struct shown moving_store(const struct shown_round *rounds, size_t n_rounds) {
    struct shown s = shown_store(rounds, n_rounds);
    s.owner = "worker";
    s.counter = 1;
    return s;
}

static void a_score_that_changed_across_the_sum_of_its_products_is_not_a_difference(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {{.scores = {{"creator", "Ann", 5, 9},
                                                            {"creator", "New", AUDIT_NONE, 2},
                                                            {"creator", "Newer", AUDIT_NONE, 1}},
                                                 .products = {{"Ann", NULL, 7, 0}, {"New", NULL, 1, 0}}}};
    struct shown s = moving_store(rounds, 1);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 0);
    assert_int_equal(audit.moving, 3);
    assert_int_equal(audit.rounds, 1);
    assert_int_equal(audit.held, 1);
    assert_int_equal(audit.moved, 1);
    audit_deinit(&audit);
}

static void scores_of_a_batch_in_progress_agree_when_its_products_are_written(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator", "Ann", 5, 5}, {"creator", "Bea", 6, 6}},
         .products = {{"Ann", NULL, 3, 0}, {"Bea", NULL, 4, 0}}},
        {.scores = {{"creator", "Ann", 5, 5}, {"creator", "Bea", 8, 8}}, /* and more credit in progress */
         .products = {{"Ann", NULL, 5, 0}, {"Bea", NULL, 6, 0}}}};
    struct shown s = moving_store(rounds, 2);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 0);
    assert_int_equal(audit.settled, 2);
    assert_int_equal(audit.moving, 1); /* Bea's score is right for the credit of the first reading */
    assert_int_equal(audit.rounds, 2);
    audit_deinit(&audit);
}

static void credit_after_the_first_reading_causes_no_further_reading(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator", "Ann", 5, 5}, {"creator", "Bea", 4, 4}},
         .products = {{"Ann", NULL, 3, 0}, {"Bea", NULL, 4, 0}}},
        {.scores = {{"creator", "Ann", 5, 5}, {"creator", "Bea", 9, 9}, {"creator", "New", 1, 1}},
         .products = {{"Ann", NULL, 5, 0}, {"Bea", NULL, 4, 0}}}};
    struct shown s = moving_store(rounds, 2);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 0);
    assert_int_equal(audit.rounds, 2);
    assert_int_equal(audit.settled, 1);
    assert_int_equal(audit.moving, 2);
    audit_deinit(&audit);
}

static void a_score_that_never_agrees_is_a_difference(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator", "Ann", 5, 5}}, .products = {{"Ann", NULL, 4, 0}}}};
    struct shown s = moving_store(rounds, 1);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 1);
    assert_difference(&audit, 0, "creator", "Ann", 5, 4);
    assert_int_equal(audit.rounds, LIMIT_AUDIT_ROUNDS);
    audit_deinit(&audit);
}

static void a_score_below_the_sum_of_its_products_is_a_difference_even_if_it_changes(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator", "Ann", 3, 6}, {"creator", "Gone", 2, AUDIT_NONE}},
         .products = {{"Ann", NULL, 7, 0}, {"Gone", NULL, 2, 0}}}};
    struct shown s = moving_store(rounds, 1);
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 2);
    assert_difference(&audit, 0, "creator", "Ann", 6, 7);
    assert_difference(&audit, 1, "creator", "Gone", AUDIT_NONE, 2);
    audit_deinit(&audit);
}

static void a_snapshot_is_read_once_even_if_leases_change(void **state) {
    (void)state;
    static const struct shown_round rounds[] = {
        {.scores = {{"creator", "Ann", 5, 5}}, .products = {{"Ann", NULL, 4, 0}}}};
    struct shown s = moving_store(rounds, 1);
    s.ops.snapshot = true;
    struct audit audit = audited(&s);
    assert_int_equal(audit.n_differences, 1);
    assert_int_equal(audit.rounds, 1);
    audit_deinit(&audit);
}

static void an_audit_of_a_store_that_fails_is_an_error(void **state) {
    (void)state;
    static const struct shown_round rounds[1];
    struct shown s = shown_store(rounds, 1);
    struct audit audit;
    struct error e;
    s.store.ops = &s.ops;
    s.failure = STATUS_FAILED;
    assert_int_equal(audit_store(&s.store, 0, 0, &audit, &e), STATUS_FAILED);
    assert_string_equal(e.message, "shown: it fails");
}

/* Printing. */

static void add_two_differences(struct audit *audit) {
    tallies_init(&audit->rules.tallies, LIMIT_AUDIT_BYTES);
    *tallies_find(&audit->rules.tallies, "creator", "w/merchant/1/A\x1b[2J\n\u202e\"nn\"") =
        (struct tally_numbers){
            .has_before = true, .has_after = true, .had_row = true, .before = 4, .after = 4, .derived = 5};
    *tallies_find(&audit->rules.tallies, "photographer", "Bö") = (struct tally_numbers){.derived = 2};
    audit->n_differences = 2;
}

static char *printed(struct audit *audit, enum options_format format) {
    char *text;
    size_t size;
    struct error e;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(audit_print(audit, format, out, &e), STATUS_OK);
    fclose(out);
    audit_deinit(audit);
    return text;
}

static void the_audit_table_has_a_line_for_each_difference_and_no_control_characters(void **state) {
    (void)state;
    struct audit audit = {
        .products = 3,
        .scores = 2,
        .rounds = 1,
    };
    add_two_differences(&audit);
    _cleanup_(mem_freep) char *text = printed(&audit, FORMAT_TABLE);
    assert_string_equal(
        text,
        "role                               score     derived  userId\n"
        "creator                                4           5  w/merchant/1/A\\x1b[2J\\x0a\\u202e\"nn\"\n"
        "photographer                           -           2  Bö\n"
        "verdict: not every score is what its contributions say: 2 scores, 3 products, no periods, read 1 "
        "time, "
        "2 differences\n");
}

static void the_audit_table_reports_scores_that_changed_during_the_audit(void **state) {
    (void)state;
    struct audit audit = {.products = 3,
                          .scores = 2,
                          .rounds = 2,
                          .moving = 2,
                          .settled = 1,
                          .leases = 3,
                          .held = 2,
                          .moved = 1};
    _cleanup_(mem_freep) char *text = printed(&audit, FORMAT_TABLE);
    assert_contains(text, "verdict: every score is what its contributions say, as far as they stood still: "
                          "2 scores, 3 products, no periods, read 2 times, 0 differences\n");
    assert_contains(text, "of 3 leases 2 are held, 1 were written to meanwhile\n");
    assert_contains(text, "2 scores changed during the audit");
    assert_contains(text, "1 scores differed at first");
}

static void the_audit_table_ends_with_a_verdict_and_what_it_does_not_cover(void **state) {
    (void)state;
    struct audit audit = {.products = 1, .scores = 1, .rounds = 1};
    audit.rules.shape.periods = 1U << PERIOD_DAY | 1U << PERIOD_WEEK;
    audit.rules.expired = 4;
    _cleanup_(mem_freep) char *text = printed(&audit, FORMAT_TABLE);
    assert_string_equal(
        text,
        "not checked: 4 scores of periods that have expired, or do within a day\n"
        "not checked: to whom the sales of a period were credited; only their sums\n"
        "verdict: every score is what its contributions say: 1 score, 1 product, periods day,week, read 1 "
        "time, 0 differences\n");
}

static void the_audit_json_has_all_counts_and_differences(void **state) {
    (void)state;
    struct audit audit = {
        .products = 3,
        .scores = 2,
        .rounds = 2,
        .moving = 4,
        .settled = 5,
        .leases = 6,
        .held = 7,
        .moved = 8,
        .rules.expired = 9,
    };
    add_two_differences(&audit);
    _cleanup_(mem_freep) char *text = printed(&audit, FORMAT_JSON);
    json_auto_t *found = json_loads(text, 0, NULL);
    json_auto_t *expected = json_loads(
        "{\"differences\": [{\"role\": \"creator\", \"userId\": "
        "\"w/merchant/1/A\\u001b[2J\\n\\u202e\\\"nn\\\"\", \"score\": 4,"
        " \"derived\": 5}, {\"role\": \"photographer\", \"userId\": \"B\\u00f6\", \"score\": "
        "null, \"derived\": 2}],"
        " \"scores\": 2, \"products\": 3, \"moving\": 4, \"settled\": 5, \"expired\": 9, \"rounds\": 2,"
        " \"leases\": {\"all\": 6, \"held\": 7, \"moved\": 8}}",
        0, NULL);
    assert_non_null(expected);
    assert_true(json_equal(found, expected));
}

static void an_audit_whose_output_cannot_be_written_is_an_error(void **state) {
    (void)state;
    struct audit audit = {.rounds = 1};
    struct error e;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(audit_print(&audit, FORMAT_TABLE, full, &e), STATUS_FAILED);
    assert_contains(e.message, "No space left");
    fclose(full);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_that_equals_the_sum_of_its_products_is_not_a_difference),
        cmocka_unit_test(a_score_that_is_wrong_missing_or_without_products_is_a_difference),
        cmocka_unit_test(scores_are_compared_by_role_and_user_id),
        cmocka_unit_test(the_sales_of_each_period_and_the_days_of_a_month_add_up),
        cmocka_unit_test(a_month_that_is_not_its_days_and_not_its_sales_is_a_difference),
        cmocka_unit_test(a_best_seller_is_compared_with_its_own_contribution_and_in_a_period_with_the_sales),
        cmocka_unit_test(a_row_of_a_period_or_role_that_the_view_does_not_keep_is_a_difference),
        cmocka_unit_test(what_has_expired_or_whose_parts_have_is_passed_over),
        cmocka_unit_test(a_period_whose_batch_is_in_progress_agrees_when_it_is_written),
        cmocka_unit_test(a_past_period_whose_sums_never_agree_is_a_difference_however_others_move),
        cmocka_unit_test(a_score_that_changed_across_the_sum_of_its_products_is_not_a_difference),
        cmocka_unit_test(scores_of_a_batch_in_progress_agree_when_its_products_are_written),
        cmocka_unit_test(credit_after_the_first_reading_causes_no_further_reading),
        cmocka_unit_test(a_score_that_never_agrees_is_a_difference),
        cmocka_unit_test(a_score_below_the_sum_of_its_products_is_a_difference_even_if_it_changes),
        cmocka_unit_test(a_snapshot_is_read_once_even_if_leases_change),
        cmocka_unit_test(an_audit_of_a_store_that_fails_is_an_error),
        cmocka_unit_test(the_audit_table_has_a_line_for_each_difference_and_no_control_characters),
        cmocka_unit_test(the_audit_table_reports_scores_that_changed_during_the_audit),
        cmocka_unit_test(the_audit_table_ends_with_a_verdict_and_what_it_does_not_cover),
        cmocka_unit_test(the_audit_json_has_all_counts_and_differences),
        cmocka_unit_test(an_audit_whose_output_cannot_be_written_is_an_error),
    };
    json_set_alloc_funcs(mem_alloc, free);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
