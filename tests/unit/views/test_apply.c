#include "views/apply.h"
#include "views/row_cache.h"

#include "base/limits.h"
#include "base/memory_budget.h"
#include "base/service_clock.h"
#include "tests/unit/support/apply_store.h"
#include "tests/unit/support/stepped_clock.h"
#include "views/pace.h"

/* A shop, its store and a worker. */

struct shop {
    struct memory_store m;
    struct apply *worker, *other; /* of the same shard: one of them has lost the lease unnoticed */
    struct fence fence;
    struct apply_counts counts;
    struct error e;

    const struct apply_record
        *others_batch; /* `other` applies it while a batch of `worker` is being written */
    size_t n_others;
};

static struct apply *new_worker(struct shop *s) {
    return apply_new(&s->m.store, "s", &s->fence, NULL, 1 << 20);
}

static int open_shop(void **state) {
    struct shop *s = mem_zalloc(sizeof *s);
    memory_init(&s->m);
    s->worker = new_worker(s);
    s->other = new_worker(s);
    *state = s;
    return 0;
}

static int close_shop(void **state) {
    struct shop *s = *state;
    apply_free(s->worker);
    apply_free(s->other);
    memory_deinit(&s->m);
    free(s);
    return 0;
}

#define CREATE(sequence, product, origin) record((sequence), EVENT_CREATE, (product), (origin))
#define IMAGE(sequence, product, origin) record((sequence), EVENT_IMAGE, (product), (origin))
#define PURCHASE(sequence, product) record((sequence), EVENT_PURCHASE, (product), "cid")

#define APPLY(s, worker, ...)                                                                                \
    apply_batch((worker), (const struct apply_record[]){__VA_ARGS__},                                        \
                COUNT(((const struct apply_record[]){__VA_ARGS__})), NULL, &(s)->counts, &(s)->e)

/* Lamp: ann's, photographed by pia. Vase: bob's. Both are in the worker's cache. */
static void stock(struct shop *s) {
    assert_int_equal(
        APPLY(s, s->worker, CREATE(1, "lamp", "ann"), IMAGE(2, "lamp", "pia"), CREATE(3, "vase", "bob")),
        STATUS_OK);
    s->m.reads = s->m.rows_read = s->m.batches = s->m.contributions_written = 0;
}

static const struct contribution *row(struct shop *s, const char *product) {
    struct contribution **found = memory_row(&s->m, product);
    if (!found)
        fail_msg("there is no %s", product);
    return *found;
}

static void assert_scores(struct shop *s, int64_t ann, int64_t pia, int64_t bob) {
    assert_int_equal(memory_score_of(&s->m, ROLE_CREATOR, "ann"), ann);
    assert_int_equal(memory_score_of(&s->m, ROLE_PHOTOGRAPHER, "pia"), pia);
    assert_int_equal(memory_score_of(&s->m, ROLE_CREATOR, "bob"), bob);
}

static void assert_counts(const struct shop *s, size_t applied, size_t duplicate, size_t stale) {
    assert_int_equal(s->counts.applied, applied);
    assert_int_equal(s->counts.duplicate, duplicate);
    assert_int_equal(s->counts.stale, stale);
}

/* What a batch writes. */

static void a_batch_causes_one_write_for_each_product_and_each_contributor(void **state) {
    struct shop *s = *state;
    assert_int_equal(APPLY(s, s->worker, CREATE(1, "lamp", "ann"), PURCHASE(2, "lamp"),
                           CREATE(3, "vase", "ann"), IMAGE(4, "lamp", "pia"), PURCHASE(5, "vase"),
                           PURCHASE(6, "lamp")),
                     STATUS_OK);
    assert_counts(s, 6, 0, 0);
    assert_int_equal(s->m.reads, 1);
    assert_int_equal(s->m.rows_read, 2);
    assert_int_equal(s->m.batches, 1);
    assert_int_equal(s->m.contributions_written, 2);
    assert_scores(s, 3, 1, 0);
    assert_int_equal(row(s, "lamp")->creator_score, 2);
    assert_int_equal(row(s, "lamp")->photographer_score, 1);
    assert_string_equal(row(s, "lamp")->last_event_id, "s:6");
    assert_string_equal(row(s, "vase")->last_event_id, "s:5");
}

static void a_score_has_its_last_event_and_that_events_position(void **state) {
    struct shop *s = *state;
    stock(s);
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp"), record(5, EVENT_PURCHASE, "lamp", "dan"),
                           PURCHASE(6, "vase")),
                     STATUS_OK);
    const struct memory_score *ann = memory_score(&s->m, ROLE_CREATOR, "ann");
    struct position fifth = position_from_u64(5);
    assert_int_equal(ann->updated_ms, 50);
    assert_string_equal(ann->updated_by, "dan");
    assert_int_equal(position_compare(&ann->watermark, &fifth), 0);
}

static void a_user_who_is_creator_and_photographer_has_two_scores(void **state) {
    struct shop *s = *state;
    assert_int_equal(
        APPLY(s, s->worker, CREATE(1, "lamp", "ann"), IMAGE(2, "lamp", "ann"), PURCHASE(3, "lamp")),
        STATUS_OK);
    assert_int_equal(memory_score_of(&s->m, ROLE_CREATOR, "ann"), 1);
    assert_int_equal(memory_score_of(&s->m, ROLE_PHOTOGRAPHER, "ann"), 1);
}

static void only_rows_that_changed_are_written(void **state) {
    struct shop *s = *state;
    stock(s);
    assert_int_equal(APPLY(s, s->worker, CREATE(1, "lamp", "ann"), PURCHASE(4, "vase")), STATUS_OK);
    assert_counts(s, 1, 0, 1);
    assert_int_equal(s->m.contributions_written, 1);
    assert_string_equal(row(s, "lamp")->last_event_id, "s:2");
}

static void a_batch_of_duplicates_writes_nothing(void **state) {
    struct shop *s = *state;
    stock(s);
    assert_int_equal(
        APPLY(s, s->worker, CREATE(1, "lamp", "ann"), IMAGE(2, "lamp", "pia"), CREATE(3, "vase", "bob")),
        STATUS_OK);
    assert_counts(s, 0, 2, 1);
    assert_int_equal(s->m.batches, 0);
}

static void every_read_and_write_of_a_batch_has_the_fence(void **state) {
    struct shop *s = *state;
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(APPLY(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_RETRY);
    assert_ptr_equal(s->m.fence, &s->fence);
    s->m.fence = NULL;
    s->m.fail_reads = STATUS_RETRY;
    assert_int_equal(APPLY(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_RETRY);
    assert_ptr_equal(s->m.fence, &s->fence);
}

/* The cache of rows. */

static void rows_whose_write_was_acknowledged_are_not_read_again(void **state) {
    struct shop *s = *state;
    stock(s);
    for (unsigned i = 10; i < 15; i++)
        assert_int_equal(APPLY(s, s->worker, PURCHASE(2 * i, "lamp"), PURCHASE(2 * i + 1, "vase")),
                         STATUS_OK);
    assert_int_equal(s->m.reads, 0);
    assert_scores(s, 5, 5, 5);
}

static void only_the_rows_of_a_write_without_an_answer_are_read_again(void **state) {
    struct shop *s = *state;
    stock(s);
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp")), STATUS_RETRY);
    assert_int_equal(s->m.rows_read, 0);
    s->m.fail_batches = STATUS_OK;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp")), STATUS_OK);
    assert_int_equal(s->m.rows_read, 1);
    assert_int_equal(APPLY(s, s->worker, PURCHASE(5, "lamp"), PURCHASE(6, "vase")), STATUS_OK);
    assert_int_equal(s->m.rows_read, 1);
    assert_scores(s, 2, 2, 1);
}

static void all_rows_of_a_batch_are_read_again_after_a_failed_read(void **state) {
    struct shop *s = *state;
    stock(s);
    s->m.fail_reads = STATUS_RETRY;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "new")), STATUS_RETRY);
    assert_int_equal(s->m.batches, 0);
    s->m.fail_reads = STATUS_OK;
    s->m.rows_read = 0;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "new")), STATUS_OK);
    assert_int_equal(s->m.rows_read, 2);
    assert_scores(s, 1, 1, 0);
}

static void a_row_that_was_not_written_never_enters_the_cache(void **state) {
    struct shop *s = *state;
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(2, "lamp")),
                     STATUS_RETRY); /* the worker has read that there is no lamp */
    s->m.fail_batches = STATUS_OK;
    assert_int_equal(APPLY(s, s->other, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(APPLY(s, s->worker, PURCHASE(2, "lamp")), STATUS_OK);
    assert_string_equal(row(s, "lamp")->creator, "ann"); /* a cached "no row" would have credited UNKNOWN */
    assert_scores(s, 1, 0, 0);
    assert_null(memory_score(&s->m, ROLE_CREATOR, CONTRIBUTION_UNKNOWN));
}

static void the_cache_of_rows_is_bounded_and_keeps_the_rows_used_last(void **state) {
    struct shop *s = *state;
    const struct contribution example = {.product_id = "p0",
                                         .creator = "ann",
                                         .last_event_id = "s:10",
                                         .created_by = "ann",
                                         .updated_by = "ann"};
    _cleanup_(mem_freep) struct packed *packed = packed_new(&example);
    size_t about_three = 4 * (packed_size(packed) + sizeof(struct row) * 3 / 4);

    struct apply *a = apply_new(&s->m.store, "s", NULL, NULL, about_three);
    static const char *const products[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};
    for (unsigned i = 0; i < COUNT(products); i++)
        assert_int_equal(APPLY(s, a, CREATE(i, products[i], "ann")), STATUS_OK);
    s->m.rows_read = 0;
    assert_int_equal(APPLY(s, a, PURCHASE(10, "p7")), STATUS_OK);
    assert_int_equal(s->m.rows_read, 0);
    assert_int_equal(
        APPLY(s, a, PURCHASE(11, "p0"), PURCHASE(12, "p1"), PURCHASE(13, "p2"), PURCHASE(14, "p3")),
        STATUS_OK);
    assert_int_equal(s->m.rows_read, 4);
    assert_int_equal(APPLY(s, a, PURCHASE(15, "p7")), STATUS_OK); /* the four rows have evicted it */
    assert_int_equal(s->m.rows_read, 5);
    for (unsigned i = 16; i < 100; i++) /* a row that is taken and put back is counted once */
        assert_int_equal(APPLY(s, a, PURCHASE(i, "p7")), STATUS_OK);
    assert_int_equal(s->m.rows_read, 5);
    assert_scores(s, 6 + 84, 0, 0);
    apply_free(a);
}

static void every_row_is_read_each_time_without_a_cache(void **state) {
    struct shop *s = *state;
    struct apply *a = apply_new(&s->m.store, "s", NULL, NULL, 0);
    for (unsigned i = 1; i <= 5; i++)
        assert_int_equal(APPLY(s, a, PURCHASE(i, "lamp")), STATUS_OK);
    assert_int_equal(s->m.rows_read, 5);
    assert_int_equal(memory_score_of(&s->m, ROLE_CREATOR, CONTRIBUTION_UNKNOWN), 5);
    apply_free(a);
}

/* Failures. */

/* The batch fails after so many row writes: the next one is lost, or only its answer is. */
static void a_batch_that_failed_at_any_write_is_completed_by_applying_it_again(void **state) {
    struct shop *s = *state;
    for (int effect = 0; effect < 2; effect++)
        for (int writes = 0; writes < 6; writes++) { /* three scores, the shop's, and two contributions */
            close_shop((void **)&s);
            open_shop((void **)&s);
            *state = s;
            stock(s);
            s->m.row_writes_left = writes;
            s->m.unanswered_counts = effect;
            assert_int_equal(
                APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "vase"), PURCHASE(6, "lamp")),
                STATUS_RETRY);
            assert_int_equal(s->m.rows_read, 0);
            assert_int_equal(
                APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "vase"), PURCHASE(6, "lamp")),
                STATUS_OK);
            assert_int_equal(s->m.rows_read, 2);
            assert_scores(s, 2, 2, 1);
            assert_int_equal(row(s, "lamp")->creator_score, 2);
            assert_int_equal(row(s, "vase")->creator_score, 1);
        }
}

static void a_batch_whose_last_answer_alone_was_lost_is_not_written_again(void **state) {
    struct shop *s = *state;
    stock(s);
    s->m.row_writes_left = 3; /* ann, pia, the shop; the lamp's is unanswered */
    s->m.unanswered_counts = true;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp")), STATUS_RETRY);
    s->m.batches = 0;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp")), STATUS_OK);
    assert_counts(s, 0, 1, 0);
    assert_int_equal(s->m.batches, 0);
    assert_scores(s, 1, 1, 0);
}

static void apply_the_others_batch(void *data) {
    struct shop *s = data;
    struct apply_counts counts;
    assert_int_equal(apply_batch(s->other, s->others_batch, s->n_others, NULL, &counts, &s->e), STATUS_OK);
}

#define MEANWHILE(s, ...)                                                                                    \
    do {                                                                                                     \
        static struct apply_record others[8];                                                                \
        const struct apply_record given[] = {__VA_ARGS__};                                                   \
        memcpy(others, given, sizeof given);                                                                 \
        (s)->others_batch = others;                                                                          \
        (s)->n_others = COUNT(given);                                                                        \
        (s)->m.before_write = apply_the_others_batch;                                                        \
        (s)->m.before_write_data = (s);                                                                      \
    } while (0)

static void a_batch_that_another_worker_applied_meanwhile_is_not_counted_again(void **state) {
    struct shop *s = *state;
    stock(s);
    MEANWHILE(s, PURCHASE(4, "lamp"), PURCHASE(5, "vase"), PURCHASE(6, "lamp"));
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "vase")), STATUS_OK);
    assert_counts(s, 0, 1, 1);
    assert_scores(s, 2, 2, 1);
    assert_string_equal(row(s, "lamp")->last_event_id, "s:6");
}

static void the_rest_of_a_batch_that_another_worker_applied_in_part_is_counted(void **state) {
    struct shop *s = *state;
    stock(s);
    MEANWHILE(s, PURCHASE(4, "lamp"), PURCHASE(5, "vase"));
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "vase"), PURCHASE(6, "lamp"),
                           PURCHASE(7, "lamp")),
                     STATUS_OK);
    assert_counts(s, 2, 2, 0); /* of the last round */
    assert_int_equal(s->m.rows_read, 2 + 2);
    assert_scores(s, 3, 3, 1);
    assert_int_equal(row(s, "lamp")->creator_score, 3);
}

static void a_worker_behind_the_new_owner_changes_nothing(void **state) {
    struct shop *s = *state;
    stock(s);
    for (unsigned i = 1; i <= 20; i++)
        assert_int_equal(APPLY(s, s->other, PURCHASE(3 + i, "lamp")), STATUS_OK);
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "lamp")),
                     STATUS_OK); /* from its old rows */
    assert_counts(s, 0, 0, 2);
    assert_scores(s, 20, 20, 0);
    assert_string_equal(row(s, "lamp")->last_event_id, "s:23");
}

static void a_batch_with_too_many_conflicts_is_to_be_retried_later(void **state) {
    struct shop *s = *state;
    stock(s);
    s->m.always_conflict = true;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp")), STATUS_RETRY);
    assert_int_equal(s->e.status, STATUS_RETRY);
    assert_contains(s->e.message, "another worker keeps writing");
    assert_int_equal(s->m.batches, LIMIT_APPLY_ROUNDS);
    assert_int_equal(s->m.rows_read, LIMIT_APPLY_ROUNDS - 1); /* the first round used the cached row */
    s->m.always_conflict = false;
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp")), STATUS_OK);
    assert_scores(s, 1, 1, 0);
}

static void a_refusal_of_the_store_is_returned_and_not_retried(void **state) {
    struct shop *s = *state;
    static const enum status statuses[] = {STATUS_INVALID, STATUS_FAILED, STATUS_RETRY};
    stock(s);
    for (size_t i = 0; i < COUNT(statuses); i++) {
        s->m.batches = 0;
        s->m.fail_batches = statuses[i];
        assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp")), statuses[i]);
        assert_int_equal(s->m.batches, 1);
        assert_contains(s->e.message, "as scripted");
    }
}

static void a_batch_has_the_time_of_the_service(void **state) {
    struct shop *s = *state;
    struct service_clock *clock = service_clock_new(true);
    apply_set_clock(s->worker, clock);
    assert_int_equal(APPLY(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(s->m.now_ms, 0); /* not known yet */
    const struct clock_reading now = clock_read();
    service_clock_teach(clock, 1700000000000, &now, &now);
    assert_int_equal(APPLY(s, s->worker, PURCHASE(2, "lamp")), STATUS_OK);
    assert_in_range(s->m.now_ms, 1699999990000, 1700000060000);
    apply_set_clock(s->worker, NULL);
    service_clock_free(clock);
}

static void a_clock_that_nobody_teaches_tells_a_batch_no_time(void **state) {
    struct shop *s = *state;
    struct service_clock *local = service_clock_new(false);
    apply_set_clock(s->worker, local);
    s->m.now_ms = -1;
    assert_int_equal(APPLY(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(s->m.now_ms, 0); /* else a wrong clock of ours would decide what has expired */
    apply_set_clock(s->worker, NULL);
    service_clock_free(local);
}

/* The listener. */

struct listening {
    struct shop *shop;
    size_t calls, n_products, n_users;
    char products[64], users[64]; /* of the last call, joined */
};

static void listen(void *data, const char *const product_ids[], size_t n_products,
                   const char *const user_ids[], size_t n_users) {
    struct listening *l = data;
    l->calls++;
    l->n_products = n_products;
    l->n_users = n_users;
    l->products[0] = l->users[0] = '\0';
    for (size_t i = 0; i < n_products; i++) {
        assert_non_null(memory_row(&l->shop->m, product_ids[i])); /* the store has it already */
        snprintf(l->products + strlen(l->products), 16, "%s ", product_ids[i]);
    }
    for (size_t i = 0; i < n_users; i++)
        snprintf(l->users + strlen(l->users), 16, "%s ", user_ids[i]);
}

static void the_listener_gets_the_rows_that_were_written_although_the_batch_failed(void **state) {
    struct shop *s = *state;
    struct listening l = {.shop = s};
    struct apply_listener listener = {.rows_changed = listen, .data = &l};
    struct apply *a = apply_new(&s->m.store, "s", NULL, &listener, 1 << 20);
    assert_int_equal(APPLY(s, a, CREATE(1, "lamp", "ann"), CREATE(2, "vase", "bob")), STATUS_OK);

    s->m.row_writes_left =
        4; /* both scores, the shop and one product; the other is written without an answer */
    s->m.unanswered_counts = true;
    l.calls = 0;
    assert_int_equal(APPLY(s, a, PURCHASE(3, "lamp"), PURCHASE(4, "vase")), STATUS_RETRY);
    assert_int_equal(l.calls, 1);
    assert_string_equal(l.users, "ann bob ");
    assert_string_equal(l.products, "lamp ");

    assert_int_equal(APPLY(s, a, PURCHASE(3, "lamp"), PURCHASE(4, "vase")),
                     STATUS_OK); /* all duplicates now */
    assert_int_equal(l.calls, 2);
    assert_contains(l.products, "vase ");
    assert_int_equal(APPLY(s, a, PURCHASE(3, "lamp"), PURCHASE(4, "vase")), STATUS_OK);
    assert_int_equal(l.calls, 2);

    s->m.row_writes_left = 1;
    s->m.unanswered_counts = false;
    assert_int_equal(APPLY(s, a, PURCHASE(5, "lamp"), PURCHASE(6, "vase")), STATUS_RETRY);
    assert_int_equal(l.calls, 3);
    assert_string_equal(l.users, "ann ");
    apply_free(a);
}

static void rows_of_a_failed_batch_are_reported_when_smaller_batches_are_acknowledged(void **state) {
    struct shop *s = *state;
    struct listening l = {.shop = s};
    struct apply_listener listener = {.rows_changed = listen, .data = &l};
    struct apply *a = apply_new(&s->m.store, "s", NULL, &listener, 1 << 20);
    assert_int_equal(APPLY(s, s->other, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(APPLY(s, a, CREATE(2, "vase", "bob")), STATUS_OK);

    /* Both scores and the shop are written. Then the vase is, which came first, but without an answer. */
    s->m.row_writes_left = 3;
    s->m.unanswered_counts = true;
    assert_int_equal(APPLY(s, a, CREATE(2, "vase", "bob"), PURCHASE(3, "lamp"), PURCHASE(4, "vase")),
                     STATUS_RETRY);
    assert_int_equal(row(s, "vase")->creator_score, 1);
    assert_int_equal(row(s, "lamp")->creator_score, 0);
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(APPLY(s, a, PURCHASE(3, "lamp")), STATUS_RETRY);
    s->m.fail_batches = STATUS_OK;
    assert_int_equal(APPLY(s, a, PURCHASE(3, "lamp")), STATUS_OK);
    assert_string_equal(l.products, "lamp ");

    assert_int_equal(APPLY(s, a, PURCHASE(4, "vase")), STATUS_OK); /* a duplicate */
    assert_string_equal(l.products, "vase ");
    l.calls = 0;
    assert_int_equal(APPLY(s, a, PURCHASE(4, "vase")), STATUS_OK);
    assert_int_equal(l.calls, 0);
    assert_scores(s, 1, 0, 1);
    apply_free(a);
}

static void throttles_are_counted_in_all_rounds_of_a_batch_even_if_it_fails(void **state) {
    struct shop *s = *state;
    s->m.throttles = 2;
    assert_int_equal(APPLY(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(s->counts.throttles, 2);
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(APPLY(s, s->worker, CREATE(2, "vase", "bob")), STATUS_RETRY);
    assert_int_equal(s->counts.throttles, 2);
    s->m.fail_batches = STATUS_OK;
    s->m.always_conflict = true;
    assert_int_equal(APPLY(s, s->worker, CREATE(2, "vase", "bob")), STATUS_RETRY);
    assert_int_equal(s->counts.throttles, 2 * LIMIT_APPLY_ROUNDS);
}

static void throttles_of_a_failed_write_are_none_of_the_next(void **state) {
    struct shop *s = *state;
    s->m.throttles = 2;
    s->m.fail_batches = STATUS_RETRY;
    const struct apply_record lamp = CREATE(1, "lamp", "ann");
    assert_int_equal(apply_add(s->worker, &lamp, 1, &s->e), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_RETRY);
        assert_int_equal(s->counts.throttles, 2);
    }
}

static void the_listener_gets_the_changed_rows_once_they_are_in_the_store(void **state) {
    struct shop *s = *state;
    struct listening l = {.shop = s};
    struct apply_listener listener = {.rows_changed = listen, .data = &l};
    struct apply *a = apply_new(&s->m.store, "s", NULL, &listener, 1 << 20);

    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(APPLY(s, a, CREATE(1, "lamp", "ann")), STATUS_RETRY);
    assert_int_equal(l.calls, 0);
    s->m.fail_batches = STATUS_OK;
    assert_int_equal(APPLY(s, a, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(l.calls, 1);
    assert_string_equal(l.products, "lamp ");
    assert_int_equal(l.n_users, 0);

    assert_int_equal(APPLY(s, a, CREATE(1, "lamp", "ann")), STATUS_OK); /* a duplicate: nothing changed */
    assert_int_equal(l.calls, 1);
    assert_int_equal(APPLY(s, a, CREATE(2, "vase", "bob"), PURCHASE(3, "lamp"), PURCHASE(4, "lamp")),
                     STATUS_OK);
    assert_int_equal(l.calls, 2);
    assert_int_equal(l.n_products, 2);
    assert_contains(l.products, "lamp ");
    assert_contains(l.products, "vase ");
    assert_string_equal(l.users, "ann ");
    apply_free(a);
}

/* A batch of several parts. */

static enum status add_one(struct shop *s, struct apply *a, struct apply_record one) {
    return apply_add(a, &one, 1, &s->e);
}

static void records_that_are_added_are_written_together(void **state) {
    struct shop *s = *state;
    assert_int_equal(apply_size(s->worker), 0);
    assert_int_equal(add_one(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_OK);
    size_t size = apply_size(s->worker);
    assert_true(size > 0);
    for (unsigned i = 2; i < 10; i++)
        assert_int_equal(add_one(s, s->worker, PURCHASE(i, "lamp")), STATUS_OK);
    assert_true(apply_size(s->worker) > size);
    assert_int_equal(s->m.batches, 0);
    assert_int_equal(s->m.rows_read, 1);
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_OK);
    assert_counts(s, 9, 0, 0);
    assert_int_equal(s->m.contributions_written, 1);
    assert_scores(s, 8, 0, 0);
    assert_int_equal(apply_size(s->worker), 0);
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_OK); /* nothing is left */
    assert_int_equal(s->m.batches, 1);
}

/* The records are gone by then. */
static void a_batch_whose_write_failed_is_folded_again_by_the_next_write(void **state) {
    struct shop *s = *state;
    stock(s);
    for (unsigned i = 4; i < 8; i++) {
        char product[] = "lamp", origin[] = "dan";
        struct apply_record one = record(i, EVENT_PURCHASE, product, origin);
        assert_int_equal(apply_add(s->worker, &one, 1, &s->e), STATUS_OK);
        memset(product, 'x', sizeof product - 1);
        memset(origin, 'x', sizeof origin - 1);
    }
    s->m.row_writes_left = 1;
    s->m.unanswered_counts = true;
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_RETRY);
    assert_int_equal(s->m.rows_read, 0);
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_OK);
    assert_int_equal(s->m.rows_read, 1);
    assert_counts(s, 4, 0, 0);
    assert_scores(s, 4, 4, 0);
    assert_string_equal(memory_score(&s->m, ROLE_CREATOR, "ann")->updated_by, "dan");
}

static void a_batch_that_was_dropped_leaves_nothing(void **state) {
    struct shop *s = *state;
    stock(s);
    assert_int_equal(add_one(s, s->worker, PURCHASE(4, "lamp")), STATUS_OK);
    apply_drop(s->worker);
    assert_int_equal(apply_size(s->worker), 0);
    assert_int_equal(APPLY(s, s->worker, PURCHASE(4, "lamp"), PURCHASE(5, "vase")), STATUS_OK);
    assert_scores(s, 1, 1, 1);
    assert_int_equal(s->m.rows_read, 1); /* the lamp, which was ahead of the store */
}

/* The records of a read that failed are none of the batch. */
static void records_whose_rows_cannot_be_read_are_not_added(void **state) {
    struct shop *s = *state;
    stock(s);
    assert_int_equal(APPLY(s, s->other, CREATE(4, "desk", "bob")), STATUS_OK);
    assert_int_equal(add_one(s, s->worker, PURCHASE(5, "lamp")), STATUS_OK);
    s->m.fail_reads = STATUS_RETRY;
    assert_int_equal(add_one(s, s->worker, PURCHASE(6, "desk")), STATUS_RETRY);
    s->m.fail_reads = STATUS_OK;
    assert_int_equal(add_one(s, s->worker, PURCHASE(6, "desk")), STATUS_OK);
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_OK);
    assert_counts(s, 2, 0, 0);
    assert_scores(s, 1, 1, 1);
}

static void have_no_watermarks(struct memory_store *m) {
    static struct store_ops ops;
    ops = memory_ops;
    ops.remove_watermarks = NULL;
    m->store.ops = &ops;
    m->counts_only = true;
}

/* A store without watermarks writes all of a batch or nothing, so what was folded is written again. */
static void without_watermarks_the_same_is_written_again(void **state) {
    struct shop *s = *state;
    have_no_watermarks(&s->m);
    assert_int_equal(add_one(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(add_one(s, s->worker, PURCHASE(2, "lamp")), STATUS_OK);
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_RETRY);
    s->m.fail_batches = STATUS_OK;
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_OK);
    assert_int_equal(s->m.rows_read, 1);
    assert_counts(s, 2, 0, 0);
    assert_scores(s, 1, 0, 0);
    s->m.always_conflict = true;
    assert_int_equal(add_one(s, s->worker, PURCHASE(3, "lamp")), STATUS_OK);
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_CONFLICT);
    apply_drop(s->worker);
}

/* Adds products until the batch is full. Returns how many; `most` if it is not full then. */
static unsigned fill_batch(struct shop *s, unsigned most) {
    unsigned n = 0;
    for (; n < most && !apply_is_full(s->worker); n++) {
        char product[16];
        snprintf(product, sizeof product, "%u", n);
        assert_int_equal(add_one(s, s->worker, CREATE(3, product, "ann")), STATUS_OK);
    }
    return n;
}

static void without_watermarks_a_batch_is_full_when_its_transaction_has_enough_rows(void **state) {
    struct shop *s = *state;
    struct pace pace;
    pace_init(&pace);
    have_no_watermarks(&s->m);
    assert_false(apply_is_full(s->worker));
    assert_int_equal(fill_batch(s, LIMIT_TRANSACTION_ROWS), pace.rows);
    apply_drop(s->worker);
    assert_false(apply_is_full(s->worker));

    assert_int_equal(add_one(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_OK);
    assert_int_equal(add_one(s, s->worker, PURCHASE(2, "lamp")), STATUS_OK);
    size_t scores = 2; /* ann's and the shop's */
    assert_int_equal(fill_batch(s, LIMIT_TRANSACTION_ROWS), pace.rows - 1 - scores);
    apply_drop(s->worker);
}

static void take_long(void *data) {
    (void)data;
    stepped_clock_add(LIMIT_TRANSACTION_MS + 1);
}

static void after_a_slow_transaction_the_next_has_half_as_many_rows(void **state) {
    struct shop *s = *state;
    have_no_watermarks(&s->m);
    unsigned n = fill_batch(s, LIMIT_TRANSACTION_ROWS);
    s->m.before_write = take_long;
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(apply_write(s->worker, NULL, &s->counts, &s->e), STATUS_RETRY);
    apply_drop(s->worker);
    assert_int_equal(fill_batch(s, LIMIT_TRANSACTION_ROWS), n / 2);
    apply_drop(s->worker);
}

static void a_row_counts_with_the_texts_that_the_batch_gives_it(void **state) {
    struct shop *s = *state;
    char image[LIMIT_IMAGE_BYTES];
    snprintf(image, sizeof image, "%0*d", LIMIT_IMAGE_BYTES - 1, 0);
    struct apply_record photograph = IMAGE(2, "lamp", "pia");
    photograph.event.image = image;
    have_no_watermarks(&s->m); /* else the records count, too */
    assert_int_equal(add_one(s, s->worker, CREATE(1, "lamp", "ann")), STATUS_OK);
    size_t bytes = apply_size(s->worker);
    assert_int_equal(add_one(s, s->worker, photograph), STATUS_OK);
    assert_true(apply_size(s->worker) >= bytes + sizeof image);
    apply_drop(s->worker);
}

static void with_watermarks_a_batch_is_no_transaction(void **state) {
    struct shop *s = *state;
    assert_int_equal(fill_batch(s, LIMIT_TRANSACTION_ROWS / 2), LIMIT_TRANSACTION_ROWS / 2);
    apply_drop(s->worker);
}

/* What a batch keeps while it is applied. */

struct holding {
    struct budget *budget;
    size_t held; /* while the batch was written */
};

static void note_held(void *data) {
    struct holding *h = data;
    h->held = budget_held(h->budget);
}

static size_t held_by(struct shop *s, struct holding *h, const struct apply_record *records, size_t n) {
    s->m.before_write = note_held;
    s->m.before_write_data = h;
    apply_batch(s->worker, records, n, NULL, &s->counts, &s->e);
    assert_int_equal(budget_held(h->budget), 0);
    return h->held;
}

static void what_a_batch_keeps_is_held_of_the_budget_until_it_ends(void **state) {
    struct shop *s = *state;
    struct holding h = {.budget = budget_new(1)};
    const struct apply_record records[] = {CREATE(1, "lamp", "ann"), CREATE(2, "vase", "bob"),
                                           PURCHASE(3, "lamp"), PURCHASE(4, "vase")};
    apply_set_budget(s->worker, h.budget);
    s->m.row_writes_left = 1;
    size_t held = held_by(s, &h, records, COUNT(records));
    assert_int_equal(s->e.status, STATUS_RETRY);
    s->m.row_writes_left = -1;
    assert_int_equal(held_by(s, &h, records, COUNT(records)), held);

    assert_in_range(held, COUNT(records) * sizeof *records, 1 << 18);
    budget_free(h.budget);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(records_that_are_added_are_written_together),
        TEST(a_batch_whose_write_failed_is_folded_again_by_the_next_write),
        TEST(a_batch_that_was_dropped_leaves_nothing),
        TEST(records_whose_rows_cannot_be_read_are_not_added),
        TEST(without_watermarks_the_same_is_written_again),
        TEST(without_watermarks_a_batch_is_full_when_its_transaction_has_enough_rows),
        TEST(with_watermarks_a_batch_is_no_transaction),
        TEST(after_a_slow_transaction_the_next_has_half_as_many_rows),
        TEST(a_row_counts_with_the_texts_that_the_batch_gives_it),
        TEST(what_a_batch_keeps_is_held_of_the_budget_until_it_ends),
        TEST(a_batch_causes_one_write_for_each_product_and_each_contributor),
        TEST(a_score_has_its_last_event_and_that_events_position),
        TEST(a_user_who_is_creator_and_photographer_has_two_scores),
        TEST(only_rows_that_changed_are_written),
        TEST(a_batch_of_duplicates_writes_nothing),
        TEST(every_read_and_write_of_a_batch_has_the_fence),
        TEST(rows_whose_write_was_acknowledged_are_not_read_again),
        TEST(only_the_rows_of_a_write_without_an_answer_are_read_again),
        TEST(all_rows_of_a_batch_are_read_again_after_a_failed_read),
        TEST(a_row_that_was_not_written_never_enters_the_cache),
        TEST(the_cache_of_rows_is_bounded_and_keeps_the_rows_used_last),
        TEST(every_row_is_read_each_time_without_a_cache),
        TEST(a_batch_that_failed_at_any_write_is_completed_by_applying_it_again),
        TEST(a_batch_whose_last_answer_alone_was_lost_is_not_written_again),
        TEST(a_batch_that_another_worker_applied_meanwhile_is_not_counted_again),
        TEST(the_rest_of_a_batch_that_another_worker_applied_in_part_is_counted),
        TEST(a_worker_behind_the_new_owner_changes_nothing),
        TEST(a_batch_with_too_many_conflicts_is_to_be_retried_later),
        TEST(a_refusal_of_the_store_is_returned_and_not_retried),
        TEST(a_batch_has_the_time_of_the_service),
        TEST(a_clock_that_nobody_teaches_tells_a_batch_no_time),
        TEST(the_listener_gets_the_changed_rows_once_they_are_in_the_store),
        TEST(the_listener_gets_the_rows_that_were_written_although_the_batch_failed),
        TEST(rows_of_a_failed_batch_are_reported_when_smaller_batches_are_acknowledged),
        TEST(throttles_are_counted_in_all_rounds_of_a_batch_even_if_it_fails),
        TEST(throttles_of_a_failed_write_are_none_of_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
