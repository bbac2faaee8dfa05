/*
 * Batches that are cut short, lost, repeated, or applied by two workers at once leave the rows that folding
 * each record once, in order, gives (views/README.md, "The claim"). Random runs with fixed seeds.
 */
#include "tests/unit/support/apply_store.h"
#include "views/apply.h"
#include "views/fold.h"

enum { RECORD_COUNT = 80, WORKERS = 2 };

struct worker {
    struct apply *apply;
    size_t next, length; /* its current batch; length 0: none */
};

struct run {
    struct memory_store m, truth; /* of `truth` only the rows and scores are used */
    struct apply_record log[RECORD_COUNT];
    struct worker workers[WORKERS];
    size_t checkpoint;
    uint64_t random;
    size_t conflicts_tried;
};

static size_t draw(struct run *p, size_t below) {
    return support_random(&p->random) % below;
}

/* Around the end of a year that ends in week 53: mostly in order, some far from it; some arrive late, or
 * before they happened. */
static void draw_times(struct run *p, struct event *e) {
    enum { NEW_YEAR_2021_S = 1609459200, MINUTE_MS = 60000 };
    int64_t edge_ms = NEW_YEAR_2021_S * (int64_t)1000;
    e->time_ms = edge_ms + ((int64_t)draw(p, 12) - 6) * 10 * MINUTE_MS;
    if (draw(p, 8) == 0)
        e->time_ms += ((int64_t)draw(p, 80) - 40) * 24 * 60 * MINUTE_MS;
    if (draw(p, 2))
        e->arrived_ms = e->time_ms + ((int64_t)draw(p, 9) - 2) * 20 * MINUTE_MS;
}

/* Random events of a few products; one in ten brings the id of an earlier one. */
static void draw_log(struct run *p) {
    static const char *const products[] = {"lamp", "vase", "sofa", "rug"}, *const people[] = {"ann", "bob",
                                                                                              "cid"};
    for (unsigned i = 0; i < RECORD_COUNT; i++) {
        static const enum event_kind kinds[] = {EVENT_CREATE, EVENT_IMAGE, EVENT_PURCHASE, EVENT_PURCHASE};
        p->log[i] = record(i, kinds[draw(p, 4)], products[draw(p, 4)], people[draw(p, 3)]);
        draw_times(p, &p->log[i].event);
        if (i && draw(p, 10) == 0)
            p->log[i].event.id = p->log[draw(p, i)].event.id;
    }
}

static void credit_truth(struct memory_store *truth, enum role role, const char *user_id,
                         const struct apply_record *r) {
    const struct position *position = &r->position;
    for (int kind = PERIOD_ALL_TIME; user_id && kind < PERIOD_KINDS; kind++) {
        const struct board board = {role, period_of((enum period_kind)kind, fold_period_time(&r->event))};
        memory_count(truth, &(struct store_score_write){board, user_id, &position, 1, r->event.time_ms,
                                                        r->event.origin});
    }
}

/* The expected rows: each record folded once, in order. */
static void fold_truth(struct run *p) {
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        const struct apply_record *r = &p->log[i];
        struct contribution **found = memory_row(&p->truth, r->event.product_id);
        if (!found) {
            found = &p->truth.rows[p->truth.n_rows++];
            *found = contribution_new(r->event.product_id);
        }
        struct fold_credits credits;
        fold_event(*found, &r->event, &credits);
        for (int role = 0; role < PEOPLE_ROLES; role++)
            credit_truth(&p->truth, (enum role)role, credits.user_id[role], r);
        bool is_sale = credits.user_id[ROLE_CREATOR];
        credit_truth(&p->truth, ROLE_PRODUCT, is_sale ? r->event.product_id : NULL, r);
        credit_truth(&p->truth, ROLE_SHOP, is_sale ? "SHOP/3" : NULL, r); /* 's' is 115 */
    }
}

static void apply_next(struct run *p, struct worker *worker) {
    struct apply_counts counts;
    struct error e;
    if (!worker->length)
        worker->length = 1 + draw(p, 9);
    if (worker->length > RECORD_COUNT - worker->next)
        worker->length = RECORD_COUNT - worker->next;
    if (!worker->length ||
        apply_batch(worker->apply, p->log + worker->next, worker->length, NULL, &counts, &e))
        return;
    worker->next += worker->length;
    worker->length = 0;
}

static void apply_others_batch(void *data) {
    struct run *p = data;
    p->conflicts_tried++;
    apply_next(p, &p->workers[1]);
}

/* A batch of either, cut short anywhere, or with a batch of the other in the middle of it; a checkpoint; a
 * crash. */
static void take_step(struct run *p) {
    size_t chance = draw(p, 10), who = draw(p, WORKERS);
    struct worker *worker = &p->workers[who];
    if (chance == 0) {
        apply_free(worker->apply);
        *worker = (struct worker){apply_new(&p->m.store, "s", NULL, NULL, draw(p, 3000)), p->checkpoint, 0};
    } else if (chance == 1 && worker->next > p->checkpoint) {
        p->checkpoint = worker->next;
    } else {
        p->m.row_writes_left = draw(p, 3) ? -1 : (int)draw(p, 60);
        p->m.unanswered_counts = draw(p, 2);
        p->m.before_write = who == 0 && draw(p, 3) == 0 ? apply_others_batch : NULL;
        p->m.before_write_data = p;
        apply_next(p, worker);
    }
}

static void assert_equal_rows(struct run *p, uint64_t seed) {
    for (size_t i = 0; i < p->truth.n_rows; i++) {
        const struct contribution *want = p->truth.rows[i];
        struct contribution **found = memory_row(&p->m, want->product_id);
        assert_non_null(found);
        const struct contribution *have = *found;
        if (have->creator_score != want->creator_score ||
            have->photographer_score != want->photographer_score ||
            strcmp(have->creator, want->creator) != 0 ||
            strcmp(have->last_event_id, want->last_event_id) != 0 ||
            !have->photographer != !want->photographer ||
            (have->photographer && strcmp(have->photographer, want->photographer) != 0))
            fail_msg("seed %u: the %s differs", (unsigned)seed, want->product_id);
    }
    assert_int_equal(p->m.n_rows, p->truth.n_rows);
}

static void assert_equal_scores(struct run *p, uint64_t seed) {
    for (size_t i = 0; i < p->truth.n_scores; i++) {
        const struct memory_score *want = &p->truth.scores[i];
        const struct memory_score *found = memory_score_on(&p->m, &want->board, want->user_id);
        int64_t have = found ? found->score : 0;
        char board[BOARD_TEXT_SIZE];
        if (have != want->score)
            fail_msg("seed %u: %s %s has %d, not %d", (unsigned)seed, board_format(&want->board, board),
                     want->user_id, (int)have, (int)want->score);
    }
    assert_int_equal(p->m.n_scores, p->truth.n_scores);
}

static size_t play_through(uint64_t seed) {
    struct run p = {.random = seed};
    memory_init(&p.m);
    memory_init(&p.truth);
    p.m.store.shape = (struct view_shape){.periods = 0x1e, .best_sellers = true, .board_partitions = 1};
    for (size_t i = 0; i < WORKERS; i++)
        p.workers[i].apply = apply_new(&p.m.store, "s", NULL, NULL, 1 << 20);
    draw_log(&p);
    fold_truth(&p);
    for (int steps = 0; p.workers[0].next < RECORD_COUNT && p.workers[1].next < RECORD_COUNT; steps++) {
        assert_true(steps < 10000);
        take_step(&p);
    }
    assert_equal_rows(&p, seed);
    assert_equal_scores(&p, seed);
    for (size_t i = 0; i < WORKERS; i++)
        apply_free(p.workers[i].apply);
    memory_deinit(&p.m);
    memory_deinit(&p.truth);
    return p.conflicts_tried;
}

static void crashes_lost_answers_and_a_second_worker_leave_all_rows_exact(void **state) {
    (void)state;
    size_t conflicts = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++)
        conflicts += play_through(seed);
    assert_true(conflicts > 2000); /* the runs did cause conflicts */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashes_lost_answers_and_a_second_worker_leave_all_rows_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
