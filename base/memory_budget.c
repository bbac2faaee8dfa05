#include "base/memory_budget.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
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
    struct budget_claim *line, *under_way; /* by turn */
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
    assert(b->held == 0 && !b->line && !b->under_way);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* What follows is called with the lock held, down to the public functions. */

/* Of the replies under way, beyond what they hold. */
static size_t still_expected(const struct budget *b) {
    int64_t now_ms = clock_boot_ms();
    size_t bytes = 0;
    for (const struct budget_claim *c = b->under_way; c; c = c->next)
        if (c->expected > c->bytes && now_ms - c->grew_ms < LIMIT_SILENT_MS)
            bytes += c->expected - c->bytes;
    return bytes;
}

static void hold(struct budget *b, struct budget_claim *claim, size_t bytes) {
    b->held = b->held - claim->bytes + bytes;
    claim->bytes = bytes;
    metrics_set(b->held_series, (int64_t)b->held);
}

static void unlink_claim(struct budget_claim **at, struct budget_claim *claim) {
    while (*at != claim)
        at = &(*at)->next;
    *at = claim->next;
    claim->next = NULL;
}

static void link_claim(struct budget_claim **at, struct budget_claim *claim) {
    while (*at && (*at)->turn < claim->turn)
        at = &(*at)->next;
    claim->next = *at;
    *at = claim;
}

static void make_idle(struct budget *b, struct budget_claim *claim) {
    if (claim->state != BUDGET_IDLE)
        unlink_claim(claim->state == BUDGET_WAITING ? &b->line : &b->under_way, claim);
    claim->state = BUDGET_IDLE;
}

static void start(struct budget *b, struct budget_claim *claim) {
    claim->state = BUDGET_UNDER_WAY;
    claim->grew_ms = clock_boot_ms();
    link_claim(&b->under_way, claim);
}

static void join_line(struct budget *b, struct budget_claim *claim) {
    claim->state = BUDGET_WAITING;
    link_claim(&b->line, claim);
}

static bool may_begin(const struct budget *b, const struct budget_claim *claim) {
    bool is_only_reply = !b->under_way && b->held < b->limit;
    return is_only_reply || b->held + still_expected(b) + claim->expected <= b->limit;
}

/* Called whenever less is held or expected. */
static void begin_waiting(struct budget *b) {
    for (struct budget_claim *first; (first = b->line) && may_begin(b, first);) {
        make_idle(b, first);
        start(b, first);
        waker_wake(first->waker);
    }
}

bool budget_begin(struct budget *b, struct budget_claim *claim, size_t expected, struct waker *waker) {
    if (!b)
        return true;
    pthread_mutex_lock(&b->lock);
    if (claim->state == BUDGET_IDLE) {
        if (!claim->turn)
            claim->turn = ++b->last_turn;
        claim->expected = expected;
        claim->waker = waker;
        if ((!b->line || claim->turn < b->line->turn) && may_begin(b, claim))
            start(b, claim);
        else
            join_line(b, claim);
    }
    bool begun = claim->state == BUDGET_UNDER_WAY;
    pthread_mutex_unlock(&b->lock);
    return begun;
}

bool budget_grow(struct budget *b, struct budget_claim *claim, size_t bytes) {
    if (!b)
        return true;
    pthread_mutex_lock(&b->lock);
    bool may_grow = claim == b->under_way || b->held - claim->bytes + bytes <= b->limit;
    if (!may_grow)
        make_idle(b, claim);
    hold(b, claim, may_grow ? bytes : 0);
    claim->grew_ms = clock_boot_ms();
    if (!may_grow)
        begin_waiting(b);
    pthread_mutex_unlock(&b->lock);
    return may_grow;
}

void budget_leave(struct budget *b, struct budget_claim *claim) {
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    make_idle(b, claim);
    hold(b, claim, 0);
    begin_waiting(b);
    pthread_mutex_unlock(&b->lock);
}

void budget_set(struct budget *b, struct budget_claim *claim, size_t bytes) {
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    if (claim->state == BUDGET_UNDER_WAY)
        claim->turn = 0;
    make_idle(b, claim);
    hold(b, claim, bytes);
    begin_waiting(b);
    pthread_mutex_unlock(&b->lock);
}

size_t budget_held(struct budget *b) {
    pthread_mutex_lock(&b->lock);
    size_t held = b->held;
    pthread_mutex_unlock(&b->lock);
    return held;
}
