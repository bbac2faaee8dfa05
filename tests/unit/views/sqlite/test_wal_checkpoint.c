/* The write-ahead log on a disk that writes each page of the database slowly. */
#include "views/sqlite/store.h"

#include <poll.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/unit/support/all_time.h"
#include "tests/unit/support/contribution.h"
#include "tests/unit/support/store.h"

enum { PATIENCE_MS = 60000, PAGES = 256 };

static struct {
    sqlite3_vfs vfs, *real; /* opens files as SQLite's own does */
    sqlite3_io_methods database;
    int (*write)(sqlite3_file *file, const void *data, int n, sqlite3_int64 at);
    atomic_bool is_slow;
    atomic_int written;           /* pages of the database since then */
    _Atomic(sqlite3 *) ends_with; /* its transaction ends with the first of them */
} w;

static int write_slowly(sqlite3_file *file, const void *data, int n, sqlite3_int64 at) {
    sqlite3 *reader = atomic_exchange(&w.ends_with, NULL);
    if (reader)
        sqlite3_exec(reader, "ROLLBACK", NULL, NULL, NULL);
    if (atomic_load(&w.is_slow) && atomic_fetch_add(&w.written, 1) % 8 == 0)
        poll(NULL, 0, 1); /* the disk */
    return w.write(file, data, n, at);
}

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    int code = w.real->xOpen(w.real, path, file, flags, out);
    if (code == SQLITE_OK && flags & SQLITE_OPEN_MAIN_DB) {
        if (!w.write) {
            w.database = *file->pMethods;
            w.write = w.database.xWrite;
            w.database.xWrite = write_slowly;
        }
        file->pMethods = &w.database;
    }
    return code;
}

static int setup(void **state) {
    const struct store_source source = {.name = "arn:aws:kinesis:eu-west-1:000000000000:stream/s"};
    uint8_t key[STORE_IDENTITY_KEY_BYTES];
    memset(&w, 0, sizeof w);
    w.real = sqlite3_vfs_find(NULL);
    w.vfs = *w.real;
    w.vfs.zName = "slow";
    w.vfs.xOpen = open_file;
    sqlite3_vfs_register(&w.vfs, true);
    int failed = support_setup_sqlite(state);
    struct fixture *t = *state;
    return failed || bind_to(t->store, &source, key, &support_error);
}

static int teardown(void **state) {
    atomic_store(&w.is_slow, false);
    int failed = support_teardown(state);
    sqlite3_vfs_unregister(&w.vfs);
    return failed;
}

/* So many pages more in the log. */
static void fill(const struct fixture *t, int pages) {
    char sql[200];
    snprintf(sql, sizeof sql,
             "PRAGMA wal_autocheckpoint = 0; CREATE TABLE IF NOT EXISTS filler (data); "
             "INSERT INTO filler VALUES (zeroblob(%d))",
             pages * LIMIT_SQLITE_PAGE_BYTES);
    sqlite3 *db = support_run_sql(t, sql);
    sqlite3_close(db);
}

static bool await_written(int pages) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (atomic_load(&w.written) < pages && clock_boot_ms() < until_ms)
        poll(NULL, 0, 1);
    return atomic_load(&w.written) >= pages;
}

static void stop_ends_a_long_move(void **state) {
    struct fixture *t = *state;
    int large = LIMIT_SQLITE_WAL_TROUBLE_BYTES / LIMIT_SQLITE_PAGE_BYTES + PAGES;
    atomic_store(&w.is_slow, true);
    fill(t, large);
    assert_true(await_written(1));
    store_free(t->store);
    t->store = NULL;
    assert_true(atomic_load(&w.written) < large / 2);
}

static int64_t log_bytes(const struct fixture *t) {
    char path[128];
    struct stat st;
    support_database(t, "-wal", path, sizeof path);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static void small_log_is_moved_at_the_stop(void **state) {
    struct fixture *t = *state;
    fill(t, PAGES);
    sqlite3 *other = support_run_sql(t, "SELECT count(*) FROM filler"); /* else its end would move the log */
    store_cancel(t->store);                                             /* no move is under way */
    store_free(t->store);
    t->store = NULL;
    assert_int_equal(log_bytes(t), 0);
    sqlite3_close(other);
}

static void write_row(struct fixture *t, int n) {
    char id[20];
    snprintf(id, sizeof id, "p%d", n);
    _cleanup_(contribution_freep) struct contribution *row = contribution_new(id);
    contribution_set_text(row, CONTRIBUTION_LAST_EVENT_ID, "s:1");
    _cleanup_(mem_freep) struct packed *write = pack_over(row, NULL);
    const struct store_batch batch = {.shard_id = "s", .contributions = &write, .n_contributions = 1};
    assert_ok(store_write_batch(t->store, &batch, &t->context, &support_error));
}

/* A reader keeps most of a large log until a move has begun. */
static void writers_do_not_wait_for_what_a_reader_kept(void **state) {
    struct fixture *t = *state;
    int kept = 2 * LIMIT_SQLITE_WAL_PAGES, longest = 0;
    fill(t, PAGES);
    sqlite3 *reader = support_run_sql(t, "BEGIN; SELECT count(*) FROM filler");
    atomic_store(&w.ends_with, reader);
    atomic_store(&w.is_slow, true);
    fill(t, kept);
    for (int n = 0; atomic_load(&w.written) < kept && n < 100000; n++) {
        int before = atomic_load(&w.written);
        write_row(t, n);
        int during = atomic_load(&w.written) - before;
        longest = during > longest ? during : longest;
        poll(NULL, 0, 1); /* no faster than the disk */
    }
    sqlite3_close(reader);
    assert_true(atomic_load(&w.written) >= kept);
    assert_true(longest < LIMIT_SQLITE_WAL_PAGES);
}

/* What the checkpointer measured last. */
static int64_t measured_bytes(void) {
    _cleanup_(buffer_deinit) struct buffer text;
    buffer_init(&text, 1 << 20);
    metrics_write(&text);
    const char *at = text.length ? strstr(text.data, "\nwinner_view_sqlite_wal_bytes ") : NULL;
    return at ? strtoll(strchr(at + 1, ' '), NULL, 10) : 0;
}

static void await_measured(int64_t bytes) {
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    while (measured_bytes() < bytes && clock_boot_ms() < until_ms)
        poll(NULL, 0, 5);
    assert_true(measured_bytes() >= bytes);
}

/* After the second measurement the first one was judged. */
static void a_large_log_that_no_reader_keeps_is_no_trouble(void **state) {
    struct fixture *t = *state;
    const int large = LIMIT_SQLITE_WAL_TROUBLE_BYTES / LIMIT_SQLITE_PAGE_BYTES + PAGES;
    struct health *health = health_new();
    struct health_report report;
    store_sqlite_report_to(t->store, health);
    for (int pages = large; pages <= large + PAGES; pages += PAGES) {
        fill(t, pages);
        await_measured((int64_t)pages * LIMIT_SQLITE_PAGE_BYTES);
    }
    health_read(health, &report);
    assert_int_equal(report.n_troubles, 0);
    health_report_deinit(&report);
    store_free(t->store);
    t->store = NULL;
    health_free(health);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"a stop ends a move of gigabytes", stop_ends_a_long_move, setup, teardown, NULL},
        {"a stop moves a small log", small_log_is_moved_at_the_stop, setup, teardown, NULL},
        {"writers do not wait for pages that a reader kept", writers_do_not_wait_for_what_a_reader_kept,
         setup, teardown, NULL},
        {"a large log that no reader keeps is no trouble", a_large_log_that_no_reader_keeps_is_no_trouble,
         setup, teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
