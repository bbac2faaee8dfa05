#include "views/row_cache.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"

void row_cache_init(struct row_cache *c, size_t max_bytes) {
    *c = (struct row_cache){.max_bytes = max_bytes};
}

static void row_free(struct row *row) {
    contribution_free(row->contribution);
    free(row->old_last_event_id);
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

void row_cache_measure(struct row_cache *c, struct row *row) {
    c->held_bytes -= row->bytes;
    row->bytes = sizeof *row + contribution_size(row->contribution);
    c->held_bytes += row->bytes;
}

static void hold(struct row_cache *c, struct row *row) {
    row->is_held = true;
    DL_APPEND2(c->held, row, earlier, later);
    c->held_bytes += row->bytes;
    c->n_held++;
}

void row_cache_hold(struct row_cache *c, struct row *row) {
    if (row->is_held)
        return;
    DL_DELETE2(c->kept, row, earlier, later);
    c->kept_bytes -= row->bytes;
    hold(c, row);
}

static void add_to_hash(struct row_cache *c, struct row *row) {
    const char *product_id = row->contribution->product_id;
    HASH_ADD_KEYPTR(hh, c->rows, product_id, strlen(product_id), row);
}

struct row *row_cache_add(struct row_cache *c, struct contribution *contribution) {
    struct row *row = mem_zalloc(sizeof *row);
    row->contribution = contribution;
    add_to_hash(c, row);
    hold(c, row);
    row_cache_measure(c, row);
    return row;
}

void row_cache_replace(struct row_cache *c, struct row *row, struct contribution *contribution) {
    HASH_DEL(c->rows, row);
    contribution_free(row->contribution);
    row->contribution = contribution;
    add_to_hash(c, row);
    row_cache_measure(c, row);
}

void row_cache_drop(struct row_cache *c, struct row *row) {
    DL_DELETE2(c->held, row, earlier, later);
    HASH_DEL(c->rows, row);
    c->held_bytes -= row->bytes;
    c->n_held--;
    row_free(row);
}

static void keep(struct row_cache *c, struct row *row) {
    DL_DELETE2(c->held, row, earlier, later);
    free(row->old_last_event_id);
    row->old_last_event_id = NULL;
    row->is_held = row->has_changed = false;
    row->n_sales = 0;
    memset(row->earners, 0, sizeof row->earners);
    DL_APPEND2(c->kept, row, earlier, later);
    c->kept_bytes += row->bytes;
}

void row_cache_make_room(struct row_cache *c, size_t bytes) {
    while (c->kept && c->kept_bytes + bytes > c->max_bytes)
        drop_oldest(c);
}

static size_t rest_bytes(const struct row_cache *c) {
    return c->max_bytes / 4;
}

void row_cache_rest(struct row_cache *c) {
    row_cache_make_room(c, c->max_bytes - rest_bytes(c));
}

static size_t usual_bytes(const struct row_cache *c) {
    size_t least = rest_bytes(c), most = c->max_bytes, large = 4 * c->held_bytes;
    return large < least ? least : large > most ? most : large;
}

void row_cache_keep_held(struct row_cache *c) {
    size_t usual = usual_bytes(c);
    while (c->held)
        keep(c, c->held);
    c->held_bytes = c->n_held = 0;
    row_cache_make_room(c, c->max_bytes - usual);
}
