#include "views/credits.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

struct positions {
    struct position *items;
    size_t n, capacity;
};

/* Which credit it is, as a key: without padding. */
struct credit_key {
    const struct earner *earner;
    int64_t start_ms;
    int64_t kind;
};

/* What one earner earned in one period. */
struct credit {
    struct credit_key key;
    size_t first, n;      /* of the earner's positions, unless ... */
    struct positions own; /* ... they are no run of those: then they are here */
    const struct event *last;
    struct credit *next; /* of the same earner */
    UT_hash_handle hh;
};

struct earner {
    char *user_id;
    struct positions positions;
    const struct event *last;
    struct credit *credits;
    struct credit *latest[PERIOD_KINDS]; /* by kind: the one that was earned last; NULL: none */
    UT_hash_handle hh;
};

struct credits {
    struct view_shape shape;
    char shop_id[STORE_SHOP_SIZE];
    struct earner *shop;
    struct earner *earners[ROLES];   /* by user id */
    struct credit *periods;          /* of all earners, by key */
    struct period now[PERIOD_KINDS]; /* of the last event */
    int64_t ends_ms[PERIOD_KINDS];
};

/* The shop has several rows, summed when read: every shard would write a single one. A shard always writes
 * the same: by its number, or, where its id has none, by the sum of its bytes. */
static unsigned shop_row(const char *shard_id) {
    static const char prefix[] = "shardId-";
    const char *digits = shard_id + sizeof prefix - 1;
    unsigned long long number = 0;
    if (strncmp(shard_id, prefix, sizeof prefix - 1) == 0 && strlen(digits) == 12 &&
        strspn(digits, "0123456789") == 12)
        number = strtoull(digits, NULL, 10);
    else
        for (; *shard_id; shard_id++)
            number += (unsigned char)*shard_id;
    return (unsigned)(number % STORE_SHOP_ROWS);
}

struct credits *credits_new(const struct view_shape *shape, const char *shard_id) {
    struct credits *c = mem_zalloc(sizeof *c);
    c->shape = *shape;
    store_shop_user_id(shop_row(shard_id), c->shop_id);
    return c;
}

static void earners_free(struct earner **earners) {
    struct earner *earner, *next;
    HASH_ITER(hh, *earners, earner, next) {
        HASH_DEL(*earners, earner);
        free(earner->user_id);
        free(earner->positions.items);
        free(earner);
    }
}

void credits_free(struct credits *c) {
    struct credit *credit, *next;
    if (!c)
        return;
    HASH_ITER(hh, c->periods, credit, next) {
        HASH_DEL(c->periods, credit);
        free(credit->own.items);
        free(credit);
    }
    for (enum role role = 0; role < ROLES; role++)
        earners_free(&c->earners[role]);
    free(c);
}

/* Most events lie in the periods of the one before. */
static void find_periods(struct credits *c, int64_t time_ms) {
    for (enum period_kind kind = PERIOD_HOUR; kind < PERIOD_KINDS; kind++) {
        if (!period_set_has(c->shape.periods, kind) ||
            (time_ms >= c->now[kind].start_ms && time_ms < c->ends_ms[kind]))
            continue;
        c->now[kind] = period_of(kind, time_ms);
        c->ends_ms[kind] = period_end_ms(c->now[kind]);
    }
}

static struct earner *find_or_add_earner(struct credits *c, enum role role, const char *user_id) {
    struct earner *earner;
    HASH_FIND_STR(c->earners[role], user_id, earner);
    if (!earner) {
        earner = mem_zalloc(sizeof *earner);
        earner->user_id = mem_strdup(user_id);
        HASH_ADD_KEYPTR(hh, c->earners[role], earner->user_id, strlen(earner->user_id), earner);
    }
    return earner;
}

static struct credit *find_or_add_credit(struct credits *c, struct earner *earner, const struct period *p) {
    const struct credit_key key = {earner, p->start_ms, p->kind};
    struct credit *credit = earner->latest[p->kind];
    if (credit && credit->key.start_ms == p->start_ms)
        return credit;
    HASH_FIND(hh, c->periods, &key, sizeof key, credit);
    if (!credit) {
        credit = mem_zalloc(sizeof *credit);
        credit->key = key;
        credit->first = earner->positions.n - 1;
        credit->next = earner->credits;
        earner->credits = credit;
        HASH_ADD(hh, c->periods, key, sizeof credit->key, credit);
    }
    return earner->latest[p->kind] = credit;
}

static void reserve(struct positions *p, size_t n) {
    if (n <= p->capacity)
        return;
    p->capacity = n <= 4 ? 4 : 2 * n;
    p->items = mem_resize(p->items, p->capacity, sizeof *p->items);
}

static void add(struct positions *p, const struct position *position) {
    if (p->n == p->capacity)
        reserve(p, p->n + 1);
    p->items[p->n++] = *position;
}

/* The earner's last position counts in the credit, too. */
static void extend(struct credit *credit, const struct earner *earner) {
    const struct positions *all = &earner->positions;
    credit->last = earner->last;
    if (!credit->own.items && credit->first + credit->n == all->n - 1) {
        credit->n++;
        return;
    }
    if (!credit->own.items) {
        reserve(&credit->own, credit->n + 1);
        memcpy(credit->own.items, all->items + credit->first, credit->n * sizeof *all->items);
        credit->own.n = credit->n;
    }
    add(&credit->own, &all->items[all->n - 1]);
}

static void earn(struct credits *c, enum role role, const char *user_id, const struct event *event,
                 const struct position *position, struct earner **known) {
    if (!*known || strcmp((*known)->user_id, user_id) != 0)
        *known = find_or_add_earner(c, role, user_id);
    struct earner *earner = *known;
    add(&earner->positions, position);
    earner->last = event;
    for (enum period_kind kind = PERIOD_HOUR; kind < PERIOD_KINDS; kind++)
        if (period_set_has(c->shape.periods, kind))
            extend(find_or_add_credit(c, earner, &c->now[kind]), earner);
}

void credits_earn(struct credits *c, const struct event *event, const struct position *position,
                  const struct fold_credits *to, struct earner *earners[ROLES]) {
    find_periods(c, fold_period_time(event));
    for (enum role role = 0; role < PEOPLE_ROLES; role++)
        if (to->user_id[role])
            earn(c, role, to->user_id[role], event, position, &earners[role]);
    if (c->shape.best_sellers)
        earn(c, ROLE_PRODUCT, event->product_id, event, position, &earners[ROLE_PRODUCT]);
    earn(c, ROLE_SHOP, c->shop_id, event, position, &c->shop);
}

size_t credits_count(const struct credits *c) {
    size_t n = HASH_COUNT(c->periods);
    for (enum role role = 0; role < ROLES; role++)
        n += HASH_COUNT(c->earners[role]);
    return n;
}

static struct store_score_write make_write(const struct board *board, const struct earner *earner,
                                           const struct position *positions, size_t n,
                                           const struct event *last) {
    return (struct store_score_write){
        .board = *board,
        .user_id = earner->user_id,
        .positions = positions,
        .n_positions = n,
        .updated_ms = last->time_ms,
        .updated_by = last->origin,
    };
}

static struct store_score_write *list_earner(enum role role, const struct earner *earner,
                                             struct store_score_write *writes) {
    const struct positions *all = &earner->positions;
    *writes++ = make_write(&board_all_time[role], earner, all->items, all->n, earner->last);
    for (const struct credit *credit = earner->credits; credit; credit = credit->next) {
        const struct board board = {role, {(enum period_kind)credit->key.kind, credit->key.start_ms}};
        const struct positions *own = &credit->own;
        *writes++ = own->items
                        ? make_write(&board, earner, own->items, own->n, credit->last)
                        : make_write(&board, earner, all->items + credit->first, credit->n, credit->last);
    }
    return writes;
}

void credits_list(const struct credits *c, struct store_score_write *writes) {
    for (enum role role = 0; role < ROLES; role++)
        for (const struct earner *earner = c->earners[role]; earner; earner = earner->hh.next)
            writes = list_earner(role, earner, writes);
}

/* With what the allocator adds to each block: an earner has three, a credit one. */
enum {
    EARNER_BYTES = sizeof(struct earner) + sizeof(struct store_score_write) + 3 * (2 * sizeof(size_t)),
    CREDIT_BYTES = sizeof(struct credit) + sizeof(struct store_score_write) + 2 * sizeof(size_t),
};

size_t credits_size(const struct credits *c) {
    size_t bytes = sizeof *c;
    for (enum role role = 0; role < ROLES; role++)
        for (const struct earner *earner = c->earners[role]; earner; earner = earner->hh.next)
            bytes +=
                EARNER_BYTES + strlen(earner->user_id) + earner->positions.capacity * sizeof(struct position);
    for (const struct credit *credit = c->periods; credit; credit = credit->hh.next)
        bytes += CREDIT_BYTES + credit->own.capacity * sizeof(struct position);
    return bytes;
}

/* The arrays of positions double. The shop's earner is one for all. */
size_t credits_cost(const struct view_shape *shape, const struct event *event, bool is_new_product,
                    bool is_new_period) {
    size_t roles = PEOPLE_ROLES + shape->best_sellers, cost = (roles + 1) * 2 * sizeof(struct position);
    if (is_new_product)
        cost += roles * (EARNER_BYTES + strlen(event->origin) + strlen(event->product_id));
    if (is_new_period)
        cost += roles * (size_t)__builtin_popcount(shape->periods) * CREDIT_BYTES;
    return cost;
}
