#include "base/memory_budget.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/metrics.h"

static struct metrics_family held_family = {
    .name = "winner_view_inflight_bytes",
    .help = "Bytes of records in memory: being received, decoded, or waiting to be applied.",
    .kind = METRICS_GAUGE,
};

static struct metrics_family limit_family = {
    .name = "winner_view_inflight_limit_bytes",
    .help = "The limit of winner_view_inflight_bytes, for all shards together.",
    .kind = METRICS_GAUGE,
};

struct budget {
    size_t limit;
    struct metrics_series *held_series;

    pthread_mutex_t lock; /* guards the rest, and every claim; a leaf */
    size_t held;
    uint64_t last_turn;
    struct budget_claim *line; /* by turn */
};

struct budget *budget_new(size_t limit) {
    struct budget *b = mem_zalloc(sizeof *b);
    b->limit = limit;
    b->held_series = METRICS_SERIES(&held_family, NULL);
    pthread_mutex_init(&b->lock, NULL);
    metrics_set(b->held_series, 0);
    metrics_set(METRICS_SERIES(&limit_family, NULL), (int64_t)limit);
    return b;
}

void budget_free(struct budget *b) {
    if (!b)
        return;
    assert(b->held == 0 && !b->line);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* These four are called with the lock held. */
static void hold(struct budget *b, struct budget_claim *claim, size_t bytes) {
    b->held = b->held - claim->bytes + bytes;
    claim->bytes = bytes;
    metrics_set(b->held_series, (int64_t)b->held);
}

static void join_line(struct budget *b, struct budget_claim *claim) {
    struct budget_claim **at = &b->line;
    if (!claim->turn)
        claim->turn = ++b->last_turn;
    while (*at && (*at)->turn < claim->turn)
        at = &(*at)->next;
    claim->next = *at;
    *at = claim;
    claim->waiting = true;
}

static void quit_line(struct budget *b, struct budget_claim *claim) {
    struct budget_claim **at = &b->line;
    while (*at != claim)
        at = &(*at)->next;
    *at = claim->next;
    claim->next = NULL;
    claim->waiting = false;
}

static bool has_room(const struct budget *b, size_t bytes) {
    return b->held == 0 || (b->held <= b->limit && bytes <= b->limit - b->held);
}

/* Wakes under the lock: after it is released, the claim and its waker may be freed. */
static void grant(struct budget *b) {
    while (b->line && has_room(b, b->line->wanted)) {
        struct budget_claim *first = b->line;
        quit_line(b, first);
        hold(b, first, first->wanted);
        waker_wake(first->waker);
    }
}

bool budget_ask(struct budget *b, struct budget_claim *claim, size_t bytes, struct waker *waker) {
    if (!b)
        return true;
    pthread_mutex_lock(&b->lock);
    if (!claim->bytes && !claim->waiting) {
        bool first = !b->line || (claim->turn && claim->turn < b->line->turn);
        claim->wanted = bytes;
        claim->waker = waker;
        if (first && has_room(b, bytes))
            hold(b, claim, bytes);
        else
            join_line(b, claim);
    }
    bool held = claim->bytes > 0;
    pthread_mutex_unlock(&b->lock);
    return held;
}

void budget_leave(struct budget *b, struct budget_claim *claim) {
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    if (claim->waiting)
        quit_line(b, claim);
    hold(b, claim, 0);
    grant(b);
    pthread_mutex_unlock(&b->lock);
}

void budget_set(struct budget *b, struct budget_claim *claim, size_t bytes) {
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    if (claim->bytes) /* one that held nothing keeps its place */
        claim->turn = 0;
    hold(b, claim, bytes);
    grant(b);
    pthread_mutex_unlock(&b->lock);
}

size_t budget_held(struct budget *b) {
    pthread_mutex_lock(&b->lock);
    size_t held = b->held;
    pthread_mutex_unlock(&b->lock);
    return held;
}
