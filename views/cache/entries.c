/* The entries of the cache, under its lock: their values, how long those serve, and the room that they take.
 * References to values need no lock. */
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/hash.h"
#include "base/mem.h"
#include "views/cache/internal.h"

void cache_value_init(struct cache_value *value, void (*free_value)(struct cache_value *)) {
    memset(value, 0, sizeof *value);
    atomic_init(&value->references, 1);
    value->free = free_value;
}

struct cache_value *cache_value_ref(struct cache_value *value) {
    atomic_fetch_add_explicit(&value->references, 1, memory_order_relaxed);
    return value;
}

void cache_value_unref(struct cache_value *value) {
    if (value && atomic_fetch_sub_explicit(&value->references, 1, memory_order_acq_rel) == 1)
        value->free(value);
}

struct cache_entry *cache_entry_find(struct cache *c, const void *key, size_t key_length, unsigned hash) {
    struct cache_entry *e;
    HASH_FIND_BYHASHVALUE(hh, c->entries, key, key_length, hash, e);
    return e;
}

struct cache_entry *cache_entry_add(struct cache *c, const void *key, size_t key_length, unsigned hash) {
    struct cache_entry *e = mem_zalloc(sizeof *e + key_length + 1);
    memcpy(e->key, key, key_length);
    e->key_length = key_length;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, c->entries, e->key, e->key_length, hash, e);
    return e;
}

void cache_entry_remove_if_empty(struct cache *c, struct cache_entry *e) {
    if (e->value || e->load)
        return;
    HASH_DEL(c->entries, e);
    free(e);
}

static size_t bytes_of(const struct cache_entry *e) {
    return sizeof *e + e->key_length + 1 + e->value->bytes;
}

void cache_entry_clear(struct cache *c, struct cache_entry *e) {
    if (!e->value)
        return;
    DL_DELETE(c->used, e);
    if (e->value->refreshable)
        DL_DELETE2(c->refreshables, e, refreshable_prev, refreshable_next);
    c->bytes -= bytes_of(e);
    c->n_values--;
    cache_value_unref(e->value);
    e->value = NULL;
}

static int64_t draw_ttl_ms(const struct cache *c, const struct cache_entry *e) {
    int64_t ttl_ms = c->options.ttl_ms;
    if (e->value->negative && ttl_ms > CACHE_NEGATIVE_MS)
        ttl_ms = CACHE_NEGATIVE_MS;
    int64_t jitter_ms = ttl_ms * c->options.jitter_percent / 100;
    uint64_t drawn[] = {(uintptr_t)e, (uint64_t)e->read_ms};
    return ttl_ms - (int64_t)(hash_bytes(drawn, sizeof drawn) % (uint64_t)(jitter_ms + 1));
}

void cache_entry_set(struct cache *c, struct cache_entry *e, struct cache_value *value, int64_t read_ms) {
    cache_entry_clear(c, e);
    e->value = cache_value_ref(value);
    e->dropped = false;
    e->read_ms = read_ms;
    e->ttl_ms = draw_ttl_ms(c, e);
    c->bytes += bytes_of(e);
    c->n_values++;
    DL_APPEND(c->used, e);
    if (value->refreshable)
        DL_APPEND2(c->refreshables, e, refreshable_prev, refreshable_next);
}

/* To the end of its lists. The most looked up entry is there already: nothing to move. */
void cache_entry_touch(struct cache *c, struct cache_entry *e) {
    if (c->used->prev != e) {
        DL_DELETE(c->used, e);
        DL_APPEND(c->used, e);
    }
    if (e->value->refreshable && c->refreshables->refreshable_prev != e) {
        DL_DELETE2(c->refreshables, e, refreshable_prev, refreshable_next);
        DL_APPEND2(c->refreshables, e, refreshable_prev, refreshable_next);
    }
}

bool cache_entry_serves_on_error(const struct cache *c, const struct cache_entry *e, int64_t now_ms) {
    return e->value && !e->value->negative &&
           now_ms - e->read_ms < c->options.ttl_ms + c->options.stale_if_error_ms;
}

bool cache_entry_serves(const struct cache *c, const struct cache_entry *e, int64_t now_ms,
                        enum cache_state *state) {
    if (!e->value)
        return false;
    int64_t age_ms = now_ms - e->read_ms;
    *state = CACHE_FRESH;
    if (!e->dropped && age_ms < e->ttl_ms)
        return true;
    *state = e->failing ? CACHE_STALE_ON_ERROR : CACHE_STALE;
    if (!e->dropped && !e->value->negative && age_ms < c->options.ttl_ms + c->options.stale_ms)
        return true;
    return e->failing && cache_entry_serves_on_error(c, e, now_ms);
}

/* At this age a value can no longer be served. */
static int64_t max_age_ms(const struct cache *c, const struct cache_entry *e) {
    const struct cache_options *o = &c->options;
    int64_t old_ms = o->stale_if_error_ms > o->stale_ms ? o->stale_if_error_ms : o->stale_ms;
    return e->value->negative ? e->ttl_ms : o->ttl_ms + old_ms;
}

void cache_make_room(struct cache *c, int64_t now_ms) {
    for (unsigned swept = 0; c->used;) {
        struct cache_entry *e = c->used;
        bool expired = now_ms - e->read_ms >= max_age_ms(c, e);
        if (c->bytes <= c->options.max_bytes && (!expired || swept++ == CACHE_SWEEP))
            break;
        cache_entry_clear(c, e);
        cache_entry_remove_if_empty(c, e);
        metrics_add(c->removals[expired ? CACHE_REMOVAL_EXPIRED : CACHE_REMOVAL_EVICTED], 1);
    }
}

void cache_publish_size(struct cache *c) {
    metrics_set(c->bytes_gauge, (int64_t)c->bytes);
    metrics_set(c->values_gauge, (int64_t)c->n_values);
}
