#include "views/row_cache.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/limits.h"
#include "base/mem.h"

void row_cache_init(struct row_cache *c, size_t max_bytes) {
    *c = (struct row_cache){.max_bytes = max_bytes, .batch = 1};
}

static void row_free(struct row *row) {
    free(row->packed);
    free(row);
}

void row_cache_drop_held(struct row_cache *c) {
    while (c->held)
        row_cache_drop(c, c->held);
}

static void drop_oldest(struct row_cache *c) {
    struct row *row = c->kept;
    DL_DELETE2(c->kept, row, earlier, later);
    HASH_DEL(c->rows, row);
    c->kept_bytes -= row->bytes;
    row_free(row);
}

void row_cache_deinit(struct row_cache *c) {
    row_cache_drop_held(c);
    while (c->kept)
        drop_oldest(c);
}

struct row *row_cache_find(struct row_cache *c, const char *product_id) {
    struct row *row;
    HASH_FIND_STR(c->rows, product_id, row);
    return row;
}

enum { FIND_AT_ONCE = 32, LINE_BYTES = 64, FETCH_BYTES = 1024 };

/* The row at which the search for this hash begins. */
static struct row *first_of(const struct row_cache *c, unsigned hash) {
    const UT_hash_table *table = c->rows->hh.tbl;
    struct UT_hash_handle *head = table->buckets[hash & (table->num_buckets - 1)].hh_head;
    return head ? ELMT_FROM_HH(table, head) : NULL;
}

/* What is read and written when an event is folded into it. */
static void fetch_row(const struct row *row) {
    const char *packed = (const char *)row->packed;
    size_t size = packed_size(row->packed);
    for (size_t at = 0; at < size && at < FETCH_BYTES; at += LINE_BYTES)
        __builtin_prefetch(packed + at);
    __builtin_prefetch(row->earlier);
    __builtin_prefetch(row->later);
}

/* In steps: each reads what the one before has fetched. */
static void find_some(struct row_cache *c, const char *const ids[], size_t n, struct row *rows[]) {
    unsigned hashes[FIND_AT_ONCE];
    struct row *firsts[FIND_AT_ONCE];
    const UT_hash_table *table = c->rows->hh.tbl;
    for (size_t i = 0; i < n; i++) {
        HASH_VALUE(ids[i], strlen(ids[i]), hashes[i]);
        __builtin_prefetch(&table->buckets[hashes[i] & (table->num_buckets - 1)]);
    }
    for (size_t i = 0; i < n; i++) {
        firsts[i] = first_of(c, hashes[i]);
        __builtin_prefetch(firsts[i]);
        __builtin_prefetch(firsts[i] ? &firsts[i]->hh : NULL);
    }
    for (size_t i = 0; i < n; i++)
        if (firsts[i])
            __builtin_prefetch(firsts[i]->hh.key);
    for (size_t i = 0; i < n; i++) {
        HASH_FIND_BYHASHVALUE(hh, c->rows, ids[i], strlen(ids[i]), hashes[i], rows[i]);
        if (rows[i])
            fetch_row(rows[i]);
    }
}

void row_cache_find_all(struct row_cache *c, const char *const ids[], size_t n, struct row *rows[]) {
    if (!c->rows) {
        memset(rows, 0, n * sizeof *rows);
        return;
    }
    for (size_t at = 0; at < n; at += FIND_AT_ONCE)
        find_some(c, ids + at, n - at < FIND_AT_ONCE ? n - at : FIND_AT_ONCE, rows + at);
}

/* Of a row that is held. */
static void set_packed(struct row_cache *c, struct row *row, struct packed *packed) {
    enum { ALLOCATOR_BYTES = sizeof(size_t) };
    c->held_bytes -= row->bytes;
    row->packed = packed;
    row->hh.key = packed_product_id(packed);
    row->bytes = sizeof *row + ALLOCATOR_BYTES + packed_size(packed);
    c->held_bytes += row->bytes;
}

static void hold(struct row_cache *c, struct row *row) {
    row->batch = c->batch;
    DL_APPEND2(c->held, row, earlier, later);
    c->held_bytes += row->bytes;
    c->n_held++;
}

void row_cache_hold(struct row_cache *c, struct row *row) {
    if (row->batch == c->batch)
        return;
    DL_DELETE2(c->kept, row, earlier, later);
    c->kept_bytes -= row->bytes;
    packed_settle(row->packed);
    row->n_sales = 0;
    memset(row->earners, 0, sizeof row->earners);
    hold(c, row);
}

struct row *row_cache_add(struct row_cache *c, const struct contribution *contribution) {
    struct row *row = mem_zalloc(sizeof *row);
    hold(c, row);
    set_packed(c, row, packed_new(contribution));
    const char *product_id = row->hh.key;
    HASH_ADD_KEYPTR(hh, c->rows, product_id, strlen(product_id), row);
    return row;
}

void row_cache_fill(struct row_cache *c, struct row *row, const struct contribution *contribution) {
    free(row->packed);
    set_packed(c, row, packed_new(contribution));
}

void row_cache_change(struct row_cache *c, struct row *row, const struct contribution *contribution) {
    set_packed(c, row, packed_change(row->packed, contribution));
}

void row_cache_drop(struct row_cache *c, struct row *row) {
    DL_DELETE2(c->held, row, earlier, later);
    HASH_DEL(c->rows, row);
    c->held_bytes -= row->bytes;
    c->n_held--;
    row_free(row);
}

void row_cache_make_room(struct row_cache *c, size_t bytes) {
    while (c->kept && c->kept_bytes + bytes > c->max_bytes)
        drop_oldest(c);
}

static size_t rest_bytes(const struct row_cache *c) {
    return c->max_bytes / 4;
}

void row_cache_rest(struct row_cache *c) {
    size_t most = c->most_kept_bytes;
    bool was_backlog = most >= LIMIT_RETURNED_BYTES && most > 2 * rest_bytes(c);
    row_cache_make_room(c, was_backlog ? c->max_bytes : c->max_bytes - rest_bytes(c));
    c->most_kept_bytes = 0;
}

static size_t usual_bytes(const struct row_cache *c) {
    size_t least = rest_bytes(c), most = c->max_bytes, large = 4 * c->held_bytes;
    return large < least ? least : large > most ? most : large;
}

void row_cache_keep_held(struct row_cache *c) {
    size_t usual = usual_bytes(c);
    DL_CONCAT2(c->kept, c->held, earlier, later);
    c->held = NULL;
    c->kept_bytes += c->held_bytes;
    if (c->kept_bytes > c->most_kept_bytes)
        c->most_kept_bytes = c->kept_bytes;
    c->held_bytes = c->n_held = 0;
    c->batch++; /* each row is as it was left, until it is held again */
    row_cache_make_room(c, c->max_bytes - usual);
}
