/* What every source must do (ingest/source.h). Tests of one kind of source are in file/ and kinesis/. */
#include "ingest/source.h"

#include <pthread.h>

#include "tests/unit/support/source.h"

static void identifies_itself_in_the_same_way(void **state) {
    struct fixture *t = fixture(state);
    struct store_source before, after;
    assert_ok(source_identify(t->source, &before, &failure));
    add_text(t, "more");
    assert_ok(source_identify(t->with_long_waits, &after, &failure));
    assert_string_not_equal(before.name, "");
    assert_string_equal(before.name, after.name);
    assert_int_equal(before.created_ms, after.created_ms);
}

static void lists_its_shards(void **state) {
    struct fixture *t = fixture(state);
    const int64_t from_ms[] = {-1, support_now()};
    for (size_t k = 0; k < COUNT(from_ms); k++) {
        struct source_shard *shards;
        size_t n;
        assert_ok(source_list_shards(t->source, from_ms[k], &shards, &n, &failure));
        assert_int_equal(n, t->n_shards);
        assert_string_equal(shards[0].id, t->shard);
        assert_string_equal(shards[0].starting_hash_key, "0");
        assert_string_equal(shards[n - 1].ending_hash_key, HIGHEST_HASH_KEY);
        for (size_t i = 0; i < n; i++)
            assert_string_equal(shards[i].parents[0], "");
        for (size_t i = 1; i < n; i++)
            assert_true(strcmp(shards[i - 1].id, shards[i].id) < 0);
        free(shards);
    }
}

static const struct {
    const char *data;
    size_t length;
} samples[] = {
    {"{\"id\":\"lamp\"}", 13},
    {"", 0},
    {"h\xc3\xa4t \xe2\x98\x83", 8},
    {"\0\x01\xff\xfe\r\x7f\0", 7},
    {"{\"id\":\"lamp\"}", 13}, /* an equal record is another record */
    {"last", 4},
};

static void add_samples(struct fixture *t) {
    for (size_t i = 0; i < COUNT(samples); i++)
        t->add(t, samples[i].data, samples[i].length);
}

static void records_are_read_in_order_once_each(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    read_up_to_now(r, &seen);
    size_t before = seen.n;
    add_samples(t);
    read_up_to_now(r, &seen);
    assert_int_equal(seen.n, before + COUNT(samples));
    for (size_t i = 0; i < COUNT(samples); i++)
        assert_seen(&seen, before + i, samples[i].data, samples[i].length);
}

static void reader_continues_after_any_position(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    add_samples(t);
    read_up_to_now(r, &seen);
    for (size_t i = 0; i < seen.n; i++) {
        _cleanup_(close_reader) struct source_reader *later = open_from(t, &seen.positions[i]);
        _cleanup_(forget) struct seen rest = {0};
        read_up_to_now(later, &rest);
        assert_int_equal(rest.n, seen.n - i - 1);
        for (size_t k = 0; k < rest.n; k++) {
            assert_int_equal(position_compare(&rest.positions[k], &seen.positions[i + 1 + k]), 0);
            assert_seen(&rest, k, seen.data[i + 1 + k], seen.lengths[i + 1 + k]);
        }
    }
}

static void nothing_is_read_after_the_last_record(void **state) {
    struct fixture *t = fixture(state);
    add_samples(t);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0}, rest = {0};
    read_up_to_now(r, &seen);
    _cleanup_(close_reader) struct source_reader *later = open_from(t, &seen.positions[seen.n - 1]);
    read_up_to_now(later, &rest);
    assert_int_equal(rest.n, 0);
    add_text(t, "more");
    read_up_to_now(later, &rest);
    assert_int_equal(rest.n, 1);
    assert_seen(&rest, 0, "more", 4);
}

/* read_up_to_now ends when the source's as-of passes the time of its call: that is what is tested. */
static void an_idle_source_has_the_current_time_as_as_of(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    read_up_to_now(r, &seen);
    size_t before = seen.n;
    for (int i = 0; i < 3; i++) {
        int64_t as_of_ms = seen.as_of_ms;
        read_up_to_now(r, &seen);
        assert_true(seen.as_of_ms > as_of_ms);
        assert_int_equal(seen.n, before);
    }
}

static void as_of_covers_what_was_added_before(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(close_reader) struct source_reader *r = open_from(t, NULL);
    _cleanup_(forget) struct seen seen = {0};
    read_up_to_now(r, &seen);
    for (int i = 0; i < 5; i++) {
        size_t before = seen.n;
        add_text(t, "more");
        int64_t added_ms = support_now();
        while (seen.as_of_ms <= added_ms)
            assert_ok(read_once(r, &seen, clock_boot_ms() + 5));
        assert_int_equal(seen.n, before + 1);
    }
}

static void read_ends_at_its_deadline(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    _cleanup_(close_reader) struct source_reader *r = open_with_long_waits(t, &seen);
    size_t before = seen.n;
    int64_t began_ms = clock_boot_ms();
    for (int i = 1; i <= 3; i++)
        assert_ok(read_once(r, &seen, began_ms + i * 20));
    assert_ok(read_once(r, &seen, 0)); /* which is past */
    assert_true(clock_boot_ms() >= began_ms + 60);
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
    assert_int_equal(seen.n, before);
}

static void *wake(void *reader) {
    source_wake(reader);
    return NULL;
}

static void a_wake_ends_a_wait(void **state) {
    struct fixture *t = fixture(state);
    _cleanup_(forget) struct seen seen = {0};
    _cleanup_(close_reader) struct source_reader *r = open_with_long_waits(t, &seen);
    int64_t began_ms = clock_boot_ms();
    pthread_t other;
    source_wake(r); /* before the wait */
    assert_ok(read_once(r, &seen, FOR_EVER));
    assert_int_equal(pthread_create(&other, NULL, wake, r), 0); /* in it, or before */
    assert_ok(read_once(r, &seen, FOR_EVER));
    pthread_join(other, NULL);
    assert_true(clock_boot_ms() < began_ms + PATIENCE_MS / 2);
}

/* clang-format off */
#define CONTRACT(test) \
    test("a source identifies itself by the same name each time", identifies_itself_in_the_same_way), \
    test("all shards of a source are listed, in the order of their ids", lists_its_shards), \
    test("records are read in order, once each, byte for byte", records_are_read_in_order_once_each), \
    test("a reader that is opened after a record's position reads exactly the records after it", reader_continues_after_any_position), \
    test("a reader after the last record reads nothing until a record is added", nothing_is_read_after_the_last_record), \
    test("a read of an idle source returns no records and the current time as as-of", an_idle_source_has_the_current_time_as_as_of), \
    test("the as-of passes the time of a record only with that record or after it", as_of_covers_what_was_added_before), \
    test("a read waits no longer than its deadline", read_ends_at_its_deadline), \
    test("a wake ends one wait, the current or the next one", a_wake_ends_a_wait),

#define test_kinesis(title, function) {title, function, make_kinesis, tear_down, NULL}
#define test_file(title, function) {title, function, make_file_with_a_line, tear_down, NULL}
/* clang-format on */

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest kinesis[] = {CONTRACT(test_kinesis)};
    const struct CMUnitTest file[] = {CONTRACT(test_file)};
    int failed = cmocka_run_group_tests_name("source: kinesis", kinesis, NULL, NULL);
    return failed + cmocka_run_group_tests_name("source: file", file, NULL, NULL);
}
