#include "views/credits.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

/* Sales. Where positions are not kept they are only counted. */
struct sales {
    const struct position **positions;
    size_t n, capacity;
};

/* The last one of some sales. */
struct last {
    int64_t time_ms;
    const char *origin;
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
    size_t first, n;  /* of the earner's sales, unless ... */
    struct sales own; /* ... they are no run of those: then they are here */
    struct last last;
    struct credit *next; /* of the same earner */
    UT_hash_handle hh;
};

struct earner {
    char *user_id;
    struct sales sales;
    struct last last;
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
    size_t n, bytes; /* earners and credits; of memory */
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
        free(earner->sales.positions);
        free(earner);
    }
}

void credits_free(struct credits *c) {
    struct credit *credit, *next;
    if (!c)
        return;
    HASH_ITER(hh, c->periods, credit, next) {
        HASH_DEL(c->periods, credit);
        free(credit->own.positions);
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

/* With what the allocator adds to each block: an earner has three, a credit one. */
enum {
    EARNER_BYTES = sizeof(struct earner) + sizeof(struct store_score_write) + 3 * (2 * sizeof(size_t)),
    CREDIT_BYTES = sizeof(struct credit) + sizeof(struct store_score_write) + 2 * sizeof(size_t),
};

static void count(struct credits *c, size_t bytes) {
    c->n++;
    c->bytes += bytes;
}

static struct earner *find_or_add_earner(struct credits *c, enum role role, const char *user_id) {
    struct earner *earner;
    size_t length = strlen(user_id);
    HASH_FIND(hh, c->earners[role], user_id, length, earner);
    if (!earner) {
        earner = mem_zalloc(sizeof *earner);
        earner->user_id = mem_strdup(user_id);
        HASH_ADD_KEYPTR(hh, c->earners[role], earner->user_id, length, earner);
        count(c, EARNER_BYTES + length);
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
        credit->first = earner->sales.n - 1;
        credit->next = earner->credits;
        earner->credits = credit;
        HASH_ADD(hh, c->periods, key, sizeof credit->key, credit);
        count(c, CREDIT_BYTES);
    }
    return earner->latest[p->kind] = credit;
}

static void reserve(struct credits *c, struct sales *s, size_t n) {
    if (n <= s->capacity)
        return;
    c->bytes -= s->capacity * sizeof *s->positions;
    s->capacity = n <= 4 ? 4 : 2 * n;
    s->positions = mem_resize(s->positions, s->capacity, sizeof *s->positions);
    c->bytes += s->capacity * sizeof *s->positions;
}

static void add(struct credits *c, struct sales *s, const struct position *position) {
    if (position) {
        reserve(c, s, s->n + 1);
        s->positions[s->n] = position;
    }
    s->n++;
}

/* The earner's last sale counts in the credit, too. */
static void extend(struct credits *c, struct credit *credit, const struct earner *earner) {
    const struct sales *all = &earner->sales;
    struct sales *own = &credit->own;
    credit->last = earner->last;
    bool is_run = !own->n && (!all->positions || credit->first + credit->n == all->n - 1);
    if (is_run) {
        credit->n++;
        return;
    }
    if (!own->n) {
        reserve(c, own, credit->n + 1);
        memcpy(own->positions, all->positions + credit->first, credit->n * sizeof *own->positions);
        own->n = credit->n;
    }
    add(c, own, all->positions[all->n - 1]);
}

static void earn(struct credits *c, enum role role, const char *user_id, const struct credits_sale *sale,
                 struct earner **known) {
    if (!*known || strcmp((*known)->user_id, user_id) != 0)
        *known = find_or_add_earner(c, role, user_id);
    struct earner *earner = *known;
    add(c, &earner->sales, sale->position);
    earner->last = (struct last){sale->time_ms, sale->origin};
    for (enum period_kind kind = PERIOD_HOUR; kind < PERIOD_KINDS; kind++)
        if (period_set_has(c->shape.periods, kind))
            extend(c, find_or_add_credit(c, earner, &c->now[kind]), earner);
}

void credits_earn(struct credits *c, const struct credits_sale *sale, const struct fold_credits *to,
                  struct earner *earners[ROLES]) {
    find_periods(c, sale->period_time_ms);
    for (enum role role = 0; role < PEOPLE_ROLES; role++)
        if (to->user_id[role])
            earn(c, role, to->user_id[role], sale, &earners[role]);
    if (c->shape.best_sellers)
        earn(c, ROLE_PRODUCT, sale->product_id, sale, &earners[ROLE_PRODUCT]);
    earn(c, ROLE_SHOP, c->shop_id, sale, &c->shop);
}

size_t credits_count(const struct credits *c) {
    return c->n;
}

static struct store_score_write make_write(const struct board *board, const struct earner *earner,
                                           const struct position *const *positions, size_t n,
                                           const struct last *last) {
    return (struct store_score_write){
        .board = *board,
        .user_id = earner->user_id,
        .positions = positions,
        .n = n,
        .updated_ms = last->time_ms,
        .updated_by = last->origin,
    };
}

static struct store_score_write make_period_write(enum role role, const struct earner *earner,
                                                  const struct credit *credit) {
    const struct board board = {role, {(enum period_kind)credit->key.kind, credit->key.start_ms}};
    const struct position **all = earner->sales.positions;
    if (credit->own.n)
        return make_write(&board, earner, credit->own.positions, credit->own.n, &credit->last);
    return make_write(&board, earner, all ? all + credit->first : NULL, credit->n, &credit->last);
}

static struct store_score_write *list_earner(enum role role, const struct earner *earner,
                                             struct store_score_write *writes) {
    const struct sales *all = &earner->sales;
    *writes++ = make_write(&board_all_time[role], earner, all->positions, all->n, &earner->last);
    for (const struct credit *credit = earner->credits; credit; credit = credit->next)
        *writes++ = make_period_write(role, earner, credit);
    return writes;
}

void credits_list(const struct credits *c, struct store_score_write *writes) {
    for (enum role role = 0; role < ROLES; role++)
        for (const struct earner *earner = c->earners[role]; earner; earner = earner->hh.next)
            writes = list_earner(role, earner, writes);
}

size_t credits_size(const struct credits *c) {
    return sizeof *c + c->bytes;
}
