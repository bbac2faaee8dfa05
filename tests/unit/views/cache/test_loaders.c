#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/cache/cache.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int loads, answered, failed;
static bool holding;

static const struct cache_options options = {
    .max_bytes = 1 << 20, .ttl_ms = 600000, .stale_ms = 600000, .stale_if_error_ms = 600000};

static void free_value(struct cache_value *value) {
    free(value);
}

static void await(const int *counter, int n) {
    pthread_mutex_lock(&lock);
    while (*counter < n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void count(int *counter) {
    pthread_mutex_lock(&lock);
    ++*counter;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void set_holding(bool hold) {
    pthread_mutex_lock(&lock);
    holding = hold;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Keys that begin with "f" fail; all are refreshable. */
static enum status load(void *context, const char *key, size_t key_length, int64_t deadline_ms,
                        struct cache_value **value, struct error *e) {
    assert_ptr_equal(context, &loads);
    assert_int_equal(strlen(key), key_length);
    assert_true(deadline_ms - clock_boot_ms() <= LIMIT_LOAD_MS);
    count(&loads);
    pthread_mutex_lock(&lock);
    while (holding)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    if (*key == 'f')
        return error_set(e, STATUS_FAILED, "scripted");
    *value = mem_alloc(sizeof **value);
    cache_value_init(*value, free_value);
    (*value)->bytes = 1;
    (*value)->keep = (*value)->refreshable = true;
    return STATUS_OK;
}

static void on_ready(struct cache_waiter *waiter, const struct cache_result *result) {
    (void)waiter;
    if (!result->value)
        count(&failed);
    cache_value_unref(result->value);
    count(&answered);
}

static struct cache_waiter waiters[64];

static void ask(struct cache *c, const char *key, int i) {
    struct cache_result result;
    waiters[i].ready = on_ready;
    assert_int_equal(cache_lookup(c, key, strlen(key), clock_boot_ms(), &waiters[i], &result), CACHE_WAIT);
}

static struct cache *start(const struct cache_options *with) {
    struct error e;
    loads = answered = failed = 0;
    struct cache *c = cache_new(with);
    assert_int_equal(cache_start(c, load, &loads, &e), STATUS_OK);
    return c;
}

static void stop(struct cache *c) {
    cache_stop(c);
    cache_free(c);
}

static void loaders_run_loads_and_call_their_waiters(void **state) {
    (void)state;
    struct cache *c = start(&options);
    ask(c, "a", 0);
    ask(c, "f", 1);
    await(&answered, 2);
    assert_int_equal(failed, 1);
    stop(c);
}

static void as_many_loads_run_at_once_as_there_are_loaders(void **state) {
    (void)state;
    struct cache *c = start(&options);
    static const char *const keys[] = {"a", "b", "c", "d", "e", "g", "h", "i"};
    set_holding(true);
    for (int i = 0; i < 8; i++)
        ask(c, keys[i], i);
    await(&loads, LIMIT_LOADERS);
    assert_int_equal(answered, 0);
    set_holding(false);
    await(&answered, 8);
    assert_int_equal(loads, 8);
    stop(c);
}

static void a_mark_of_a_board_causes_a_refresh(void **state) {
    (void)state;
    struct cache *c = start(&options);
    ask(c, "a", 0);
    await(&answered, 1);
    cache_mark(c);
    await(&loads, 2);
    cache_mark(c);
    await(&loads, 3);
    stop(c);
}

static void a_load_that_hangs_is_abandoned_at_its_deadline(void **state) {
    (void)state;
    struct cache *c = start(&options);
    set_holding(true);
    int64_t begun_ms = clock_boot_ms();
    ask(c, "a", 0);
    await(&answered, 1);
    assert_int_equal(failed, 1);
    assert_true(clock_boot_ms() - begun_ms >= LIMIT_LOAD_MS);
    set_holding(false);
    stop(c);
}

static void a_lookup_that_has_an_old_value_does_not_wait_for_the_deadline(void **state) {
    (void)state;
    static const struct cache_options old_at_once = {.max_bytes = 1 << 20, .stale_if_error_ms = 600000};
    struct cache *c = start(&old_at_once);
    ask(c, "a", 0);
    await(&answered, 1);
    set_holding(true);
    int64_t begun_ms = clock_boot_ms();
    ask(c, "a", 0);
    await(&answered, 2);
    assert_true(clock_boot_ms() - begun_ms < LIMIT_LOAD_MS);
    assert_int_equal(failed, 0);
    set_holding(false);
    stop(c);
}

static void a_load_that_waits_for_a_thread_fails_when_the_cache_is_freed(void **state) {
    (void)state;
    struct cache *c = cache_new(&options);
    answered = failed = 0;
    ask(c, "a", 0);
    cache_free(c);
    assert_int_equal(answered, 1);
    assert_int_equal(failed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaders_run_loads_and_call_their_waiters),
        cmocka_unit_test(as_many_loads_run_at_once_as_there_are_loaders),
        cmocka_unit_test(a_mark_of_a_board_causes_a_refresh),
        cmocka_unit_test(a_load_that_hangs_is_abandoned_at_its_deadline),
        cmocka_unit_test(a_lookup_that_has_an_old_value_does_not_wait_for_the_deadline),
        cmocka_unit_test(a_load_that_waits_for_a_thread_fails_when_the_cache_is_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
