/*
 * For the tests of views/apply.h: a store in memory that writes the views as views/store.h requires
 * (watermarks, conditions, scores first), and fails at any step of a script.
 */
#ifndef TESTS_UNIT_SUPPORT_APPLY_STORE_H
#define TESTS_UNIT_SUPPORT_APPLY_STORE_H

#include "tests/unit/support/apply_batch.h"
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/test.h"
#include "views/contribution.h"
#include "views/store.h"

enum { MEMORY_ROWS = 64, MEMORY_SCORES = 2048 };

struct memory_score {
    struct board board;
    char *user_id;
    int64_t score;
    struct position watermark; /* one shard is enough here */
    int64_t updated_ms;
    char *updated_by;
};

struct memory_store {
    struct store store; /* first: it is one */
    struct contribution *rows[MEMORY_ROWS];
    size_t n_rows;
    struct memory_score scores[MEMORY_SCORES];
    size_t n_scores;

    /* the calls so far */
    size_t reads, rows_read; /* calls, and products in them */
    size_t batches, contributions_written;
    const struct fence *fence; /* of the last call */
    int64_t now_ms;            /* of the last batch */
    size_t n_writes;           /* scores in the last batch */

    int throttles; /* of each batch */

    bool counts_only; /* it has no watermarks */

    /* scripted failures */
    enum status fail_reads;   /* of each read, unless STATUS_OK */
    enum status fail_batches; /* of each batch, before anything is written */
    bool always_conflict;
    int row_writes_left;              /* then a row's write gets no answer; -1: never */
    bool unanswered_counts;           /* that row is written all the same */
    void (*before_write)(void *data); /* called once, before a batch is written */
    void *before_write_data;
};

static inline struct memory_store *memory_of(struct store *store) {
    return (struct memory_store *)store;
}

static inline struct contribution **memory_row(struct memory_store *m, const char *product_id) {
    for (size_t i = 0; i < m->n_rows; i++)
        if (strcmp(m->rows[i]->product_id, product_id) == 0)
            return &m->rows[i];
    return NULL;
}

static inline bool memory_is_board(const struct board *a, const struct board *b) {
    return a->role == b->role && a->period.kind == b->period.kind && a->period.start_ms == b->period.start_ms;
}

static inline struct memory_score *memory_score_on(struct memory_store *m, const struct board *board,
                                                   const char *user_id) {
    for (size_t i = 0; i < m->n_scores; i++)
        if (memory_is_board(&m->scores[i].board, board) && strcmp(m->scores[i].user_id, user_id) == 0)
            return &m->scores[i];
    return NULL;
}

static inline struct memory_score *memory_score(struct memory_store *m, enum role role, const char *user_id) {
    return memory_score_on(m, &board_all_time[role], user_id);
}

/* 0 if there is no such row. */
static inline int64_t memory_score_of(struct memory_store *m, enum role role, const char *user_id) {
    const struct memory_score *score = memory_score(m, role, user_id);
    return score ? score->score : 0;
}

static inline enum status memory_read(struct store *store, const char *const ids[], size_t n,
                                      struct contribution *rows[], struct store_context *context,
                                      struct error *e) {
    struct memory_store *m = memory_of(store);
    m->reads++;
    m->rows_read += n;
    m->fence = context->fence;
    if (m->fail_reads)
        return error_set(e, m->fail_reads, "the read fails as scripted");
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]); /* DynamoDB refuses a key asked for twice */
        struct contribution **row = memory_row(m, ids[i]);
        rows[i] = row ? contribution_copy(*row) : NULL;
    }
    return STATUS_OK;
}

/* One row's write: STATUS_OK if it is answered. `*done`: it takes effect. */
static inline enum status memory_send(struct memory_store *m, bool *done, struct error *e) {
    *done = m->row_writes_left != 0 || m->unanswered_counts;
    if (m->row_writes_left != 0) {
        m->row_writes_left -= m->row_writes_left > 0;
        return STATUS_OK;
    }
    m->row_writes_left = -1;
    return error_set(e, STATUS_RETRY, "no answer, as scripted");
}

static inline void memory_check_score(const struct store_score_write *write) {
    assert_true(write->n > 0);
    for (size_t i = 1; write->positions && i < write->n; i++)
        assert_true(position_compare(write->positions[i - 1], write->positions[i]) < 0);
}

static inline void memory_count(struct memory_store *m, const struct store_score_write *write) {
    struct memory_score *score = memory_score_on(m, &write->board, write->user_id);
    size_t dropped = 0;
    while (!m->counts_only && score && dropped < write->n &&
           position_compare(write->positions[dropped], &score->watermark) <= 0)
        dropped++;
    if (dropped == write->n)
        return;
    if (!score) {
        assert_true(m->n_scores < MEMORY_SCORES);
        score = &m->scores[m->n_scores++];
        *score = (struct memory_score){.board = write->board, .user_id = mem_strdup(write->user_id)};
    }
    score->score += (int64_t)(write->n - dropped);
    if (!m->counts_only)
        score->watermark = *write->positions[write->n - 1];
    score->updated_ms = write->updated_ms;
    free(score->updated_by);
    score->updated_by = mem_strdup(write->updated_by);
}

static inline enum status memory_write_scores(struct memory_store *m, const struct store_batch *batch,
                                              struct error *e) {
    enum status status = STATUS_OK;
    for (size_t i = 0; !status && i < batch->n_scores; i++) {
        bool done;
        for (size_t j = 0; j < i; j++)
            assert_false(memory_is_board(&batch->scores[i].board, &batch->scores[j].board) &&
                         strcmp(batch->scores[i].user_id, batch->scores[j].user_id) == 0);
        memory_check_score(&batch->scores[i]);
        status = memory_send(m, &done, e);
        if (done)
            memory_count(m, &batch->scores[i]);
        batch->scores_written[i] = !status;
    }
    return status;
}

static inline bool memory_replace(struct memory_store *m, const struct packed *packed) {
    const struct contribution write = packed_row(packed);
    struct contribution **row = memory_row(m, write.product_id);
    const char *last = row ? (*row)->last_event_id : NULL, *old = packed_old_last_event_id(packed);
    if (m->always_conflict || !last != !old || (last && strcmp(last, old) != 0))
        return false;
    if (!row) {
        assert_true(m->n_rows < MEMORY_ROWS);
        row = &m->rows[m->n_rows++];
        *row = NULL;
    }
    contribution_free(*row);
    *row = contribution_copy(&write);
    m->contributions_written++;
    return true;
}

static inline enum status memory_write_contributions(struct memory_store *m, const struct store_batch *batch,
                                                     struct error *e) {
    enum status status = STATUS_OK;
    bool conflict = false, done;
    for (size_t i = 0; !status && i < batch->n_contributions; i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(packed_product_id(batch->contributions[i]),
                                    packed_product_id(batch->contributions[j]));
        status = memory_send(m, &done, e);
        bool replaced = done && memory_replace(m, batch->contributions[i]);
        conflict = conflict || (done && !replaced);
        batch->contributions_written[i] = !status && replaced;
    }
    if (!status && conflict)
        return error_set(e, STATUS_CONFLICT, "a contribution is not what was folded over");
    return status;
}

static inline enum status memory_write(struct store *store, const struct store_batch *batch,
                                       struct store_context *context, struct error *e) {
    struct memory_store *m = memory_of(store);
    void (*before)(void *) = m->before_write;
    m->before_write = NULL;
    if (before)
        before(m->before_write_data);

    m->batches++;
    m->fence = context->fence;
    m->now_ms = context->now_ms;
    m->n_writes = batch->n_scores;
    context->throttles += m->throttles;
    assert_true(batch->n_contributions > 0); /* else there is nothing to write */
    if (m->fail_batches)
        return error_set(e, m->fail_batches, "the write fails as scripted");
    enum status status = memory_write_scores(m, batch, e);
    return status ? status : memory_write_contributions(m, batch, e);
}

static inline enum status memory_remove_watermarks(struct store *store, const char *const shard_ids[],
                                                   size_t n, int64_t now_ms, const struct store_pacer *pacer,
                                                   struct error *e) {
    (void)store, (void)shard_ids, (void)n, (void)now_ms, (void)pacer;
    return error_set(e, STATUS_FAILED, "not in these tests");
}

static const struct store_ops memory_ops = {.name = "memory",
                                            .read_contributions = memory_read,
                                            .write_batch = memory_write,
                                            .remove_watermarks = memory_remove_watermarks};

static inline void memory_init(struct memory_store *m) {
    *m = (struct memory_store){.store = {&memory_ops}, .row_writes_left = -1};
}

static inline void memory_deinit(struct memory_store *m) {
    for (size_t i = 0; i < m->n_rows; i++)
        contribution_free(m->rows[i]);
    for (size_t i = 0; i < m->n_scores; i++) {
        free(m->scores[i].user_id);
        free(m->scores[i].updated_by);
    }
}

enum { RECORDS = 200 };

/* The event of that name happened at time 10 * sequence. */
static inline struct apply_record record(unsigned sequence, enum event_kind kind, const char *product,
                                         const char *origin) {
    static char ids[RECORDS][8];
    assert_true(sequence < RECORDS);
    snprintf(ids[sequence], sizeof ids[sequence], "s:%u", sequence);
    return (struct apply_record){.event = {.kind = kind,
                                           .id = ids[sequence],
                                           .product_id = product,
                                           .origin = origin,
                                           .time_ms = 10 * (int64_t)sequence,
                                           .arrived_ms = -1},
                                 .position = position_from_u64(sequence)};
}

#endif
