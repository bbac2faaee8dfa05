#include "tests/unit/support/scripted_store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/mem.h"
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/test.h"

enum { MAX_ROWS = 2048, MAX_BOARDS = 64 };

struct scripted_row {
    struct store_score index; /* as boards have it; owns the userId of both */
    int64_t score;            /* as the row has it */
    bool is_indexed;
};

struct scripted_board {
    struct board board;
    struct scripted_row rows[MAX_ROWS]; /* in the order of the index */
    size_t n;
};

struct scripted_store {
    struct store store;
    struct store_ops ops;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct scripted_board *boards[MAX_BOARDS];
    size_t n_boards;
    bool is_index_stopped;
    struct contribution *contributions[MAX_ROWS];
    size_t n_contributions;
    enum status failure;
    bool holding;
    size_t held;
    size_t reads;
};

static void wait_ms(struct scripted_store *s, int64_t ms) {
    struct timespec end = condition_end(ms);
    pthread_cond_timedwait(&s->changed, &s->lock, &end);
}

/* Begins a read, with the lock taken. */
static enum status enter(struct store *store, int64_t deadline_ms, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    pthread_mutex_lock(&s->lock);
    s->reads++;
    s->held++;
    pthread_cond_broadcast(&s->changed);
    int64_t left;
    while (s->holding && (left = deadline_ms - clock_boot_ms()) > 0)
        wait_ms(s, left);
    s->held--;
    if (s->holding)
        return error_set(e, STATUS_RETRY, "scripted: past the deadline");
    return s->failure ? error_set(e, s->failure, "scripted: %s", status_name(s->failure)) : STATUS_OK;
}

static enum status leave(struct store *store, enum status status) {
    pthread_mutex_unlock(&((struct scripted_store *)store)->lock);
    return status;
}

static struct store_score copy(const struct store_score *row) {
    return (struct store_score){mem_strdup(row->user_id), row->score, row->updated_ms};
}

/* Whether the first of these stands before the second on a board. */
static bool precedes(struct store_place a, struct store_place b) {
    return a.score != b.score ? a.score > b.score : strcmp(a.user_id, b.user_id) < 0;
}

static struct store_place place(const struct store_score *row) {
    return (struct store_place){row->score, row->user_id};
}

static bool is_same(struct board a, const struct board *b) {
    return a.role == b->role && a.period.kind == b->period.kind && a.period.start_ms == b->period.start_ms;
}

/* Made if it is not there. */
static struct scripted_board *find_board(struct scripted_store *s, const struct board *board) {
    size_t i = 0;
    while (i < s->n_boards && !is_same(s->boards[i]->board, board))
        i++;
    if (i == s->n_boards) {
        s->boards[s->n_boards++] = mem_zalloc(sizeof **s->boards);
        s->boards[i]->board = *board;
    }
    return s->boards[i];
}

static const struct scripted_row *find_row(const struct scripted_board *board, const char *user_id) {
    for (size_t i = 0; i < board->n; i++)
        if (strcmp(board->rows[i].index.user_id, user_id) == 0)
            return &board->rows[i];
    return NULL;
}

static enum status read_board(struct store *store, const struct board *which, const struct store_place *from,
                              enum store_direction direction, size_t limit, int64_t deadline_ms,
                              struct store_board *board, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    if (status == STATUS_OK) {
        const struct scripted_board *b = find_board(s, which);
        bool down = direction == STORE_DOWN;
        board->items = mem_alloc((limit + 1) * sizeof *board->items);
        for (size_t i = 0; i < b->n && board->n < limit; i++) {
            const struct scripted_row *row = &b->rows[down ? i : b->n - 1 - i];
            struct store_place here = place(&row->index);
            if (row->is_indexed && (!from || (down ? precedes(*from, here) : precedes(here, *from))))
                board->items[board->n++] = copy(&row->index);
        }
    }
    return leave(store, status);
}

static enum status read_rank(struct store *store, const struct board *which, int64_t score,
                             const char *user_id, size_t max, int64_t deadline_ms, size_t *above, bool *tied,
                             struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    const struct scripted_board *b = find_board(s, which);
    *above = 0;
    *tied = false;
    for (size_t i = 0; status == STATUS_OK && i < b->n; i++) {
        const struct store_score *row = &b->rows[i].index;
        if (!b->rows[i].is_indexed || contribution_is_unknown(row->user_id) ||
            strcmp(row->user_id, user_id) == 0)
            continue;
        if (row->score > score && *above < max)
            ++*above;
        if (row->score == score)
            *tied = true;
    }
    return leave(store, status);
}

/* In one page. */
static enum status count_board(struct store *store, const struct board *which, struct store_pass *pass,
                               int64_t deadline_ms, struct store_score_counts *counts, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    const struct scripted_board *b = find_board(s, which);
    counts->items = mem_alloc(MAX_ROWS * sizeof *counts->items);
    for (size_t i = 0; status == STATUS_OK && i < b->n; i++)
        if (b->rows[i].is_indexed && !contribution_is_unknown(b->rows[i].index.user_id))
            store_score_counts_add(counts, b->rows[i].index.score, 1);
    pass->is_done = status == STATUS_OK;
    return leave(store, status);
}

static enum status read_scores(struct store *store, const char *user_id, const struct board *boards, size_t n,
                               int64_t deadline_ms, struct store_score *scores, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    bool found = false;
    for (size_t i = 0; status == STATUS_OK && i < n; i++) {
        const struct scripted_row *row = find_row(find_board(s, &boards[i]), user_id);
        if (!row)
            continue;
        scores[i] = copy(&row->index);
        scores[i].score = row->score;
        found = true;
    }
    return leave(store, status == STATUS_OK && !found ? STATUS_NOT_FOUND : status);
}

static int compare_counts(const void *a, const void *b) {
    int64_t x = ((const struct store_count *)a)->period.start_ms,
            y = ((const struct store_count *)b)->period.start_ms;
    return (x < y) - (x > y);
}

static enum status read_history(struct store *store, const char *user_id, enum role role,
                                enum period_kind kind, const struct period *before, size_t limit,
                                int64_t deadline_ms, struct store_history *history, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    history->items = mem_alloc(MAX_BOARDS * sizeof *history->items);
    for (size_t i = 0; status == STATUS_OK && i < s->n_boards; i++) {
        const struct scripted_board *b = s->boards[i];
        const struct scripted_row *row = find_row(b, user_id ? user_id : "SHOP/0");
        if (row && b->board.role == role && b->board.period.kind == kind &&
            (!before || b->board.period.start_ms < before->start_ms))
            history->items[history->n++] = (struct store_count){b->board.period, row->score};
    }
    qsort(history->items, history->n, sizeof *history->items, compare_counts);
    if (history->n > limit)
        history->n = limit;
    return leave(store, status);
}

static enum status read_sales(struct store *store, struct period period, int64_t deadline_ms, int64_t *sales,
                              struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    const struct board board = {ROLE_SHOP, period};
    const struct scripted_row *row = find_row(find_board(s, &board), "SHOP/0");
    *sales = row ? row->score : 0;
    return leave(store, status);
}

static enum status read_contribution(struct store *store, const char *product_id, int64_t deadline_ms,
                                     struct contribution **row, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    *row = NULL;
    for (size_t i = 0; status == STATUS_OK && i < s->n_contributions; i++)
        if (strcmp(s->contributions[i]->product_id, product_id) == 0)
            *row = contribution_copy(s->contributions[i]);
    return leave(store, status == STATUS_OK && !*row ? STATUS_NOT_FOUND : status);
}

static enum status read_contributions(struct store *store, const char *const ids[], size_t n,
                                      struct contribution *rows[], struct store_context *context,
                                      struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, context->deadline_boot_ms, e);
    for (size_t i = 0; status == STATUS_OK && i < n; i++) {
        rows[i] = NULL;
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]); /* as store.h requires */
        for (size_t k = 0; k < s->n_contributions; k++)
            if (strcmp(s->contributions[k]->product_id, ids[i]) == 0)
                rows[i] = contribution_copy(s->contributions[k]);
    }
    return leave(store, status);
}

static bool is_of(const struct contribution *c, const struct store_owner *owner) {
    const char *user_id = !owner ? NULL : owner->role == ROLE_CREATOR ? c->creator : c->photographer;
    return !owner || (user_id && strcmp(user_id, owner->user_id) == 0);
}

static enum status list_contributions(struct store *store, const struct store_owner *owner, const char *after,
                                      size_t limit, int64_t deadline_ms, struct contribution ***rows,
                                      size_t *n, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    if (status == STATUS_OK) {
        size_t i = 0;
        *rows = mem_alloc(limit * sizeof **rows);
        while (after && i < s->n_contributions && strcmp(s->contributions[i++]->product_id, after) != 0)
            ;
        for (*n = 0; i < s->n_contributions && *n < limit; i++)
            if (is_of(s->contributions[i], owner))
                (*rows)[(*n)++] = contribution_copy(s->contributions[i]);
    }
    return leave(store, status);
}

struct scripted_store *scripted_store_new(bool index_late) {
    struct scripted_store *s = mem_zalloc(sizeof *s);
    condition_init(&s->changed);
    pthread_mutex_init(&s->lock, NULL);
    s->ops = (struct store_ops){
        .name = "scripted",
        .index_late = index_late,
        .read_board = read_board,
        .read_rank = read_rank,
        .count_board = count_board,
        .read_scores = read_scores,
        .read_history = read_history,
        .read_sales = read_sales,
        .read_contribution = read_contribution,
        .read_contributions = read_contributions,
        .list_contributions = list_contributions,
    };
    s->store.ops = &s->ops;
    s->store.shape.board_partitions = 1;
    return s;
}

struct store *scripted_store_as_store(struct scripted_store *s) {
    return &s->store;
}

void scripted_store_free(struct scripted_store *s) {
    for (size_t b = 0; b < s->n_boards; b++) {
        for (size_t i = 0; i < s->boards[b]->n; i++)
            free(s->boards[b]->rows[i].index.user_id);
        free(s->boards[b]);
    }
    for (size_t i = 0; i < s->n_contributions; i++)
        contribution_free(s->contributions[i]);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void scripted_store_set_shape(struct scripted_store *s, const struct view_shape *shape) {
    s->store.shape = *shape;
}

void scripted_store_set_score(struct scripted_store *s, enum role role, const char *user_id, int64_t score) {
    scripted_store_set_board_score(s, &board_all_time[role], user_id, score);
}

/* Takes a row out of the order of the index; makes it if it is not there. */
static struct scripted_row take_row(struct scripted_board *b, const char *user_id) {
    struct scripted_row row = {.index = {.updated_ms = 1700000000000}};
    size_t i = 0;
    while (i < b->n && strcmp(b->rows[i].index.user_id, user_id) != 0)
        i++;
    if (i == b->n) {
        row.index.user_id = mem_strdup(user_id);
        b->n++;
    } else {
        row = b->rows[i];
    }
    for (; i + 1 < b->n; i++)
        b->rows[i] = b->rows[i + 1];
    return row;
}

void scripted_store_set_board_score(struct scripted_store *s, const struct board *board, const char *user_id,
                                    int64_t score) {
    pthread_mutex_lock(&s->lock);
    struct scripted_board *b = find_board(s, board);
    struct scripted_row row = take_row(b, user_id);
    size_t i = b->n - 1;
    row.score = score;
    if (!s->is_index_stopped) {
        row.index.score = score;
        row.is_indexed = true;
    }
    for (; i > 0 && precedes(place(&row.index), place(&b->rows[i - 1].index)); i--)
        b->rows[i] = b->rows[i - 1];
    b->rows[i] = row;
    pthread_mutex_unlock(&s->lock);
}

void scripted_store_stop_index(struct scripted_store *s) {
    s->is_index_stopped = true;
}

void scripted_store_set_contribution(struct scripted_store *s, const char *product_id, const char *creator,
                                     const char *photographer, int64_t purchases) {
    const struct contribution c = {
        .product_id = product_id,
        .creator = creator,
        .photographer = photographer,
        .creator_score = purchases,
        .photographer_score = photographer ? purchases / 2 : 0,
        .last_event_id = "shardId-000000000001:42",
        .created_ms = 1600000000000,
        .updated_ms = 1700000000000,
    };

    pthread_mutex_lock(&s->lock);
    size_t i = 0;
    while (i < s->n_contributions && strcmp(s->contributions[i]->product_id, product_id) != 0)
        i++;
    if (i == s->n_contributions)
        s->n_contributions++;
    else
        contribution_free(s->contributions[i]);
    s->contributions[i] = contribution_copy(&c);
    pthread_mutex_unlock(&s->lock);
}

void scripted_store_fail(struct scripted_store *s, enum status status) {
    pthread_mutex_lock(&s->lock);
    s->failure = status;
    pthread_mutex_unlock(&s->lock);
}

static void set_holding(struct scripted_store *s, bool holding) {
    pthread_mutex_lock(&s->lock);
    s->holding = holding;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void scripted_store_hold(struct scripted_store *s) {
    set_holding(s, true);
}

void scripted_store_release(struct scripted_store *s) {
    set_holding(s, false);
}

bool scripted_store_await_held(struct scripted_store *s, size_t n) {
    int64_t deadline_ms = clock_boot_ms() + 5000, left;
    pthread_mutex_lock(&s->lock);
    while (s->held < n && (left = deadline_ms - clock_boot_ms()) > 0)
        wait_ms(s, left);
    bool there = s->held >= n;
    pthread_mutex_unlock(&s->lock);
    return there;
}

size_t scripted_store_reads(struct scripted_store *s) {
    pthread_mutex_lock(&s->lock);
    size_t reads = s->reads;
    pthread_mutex_unlock(&s->lock);
    return reads;
}

void scripted_store_set_texts(struct scripted_store *s, const char *product_id, const char *name,
                              const char *brand, const char *category, const char *image) {
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_contributions; i++) {
        _cleanup_(contribution_freep) struct contribution *old = s->contributions[i];
        if (strcmp(old->product_id, product_id) == 0) {
            struct contribution c = *old;
            c.name = name;
            c.brand = brand;
            c.category = category;
            c.image = image;
            s->contributions[i] = contribution_copy(&c);
        } else {
            old = NULL;
        }
    }
    pthread_mutex_unlock(&s->lock);
}
