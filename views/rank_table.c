#include "views/rank_table.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"

/* `n` contributors have this score; in a finished table: this one or a higher one. */
struct entry {
    int64_t score, n;
};

struct rank_table {
    atomic_int refs;
    int64_t as_of_ms;
    struct entry *entries; /* of a finished table: highest score first, each once */
    size_t n, capacity;
};

enum { FIRST_ENTRIES = 64 };

struct rank_table *rank_table_new(int64_t as_of_ms) {
    struct rank_table *t = mem_zalloc(sizeof *t);
    atomic_init(&t->refs, 1);
    t->as_of_ms = as_of_ms;
    t->capacity = FIRST_ENTRIES;
    t->entries = mem_alloc(t->capacity * sizeof *t->entries);
    return t;
}

static int higher_first(const void *a, const void *b) {
    int64_t x = ((const struct entry *)a)->score, y = ((const struct entry *)b)->score;
    return (x < y) - (x > y);
}

/* Sorts the entries, and makes one of those with the same score. */
static void merge(struct rank_table *t) {
    size_t n = 0;
    qsort(t->entries, t->n, sizeof *t->entries, higher_first);
    for (size_t i = 0; i < t->n; i++)
        if (n && t->entries[n - 1].score == t->entries[i].score)
            t->entries[n - 1].n += t->entries[i].n;
        else
            t->entries[n++] = t->entries[i];
    t->n = n;
}

static void resize(struct rank_table *t, size_t capacity) {
    t->entries = mem_resize(t->entries, capacity, sizeof *t->entries);
    t->capacity = capacity;
}

/* A board of one partition arrives in order, and is full only when it is. Others are merged first. */
static bool make_room(struct rank_table *t) {
    merge(t);
    if (t->n > LIMIT_RANK_SCORES)
        return false;
    if (t->n > t->capacity / 2)
        resize(t, 2 * t->capacity);
    return true;
}

bool rank_table_add(struct rank_table *t, int64_t score, int64_t n) {
    if (t->n && t->entries[t->n - 1].score == score) {
        t->entries[t->n - 1].n += n;
        return true;
    }
    if (t->n == t->capacity && !make_room(t))
        return false;
    t->entries[t->n++] = (struct entry){score, n};
    return true;
}

void rank_table_finish(struct rank_table *t) {
    merge(t);
    for (size_t i = 1; i < t->n; i++)
        t->entries[i].n += t->entries[i - 1].n;
    resize(t, t->n ? t->n : 1);
}

struct rank_table *rank_table_ref(struct rank_table *t) {
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void rank_table_release(const struct rank_table *t) {
    struct rank_table *mine = (struct rank_table *)(uintptr_t)t; /* the references of a shared value */
    if (!mine || atomic_fetch_sub(&mine->refs, 1) > 1)
        return;
    free(mine->entries);
    free(mine);
}

void rank_table_releasep(const struct rank_table **t) {
    rank_table_release(*t);
}

int64_t rank_table_rank(const struct rank_table *t, int64_t score) {
    size_t first = 0, end = t->n; /* the first entry that is not above `score` lies in [first, end] */
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (t->entries[middle].score > score)
            first = middle + 1;
        else
            end = middle;
    }
    return first ? t->entries[first - 1].n + 1 : 1;
}

int64_t rank_table_of(const struct rank_table *t) {
    return t->n ? t->entries[t->n - 1].n : 0;
}

int64_t rank_table_as_of_ms(const struct rank_table *t) {
    return t->as_of_ms;
}

size_t rank_table_bytes(const struct rank_table *t) {
    return sizeof *t + t->capacity * sizeof *t->entries;
}
