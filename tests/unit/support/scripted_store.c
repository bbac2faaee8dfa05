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

enum { MAX_ROWS = 2048 };

struct scripted_store {
    struct store store;
    struct store_ops ops;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct store_score scores[PEOPLE_ROLES][MAX_ROWS];
    size_t n_scores[PEOPLE_ROLES];
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

static enum status read_board(struct store *store, const struct board *which, const struct store_place *after,
                              enum store_direction direction, size_t limit, int64_t deadline_ms,
                              struct store_board *board, struct error *e) {
    enum role role = which->role;
    assert_int_equal(direction, STORE_DOWN);
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    if (status == STATUS_OK) {
        board->items = mem_alloc(limit * sizeof *board->items);
        for (size_t i = 0; i < s->n_scores[role] && board->n < limit; i++)
            if (!after || precedes(*after, place(&s->scores[role][i])))
                board->items[board->n++] = copy(&s->scores[role][i]);
    }
    return leave(store, status);
}

static enum status read_rank(struct store *store, const struct board *board, int64_t score,
                             const char *user_id, size_t max, int64_t deadline_ms, size_t *above, bool *tied,
                             struct error *e) {
    enum role role = board->role;
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    *above = 0;
    *tied = false;
    for (size_t i = 0; status == STATUS_OK && i < s->n_scores[role]; i++) {
        const struct store_score *row = &s->scores[role][i];
        if (contribution_is_unknown(row->user_id))
            continue;
        if (row->score > score && *above < max)
            ++*above;
        if (row->score == score && strcmp(row->user_id, user_id) != 0)
            *tied = true;
    }
    return leave(store, status);
}

static enum status read_scores(struct store *store, const char *user_id, const struct board *boards, size_t n,
                               int64_t deadline_ms, struct store_score *scores, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    bool found = false;
    for (size_t b = 0; status == STATUS_OK && b < n; b++)
        for (size_t i = 0; i < s->n_scores[boards[b].role]; i++)
            if (strcmp(s->scores[boards[b].role][i].user_id, user_id) == 0) {
                scores[b] = copy(&s->scores[boards[b].role][i]);
                found = true;
            }
    return leave(store, status == STATUS_OK && !found ? STATUS_NOT_FOUND : status);
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

static enum status list_contributions(struct store *store, const struct store_owner *owner, const char *after,
                                      size_t limit, int64_t deadline_ms, struct contribution ***rows,
                                      size_t *n, struct error *e) {
    struct scripted_store *s = (struct scripted_store *)store;
    enum status status = enter(store, deadline_ms, e);
    assert_null(owner);
    if (status == STATUS_OK) {
        size_t i = 0;
        *rows = mem_alloc(limit * sizeof **rows);
        while (after && i < s->n_contributions && strcmp(s->contributions[i++]->product_id, after) != 0)
            ;
        for (*n = 0; i < s->n_contributions && *n < limit; i++)
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
        .read_scores = read_scores,
        .read_contribution = read_contribution,
        .list_contributions = list_contributions,
    };
    s->store.ops = &s->ops;
    return s;
}

struct store *scripted_store_as_store(struct scripted_store *s) {
    return &s->store;
}

void scripted_store_free(struct scripted_store *s) {
    for (enum role role = 0; role < PEOPLE_ROLES; role++)
        for (size_t i = 0; i < s->n_scores[role]; i++)
            store_score_deinit(&s->scores[role][i]);
    for (size_t i = 0; i < s->n_contributions; i++)
        contribution_free(s->contributions[i]);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void scripted_store_set_score(struct scripted_store *s, enum role role, const char *user_id, int64_t score) {
    pthread_mutex_lock(&s->lock);
    struct store_score *rows = s->scores[role], row = {NULL, score, 1700000000000};
    size_t n = s->n_scores[role], i = 0;
    while (i < n && strcmp(rows[i].user_id, user_id) != 0)
        i++;
    if (i == n) {
        row.user_id = mem_strdup(user_id);
        s->n_scores[role]++;
    } else {
        row.user_id = rows[i].user_id;
        for (; i + 1 < n; i++)
            rows[i] = rows[i + 1];
    }
    for (; i > 0 && precedes(place(&row), place(&rows[i - 1])); i--)
        rows[i] = rows[i - 1];
    rows[i] = row;
    pthread_mutex_unlock(&s->lock);
}

void scripted_store_set_contribution(struct scripted_store *s, const char *product_id, const char *creator,
                                     const char *photographer, int64_t purchases) {
    struct contribution *c = contribution_new(product_id);
    c->creator = creator ? mem_strdup(creator) : NULL;
    c->photographer = photographer ? mem_strdup(photographer) : NULL;
    c->creator_score = purchases;
    c->photographer_score = photographer ? purchases / 2 : 0;
    c->last_event_id = mem_strdup("shardId-000000000001:42");
    c->created_ms = 1600000000000;
    c->updated_ms = 1700000000000;

    pthread_mutex_lock(&s->lock);
    size_t i = 0;
    while (i < s->n_contributions && strcmp(s->contributions[i]->product_id, product_id) != 0)
        i++;
    if (i == s->n_contributions)
        s->n_contributions++;
    else
        contribution_free(s->contributions[i]);
    s->contributions[i] = c;
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
