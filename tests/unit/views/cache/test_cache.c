#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "views/cache/internal.h"

/* Time is a number here; loads are taken and finished by hand. */

struct number {
    struct cache_value kept; /* first */
    int value;
};

static int alive; /* numbers not freed yet */

static void free_number(struct cache_value *value) {
    alive--;
    free(value);
}

static struct cache_value *number(int value, size_t bytes) {
    struct number *n = mem_alloc(sizeof *n);
    cache_value_init(&n->kept, free_number);
    n->kept.bytes = bytes;
    n->kept.keep = true;
    n->value = value;
    alive++;
    return &n->kept;
}

struct waiter {
    struct cache_waiter waiter; /* first */
    int calls;
    int value; /* -1: failed */
    enum cache_state state;
    int64_t age_ms;
    enum status status;
};

static int value_of(const struct cache_result *result) {
    return result->value ? ((struct number *)result->value)->value : -1;
}

static void on_ready(struct cache_waiter *waiter, const struct cache_result *result) {
    struct waiter *w = (struct waiter *)waiter;
    w->calls++;
    w->value = value_of(result);
    w->state = result->state;
    w->age_ms = result->age_ms;
    w->status = result->value ? STATUS_OK : result->error->status;
    cache_value_unref(result->value);
}

static const struct cache_options options = {
    .max_bytes = 1 << 20, .ttl_ms = 1000, .stale_ms = 10000, .stale_if_error_ms = 300000};

static int setup(void **state) {
    *state = cache_new(&options);
    return 0;
}

static int teardown(void **state) {
    cache_free(*state);
    return alive ? -1 : 0;
}

/* The value and state of a lookup that must be a hit. */
static int hit(struct cache *c, const char *key, int64_t now_ms, enum cache_state *state) {
    struct cache_result result;
    struct waiter unused = {.waiter.ready = on_ready};
    assert_int_equal(cache_lookup(c, key, strlen(key), now_ms, &unused.waiter, &result), CACHE_HIT);
    *state = result.state;
    int value = value_of(&result);
    cache_value_unref(result.value);
    return value;
}

static void assert_hit(struct cache *c, const char *key, int64_t now_ms, int value, enum cache_state state) {
    enum cache_state got;
    assert_int_equal(hit(c, key, now_ms, &got), value);
    assert_int_equal(got, state);
}

static void begin_wait(struct cache *c, const char *key, int64_t now_ms, struct waiter *w) {
    struct cache_result result;
    memset(w, 0, sizeof *w);
    w->waiter.ready = on_ready;
    assert_int_equal(cache_lookup(c, key, strlen(key), now_ms, &w->waiter, &result), CACHE_WAIT);
    assert_int_equal(w->calls, 0);
}

static void finish(struct cache *c, struct cache_load *load, struct cache_value *value, int64_t now_ms) {
    struct error e;
    error_set(&e, STATUS_RETRY, "scripted");
    cache_finish(c, load, value, &e, now_ms);
}

static void run_next(struct cache *c, struct cache_value *value, int64_t now_ms) {
    struct cache_load *load = cache_take(c, now_ms);
    assert_non_null(load);
    finish(c, load, value, now_ms);
}

/* Puts a value in, loaded at `now_ms`. */
static void fill(struct cache *c, const char *key, struct cache_value *value, int64_t now_ms) {
    struct waiter w;
    begin_wait(c, key, now_ms, &w);
    run_next(c, value, now_ms);
    assert_int_equal(w.calls, 1);
}

static void assert_no_load(struct cache *c, int64_t now_ms) {
    assert_null(cache_take(c, now_ms));
    assert_false(cache_is_loading(c));
}

static void the_first_lookup_starts_a_load_and_later_lookups_wait_for_it(void **state) {
    struct cache *c = *state;
    struct waiter w[5];
    for (int i = 0; i < 5; i++)
        begin_wait(c, "k", i, &w[i]);
    struct cache_load *load = cache_take(c, 10);
    assert_null(cache_take(c, 10));
    assert_int_equal(load->key_length, 1);
    assert_string_equal(load->key, "k");
    finish(c, load, number(7, 1), 30);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(w[i].calls, 1);
        assert_int_equal(w[i].value, 7);
        assert_int_equal(w[i].age_ms, 20);
        assert_int_equal(w[i].state, i ? CACHE_COLLAPSED : CACHE_LOADED);
    }
}

static void a_value_is_fresh_for_its_ttl_from_the_start_of_its_load(void **state) {
    struct cache *c = *state;
    struct waiter w;
    begin_wait(c, "k", 0, &w);
    struct cache_load *load = cache_take(c, 100);
    finish(c, load, number(7, 1), 400);
    assert_hit(c, "k", 1099, 7, CACHE_FRESH);
    assert_no_load(c, 1099);
    assert_hit(c, "k", 1100, 7, CACHE_STALE);
}

static void a_stale_value_is_served_at_once_while_one_load_refreshes_it(void **state) {
    struct cache *c = *state;
    fill(c, "k", number(1, 1), 0);
    assert_hit(c, "k", 5000, 1, CACHE_STALE);
    assert_hit(c, "k", 5001, 1, CACHE_STALE);
    struct cache_load *load = cache_take(c, 5002);
    assert_null(cache_take(c, 5002));
    assert_hit(c, "k", 5003, 1, CACHE_STALE);
    finish(c, load, number(2, 1), 5004);
    assert_hit(c, "k", 5005, 2, CACHE_FRESH);
    assert_no_load(c, 5005);
}

static void a_lookup_waits_if_the_value_is_too_old_to_be_stale(void **state) {
    struct cache *c = *state;
    struct waiter w;
    fill(c, "k", number(1, 1), 0);
    begin_wait(c, "k", 11000, &w);
    run_next(c, number(2, 1), 11000);
    assert_int_equal(w.value, 2);
}

static void if_the_store_fails_an_old_value_is_served_as_stale_on_error(void **state) {
    struct cache *c = *state;
    struct waiter w;
    fill(c, "k", number(1, 1), 0);
    begin_wait(c, "k", 300000, &w);
    run_next(c, NULL, 300000);
    assert_int_equal(w.value, 1);
    assert_int_equal(w.state, CACHE_STALE_ON_ERROR);
    assert_int_equal(w.age_ms, 300000);

    begin_wait(c, "k", 301000, &w); /* ttl + stale-if-error: too old even for that */
    run_next(c, NULL, 301000);
    assert_int_equal(w.value, -1);
    assert_int_equal(w.status, STATUS_RETRY);
}

static void the_next_load_after_a_failed_one_is_delayed(void **state) {
    struct cache *c = *state;
    fill(c, "k", number(1, 1), 0);
    assert_hit(c, "k", 2000, 1, CACHE_STALE);
    run_next(c, NULL, 2000);
    assert_hit(c, "k", 2999, 1, CACHE_STALE_ON_ERROR);
    assert_no_load(c, 2999);
    assert_hit(c, "k", 3000, 1, CACHE_STALE_ON_ERROR);
    run_next(c, NULL, 3500);
    assert_hit(c, "k", 4499, 1, CACHE_STALE_ON_ERROR);
    assert_no_load(c, 4499);
    assert_hit(c, "k", 4500, 1, CACHE_STALE_ON_ERROR);
    run_next(c, number(2, 1), 4500);
    assert_hit(c, "k", 4501, 2, CACHE_FRESH);
}

/* After the first lookup has waited for the failure. */
static void while_the_store_fails_an_old_value_is_served_at_once(void **state) {
    struct cache *c = *state;
    struct waiter w;
    fill(c, "k", number(1, 1), 0);
    begin_wait(c, "k", 20000, &w);
    run_next(c, NULL, 20000);
    assert_int_equal(w.value, 1);
    for (int64_t now_ms = 21000; now_ms < 290000; now_ms += 1000) {
        assert_hit(c, "k", now_ms, 1, CACHE_STALE_ON_ERROR);
        struct cache_load *load = cache_take(c, now_ms); /* it hangs */
        assert_non_null(load);
        assert_hit(c, "k", now_ms + LIMIT_LOAD_MS - 1, 1, CACHE_STALE_ON_ERROR);
        cache_expire(c, now_ms + LIMIT_LOAD_MS);
        finish(c, load, NULL, now_ms + LIMIT_LOAD_MS);
        now_ms += LIMIT_LOAD_MS;
    }
    begin_wait(c, "k", 301000, &w); /* beyond stale-if-error */
    run_next(c, number(2, 1), 301000);
    assert_hit(c, "k", 301001, 2, CACHE_FRESH);
    begin_wait(c, "k", 320000, &w); /* the load succeeded: lookups wait again */
    run_next(c, number(3, 1), 320000);
    assert_int_equal(w.value, 3);
}

static void a_lookup_that_has_an_old_value_waits_no_longer_than_the_soft_timeout(void **state) {
    struct cache *c = *state;
    struct waiter first, second, missing;
    fill(c, "k", number(1, 1), 0);
    begin_wait(c, "k", 20000, &first);
    begin_wait(c, "k", 20100, &second);
    begin_wait(c, "never read", 20000, &missing);
    struct cache_load *load = cache_take(c, 20000);
    cache_expire(c, 20000 + CACHE_SOFT_TIMEOUT_MS - 1);
    assert_int_equal(first.calls, 0);
    cache_expire(c, 20000 + CACHE_SOFT_TIMEOUT_MS);
    assert_int_equal(first.value, 1);
    assert_int_equal(first.state, CACHE_STALE_ON_ERROR);
    assert_int_equal(first.age_ms, 20000 + CACHE_SOFT_TIMEOUT_MS);
    assert_int_equal(second.calls + missing.calls, 0);  /* not due yet; `missing` has no old value */
    assert_hit(c, "k", 20501, 1, CACHE_STALE_ON_ERROR); /* later lookups do not wait */
    cache_expire(c, 20100 + CACHE_SOFT_TIMEOUT_MS);
    assert_int_equal(second.value, 1);
    finish(c, load, number(2, 1), 20900); /* slow, not failed */
    assert_hit(c, "k", 20901, 2, CACHE_FRESH);
    cache_expire(c, 20000 + LIMIT_LOAD_MS);
    assert_int_equal(missing.value, -1);
}

static void the_soft_timeout_also_applies_to_a_load_that_waits_for_a_thread(void **state) {
    struct cache *c = *state;
    struct waiter w;
    fill(c, "k", number(1, 1), 0);
    begin_wait(c, "k", 20000, &w);
    cache_expire(c, 20000 + CACHE_SOFT_TIMEOUT_MS);
    assert_int_equal(w.value, 1);
    run_next(c, number(2, 1), 20600);
    assert_hit(c, "k", 20601, 2, CACHE_FRESH);
}

/* The reader of its own write waits for the load. */
static void a_dropped_value_is_not_served_before_the_load_has_failed(void **state) {
    struct cache *c = *state;
    struct waiter before, after;
    fill(c, "k", number(1, 1), 0);
    begin_wait(c, "k", 20000, &before);
    struct cache_load *load = cache_take(c, 20000);
    cache_drop(c, "k", 1);
    begin_wait(c, "k", 20001, &after);
    cache_expire(c, 20000 + LIMIT_LOAD_MS - 1);
    assert_int_equal(before.calls + after.calls, 0);
    cache_expire(c, 20000 + LIMIT_LOAD_MS);
    assert_int_equal(before.state, CACHE_STALE_ON_ERROR);
    assert_int_equal(after.value, 1);
    finish(c, load, NULL, 30000);
}

static void after_a_write_the_next_lookup_loads_although_the_last_load_failed(void **state) {
    struct cache *c = *state;
    struct waiter w;
    fill(c, "k", number(1, 1), 0);
    assert_hit(c, "k", 2000, 1, CACHE_STALE);
    run_next(c, NULL, 2000);
    assert_hit(c, "k", 2001, 1, CACHE_STALE_ON_ERROR);
    cache_drop(c, "k", 1);
    begin_wait(c, "k", 2002, &w);
    run_next(c, number(2, 1), 2003);
    assert_int_equal(w.value, 2);
}

static enum cache_lookup look_up_fresh(struct cache *c, const char *key, int64_t now_ms, struct waiter *w) {
    struct cache_result result;
    memset(w, 0, sizeof *w);
    w->waiter.ready = on_ready;
    enum cache_lookup outcome = cache_lookup_fresh(c, key, strlen(key), now_ms, &w->waiter, &result);
    if (outcome == CACHE_HIT)
        on_ready(&w->waiter, &result);
    return outcome;
}

static void a_fresh_lookup_waits_for_the_load_that_refreshes_a_stale_value(void **state) {
    struct cache *c = *state;
    struct waiter w, other;
    fill(c, "k", number(1, 1), 0);
    assert_int_equal(look_up_fresh(c, "k", 999, &w), CACHE_HIT); /* within its ttl */
    assert_int_equal(w.state, CACHE_FRESH);
    assert_hit(c, "k", 2000, 1, CACHE_STALE);
    assert_int_equal(look_up_fresh(c, "k", 2000, &w), CACHE_WAIT);
    assert_int_equal(look_up_fresh(c, "k", 2000, &other), CACHE_WAIT);
    run_next(c, number(2, 1), 2010);
    assert_null(cache_take(c, 2011)); /* it shared the refresh */
    assert_int_equal(w.value + other.value, 4);

    assert_int_equal(look_up_fresh(c, "k", 4000, &w), CACHE_WAIT);
    run_next(c, NULL, 4010);
    assert_int_equal(w.value, 2);
    assert_int_equal(w.state, CACHE_STALE_ON_ERROR);
    assert_int_equal(look_up_fresh(c, "k", 4011, &w), CACHE_HIT); /* the store fails: no wait */
    assert_int_equal(w.state, CACHE_STALE_ON_ERROR);
}

static void a_failed_load_is_not_kept_in_the_cache(void **state) {
    struct cache *c = *state;
    struct waiter w;
    begin_wait(c, "k", 0, &w);
    run_next(c, NULL, 0);
    assert_int_equal(w.value, -1);
    begin_wait(c, "k", 0, &w);
    run_next(c, number(1, 1), 0);
    assert_int_equal(w.value, 1);
}

static void a_value_that_must_not_be_kept_is_given_only_to_waiting_lookups(void **state) {
    struct cache *c = *state;
    struct waiter w;
    struct cache_value *value = number(1, 1);
    value->keep = false;
    fill(c, "k", value, 0);
    begin_wait(c, "k", 1, &w);
    run_next(c, number(2, 1), 1);
    assert_int_equal(w.value, 2);
}

static void a_negative_value_is_kept_no_longer_than_the_ttl_and_never_served_stale(void **state) {
    struct cache *c = *state;
    struct waiter w;
    struct cache_value *value = number(404, 1);
    value->negative = true;
    fill(c, "k", value, 0);
    assert_hit(c, "k", 999, 404, CACHE_FRESH);
    begin_wait(c, "k", 1000, &w);
    run_next(c, NULL, 1000);
    assert_int_equal(w.value, -1); /* not even if the store fails */
}

static void a_long_ttl_does_not_keep_a_negative_value(void **state) {
    (void)state;
    struct cache_options long_ttl = options;
    long_ttl.ttl_ms = 60000;
    struct cache *c = cache_new(&long_ttl);
    struct cache_value *value = number(404, 1);
    struct waiter w;
    value->negative = true;
    fill(c, "k", value, 0);
    begin_wait(c, "k", CACHE_NEGATIVE_MS, &w);
    run_next(c, number(1, 1), CACHE_NEGATIVE_MS);
    assert_int_equal(w.value, 1);
    cache_free(c);
}

static void values_that_were_loaded_at_once_do_not_expire_at_once(void **state) {
    (void)state;
    struct cache_options jittered = options;
    jittered.jitter_percent = 10;
    struct cache *c = cache_new(&jittered);
    char key[16];
    int stale = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "%d", i);
        fill(c, key, number(i, 1), 0);
    }
    for (int i = 0; i < 100; i++) {
        enum cache_state at_950;
        snprintf(key, sizeof key, "%d", i);
        assert_hit(c, key, 899, i, CACHE_FRESH);
        assert_int_equal(hit(c, key, 950, &at_950), i);
        stale += at_950 == CACHE_STALE;
        assert_hit(c, key, 1000, i, CACHE_STALE);
    }
    assert_in_range(stale, 20, 80); /* half of them; the bounds fail in less than one of a million runs */
    for (struct cache_load *load; (load = cache_take(c, 1000));)
        finish(c, load, NULL, 1000);
    cache_free(c);
}

static int peeked(struct cache *c, const char *key, int64_t now_ms) {
    struct cache_value *value = cache_peek(c, key, strlen(key), now_ms);
    int got = value ? ((struct number *)value)->value : -1;
    cache_value_unref(value);
    return got;
}

static void only_a_fresh_value_can_be_peeked_at_and_that_causes_no_load(void **state) {
    struct cache *c = *state;
    assert_int_equal(peeked(c, "k", 0), -1);
    fill(c, "k", number(1, 100), 0);
    assert_int_equal(peeked(c, "k", options.ttl_ms - 1), 1);
    assert_int_equal(peeked(c, "k", options.ttl_ms), -1);
    assert_no_load(c, options.ttl_ms);
    cache_drop(c, "k", 1);
    assert_int_equal(peeked(c, "k", 1), -1);
}

static void a_lookup_of_a_dropped_value_waits_for_a_load(void **state) {
    struct cache *c = *state;
    struct waiter w;
    fill(c, "k", number(1, 1), 0);
    cache_drop(c, "other", 5);
    assert_hit(c, "k", 1, 1, CACHE_FRESH);
    cache_drop(c, "k", 1);
    begin_wait(c, "k", 2, &w);
    run_next(c, number(2, 1), 3);
    assert_int_equal(w.value, 2);
    assert_hit(c, "k", 4, 2, CACHE_FRESH);
}

static void a_dropped_value_is_served_if_the_store_fails(void **state) {
    struct cache *c = *state;
    struct waiter w;
    fill(c, "k", number(1, 1), 0);
    cache_drop(c, "k", 1);
    begin_wait(c, "k", 2, &w);
    run_next(c, NULL, 3);
    assert_int_equal(w.value, 1);
    assert_int_equal(w.state, CACHE_STALE_ON_ERROR);
}

static void a_load_that_began_before_a_drop_is_not_given_to_a_lookup_after_it(void **state) {
    struct cache *c = *state;
    struct waiter before, after, later;
    begin_wait(c, "k", 0, &before);
    struct cache_load *load = cache_take(c, 1);
    cache_drop(c, "k", 1);
    begin_wait(c, "k", 2, &after);
    begin_wait(c, "k", 2, &later);
    assert_null(cache_take(c, 2)); /* still one load at a time */
    finish(c, load, number(1, 1), 3);
    assert_int_equal(before.value, 1);
    assert_int_equal(after.calls + later.calls, 0);
    run_next(c, number(2, 1), 4);
    assert_int_equal(after.value, 2);
    assert_int_equal(after.state, CACHE_LOADED);
    assert_int_equal(later.state, CACHE_COLLAPSED);
    assert_hit(c, "k", 5, 2, CACHE_FRESH);
}

static void a_load_that_began_before_a_drop_is_not_kept(void **state) {
    struct cache *c = *state;
    struct waiter w;
    begin_wait(c, "k", 0, &w);
    struct cache_load *load = cache_take(c, 1);
    cache_drop(c, "k", 1);
    finish(c, load, number(1, 1), 3);
    assert_int_equal(w.value, 1);
    begin_wait(c, "k", 4, &w);
    run_next(c, number(2, 1), 5);
    assert_int_equal(w.value, 2);
}

static void a_load_that_has_not_begun_to_read_is_not_outdated_by_a_drop(void **state) {
    struct cache *c = *state;
    struct waiter before, after;
    begin_wait(c, "k", 0, &before);
    cache_drop(c, "k", 1);
    begin_wait(c, "k", 1, &after);
    run_next(c, number(2, 1), 2);
    assert_int_equal(before.value, 2);
    assert_int_equal(after.value, 2);
    assert_hit(c, "k", 3, 2, CACHE_FRESH);
    assert_no_load(c, 3);
}

static struct cache_value *board(int value) {
    struct cache_value *v = number(value, 1);
    v->refreshable = true;
    return v;
}

static void a_mark_refreshes_fresh_boards_in_the_background(void **state) {
    struct cache *c = *state;
    fill(c, "board", board(1), 0);
    fill(c, "row", number(5, 1), 0);
    assert_false(cache_is_marked(c));
    cache_mark(c);
    assert_true(cache_is_marked(c));
    cache_refresh(c, 300);
    assert_false(cache_is_marked(c));
    struct cache_load *load = cache_take(c, 301);
    assert_string_equal(load->key, "board");
    assert_null(cache_take(c, 301));
    assert_hit(c, "board", 302, 1, CACHE_FRESH);
    finish(c, load, board(2), 303);
    assert_hit(c, "board", 304, 2, CACHE_FRESH);
    assert_no_load(c, 304);
}

static void many_marks_make_one_refresh_in_200_ms(void **state) {
    struct cache *c = *state;
    fill(c, "board", board(1), 0);
    for (int64_t now_ms = 1; now_ms < CACHE_REFRESH_MS; now_ms += 10) {
        cache_mark(c);
        cache_refresh(c, now_ms);
        assert_hit(c, "board", now_ms, 1, CACHE_FRESH);
        assert_null(cache_take(c, now_ms));
        assert_true(cache_is_marked(c)); /* still set */
    }
    cache_refresh(c, CACHE_REFRESH_MS);
    run_next(c, board(2), CACHE_REFRESH_MS);
    assert_false(cache_is_marked(c));
    cache_refresh(c, 3 * CACHE_REFRESH_MS);
    assert_no_load(c, 3 * CACHE_REFRESH_MS);
}

static void a_mark_during_a_load_causes_another_load(void **state) {
    struct cache *c = *state;
    fill(c, "board", board(1), 0);
    cache_mark(c);
    cache_refresh(c, 200);
    struct cache_load *load = cache_take(c, 200);
    cache_mark(c);
    cache_refresh(c, 210);
    finish(c, load, board(2), 220);
    assert_hit(c, "board", 221, 2, CACHE_FRESH);
    assert_true(cache_is_marked(c));
    cache_refresh(c, 400);
    run_next(c, board(3), 400);
    assert_hit(c, "board", 401, 3, CACHE_FRESH);
}

static void a_lookup_of_a_marked_board_also_refreshes_it(void **state) {
    struct cache *c = *state;
    fill(c, "board", board(1), 0);
    cache_mark(c);
    assert_hit(c, "board", 199, 1, CACHE_FRESH);
    assert_null(cache_take(c, 199));
    assert_hit(c, "board", 200, 1, CACHE_FRESH);
    run_next(c, board(2), 200);
    assert_hit(c, "board", 201, 2, CACHE_FRESH);
}

static void a_marked_board_without_recent_lookups_is_not_refreshed(void **state) {
    struct cache *c = *state;
    fill(c, "board", board(1), 0);
    cache_mark(c);
    cache_refresh(c, 10001);
    assert_no_load(c, 10001);
}

static void one_mark_refreshes_a_bounded_number_of_boards(void **state) {
    struct cache *c = *state;
    char key[16];
    for (int i = 0; i < 2 * CACHE_REFRESH_KEYS; i++) {
        snprintf(key, sizeof key, "%d", i);
        fill(c, key, board(i), 0);
    }
    cache_mark(c);
    cache_refresh(c, 300);
    int loads = 0;
    for (struct cache_load *load; (load = cache_take(c, 300)); loads++)
        finish(c, load, board(0), 300);
    assert_int_equal(loads, CACHE_REFRESH_KEYS);
}

static void the_least_recently_used_values_are_evicted(void **state) {
    (void)state;
    struct cache_options small = options;
    small.max_bytes = 10000;
    struct cache *c = cache_new(&small);
    struct waiter w;
    fill(c, "a", number(1, 4000), 0);
    fill(c, "b", number(2, 4000), 0);
    assert_hit(c, "a", 1, 1, CACHE_FRESH);
    fill(c, "c", number(3, 4000), 2);
    assert_hit(c, "a", 3, 1, CACHE_FRESH);
    assert_hit(c, "c", 3, 3, CACHE_FRESH);
    begin_wait(c, "b", 3, &w);
    run_next(c, number(4, 20000), 4); /* larger than the cache: given, not kept */
    assert_int_equal(w.value, 4);
    assert_int_equal(alive, 0);
    cache_free(c);
}

/* The value of one of the cache's series, as Prometheus reads it. */
static long long metric(const char *series) {
    struct buffer text;
    buffer_init(&text, LIMIT_METRICS_TEXT_BYTES);
    metrics_write(&text);
    char *all = buffer_detach(&text), wanted[128];
    snprintf(wanted, sizeof wanted, "\nwinner_view_cache_%s ", series);
    const char *found = strstr(all, wanted);
    long long value = found ? strtoll(found + strlen(wanted), NULL, 10) : -1;
    free(all);
    return value;
}

#define REMOVED(reason) metric("removals_total{reason=\"" reason "\"}")
#define ENDED(state) metric("requests_total{state=\"" state "\"}")

static void evicted_expired_and_dropped_values_are_counted_by_reason(void **state) {
    (void)state;
    struct cache_options small = options;
    small.max_bytes = 10000;
    struct cache *c = cache_new(&small);
    long long evicted = REMOVED("evicted"), expired = REMOVED("expired"), dropped = REMOVED("dropped");
    fill(c, "a", number(1, 4000), 0);
    fill(c, "b", number(2, 4000), 0);
    assert_int_equal(metric("entries"), 2);
    assert_in_range(metric("bytes"), 8000, 10000);
    fill(c, "c", number(3, 4000), 1);
    assert_int_equal(REMOVED("evicted"), evicted + 1);
    cache_drop(c, "b", 1);
    cache_drop(c, "b", 1);
    cache_drop(c, "never looked up", 15);
    assert_int_equal(REMOVED("dropped"), dropped + 1);
    fill(c, "d", number(4, 1), 301001); /* there is room, but the others are too old */
    assert_int_equal(REMOVED("expired"), expired + 2);
    assert_int_equal(metric("entries"), 1);
    assert_int_equal(REMOVED("evicted"), evicted + 1);
    cache_free(c);
}

static void lookups_are_counted_by_result(void **state) {
    struct cache *c = *state;
    struct waiter w[2];
    long long hits = ENDED("hit"), stale = ENDED("stale"), misses = ENDED("miss"),
              coalesced = ENDED("coalesced"), errors = ENDED("error");
    begin_wait(c, "k", 0, &w[0]);
    begin_wait(c, "k", 0, &w[1]);
    run_next(c, number(1, 1), 0);
    assert_hit(c, "k", 1, 1, CACHE_FRESH);
    assert_hit(c, "k", 1000, 1, CACHE_STALE);
    run_next(c, NULL, 1000);
    assert_hit(c, "k", 1001, 1, CACHE_STALE_ON_ERROR);
    begin_wait(c, "none", 0, &w[0]);
    run_next(c, NULL, 0);
    assert_int_equal(ENDED("hit"), hits + 1);
    assert_int_equal(ENDED("stale"), stale + 1);
    assert_int_equal(ENDED("miss"), misses + 1);
    assert_int_equal(ENDED("coalesced"), coalesced + 1);
    assert_int_equal(ENDED("error"), errors + 2);
}

static void a_value_with_a_reference_is_valid_after_its_eviction(void **state) {
    (void)state;
    struct cache_options small = options;
    small.max_bytes = 5000;
    struct cache *c = cache_new(&small);
    struct cache_result held;
    struct waiter unused;
    fill(c, "a", number(1, 4000), 0);
    assert_int_equal(cache_lookup(c, "a", 1, 1, &unused.waiter, &held), CACHE_HIT);
    fill(c, "b", number(2, 4000), 2);
    cache_free(c);
    assert_int_equal(value_of(&held), 1);
    cache_value_unref(held.value);
    assert_int_equal(alive, 0);
}

static void loads_beyond_the_queue_limit_are_refused(void **state) {
    struct cache *c = *state;
    static struct waiter w[LIMIT_LOADS_WAITING], joins;
    struct waiter refused = {.waiter.ready = on_ready};
    struct cache_result result;
    char key[16];
    for (int i = 0; i < LIMIT_LOADS_WAITING; i++) {
        snprintf(key, sizeof key, "%d", i);
        begin_wait(c, key, 0, &w[i]);
    }
    assert_int_equal(cache_lookup(c, "x", 1, 0, &refused.waiter, &result), CACHE_OVERLOADED);
    begin_wait(c, "0", 0, &joins); /* joins a queued load */
    struct cache_load *load = cache_take(c, 0);
    begin_wait(c, "x", 0, &refused);
    finish(c, load, number(1, 1), 0);
    cache_expire(c, LIMIT_LOAD_MS);
    assert_int_equal(refused.calls + w[1].calls + w[0].calls + joins.calls, 4);
}

static void a_load_after_its_deadline_has_failed_for_all_its_waiters(void **state) {
    struct cache *c = *state;
    struct waiter running, late, queued, again;
    begin_wait(c, "k", 0, &running);
    struct cache_load *load = cache_take(c, 1);
    assert_int_equal(load->deadline_ms, LIMIT_LOAD_MS);
    cache_drop(c, "k", 1);
    begin_wait(c, "k", 2, &late);
    begin_wait(c, "q", 3, &queued);
    cache_expire(c, LIMIT_LOAD_MS - 1);
    assert_int_equal(running.calls + late.calls + queued.calls, 0);
    cache_expire(c, LIMIT_LOAD_MS);
    assert_int_equal(running.status, STATUS_RETRY);
    assert_int_equal(late.calls, 1);
    assert_int_equal(queued.calls, 0);
    cache_expire(c, LIMIT_LOAD_MS + 3);
    assert_int_equal(queued.calls, 1);

    begin_wait(c, "k", 5000, &again); /* a load that hangs does not block the next */
    run_next(c, number(2, 1), 5001);
    assert_int_equal(again.value, 2);
    finish(c, load, number(1, 1), 6000); /* its late result is thrown away */
    assert_hit(c, "k", 6000, 2, CACHE_FRESH);
    assert_int_equal(running.calls, 1);
}

static size_t queued_loads;

static void on_work(struct cache *c, size_t loads) {
    (void)c;
    queued_loads += loads;
}

static void each_queued_load_is_reported_once(void **state) {
    struct cache *c = *state;
    struct waiter w[3];
    queued_loads = 0;
    c->on_work = on_work;
    begin_wait(c, "a", 0, &w[0]);
    begin_wait(c, "a", 0, &w[1]);
    assert_int_equal(queued_loads, 1);
    struct cache_load *load = cache_take(c, 0);
    cache_drop(c, "a", 1);
    begin_wait(c, "a", 0, &w[2]);
    assert_int_equal(queued_loads, 1);
    finish(c, load, number(1, 1), 0);
    assert_int_equal(queued_loads, 2);
    run_next(c, number(1, 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_first_lookup_starts_a_load_and_later_lookups_wait_for_it),
        TEST(a_value_is_fresh_for_its_ttl_from_the_start_of_its_load),
        TEST(a_stale_value_is_served_at_once_while_one_load_refreshes_it),
        TEST(a_lookup_waits_if_the_value_is_too_old_to_be_stale),
        TEST(if_the_store_fails_an_old_value_is_served_as_stale_on_error),
        TEST(the_next_load_after_a_failed_one_is_delayed),
        TEST(while_the_store_fails_an_old_value_is_served_at_once),
        TEST(a_lookup_that_has_an_old_value_waits_no_longer_than_the_soft_timeout),
        TEST(the_soft_timeout_also_applies_to_a_load_that_waits_for_a_thread),
        TEST(a_dropped_value_is_not_served_before_the_load_has_failed),
        TEST(after_a_write_the_next_lookup_loads_although_the_last_load_failed),
        TEST(a_fresh_lookup_waits_for_the_load_that_refreshes_a_stale_value),
        TEST(a_failed_load_is_not_kept_in_the_cache),
        TEST(a_value_that_must_not_be_kept_is_given_only_to_waiting_lookups),
        TEST(a_negative_value_is_kept_no_longer_than_the_ttl_and_never_served_stale),
        TEST(a_long_ttl_does_not_keep_a_negative_value),
        TEST(values_that_were_loaded_at_once_do_not_expire_at_once),
        TEST(only_a_fresh_value_can_be_peeked_at_and_that_causes_no_load),
        TEST(a_lookup_of_a_dropped_value_waits_for_a_load),
        TEST(a_dropped_value_is_served_if_the_store_fails),
        TEST(a_load_that_began_before_a_drop_is_not_given_to_a_lookup_after_it),
        TEST(a_load_that_began_before_a_drop_is_not_kept),
        TEST(a_load_that_has_not_begun_to_read_is_not_outdated_by_a_drop),
        TEST(a_mark_refreshes_fresh_boards_in_the_background),
        TEST(many_marks_make_one_refresh_in_200_ms),
        TEST(a_mark_during_a_load_causes_another_load),
        TEST(a_lookup_of_a_marked_board_also_refreshes_it),
        TEST(a_marked_board_without_recent_lookups_is_not_refreshed),
        TEST(one_mark_refreshes_a_bounded_number_of_boards),
        TEST(the_least_recently_used_values_are_evicted),
        TEST(evicted_expired_and_dropped_values_are_counted_by_reason),
        TEST(lookups_are_counted_by_result),
        TEST(a_value_with_a_reference_is_valid_after_its_eviction),
        TEST(loads_beyond_the_queue_limit_are_refused),
        TEST(a_load_after_its_deadline_has_failed_for_all_its_waiters),
        TEST(each_queued_load_is_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
