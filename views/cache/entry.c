#include "views/cache/entry.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"

static struct metrics_family requests_family = {
    .name = "winner_view_cache_requests_total",
    .help = "Lookups in the cache of the views, by how they ended.",
    .kind = METRICS_COUNTER,
    .labels = {"state"},
};
static struct metrics_family bytes_family = {
    .name = "winner_view_cache_bytes",
    .help = "What the cache of the views holds.",
    .kind = METRICS_GAUGE,
};
static struct metrics_family values_family = {
    .name = "winner_view_cache_entries",
    .help = "Values that the cache of the views holds.",
    .kind = METRICS_GAUGE,
};
static struct metrics_family removals_family = {
    .name = "winner_view_cache_removals_total",
    .help =
        "Values no longer served: to make room (evicted), too old even for when the store fails (expired), "
        "written anew by this process (dropped).",
    .kind = METRICS_COUNTER,
    .labels = {"reason"},
};

void cache_entry_find_series(struct cache *c) {
    static const char *const names[CACHE_COUNTS] = {"hit", "stale", "miss", "coalesced", "error"};
    for (int i = 0; i < CACHE_COUNTS; i++)
        c->counts[i] = METRICS_SERIES(&requests_family, names[i]);
    static const char *const reasons[CACHE_REMOVALS] = {"evicted", "expired", "dropped"};
    for (int i = 0; i < CACHE_REMOVALS; i++)
        c->removals[i] = METRICS_SERIES(&removals_family, reasons[i]);
    c->bytes_gauge = METRICS_SERIES(&bytes_family, NULL);
    c->values_gauge = METRICS_SERIES(&values_family, NULL);
    cache_entry_show_size(c);
}

/* ---- what is kept -------------------------------------------------------------------------------------- */

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

static size_t entry_cost(const struct cache_entry *e) {
    return sizeof *e + e->key_length + 1 + e->value->bytes;
}

/* A value may be the last reference to much memory; its free function takes no lock and does no I/O. */
void cache_entry_clear(struct cache *c, struct cache_entry *e) {
    if (!e->value)
        return;
    DL_DELETE(c->used, e);
    if (e->value->refreshable)
        DL_DELETE2(c->refreshables, e, refreshable_prev, refreshable_next);
    c->bytes -= entry_cost(e);
    c->n_values--;
    cache_value_unref(e->value);
    e->value = NULL;
}

static int64_t ttl_of(const struct cache *c, const struct cache_entry *e) {
    int64_t ttl_ms = c->options.ttl_ms;
    if (e->value->negative && ttl_ms > CACHE_NEGATIVE_MS)
        ttl_ms = CACHE_NEGATIVE_MS;
    int64_t jitter_ms = ttl_ms * c->options.jitter_percent / 100;
    uint64_t drawn[] = {(uintptr_t)e, (uint64_t)e->born_ms};
    return ttl_ms - (int64_t)(hash_bytes(drawn, sizeof drawn) % (uint64_t)(jitter_ms + 1));
}

void cache_entry_set(struct cache *c, struct cache_entry *e, struct cache_value *value, int64_t born_ms) {
    cache_entry_clear(c, e);
    e->value = cache_value_ref(value);
    e->dropped = false;
    e->born_ms = born_ms;
    e->ttl_ms = ttl_of(c, e);
    c->bytes += entry_cost(e);
    c->n_values++;
    DL_APPEND(c->used, e);
    if (value->refreshable)
        DL_APPEND2(c->refreshables, e, refreshable_prev, refreshable_next);
}

void cache_entry_remove_if_empty(struct cache *c, struct cache_entry *e) {
    if (e->value || e->load)
        return;
    HASH_DEL(c->entries, e);
    free(e);
}

/* For how long after it was born a value may be served at all. */
static int64_t life_ms(const struct cache *c, const struct cache_entry *e) {
    const struct cache_options *o = &c->options;
    int64_t old_ms = o->stale_if_error_ms > o->stale_ms ? o->stale_if_error_ms : o->stale_ms;
    return e->value->negative ? e->ttl_ms : o->ttl_ms + old_ms;
}

void cache_entry_make_room(struct cache *c, int64_t now_ms) {
    for (unsigned swept = 0; c->used;) {
        struct cache_entry *e = c->used;
        bool expired = now_ms - e->born_ms >= life_ms(c, e);
        if (c->bytes <= c->options.max_bytes && (!expired || swept++ == CACHE_SWEEP))
            break;
        cache_entry_clear(c, e);
        cache_entry_remove_if_empty(c, e);
        metrics_add(c->removals[expired ? CACHE_REMOVAL_EXPIRED : CACHE_REMOVAL_EVICTED], 1);
    }
}

void cache_entry_show_size(struct cache *c) {
    metrics_set(c->bytes_gauge, (int64_t)c->bytes);
    metrics_set(c->values_gauge, (int64_t)c->n_values);
}

/* The hottest entry is the last one already: nothing to move. */
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
           now_ms - e->born_ms < c->options.ttl_ms + c->options.stale_if_error_ms;
}

bool cache_entry_serves_now(const struct cache *c, const struct cache_entry *e, int64_t now_ms,
                            enum cache_state *state) {
    if (!e->value)
        return false;
    int64_t age_ms = now_ms - e->born_ms;
    *state = CACHE_FRESH;
    if (!e->dropped && age_ms < e->ttl_ms)
        return true;
    *state = e->failing ? CACHE_STALE_ON_ERROR : CACHE_STALE;
    if (!e->dropped && !e->value->negative && age_ms < c->options.ttl_ms + c->options.stale_ms)
        return true;
    return e->failing && cache_entry_serves_on_error(c, e, now_ms);
}
