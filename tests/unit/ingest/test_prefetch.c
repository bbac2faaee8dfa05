#include "ingest/prefetch.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/memory_budget.h"
#include "base/waker.h"
#include "tests/unit/support/test.h"

/* A call that hangs fails by the time-out of the test. No time is measured. */
#define PATIENCE_MS 60000
#define FOR_EVER (clock_boot_ms() + PATIENCE_MS)
#define PURCHASE                                                                                             \
    "{\"schema\":\"com.nordstrom/retail-stream-ingress/1-0-0\",\"origin\":\"ann\","                          \
    "\"timeOrigin\":\"1970-01-01T00:00:01Z\",\"data\":"                                                      \
    "{\"schema\":\"com.nordstrom/product/purchase/1-0-0\",\"id\":\"lamp\"}}"

enum { STEPS = 64, READS = 256 };

/* A source that follows a script. */

struct step { /* one read */
    size_t n;
    int64_t as_of_ms; /* 0: not known */
    enum status status;
    bool ended, gone, no_room, more;
    size_t n_children;
    const char *loss;
};

struct script {
    struct source source;
    struct step steps[STEPS];
    size_t played;
    uint64_t position;               /* of the last record */
    _Atomic size_t allowed;          /* the number of steps that may be played; then a read waits */
    _Atomic size_t reads, forgotten; /* the number of reads; the last one that was forgotten */
    int64_t untils_ms[READS];        /* the deadline of each read */
    struct waker waker, has_read;    /* ends the source's waits; ends the test's */

    struct source_record *records; /* of the last read; freed by the next read, as source.h allows */
    size_t n;
    struct source_shard *children;
};

/* The script goes on with the next step, whichever reader reads; but from the position of that reader. */
struct script_reader {
    struct source_reader reader;
    struct script *script;
    uint64_t from; /* until its first read */
    bool has_read;
};

static struct script *script_of(struct source_reader *reader) {
    return ((struct script_reader *)reader)->script;
}

static struct source_reader *script_open(struct source *source, const struct source_shard *shard,
                                         const struct source_start *start, struct budget *budget) {
    struct script_reader *r = mem_zalloc(sizeof *r);
    (void)budget;
    assert_string_equal(shard->id, "s");
    assert_int_equal(start->checkpoint, LEASE_TRIM_HORIZON);
    *r = (struct script_reader){
        {.ops = source->ops}, (struct script *)source, (uint64_t)start->start_at_ms, false};
    return &r->reader;
}

static void forget_last_read(struct script *s) {
    for (size_t i = 0; i < s->n; i++)
        free((void *)(uintptr_t)s->records[i].data);
    free(s->records);
    free(s->children);
    s->records = NULL;
    s->children = NULL;
    s->n = 0;
}

static enum status play(struct script *s, const struct step *step, struct source_batch *batch,
                        struct error *e) {
    if (step->status)
        return error_set(e, step->status, "the test failed read %zu", s->played);
    s->records = mem_zalloc((step->n + 1) * sizeof *s->records);
    s->children = mem_zalloc((step->n_children + 1) * sizeof *s->children);
    for (s->n = 0; s->n < step->n; s->n++)
        s->records[s->n] = (struct source_record){
            .position = position_from_u64(++s->position),
            .data = mem_dup(PURCHASE, strlen(PURCHASE)),
            .length = strlen(PURCHASE),
        };
    for (size_t i = 0; i < step->n_children; i++)
        snprintf(s->children[i].id, sizeof s->children[i].id, "child-%zu", i);
    batch->records = s->records;
    batch->n = s->n;
    batch->as_of_ms = step->as_of_ms ? step->as_of_ms : -1;
    batch->ended = step->ended;
    batch->gone = step->gone;
    batch->loss = step->loss;
    batch->no_room = step->no_room;
    batch->more = step->more;
    batch->children = s->children;
    batch->n_children = step->n_children;
    return STATUS_OK;
}

static enum status script_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                               struct error *e) {
    struct script *s = script_of(reader);
    struct script_reader *r = (struct script_reader *)reader;
    forget_last_read(s);
    if (!r->has_read)
        s->position = r->from;
    r->has_read = true;
    *batch = (struct source_batch){.as_of_ms = -1};
    size_t read = atomic_load(&s->reads);
    if (read < READS)
        s->untils_ms[read] = until_ms;
    atomic_store(&s->reads, read + 1);
    waker_wake(&s->has_read);
    if (s->played == atomic_load(&s->allowed))
        waker_wait(&s->waker, until_ms, -1);
    if (s->played == atomic_load(&s->allowed))
        return STATUS_OK;
    return play(s, &s->steps[s->played++], batch, e);
}

/* The position before record `i`, as a hash. */
static struct digest script_hash(struct source_reader *reader, size_t i) {
    const struct script *s = script_of(reader);
    assert_true(i <= s->n);
    return (struct digest){{(uint8_t)(s->position - s->n + i)}};
}

static void script_wake(struct source_reader *reader) {
    waker_wake(&script_of(reader)->waker);
}

static void script_forget(struct source_reader *reader) {
    forget_last_read(script_of(reader));
    struct script *s = script_of(reader);
    atomic_store(&s->forgotten, atomic_load(&s->reads));
}

static void script_close(struct source_reader *reader) {
    forget_last_read(script_of(reader));
    free(reader);
}

static const struct source_ops script_ops = {.open = script_open,
                                             .read = script_read,
                                             .hash = script_hash,
                                             .forget = script_forget,
                                             .wake = script_wake,
                                             .close = script_close};

/* A prefetch of this source. */

struct fixture {
    struct script script;
    size_t n_steps;
    struct budget *budget; /* NULL: none */
    struct prefetch *prefetch;
    uint64_t taken; /* the position of the last record that the test took */
};

static int make_script(void **state) {
    struct fixture *t = mem_zalloc(sizeof *t);
    t->script.source.ops = &script_ops;
    waker_init(&t->script.waker);
    waker_init(&t->script.has_read);
    *state = t;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *t = *state;
    if (t->prefetch)
        prefetch_free(t->prefetch);
    budget_free(t->budget);
    waker_deinit(&t->script.waker);
    waker_deinit(&t->script.has_read);
    free(t);
    return 0;
}

/* Before the prefetch starts. */
static void plan(struct fixture *t, struct step step) {
    assert_true(t->n_steps < STEPS);
    t->script.steps[t->n_steps++] = step;
}

static void allow(struct fixture *t, size_t steps) {
    atomic_store(&t->script.allowed, steps);
    waker_wake(&t->script.waker);
}

static void start(struct fixture *t, size_t batch_records, size_t allowed) {
    const struct source_start from = {.checkpoint = LEASE_TRIM_HORIZON};
    const struct prefetch_options options = {.limits = {batch_records, SIZE_MAX}, .budget = t->budget};
    const struct source_shard shard = {.id = "s"};
    atomic_store(&t->script.allowed, allowed);
    t->prefetch = prefetch_start(&t->script.source, &shard, &from, &options);
}

static void await_reads(struct fixture *t, size_t n) {
    int64_t give_up = FOR_EVER;
    while (atomic_load(&t->script.reads) < n) {
        assert_true(clock_boot_ms() < give_up);
        waker_wait(&t->script.has_read, give_up, -1);
    }
}

/* Waits a moment, in which a prefetch that reads more would do so. */
static void assert_reads_stay(struct fixture *t, size_t n) {
    int64_t moment = clock_boot_ms() + 30;
    await_reads(t, n);
    while (clock_boot_ms() < moment)
        waker_wait(&t->script.has_read, moment, -1);
    assert_int_equal(atomic_load(&t->script.reads), n);
}

/* The next item that has records, an as-of, an end or a failure. Its records must follow those taken before.
 */
static struct prefetch_item *take(struct fixture *t) {
    struct prefetch_item *item;
    while ((item = prefetch_take(t->prefetch, FOR_EVER)) && !item->status && !item->ended &&
           item->batch.n == 0 && item->batch.as_of_ms < 0)
        prefetch_give_back(t->prefetch);
    if (!item || item->status)
        return item;
    assert_int_equal(item->batch.n, item->batch.n_records);
    for (size_t i = 0; i < item->batch.n; i++) {
        struct position expected = position_from_u64(++t->taken);
        assert_int_equal(position_compare(&item->batch.records[i].position, &expected), 0);
        assert_string_equal(item->batch.records[i].event.product_id, "lamp");
    }
    assert_int_equal(item->batch.hash.bytes[0], (uint8_t)t->taken); /* of what this batch ends with */
    return item;
}

static void assert_next(struct fixture *t, size_t n, int64_t as_of_ms) {
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    assert_int_equal(item->status, STATUS_OK);
    assert_int_equal(item->batch.n, n);
    assert_int_equal(item->batch.as_of_ms, as_of_ms);
    assert_false(item->ended);
    prefetch_give_back(t->prefetch);
}

static void assert_next_failed(struct fixture *t, enum status status, const char *message) {
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    assert_int_equal(item->status, status);
    assert_int_equal(item->error.status, status);
    assert_string_equal(item->error.message, message);
    assert_int_equal(item->batch.n, 0);
    prefetch_give_back(t->prefetch);
}

/* Checks that take() returns at once, not at its deadline. */
static void assert_none_ever(struct fixture *t) {
    int64_t began_ms = clock_boot_ms();
    assert_null(take(t));
    assert_null(take(t));
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
}

/* Batches. */

static void a_long_read_is_many_batches(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 10, .as_of_ms = 1000});
    plan(t, (struct step){.n = 4, .as_of_ms = 2000});
    plan(t, (struct step){.n = 1, .as_of_ms = 3000});
    start(t, 4, 3);
    assert_next(t, 4, -1);
    assert_next(t, 4, -1);
    assert_next(t, 2, 1000);
    assert_next(t, 4, 2000); /* full with the read's last record */
    assert_next(t, 1, 3000);
}

static void records_keep_their_order(void **state) {
    struct fixture *t = *state;
    uint64_t seed = 42, sum = 0;
    for (size_t i = 0; i < STEPS; i++) {
        size_t n = support_random(&seed) % 30;
        sum += n;
        plan(t, (struct step){.n = n, .as_of_ms = 1000 + (int64_t)i});
    }
    start(t, 7, STEPS);
    while (t->taken < sum) { /* take() checks the order */
        struct prefetch_item *item = take(t);
        assert_non_null(item);
        assert_true(item->batch.n <= 7);
        prefetch_give_back(t->prefetch);
    }
    assert_int_equal(t->taken, sum);
}

static void an_empty_read_reports_its_as_of(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.as_of_ms = 1000});
    plan(t, (struct step){.n = 1, .as_of_ms = 2000});
    plan(t, (struct step){.as_of_ms = 3000});
    start(t, 4, 3);
    assert_next(t, 0, 1000);
    assert_next(t, 1, 2000);
    assert_next(t, 0, 3000);
}

static void the_as_of_of_a_read_comes_with_its_last_records(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 6, .as_of_ms = 1000, .more = true});
    plan(t, (struct step){.n = 1});
    start(t, 4, 2);
    assert_next(t, 4, -1);
    assert_next(t, 2, 1000);
    assert_next(t, 1, -1);
}

static void an_item_says_whether_more_comes_at_once(void **state) {
    struct fixture *t = *state;
    static const bool expected[] = {true, false, true, false};
    plan(t, (struct step){.n = 6});
    plan(t, (struct step){.n = 1, .more = true});
    plan(t, (struct step){.n = 1});
    start(t, 4, 3);
    for (size_t i = 0; i < COUNT(expected); i++) {
        struct prefetch_item *item = take(t);
        assert_non_null(item);
        assert_int_equal(item->more, expected[i]);
        prefetch_give_back(t->prefetch);
    }
}

/* Failures. */

static void a_failure_is_handed_over_and_the_prefetch_continues(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 1});
    plan(t, (struct step){.status = STATUS_RETRY});
    plan(t, (struct step){.status = STATUS_FAILED});
    plan(t, (struct step){.n = 2, .as_of_ms = 1000});
    start(t, 4, 4);
    assert_next(t, 1, -1);
    assert_next_failed(t, STATUS_RETRY, "the test failed read 2");
    assert_next_failed(t, STATUS_FAILED, "the test failed read 3");
    assert_next(t, 2, 1000);
}

static void after_a_failure_the_prefetch_reads_when_it_was_given_back(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.status = STATUS_RETRY});
    plan(t, (struct step){.status = STATUS_RETRY});
    plan(t, (struct step){.n = 1});
    start(t, 4, 3);
    for (size_t i = 1; i <= 2; i++) {
        struct prefetch_item *item = take(t);
        assert_non_null(item);
        assert_int_equal(item->status, STATUS_RETRY);
        assert_reads_stay(t, i); /* while the taker pauses, the prefetch does not read */
        prefetch_give_back(t->prefetch);
    }
    assert_next(t, 1, -1);
}

/* Bounds, ends, wakes. */

static void the_prefetch_is_never_further_ahead_than_its_items(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < 6; i++)
        plan(t, (struct step){.n = 3});
    start(t, 3, 6);
    for (size_t i = 0; i < 4; i++) {
        assert_reads_stay(t, PREFETCH_ITEMS + i);
        struct prefetch_item *item = take(t);
        assert_non_null(item);
        assert_reads_stay(t, PREFETCH_ITEMS + i); /* the taker still holds the item */
        prefetch_give_back(t->prefetch);
    }
}

static void the_last_batch_has_the_end(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 3, .ended = true, .n_children = 2});
    plan(t, (struct step){.n = 1});
    start(t, 2, 2);
    assert_next(t, 2, -1);
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    assert_int_equal(item->batch.n, 1);
    assert_true(item->ended);
    assert_int_equal(item->n_children, 2);
    assert_string_equal(item->children[0].id, "child-0");
    assert_string_equal(item->children[1].id, "child-1");
    prefetch_give_back(t->prefetch);
    assert_none_ever(t);
    assert_int_equal(atomic_load(&t->script.reads), 1);
}

static void an_end_without_records_is_reported(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.ended = true});
    start(t, 2, 1);
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    assert_true(item->ended);
    assert_int_equal(item->n_children, 0);
    prefetch_give_back(t->prefetch);
    assert_none_ever(t);
}

static void a_finished_prefetch_hands_out_its_batches_and_reads_no_more(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < 4; i++)
        plan(t, (struct step){.n = 3});
    start(t, 3, 4);
    await_reads(t, PREFETCH_ITEMS);
    prefetch_end(t->prefetch);
    assert_false(prefetch_is_over(t->prefetch)); /* though its thread has ended */
    assert_next(t, 3, -1);
    assert_false(prefetch_is_over(t->prefetch));
    assert_next(t, 3, -1);
    assert_true(prefetch_is_over(t->prefetch));
    assert_none_ever(t);
    assert_int_equal(atomic_load(&t->script.reads), PREFETCH_ITEMS);
}

/* A wake may arrive at any time and is not the end: only prefetch_is_over decides. */
static void a_finish_ends_the_wait_of_a_read(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 2});
    start(t, 5, 1);
    await_reads(t, 2);
    int64_t began_ms = clock_boot_ms();
    prefetch_finish(t->prefetch);
    prefetch_wake(t->prefetch);
    size_t n = 0;
    while (!prefetch_is_over(t->prefetch)) {
        struct prefetch_item *item = prefetch_take(t->prefetch, FOR_EVER);
        n += item ? item->batch.n : 0;
        if (item)
            prefetch_give_back(t->prefetch);
    }
    assert_int_equal(n, 2);
    assert_none_ever(t);
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
}

static void *wake(void *prefetch) {
    prefetch_wake(prefetch);
    return NULL;
}

static void a_wake_ends_one_wait(void **state) {
    struct fixture *t = *state;
    pthread_t other;
    start(t, 5, 0);
    await_reads(t, 1);
    int64_t began_ms = clock_boot_ms();
    prefetch_wake(t->prefetch); /* before the wait */
    assert_null(prefetch_take(t->prefetch, FOR_EVER));
    assert_int_equal(pthread_create(&other, NULL, wake, t->prefetch), 0); /* in it, or before */
    assert_null(prefetch_take(t->prefetch, FOR_EVER));
    pthread_join(other, NULL);
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
    int64_t until_ms = clock_boot_ms() + 20;
    assert_null(prefetch_take(t->prefetch, until_ms)); /* and no later one */
    assert_true(clock_boot_ms() >= until_ms);
}

static void an_item_taken_before_a_wait_does_not_end_it(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 5});
    start(t, 5, 1);
    await_reads(t, 2); /* the first item is ready, the second read waits */
    assert_next(t, 5, -1);
    int64_t until_ms = clock_boot_ms() + 20;
    while (prefetch_take(t->prefetch, until_ms)) /* after a second, an empty one */
        prefetch_give_back(t->prefetch);
    assert_true(clock_boot_ms() >= until_ms);
}

/* A rewind. */

/* The views stand after record `position`; the script's readers have that in another place of the start. */
static void rewind_to_after(struct fixture *t, uint64_t position, int64_t then_ms) {
    const struct source_start from = {.checkpoint = LEASE_TRIM_HORIZON, .start_at_ms = (int64_t)position};
    prefetch_rewind(t->prefetch, &from, then_ms);
    t->taken = position;
}

static void rewind_to(struct fixture *t, uint64_t position) {
    rewind_to_after(t, position, 0);
}

/* The taker discards what is void; before, the next reader does not read. */
static void await_reads_taking_nothing(struct fixture *t, size_t n) {
    int64_t give_up = FOR_EVER;
    while (atomic_load(&t->script.reads) < n) {
        assert_true(clock_boot_ms() < give_up);
        assert_null(prefetch_take(t->prefetch, clock_boot_ms() + 1));
    }
}

static void after_a_rewind_records_are_read_again_from_its_position(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < 3; i++)
        plan(t, (struct step){.n = 3});
    plan(t, (struct step){.n = 2, .as_of_ms = 1000});
    start(t, 3, 4);
    assert_next(t, 3, -1);
    assert_non_null(take(t)); /* 4 to 6, which the views have up to 4 */
    await_reads(t, 3);
    rewind_to(t, 4);
    prefetch_give_back(t->prefetch);
    assert_next(t, 2, 1000); /* 5 and 6 */
}

static void after_a_rewind_one_read_is_handed_out_at_a_time(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < 8; i++)
        plan(t, (struct step){.n = 3});
    start(t, 3, 8);
    assert_non_null(take(t));
    await_reads(t, PREFETCH_ITEMS);
    rewind_to(t, 0);
    prefetch_give_back(t->prefetch);
    for (size_t i = 1; i <= 3; i++) {
        assert_non_null(take(t));
        assert_reads_stay(t, PREFETCH_ITEMS + i);
        if (i == 3)
            prefetch_resume(t->prefetch);
        prefetch_give_back(t->prefetch);
    }
    assert_reads_stay(t, 2 * PREFETCH_ITEMS + 3);
}

static void a_rewind_ends_the_wait_of_a_read(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 3});
    plan(t, (struct step){.n = 3});
    start(t, 4, 1);
    await_reads(t, 2); /* it waits for the fourth record */
    int64_t began_ms = clock_boot_ms();
    rewind_to(t, 0);
    await_reads_taking_nothing(t, 3);
    allow(t, 2);
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    assert_int_equal(item->batch.n, 3);
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
}

static void after_a_rewind_nothing_is_read_before_its_time(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < 3; i++)
        plan(t, (struct step){.n = 3});
    start(t, 3, 3);
    assert_non_null(take(t));
    await_reads(t, PREFETCH_ITEMS);
    int64_t then_ms = clock_boot_ms() + 100;
    rewind_to_after(t, 0, then_ms);
    prefetch_give_back(t->prefetch);
    assert_non_null(take(t));
    assert_true(clock_boot_ms() >= then_ms);
    prefetch_give_back(t->prefetch);
}

static void the_end_of_a_shard_is_void_after_a_rewind_too(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < 2; i++)
        plan(t, (struct step){.n = 2, .ended = true});
    start(t, 4, 2);
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    assert_true(item->ended);
    rewind_to(t, 0);
    prefetch_give_back(t->prefetch);
    assert_false(prefetch_is_over(t->prefetch));
    item = take(t);
    assert_non_null(item);
    assert_int_equal(item->batch.n, 2);
    assert_true(item->ended);
    prefetch_give_back(t->prefetch);
    assert_none_ever(t);
}

static void a_prefetch_that_is_finished_after_a_rewind_hands_out_nothing_void(void **state) {
    struct fixture *t = *state;
    for (size_t i = 0; i < 3; i++)
        plan(t, (struct step){.n = 3});
    start(t, 3, 2);
    assert_non_null(take(t));
    await_reads(t, PREFETCH_ITEMS);
    rewind_to(t, 0);
    prefetch_give_back(t->prefetch);
    prefetch_finish(t->prefetch);
    while (prefetch_take(t->prefetch, FOR_EVER))
        prefetch_give_back(t->prefetch); /* nothing was allowed: an empty one */
    assert_int_equal(t->taken, 0);
    prefetch_end(t->prefetch);
    assert_true(prefetch_is_over(t->prefetch));
}

/* Losses and refusals. */

static void a_loss_is_reported_by_the_item_of_its_read(void **state) {
    struct fixture *t = *state;
    static const struct {
        size_t n;
        const char *loss;
    } expected[] = {{2, ""}, {0, "two are lost"}, {5, ""}};
    plan(t, (struct step){.n = 2});
    plan(t, (struct step){.loss = "two are lost"});
    plan(t, (struct step){.n = 5});
    start(t, 5, 3);
    for (size_t i = 0; i < COUNT(expected); i++) {
        struct prefetch_item *item = prefetch_take(t->prefetch, FOR_EVER);
        assert_non_null(item);
        assert_int_equal(item->batch.n, expected[i].n);
        assert_string_equal(item->loss, expected[i].loss);
        prefetch_give_back(t->prefetch);
    }
}

static void the_end_of_a_shard_that_is_gone_is_a_loss(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.ended = true, .gone = true, .loss = "all of it", .n_children = 1});
    start(t, 5, 1);
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    assert_true(item->ended);
    assert_true(item->gone);
    assert_string_equal(item->loss, "all of it");
    assert_int_equal(item->n_children, 1);
    prefetch_give_back(t->prefetch);
}

static void a_refusal_is_handed_over_with_its_status(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.status = STATUS_INVALID});
    start(t, 2, 1);
    assert_next_failed(t, STATUS_INVALID, "the test failed read 1");
}

/* Memory. */

static void an_item_says_that_there_is_no_room_for_more(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 2});
    plan(t, (struct step){.no_room = true});
    start(t, 5, 2);
    assert_next(t, 2, -1);
    struct prefetch_item *item = prefetch_take(t->prefetch, FOR_EVER);
    assert_non_null(item);
    assert_true(item->no_room);
    prefetch_give_back(t->prefetch);
}

static void start_with_budget(struct fixture *t, size_t batch_records, size_t allowed) {
    t->budget = budget_new(1000000);
    start(t, batch_records, allowed);
}

static void a_batch_holds_its_bytes_until_it_is_given_back(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 3});
    plan(t, (struct step){.n = 1});
    start_with_budget(t, 3, 2);
    struct prefetch_item *item = take(t);
    assert_non_null(item);
    size_t first = item->batch.bytes;
    assert_true(first >= 3 * strlen("s:1"
                                    "lamp"
                                    "ann"));
    int64_t give_up = FOR_EVER;
    while (budget_held(t->budget) == first) { /* until the second batch is ready, too */
        assert_true(clock_boot_ms() < give_up);
        waker_wait(&t->script.has_read, clock_boot_ms() + 1, -1);
    }
    size_t both = budget_held(t->budget);
    prefetch_give_back(t->prefetch);
    item = take(t);
    assert_non_null(item);
    size_t second = item->batch.bytes;
    assert_true(second < first);
    assert_int_equal(both, first + second);
    assert_int_equal(budget_held(t->budget), second);
    prefetch_give_back(t->prefetch);
    assert_int_equal(budget_held(t->budget), 0);
}

static void items_that_were_not_taken_are_freed_with_the_prefetch(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 3});
    plan(t, (struct step){.n = 3});
    start_with_budget(t, 3, 2);
    await_reads(t, 2);
    prefetch_free(t->prefetch);
    t->prefetch = NULL;
    assert_int_equal(budget_held(t->budget), 0);
}

static void a_read_is_forgotten_once_all_of_it_is_in_batches(void **state) {
    struct fixture *t = *state;
    plan(t, (struct step){.n = 4});
    plan(t, (struct step){.n = 5});
    start(t, 2, 2);
    await_reads(t, 1);
    int64_t give_up = FOR_EVER;
    while (atomic_load(&t->script.forgotten) < 1) { /* two batches of it, and no free item */
        assert_true(clock_boot_ms() < give_up);
        waker_wait(&t->script.has_read, clock_boot_ms() + 1, -1);
    }
    assert_reads_stay(t, 1);
    assert_next(t, 2, -1);
    assert_next(t, 2, -1);
    await_reads(t, 2);
    assert_reads_stay(t, 2); /* two more; one record of the read is in no batch yet */
    assert_int_equal(atomic_load(&t->script.forgotten), 1);
    for (size_t n = 0; n < 5;) {
        struct prefetch_item *item = take(t);
        assert_non_null(item);
        n += item->batch.n;
        prefetch_give_back(t->prefetch);
    }
}

#define test(title, function)                                                                                \
    { title, function, make_script, tear_down, NULL }

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        test("a long read becomes several batches, and the last one has the as-of",
             a_long_read_is_many_batches),
        test("records keep their order, whatever the length of the reads", records_keep_their_order),
        test("an empty read reports its as-of", an_empty_read_reports_its_as_of),
        test("the as-of of a read comes with its last records",
             the_as_of_of_a_read_comes_with_its_last_records),
        test("an item says whether more comes at once", an_item_says_whether_more_comes_at_once),
        test("a failure is handed over, and the prefetch continues",
             a_failure_is_handed_over_and_the_prefetch_continues),
        test("after a failure the prefetch reads only when the failure was given back",
             after_a_failure_the_prefetch_reads_when_it_was_given_back),
        test("the prefetch is never further ahead than its items",
             the_prefetch_is_never_further_ahead_than_its_items),
        test("the last batch has the end and the children, and nothing follows it",
             the_last_batch_has_the_end),
        test("an end without records is reported", an_end_without_records_is_reported),
        test("a finished prefetch hands out its remaining batches and does not read again",
             a_finished_prefetch_hands_out_its_batches_and_reads_no_more),
        test("a finish ends the wait of a read", a_finish_ends_the_wait_of_a_read),
        test("a wake ends one wait, the current or the next one", a_wake_ends_one_wait),
        test("an item that was taken before a wait does not end that wait",
             an_item_taken_before_a_wait_does_not_end_it),
        test("after a rewind records are read again from its position",
             after_a_rewind_records_are_read_again_from_its_position),
        test("after a rewind one read is handed out at a time, until the resume",
             after_a_rewind_one_read_is_handed_out_at_a_time),
        test("a rewind ends the wait of a read", a_rewind_ends_the_wait_of_a_read),
        test("after a rewind nothing is read before its time",
             after_a_rewind_nothing_is_read_before_its_time),
        test("the end of a shard is void after a rewind, too", the_end_of_a_shard_is_void_after_a_rewind_too),
        test("a prefetch that is finished after a rewind hands out nothing that is void",
             a_prefetch_that_is_finished_after_a_rewind_hands_out_nothing_void),
        test("a loss is reported by the item of its read", a_loss_is_reported_by_the_item_of_its_read),
        test("the end of a shard that is gone is reported as a loss",
             the_end_of_a_shard_that_is_gone_is_a_loss),
        test("a refusal is handed over with its status", a_refusal_is_handed_over_with_its_status),
        test("an item says that the budget has no room for more",
             an_item_says_that_there_is_no_room_for_more),
        test("a batch holds its bytes until it is given back",
             a_batch_holds_its_bytes_until_it_is_given_back),
        test("batches that were not taken are freed with the prefetch",
             items_that_were_not_taken_are_freed_with_the_prefetch),
        test("a read is forgotten when all its records are in batches",
             a_read_is_forgotten_once_all_of_it_is_in_batches),
    };
    return cmocka_run_group_tests_name("prefetch", tests, NULL, NULL);
}
