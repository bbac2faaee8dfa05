/* What apply reports as sold. */
#include <stdlib.h>

#include "base/buffer.h"
#include "base/metrics.h"
#include "tests/unit/support/apply_store.h"
#include "views/apply.h"

struct shop {
    struct memory_store m;
    struct apply_listener listener;
    struct apply *worker;
    struct apply_counts counts;
    struct error e;

    size_t calls, sold; /* reported, in all */
    char newest[8];     /* of the last call, as is its time */
    int64_t time_ms;

    int64_t counted_before; /* by the metric, when the shop opened */
};

enum { NOT_THERE = -1 };

static int64_t counted(void) {
    static const char name[] = "\nwinner_view_sales_total ";
    _cleanup_(buffer_deinit) struct buffer text;
    buffer_init(&text, 1u << 20);
    metrics_write(&text);
    const char *at = text.data ? strstr(text.data, name) : NULL;
    return at ? strtoll(at + strlen(name), NULL, 10) : NOT_THERE;
}

static void note_sold(void *data, const struct apply_sales *sales) {
    struct shop *s = data;
    const struct contribution *stored = *memory_row(&s->m, sales->product->product_id);
    assert_string_equal(stored->last_event_id,
                        sales->product->last_event_id); /* it is in the store already */
    assert_true(sales->n > 0);
    s->calls++;
    s->sold += sales->n;
    s->time_ms = sales->time_ms;
    snprintf(s->newest, sizeof s->newest, "%s", sales->product->product_id);
}

static int open_shop(void **state) {
    struct shop *s = mem_zalloc(sizeof *s);
    memory_init(&s->m);
    s->listener = (struct apply_listener){.sold = note_sold, .data = s};
    s->worker = apply_new(&s->m.store, "s", NULL, &s->listener, 1 << 20);
    s->counted_before = counted();
    *state = s;
    return 0;
}

static int close_shop(void **state) {
    struct shop *s = *state;
    assert_int_equal(counted() - s->counted_before, s->sold); /* what is reported is also counted */
    apply_free(s->worker);
    memory_deinit(&s->m);
    free(s);
    return 0;
}

#define CREATE(sequence, product) record((sequence), EVENT_CREATE, (product), "ann")
#define PURCHASE(sequence, product) record((sequence), EVENT_PURCHASE, (product), "cid")

#define APPLY(s, ...)                                                                                        \
    apply_batch((s)->worker, (const struct apply_record[]){__VA_ARGS__},                                     \
                COUNT(((const struct apply_record[]){__VA_ARGS__})), NULL, &(s)->counts, &(s)->e)

static void the_counter_is_there_before_the_first_sale(void **state) {
    const struct shop *s = *state;
    assert_true(s->counted_before != NOT_THERE);
}

static void a_batch_reports_its_newest_sale_and_how_many_there_were(void **state) {
    struct shop *s = *state;
    assert_int_equal(APPLY(s, CREATE(1, "lamp"), CREATE(2, "vase"), PURCHASE(3, "lamp"), PURCHASE(4, "vase"),
                           PURCHASE(5, "lamp"), CREATE(6, "cup")),
                     STATUS_OK);
    assert_int_equal(s->calls, 1);
    assert_int_equal(s->sold, 3);
    assert_string_equal(s->newest, "lamp");
    assert_int_equal(s->time_ms, 50);
    assert_int_equal(APPLY(s, PURCHASE(7, "lamp"), PURCHASE(8, "vase")), STATUS_OK);
    assert_int_equal(s->sold, 5);
    assert_string_equal(s->newest, "vase");
}

static void what_is_no_new_purchase_is_no_sale(void **state) {
    struct shop *s = *state;
    assert_int_equal(APPLY(s, CREATE(1, "lamp"), CREATE(2, "vase"), PURCHASE(4, "lamp")), STATUS_OK);
    assert_int_equal(APPLY(s, CREATE(3, "lamp"), PURCHASE(4, "lamp"), PURCHASE(5, "vase")), STATUS_OK);
    assert_int_equal(s->counts.duplicate + s->counts.stale, 2);
    assert_int_equal(s->sold, 2);
    assert_int_equal(APPLY(s, PURCHASE(4, "lamp"), PURCHASE(5, "vase")), STATUS_OK);
    assert_int_equal(APPLY(s, CREATE(6, "cup")), STATUS_OK);
    assert_int_equal(s->calls, 2);
}

static void sales_of_a_failed_batch_are_reported_when_it_is_applied_again(void **state) {
    struct shop *s = *state;
    assert_int_equal(APPLY(s, CREATE(1, "lamp")), STATUS_OK);
    s->m.fail_batches = STATUS_RETRY;
    assert_int_equal(APPLY(s, PURCHASE(2, "lamp"), PURCHASE(3, "lamp")), STATUS_RETRY);
    assert_int_equal(s->calls, 0);
    s->m.fail_batches = STATUS_OK;
    assert_int_equal(APPLY(s, PURCHASE(2, "lamp"), PURCHASE(3, "lamp")), STATUS_OK);
    assert_int_equal(s->sold, 2);
}

/* The score, the shop's and one product are acknowledged. The other product is not written, or only
 * its answer is lost: then nobody can say whose write it was. */
static void each_sale_is_reported_once_although_the_store_had_a_part_of_the_batch(void **state) {
    struct shop *s = *state;
    for (int is_written = 0; is_written < 2; is_written++) {
        close_shop((void **)&s);
        open_shop((void **)&s);
        *state = s;
        assert_int_equal(APPLY(s, CREATE(1, "lamp"), CREATE(2, "vase")), STATUS_OK);
        s->m.row_writes_left = 3;
        s->m.unanswered_counts = is_written;
        assert_int_equal(APPLY(s, PURCHASE(3, "lamp"), PURCHASE(4, "lamp"), PURCHASE(5, "vase")),
                         STATUS_RETRY);
        assert_int_equal(s->sold, 2);
        assert_string_equal(s->newest, "lamp");
        assert_int_equal(APPLY(s, PURCHASE(3, "lamp"), PURCHASE(4, "lamp"), PURCHASE(5, "vase")), STATUS_OK);
        assert_int_equal(s->sold, is_written ? 2 : 3);
    }
}

static void only_sales_of_the_rows_that_were_written_are_reported(void **state) {
    struct shop *s = *state;
    assert_int_equal(APPLY(s, CREATE(1, "lamp"), CREATE(2, "vase"), CREATE(3, "cup")), STATUS_OK);
    s->m.row_writes_left = 4; /* two scores, lamp and vase */
    assert_int_equal(APPLY(s, PURCHASE(4, "lamp"), PURCHASE(5, "vase"), PURCHASE(6, "cup")), STATUS_RETRY);
    assert_int_equal(s->sold, 2);
    assert_string_equal(s->newest, "vase");
    assert_int_equal(APPLY(s, PURCHASE(4, "lamp"), PURCHASE(5, "vase"), PURCHASE(6, "cup")), STATUS_OK);
    assert_int_equal(s->sold, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_counter_is_there_before_the_first_sale),
        TEST(a_batch_reports_its_newest_sale_and_how_many_there_were),
        TEST(what_is_no_new_purchase_is_no_sale),
        TEST(sales_of_a_failed_batch_are_reported_when_it_is_applied_again),
        TEST(each_sale_is_reported_once_although_the_store_had_a_part_of_the_batch),
        TEST(only_sales_of_the_rows_that_were_written_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
