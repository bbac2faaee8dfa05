#include "ingest/shard.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/test.h"

/* A call that hangs fails by the time-out of the test. No time is measured. */
#define PATIENCE_MS 60000
#define PURCHASE                                                                                             \
    "{\"schema\":\"com.nordstrom/retail-stream-ingress/1-0-0\",\"origin\":\"ann\","                          \
    "\"timeOrigin\":\"1970-01-01T00:00:01Z\",\"data\":"                                                      \
    "{\"schema\":\"com.nordstrom/product/purchase/1-0-0\",\"id\":\"lamp\"}}"

/* A source of a few reads, which may fail at first, and a store that may fail at first. */

struct world_reader {
    struct source_reader reader; /* first */
    uint64_t read;               /* times */
};

#define EGRESS_PURCHASE                                                                                      \
    "{\"schema\":\"com.nordstrom/retail-stream-egress/1-0-0\",\"origin\":\"ann\",\"timeOrigin\":"            \
    "\"2026-11-23T04:36:00Z\",\"eventId\":\"s:1\",\"timeIngest\":\"2026-11-23T04:36:00Z\",\"timeProcess\":"  \
    "\"\",\"data\":{\"schema\":\"com.nordstrom/product/purchase/1-0-0\",\"id\":\"lamp\"}}"

struct world {
    struct source source;
    const char *data;
    int source_failures;
    uint64_t fails_after; /* so many reads */
    enum status source_status;
    int opened;
    struct source_start opened_at; /* the last time */
    uint64_t reads;                /* with a record each */
    bool more;                     /* each says that more comes at once */
    bool no_room;                  /* then one says that there is no room */
    bool letter_first;             /* a dead letter comes before the record ... */
    uint64_t letters_after;        /* ... of each read after so many */
    bool idle;                     /* after them it brings nothing, instead of its end */
    struct source_record records[2];
    struct source_shard child;
    bool holds; /* the read after them is held until the test releases it */
    atomic_bool held, let_go, reader_woken;
    struct waker
        holding; /* ends the hold; `done` is woken when the hold begins and when the reader is woken */

    struct store store;
    int store_failures; /* the number of batches that fail */
    struct error store_error;
    _Atomic int writes;
    size_t most; /* purchases in one */
    int window_ms;

    /* seen by the store or source at each try but the first */
    int tries, troubles_seen, waiting_seen, as_of_seen;
    char reason[256];

    int64_t lease_as_of_ms;
    struct fence fence;
    struct health *health;
    struct freshness *freshness;
    struct deadletter *deadletter;
    struct waker done;
};

static struct world w;

static bool in_metrics(const char *text) {
    _cleanup_(buffer_deinit) struct buffer all;
    buffer_init(&all, 1 << 20);
    metrics_write(&all);
    return strstr(all.data, text) != NULL;
}

/* Called on the thread of the shard, at each try. */
static void look_around(void) {
    struct health_report report;
    health_read(w.health, &report);
    w.tries++;
    if (report.n_troubles == 1 && strcmp(report.troubles[0].name, "shard s") == 0) {
        w.troubles_seen++;
        snprintf(w.reason, sizeof w.reason, "%s", report.troubles[0].reason);
    }
    w.waiting_seen += in_metrics("winner_view_shard_waiting_since_timestamp_seconds{shard=\"s\"} ");
    w.as_of_seen += in_metrics("winner_view_shard_as_of_timestamp_seconds{shard=\"s\"} ");
    health_report_deinit(&report);
}

static struct source_reader *world_open(struct source *source, const struct source_shard *shard,
                                        const struct source_start *start, struct budget *budget) {
    (void)shard;
    (void)budget;
    w.opened++;
    w.opened_at = *start;
    struct world_reader *r = mem_zalloc(sizeof *r);
    r->reader.ops = source->ops;
    return &r->reader;
}

static void hold_read(void) {
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS;
    atomic_store(&w.held, true);
    waker_wake(&w.done);
    while (!atomic_load(&w.let_go) && clock_boot_ms() < give_up_ms)
        waker_wait(&w.holding, give_up_ms, -1);
}

static enum status world_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                              struct error *e) {
    struct world_reader *r = (struct world_reader *)reader;
    (void)until_ms;
    *batch = (struct source_batch){.as_of_ms = -1};
    if (w.source_failures > 0 && r->read >= w.fails_after) {
        w.source_failures--;
        look_around();
        return error_set(e, w.source_status, "the source fails as scripted");
    }
    if (w.no_room && r->read == w.reads) {
        w.no_room = false;
        batch->no_room = true;
        return STATUS_OK;
    }
    if (w.holds && r->read == w.reads)
        hold_read();
    if (w.idle && r->read == w.reads)
        return STATUS_OK;
    batch->ended = r->read == w.reads;
    batch->children = &w.child;
    batch->n_children = 1;
    if (batch->ended)
        return STATUS_OK;
    r->read++;
    bool letter = w.letter_first && r->read > w.letters_after;
    w.records[0] = (struct source_record){.position = position_from_u64(r->read), .data = "{", .length = 1};
    w.records[1] = (struct source_record){.position = position_from_u64(r->read + letter),
                                          .data = (const uint8_t *)w.data,
                                          .length = strlen(w.data)};
    batch->records = w.records + !letter;
    batch->n = letter ? 2 : 1;
    batch->more = w.more;
    return STATUS_OK;
}

static void world_wake(struct source_reader *reader) {
    (void)reader;
    atomic_store(&w.reader_woken, true);
    waker_wake(&w.done);
}

static void world_close(struct source_reader *reader) {
    free(reader);
}

static void world_nothing(struct source_reader *reader) {
    (void)reader;
}

static enum status world_rows(struct store *store, const char *const ids[], size_t n,
                              struct contribution *rows[], struct store_context *context, struct error *e) {
    (void)store;
    (void)ids;
    (void)e;
    assert_ptr_equal(context->fence, &w.fence);
    assert_non_null(context->pulse);
    memset(rows, 0, n * sizeof *rows);
    return STATUS_OK;
}

static enum status world_write(struct store *store, const struct store_batch *batch,
                               struct store_context *context, struct error *e) {
    (void)store;
    (void)context;
    w.writes++;
    if (batch->scores[0].n > w.most)
        w.most = batch->scores[0].n;
    look_around();
    if (w.store_failures-- > 0) {
        *e = w.store_error;
        return e->status;
    }
    return STATUS_OK;
}

static const struct source_ops source_ops = {
    .open = world_open,
    .read = world_read,
    .forget = world_nothing,
    .wake = world_wake,
    .close = world_close,
};
static const struct store_ops store_ops = {.read_contributions = world_rows, .write_batch = world_write};

static int set_up(void **state) {
    (void)state;
    w = (struct world){.data = PURCHASE, .reads = 1};
    w.source.ops = &source_ops;
    w.store.ops = &store_ops;
    w.health = health_new();
    w.freshness = freshness_new(support_clock());
    fence_open_until(&w.fence, INT64_MAX);
    waker_init(&w.done);
    waker_init(&w.holding);
    const struct deadletter_options options = {.target = "log", .health = w.health};
    return deadletter_open(&w.deadletter, &options, NULL);
}

static int tear_down(void **state) {
    (void)state;
    deadletter_close(w.deadletter);
    health_free(w.health);
    freshness_free(w.freshness);
    waker_deinit(&w.done);
    waker_deinit(&w.holding);
    return 0;
}

static struct shard *start(void) {
    const struct shard_context context = {
        .source = &w.source,
        .store = &w.store,
        .deadletter = w.deadletter,
        .freshness = w.freshness,
        .health = w.health,
        .done = &w.done,
        .batch_records = 10,
        .batch_bytes = SIZE_MAX,
        .batch_window_ms = w.window_ms,
        .cache_bytes = 1 << 20,
    };
    const struct store_lease lease = {
        .shard_id = "s", .tenure = "t", .checkpoint = LEASE_TRIM_HORIZON, .as_of_ms = w.lease_as_of_ms};
    return shard_start(&context, &lease, &w.fence);
}

static struct shard_report await_end(struct shard *s) {
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS;
    struct shard_report report;
    for (shard_read_report(s, &report); !report.finished; shard_read_report(s, &report)) {
        assert_true(clock_boot_ms() < give_up_ms);
        waker_wait(&w.done, give_up_ms, -1);
    }
    return report;
}

static void assert_no_trouble_is_left(void) {
    assert_false(health_clear(w.health, "shard s"));
    assert_false(in_metrics("winner_view_shard_waiting_since_timestamp_seconds{shard=\"s\"}"));
}

static void a_shard_is_read_and_applied_to_its_end(void **state) {
    (void)state;
    struct shard *s = start();
    struct shard_report report = await_end(s);
    assert_int_equal(report.progress.checkpoint, LEASE_SHARD_END);
    assert_int_equal(report.n_children, 1);
    assert_int_equal(w.writes, 1);
    assert_no_trouble_is_left();
    shard_join(s);
}

/* What is one batch. */

static void at_the_tip_each_read_is_written_at_once(void **state) {
    (void)state;
    w.reads = 5;
    struct shard *s = start();
    await_end(s);
    assert_int_equal(w.writes, 5);
    shard_join(s);
}

static void reads_of_a_backlog_are_written_together(void **state) {
    (void)state;
    w.reads = 9;
    w.more = true;
    struct shard *s = start();
    await_end(s);
    assert_in_range(w.writes, 1, 8); /* 1, unless they take longer than LIMIT_BACKLOG_WINDOW_MS */
    shard_join(s);
}

static void a_batch_has_no_more_records_than_it_may(void **state) {
    (void)state;
    w.reads = 25;
    w.window_ms = PATIENCE_MS;
    struct shard *s = start();
    struct shard_report report = await_end(s);
    assert_int_equal(w.writes, 3);
    assert_int_equal(w.most, 10);
    struct position last = position_from_u64(25);
    assert_int_equal(position_compare(&report.progress.position, &last), 0);
    shard_join(s);
}

static void await_write(void) {
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS / 2;
    while (!w.writes) {
        assert_true(clock_boot_ms() < give_up_ms);
        waker_wait(&w.done, clock_boot_ms() + 5, -1);
    }
}

static void assert_written_while_a_read_is_held(void) {
    w.holds = true;
    struct shard *s = start();
    await_write();
    atomic_store(&w.let_go, true);
    waker_wake(&w.holding);
    await_end(s);
    assert_int_equal(w.writes, 1);
    shard_join(s);
}

static void a_batch_is_written_when_its_window_is_over(void **state) {
    (void)state;
    w.window_ms = 20;
    assert_written_while_a_read_is_held();
}

/* It holds what others wait for. */
static void a_batch_is_written_when_there_is_no_room_for_more(void **state) {
    (void)state;
    w.window_ms = PATIENCE_MS;
    w.no_room = true;
    assert_written_while_a_read_is_held();
}

static void the_metrics_of_a_shard_that_is_not_read_any_more_are_forgotten(void **state) {
    (void)state;
    struct shard *s = start();
    await_end(s);
    shard_join(s);
    metrics_forget(clock_boot_ms());
    assert_true(in_metrics("winner_view_records_total{shard=\"s\"} ")); /* to be scraped */
    metrics_forget(clock_boot_ms() + LIMIT_METRIC_RELEASED_MS);
    assert_false(in_metrics("{shard=\"s\""));
}

static void the_as_of_metric_exists_only_when_the_as_of_is_known(void **state) {
    (void)state;
    w.lease_as_of_ms = -1;
    struct shard *s = start();
    await_end(s);
    assert_true(w.tries > 0);
    assert_int_equal(w.as_of_seen, 0);
    shard_join(s);

    w.tries = 0;
    w.lease_as_of_ms = 5000; /* from the tenure before */
    s = start();
    await_end(s);
    assert_true(w.tries > 0);
    assert_int_equal(w.as_of_seen, w.tries);
    shard_join(s);
    assert_false(in_metrics("winner_view_shard_as_of_timestamp_seconds{shard=\"s\"}"));
}

static bool has_foreign_arrivals(void) {
    struct shard *s = start();
    struct shard_report report = await_end(s);
    shard_join(s);
    assert_int_equal(report.progress.foreign_arrivals, freshness_has_foreign_arrivals(w.freshness));
    return report.progress.foreign_arrivals;
}

static void an_event_that_arrived_in_another_stream_first_is_reported_for_good(void **state) {
    (void)state;
    assert_false(has_foreign_arrivals());
    w.data = EGRESS_PURCHASE;
    assert_true(has_foreign_arrivals());
}

static void events_of_a_source_without_arrivals_arrived_elsewhere_before_one_is_read(void **state) {
    (void)state;
    static struct source_ops ops;
    ops = source_ops;
    ops.no_arrivals = true;
    w.source.ops = &ops;
    w.holds = true;
    w.window_ms = PATIENCE_MS;
    struct shard *s = start();
    assert_true(freshness_has_foreign_arrivals(w.freshness));
    atomic_store(&w.let_go, true);
    waker_wake(&w.holding);
    assert_true(await_end(s).progress.foreign_arrivals);
    shard_join(s);
}

static void a_shard_waits_and_retries_its_batch_while_the_store_refuses_it(void **state) {
    (void)state;
    w.store_failures = 3;
    error_set(&w.store_error, STATUS_INVALID, "cannot write 'lamp' to table 't': its own words");
    struct shard *s = start();
    struct shard_report report = await_end(s);
    assert_int_equal(report.progress.checkpoint, LEASE_SHARD_END);
    assert_int_equal(w.writes, 4); /* the same batch, until it is written */
    assert_int_equal(w.troubles_seen, 3);
    assert_int_equal(w.waiting_seen, 3);
    assert_string_equal(w.reason, "cannot write 'lamp' to table 't': its own words");
    assert_no_trouble_is_left();
    assert_true(in_metrics("winner_view_shard_waits_total{cause=\"store\"} 3\n"));
    shard_join(s);
}

/* Each pause is longer than the one before, so six failures last for longer than LIMIT_REWIND_MS. */
static void a_shard_whose_batch_is_refused_for_long_drops_it_once_and_reads_it_again(void **state) {
    (void)state;
    w.store_failures = 6;
    error_set(&w.store_error, STATUS_INVALID, "refused");
    struct shard *s = start();
    struct shard_report report = await_end(s);
    assert_int_equal(report.progress.checkpoint, LEASE_SHARD_END);
    assert_int_equal(w.writes, 7);
    assert_int_equal(w.troubles_seen, 6); /* all the time */
    assert_int_equal(w.opened, 2);
    assert_int_equal(w.opened_at.checkpoint, LEASE_TRIM_HORIZON); /* as far as the views are */
    assert_no_trouble_is_left();
    assert_true(in_metrics("winner_view_shard_rewinds_total 1\n"));
    shard_join(s);
}

static long rewinds(void) {
    static const char name[] = "\nwinner_view_shard_rewinds_total ";
    _cleanup_(buffer_deinit) struct buffer all;
    buffer_init(&all, 1 << 20);
    metrics_write(&all);
    const char *at = strstr(all.data, name);
    return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

/* It is larger than LIMIT_PARKED_BYTES. Its dead letter is written each time that the record is read, as the
 * target refuses it: so the record is read again after each pause. */
static void a_large_batch_that_is_refused_is_not_kept_in_a_pause(void **state) {
    (void)state;
    const struct deadletter_options full = {.target = "file:/dev/full", .health = w.health};
    deadletter_close(w.deadletter);
    assert_int_equal(deadletter_open(&w.deadletter, &full, NULL), STATUS_OK);
    _cleanup_(mem_freep) char *large = mem_zalloc(LIMIT_PARKED_BYTES + 1);
    memset(large, 'x', LIMIT_PARKED_BYTES);
    w.data = large;
    struct shard *s = start();
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS;
    for (long before = rewinds(); rewinds() < before + 3;) {
        assert_true(clock_boot_ms() < give_up_ms);
        waker_wait(&w.done, clock_boot_ms() + 5, -1);
    }
    shard_stop(s);
    await_end(s);
    shard_join(s);
    assert_no_trouble_is_left();
}

static void dead_letters_that_are_read_again_are_not_written_again(void **state) {
    (void)state;
    w.letter_first = true;
    w.store_failures = 6;
    error_set(&w.store_error, STATUS_INVALID, "refused");
    struct shard *s = start();
    await_end(s);
    assert_int_equal(w.opened, 2);
    assert_true(in_metrics("winner_view_dead_letters_total{reason=\"not-json\"} 1\n"));
    shard_join(s);
}

static void a_store_behind_a_shut_fence_is_not_a_trouble_of_the_shard(void **state) {
    (void)state;
    w.store_failures = 2;
    error_set(&w.store_error, STATUS_FAILED, "not sent");
    strcpy(w.store_error.code, "FenceShut");
    struct shard *s = start();
    await_end(s);
    assert_int_equal(w.writes, 3);
    assert_int_equal(w.troubles_seen + w.waiting_seen, 0);
    shard_join(s);
}

static void a_source_that_keeps_failing_is_a_trouble_and_one_failure_is_not(void **state) {
    (void)state;
    w.source_failures = 3;
    w.source_status = STATUS_RETRY;
    struct shard *s = start();
    await_end(s);
    assert_int_equal(w.tries, 3 + 1);         /* the store's too */
    assert_int_equal(w.troubles_seen, 1 + 1); /* at the third try, and at the write after it */
    assert_string_equal(w.reason, "the source fails as scripted");
    assert_no_trouble_is_left();
    shard_join(s);
}

static void a_refusal_of_the_source_is_a_trouble_at_once(void **state) {
    (void)state;
    w.source_failures = 2;
    w.source_status = STATUS_FAILED;
    struct shard *s = start();
    await_end(s);
    assert_int_equal(w.troubles_seen, 1 + 1);
    shard_join(s);
}

static void a_shard_whose_dead_letters_cannot_be_written_waits_and_keeps_its_position(void **state) {
    (void)state;
    const struct deadletter_options full = {.target = "file:/dev/full", .health = w.health};
    deadletter_close(w.deadletter);
    assert_int_equal(deadletter_open(&w.deadletter, &full, NULL), STATUS_OK);
    w.data = "{";
    struct shard *s = start();
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS;
    while (!in_metrics("winner_view_shard_waits_total{cause=\"dead_letter\"}")) {
        assert_true(clock_boot_ms() < give_up_ms);
        waker_wait(&w.done, clock_boot_ms() + 5, -1);
    }
    shard_stop(s);
    struct shard_report report = await_end(s);
    assert_int_equal(report.progress.checkpoint, LEASE_TRIM_HORIZON);
    shard_join(s);
    assert_no_trouble_is_left(); /* no thread is left to clear it */
}

static void assert_position(struct shard_report report, uint64_t expected) {
    struct position position = position_from_u64(expected);
    assert_int_equal(report.progress.checkpoint, LEASE_AT_POSITION);
    assert_int_equal(position_compare(&report.progress.position, &position), 0);
}

static void what_came_before_a_dead_letter_that_cannot_be_written_is_applied(void **state) {
    (void)state;
    const struct deadletter_options full = {.target = "file:/dev/full", .health = w.health};
    deadletter_close(w.deadletter);
    assert_int_equal(deadletter_open(&w.deadletter, &full, NULL), STATUS_OK);
    w.reads = 2;
    w.letter_first = true;
    w.letters_after = 1;
    w.window_ms = PATIENCE_MS;
    struct shard *s = start();
    await_write();
    assert_int_equal(w.opened, 1); /* without reading it again */
    shard_stop(s);
    assert_position(await_end(s), 1);
    shard_join(s);
}

static void what_came_before_a_failure_of_the_source_is_written_first(void **state) {
    (void)state;
    w.source_failures = 1;
    w.source_status = STATUS_INVALID;
    w.fails_after = 1;
    w.window_ms = PATIENCE_MS;
    struct shard *s = start();
    assert_position(await_end(s), 1);
    assert_int_equal(w.writes, 1);
    shard_join(s);
}

static void await(atomic_bool *what) {
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS;
    while (!atomic_load(what)) {
        assert_true(clock_boot_ms() < give_up_ms);
        waker_wait(&w.done, give_up_ms, -1);
    }
}

/* Waits a moment, in which a shard that ends would finish. */
static void assert_still_runs(struct shard *s) {
    int64_t moment_ms = clock_boot_ms() + 50;
    struct shard_report report;
    do {
        shard_read_report(s, &report);
        assert_false(report.finished);
        waker_wait(&w.done, moment_ms, -1);
    } while (clock_boot_ms() < moment_ms);
}

/* The second shard_stop() stands for a wake that arrives after the shard has already reacted to the first. */
static void a_stop_whose_wake_is_late_drops_no_batch_that_is_begun(void **state) {
    (void)state;
    w.holds = true;
    w.window_ms = PATIENCE_MS;
    struct shard *s = start();
    await(&w.held);
    shard_stop(s);
    await(&w.reader_woken);
    shard_stop(s);
    assert_still_runs(s);
    atomic_store(&w.let_go, true);
    waker_wake(&w.holding);
    struct shard_report report = await_end(s);
    assert_int_equal(w.writes, 1);
    struct position first = position_from_u64(1);
    assert_int_equal(report.progress.checkpoint, LEASE_SHARD_END);
    assert_int_equal(position_compare(&report.progress.position, &first), 0);
    shard_join(s);
}

static void a_stop_writes_the_batch_under_way(void **state) {
    (void)state;
    w.holds = w.idle = true;
    w.window_ms = PATIENCE_MS;
    struct shard *s = start();
    await(&w.held);
    shard_stop(s);
    atomic_store(&w.let_go, true);
    waker_wake(&w.holding);
    assert_position(await_end(s), 1);
    assert_int_equal(w.writes, 1);
    shard_join(s);
}

static void an_abandoned_shard_does_not_wait_for_its_batch(void **state) {
    (void)state;
    w.holds = true;
    w.window_ms = PATIENCE_MS;
    struct shard *s = start();
    await(&w.held);
    shard_stop(s);
    await(&w.reader_woken);
    shard_abandon(s);
    await_end(s);
    assert_int_equal(w.writes, 0);
    atomic_store(&w.let_go, true);
    waker_wake(&w.holding);
    shard_join(s);
}

static void a_waiting_shard_still_reports_that_it_is_alive(void **state) {
    (void)state;
    w.store_failures = 1 << 20;
    error_set(&w.store_error, STATUS_RETRY, "no answer");
    struct shard *s = start();
    struct shard_report first, later;
    int64_t give_up_ms = clock_boot_ms() + PATIENCE_MS;
    shard_read_report(s, &first);
    do {
        assert_true(clock_boot_ms() < give_up_ms);
        waker_wait(&w.done, clock_boot_ms() + 5, -1);
        shard_read_report(s, &later);
    } while (later.alive_boot_ms < first.alive_boot_ms + 300);
    shard_abandon(s);
    await_end(s);
    shard_join(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    json_set_alloc_funcs(mem_alloc, free);
    const struct CMUnitTest tests[] = {
        TEST(a_shard_is_read_and_applied_to_its_end),
        TEST(at_the_tip_each_read_is_written_at_once),
        TEST(reads_of_a_backlog_are_written_together),
        TEST(a_batch_has_no_more_records_than_it_may),
        TEST(a_batch_is_written_when_its_window_is_over),
        TEST(a_batch_is_written_when_there_is_no_room_for_more),
        TEST(the_metrics_of_a_shard_that_is_not_read_any_more_are_forgotten),
        TEST(the_as_of_metric_exists_only_when_the_as_of_is_known),
        TEST(an_event_that_arrived_in_another_stream_first_is_reported_for_good),
        TEST(events_of_a_source_without_arrivals_arrived_elsewhere_before_one_is_read),
        TEST(a_shard_waits_and_retries_its_batch_while_the_store_refuses_it),
        TEST(a_shard_whose_batch_is_refused_for_long_drops_it_once_and_reads_it_again),
        TEST(a_large_batch_that_is_refused_is_not_kept_in_a_pause),
        TEST(dead_letters_that_are_read_again_are_not_written_again),
        TEST(a_store_behind_a_shut_fence_is_not_a_trouble_of_the_shard),
        TEST(a_source_that_keeps_failing_is_a_trouble_and_one_failure_is_not),
        TEST(a_refusal_of_the_source_is_a_trouble_at_once),
        TEST(a_shard_whose_dead_letters_cannot_be_written_waits_and_keeps_its_position),
        TEST(a_stop_whose_wake_is_late_drops_no_batch_that_is_begun),
        TEST(a_stop_writes_the_batch_under_way),
        TEST(what_came_before_a_failure_of_the_source_is_written_first),
        TEST(what_came_before_a_dead_letter_that_cannot_be_written_is_applied),
        TEST(an_abandoned_shard_does_not_wait_for_its_batch),
        TEST(a_waiting_shard_still_reports_that_it_is_alive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
