#include "ingest/leases/shard_lister.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "tests/unit/support/test.h"

enum { PATIENCE_MS = 30000, HOUR_MS = 3600000 };

/* A source that lists what the test sets. */

struct lists {
    struct source source;
    _Atomic size_t n;       /* shards that it lists; 0: it fails */
    atomic_bool is_another; /* source than the one that was identified */
    _Atomic size_t asked;
};

static enum status list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                               size_t *n, struct error *e) {
    struct lists *l = (struct lists *)source;
    size_t wanted = atomic_load(&l->n);
    assert_int_equal(from_ms, -1);
    atomic_fetch_add(&l->asked, 1);
    if (atomic_load(&l->is_another))
        return error_set(e, STATUS_INVALID, "the test's source was made again");
    if (!wanted)
        return error_set(e, STATUS_RETRY, "the test's source is away");
    *shards = mem_zalloc(wanted * sizeof **shards);
    *n = wanted;
    return STATUS_OK;
}

static const struct source_ops ops = {.list_shards = list_shards};

struct scene {
    struct lists source;
    struct health *health;
    struct waker listed;
    struct shard_lister *lister;
    struct shard_listing last, before;
};

static int set_up(void **state) {
    struct scene *s = mem_zalloc(sizeof *s);
    s->source.source.ops = &ops;
    s->health = health_new();
    waker_init(&s->listed);
    *state = s;
    return 0;
}

static int tear_down(void **state) {
    struct scene *s = *state;
    shard_lister_free(s->lister);
    shard_listing_deinit(&s->last);
    shard_listing_deinit(&s->before);
    health_free(s->health);
    waker_deinit(&s->listed);
    free(s);
    return 0;
}

static void start(struct scene *s, size_t n, int64_t interval_ms) {
    atomic_store(&s->source.n, n);
    s->lister = shard_lister_start(&s->source.source, s->health, interval_ms, &s->listed);
}

static void await_listing(struct scene *s) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (!shard_lister_take(s->lister, &s->last, &s->before)) {
        assert_true(clock_boot_ms() < until_ms);
        waker_wait(&s->listed, until_ms, -1);
    }
}

static bool has_trouble(struct scene *s) {
    struct health_report report;
    health_read(s->health, &report);
    bool found = report.n_troubles == 1 && strcmp(report.troubles[0].name, "source") == 0;
    health_report_deinit(&report);
    return found;
}

static void the_stream_is_listed_at_once_and_again_and_the_last_two_listings_are_kept(void **state) {
    struct scene *s = *state;
    int64_t began_ms = clock_boot_ms();
    start(s, 2, 20);
    await_listing(s);
    assert_int_equal(s->last.n, 2);
    assert_int_equal(s->before.n, 0);
    assert_true(s->last.began_ms >= began_ms);
    atomic_store(&s->source.n, 3);
    while (s->last.n != 3)
        await_listing(s);
    assert_int_equal(s->before.n, 2);
    assert_true(s->before.began_ms < s->last.began_ms);
}

static void a_request_for_a_listing_does_not_wait_for_the_interval(void **state) {
    struct scene *s = *state;
    start(s, 1, HOUR_MS);
    await_listing(s);
    assert_false(shard_lister_take(s->lister, &s->last, &s->before));
    shard_lister_ask(s->lister);
    await_listing(s);
}

static void a_listing_that_fails_is_a_trouble_until_one_succeeds(void **state) {
    struct scene *s = *state;
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    start(s, 0, HOUR_MS);
    while (!has_trouble(s))
        assert_true(clock_boot_ms() < until_ms);
    assert_false(shard_lister_take(s->lister, &s->last, &s->before));
    atomic_store(&s->source.n, 1);
    shard_lister_ask(s->lister);
    await_listing(s);
    assert_false(has_trouble(s));
}

static void a_source_that_is_another_one_is_reported_to_the_coordinator(void **state) {
    struct scene *s = *state;
    start(s, 1, HOUR_MS);
    await_listing(s);
    assert_false(shard_lister_is_refused(s->lister));
    atomic_store(&s->source.is_another, true);
    shard_lister_ask(s->lister);
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (!shard_lister_is_refused(s->lister) && clock_boot_ms() < until_ms)
        waker_wait(&s->listed, until_ms, -1);
    assert_true(shard_lister_is_refused(s->lister));
    assert_true(has_trouble(s));
    assert_false(shard_lister_take(s->lister, &s->last, &s->before));
}

static void a_stopped_lister_makes_no_more_listings(void **state) {
    struct scene *s = *state;
    start(s, 1, 1);
    await_listing(s);
    shard_lister_free(s->lister);
    s->lister = NULL;
    size_t asked = atomic_load(&s->source.asked);
    waker_wait(&s->listed, clock_boot_ms() + 20, -1);
    waker_wait(&s->listed, clock_boot_ms() + 20, -1);
    assert_int_equal(atomic_load(&s->source.asked), asked);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_stream_is_listed_at_once_and_again_and_the_last_two_listings_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_for_a_listing_does_not_wait_for_the_interval, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_listing_that_fails_is_a_trouble_until_one_succeeds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_source_that_is_another_one_is_reported_to_the_coordinator, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_lister_makes_no_more_listings, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
