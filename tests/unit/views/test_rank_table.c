#include "views/rank_table.h"

#include "base/limits.h"
#include "tests/unit/support/test.h"

static void ranks_are_those_of_a_competition(void **state) {
    (void)state;
    struct rank_table *t = rank_table_new(1700000000123);
    assert_true(rank_table_add(t, 9, 1));
    assert_true(rank_table_add(t, 7, 2));
    assert_true(rank_table_add(t, 3, 4));
    rank_table_finish(t);
    assert_int_equal(rank_table_rank(t, 10), 1);
    assert_int_equal(rank_table_rank(t, 9), 1);
    assert_int_equal(rank_table_rank(t, 8), 2);
    assert_int_equal(rank_table_rank(t, 7), 2);
    assert_int_equal(rank_table_rank(t, 3), 4);
    assert_int_equal(rank_table_rank(t, 1), 8);
    assert_int_equal(rank_table_of(t), 7);
    assert_int_equal(rank_table_as_of_ms(t), 1700000000123);
    rank_table_release(t);
}

static void empty_board_ranks_everybody_first(void **state) {
    (void)state;
    struct rank_table *t = rank_table_new(-1);
    rank_table_finish(t);
    assert_int_equal(rank_table_rank(t, 5), 1);
    assert_int_equal(rank_table_of(t), 0);
    rank_table_release(t);
}

/* As the partitions of a board arrive, one after the other, each from its best. Drawn by seed, against a
 * count. */
static void scores_arrive_in_any_order(void **state) {
    enum { CONTRIBUTORS = 20000, PARTITIONS = 8, HIGHEST = 3000 };
    static int64_t scores[CONTRIBUTORS];
    (void)state;
    struct rank_table *t = rank_table_new(0);
    uint64_t seed = 16;
    for (int i = 0; i < CONTRIBUTORS; i++)
        scores[i] = 1 + support_random(&seed) % (1 + support_random(&seed) % HIGHEST);
    for (int k = 0; k < PARTITIONS; k++)
        for (int64_t score = HIGHEST + 1; score > 0; score--)
            for (int i = k; i < CONTRIBUTORS; i += PARTITIONS)
                if (scores[i] == score)
                    assert_true(rank_table_add(t, score, 1));
    rank_table_finish(t);
    for (int64_t score = 1; score <= HIGHEST + 1; score++) {
        int64_t rank = 1;
        for (int i = 0; i < CONTRIBUTORS; i++)
            rank += scores[i] > score;
        assert_int_equal(rank_table_rank(t, score), rank);
    }
    assert_int_equal(rank_table_of(t), CONTRIBUTORS);
    assert_true(rank_table_bytes(t) < 64 + 16 * (HIGHEST + 1));
    rank_table_release(t);
}

static void memory_has_a_bound(void **state) {
    (void)state;
    struct rank_table *t = rank_table_new(0);
    int64_t score = 0;
    while (score < 4 * LIMIT_RANK_SCORES && rank_table_add(t, score, 1))
        score++;
    assert_true(score >= LIMIT_RANK_SCORES);
    assert_true(score < 4 * LIMIT_RANK_SCORES);
    rank_table_release(t);
}

static void table_lives_until_its_last_release(void **state) {
    (void)state;
    struct rank_table *t = rank_table_new(0);
    assert_true(rank_table_add(t, 2, 1));
    rank_table_finish(t);
    {
        _cleanup_(rank_table_releasep) const struct rank_table *mine = rank_table_ref(t);
        rank_table_release(t);
        assert_int_equal(rank_table_rank(mine, 1), 2);
    }
    rank_table_release(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"ranks are those of a competition: 1, 2, 2, 4", ranks_are_those_of_a_competition, NULL, NULL, NULL},
        {"on an empty board everybody is first", empty_board_ranks_everybody_first, NULL, NULL, NULL},
        {"scores may arrive in any order", scores_arrive_in_any_order, NULL, NULL, NULL},
        {"a table of too many scores is refused", memory_has_a_bound, NULL, NULL, NULL},
        {"a table lives until its last release", table_lives_until_its_last_release, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("rank_table", tests, NULL, NULL);
}
