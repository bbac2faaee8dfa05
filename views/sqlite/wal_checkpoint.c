/*
 * Moves the write-ahead log into the database, on a thread of its own: batches do not wait for the disk.
 *
 * SQLite begins the log anew only when all of it was moved. So most of the log is moved while writers go on,
 * and the rest while they wait, for a moment: otherwise the log would grow as long as batches arrive. It does
 * grow while another process reads an old state of the database: all moves end at the same page then. That is
 * reported when the log is large. A log that is large because batches arrive faster than the disk moves them
 * is not: the next move ends it.
 *
 * When SQLite begins the log anew, it truncates the file to LIMIT_SQLITE_WAL_BYTES (journal_size_limit). At
 * the end of the process the file is truncated to nothing, even if other processes have the database open and
 * SQLite does not delete it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "views/sqlite/internal.h"
#include "views/sqlite/store.h"

static struct metrics_family bytes_family = {
    .name = "winner_view_sqlite_wal_bytes",
    .help = "Size of the file of SQLite's write-ahead log.",
    .kind = METRICS_GAUGE,
};

static const char trouble[] = "write-ahead log";

static const char *log_path(const struct store_sqlite *d) {
    return d->files[1].path;
}

static int64_t log_bytes(const struct store_sqlite *d) {
    struct stat st;
    return stat(log_path(d), &st) == 0 ? st.st_size : 0;
}

/* When the log is moved, the database may grow by as much. So the log is moved while the disk still has room
 * for that: later it could never be moved. */
static bool is_short_of_disk(const struct store_sqlite *d, int pages) {
    struct statvfs fs;
    return statvfs(log_path(d), &fs) == 0 &&
           (uint64_t)fs.f_bavail * fs.f_frsize / 2 < (uint64_t)pages * LIMIT_SQLITE_PAGE_BYTES;
}

static int log_has_grown(void *data, sqlite3 *db, const char *name, int pages) {
    struct store_sqlite *d = data;
    (void)db, (void)name;
    if (pages >= atomic_load(&d->checkpointer.due_pages) || is_short_of_disk(d, pages)) {
        atomic_store(&d->checkpointer.is_due, true);
        waker_wake(&d->checkpointer.waker);
    }
    return SQLITE_OK;
}

struct pages {
    int in_log, moved, kept; /* ... because a reader needs them */
};

/* A failure (a full disk, a database that was moved) is not reported here: the next write fails, too, and
 * reports it. */
static struct pages move_pages(struct store_sqlite *d, int mode) {
    int in_log = 0, moved = 0;
    if (store_sqlite_check_files(d, NULL) == STATUS_OK)
        sqlite3_wal_checkpoint_v2(d->checkpointer.connection.db, NULL, mode, &in_log, &moved);
    return (struct pages){in_log, moved, in_log > moved ? in_log - moved : 0};
}

/* While writers go on: until few pages arrived during a pass, so that few are left for the pass while they
 * wait. */
static struct pages move_most(struct store_sqlite *d) {
    struct pages before, pages = move_pages(d, SQLITE_CHECKPOINT_PASSIVE);
    for (int pass = 1; pass < LIMIT_SQLITE_WAL_PASSES && !atomic_load(&d->cancelled); pass++) {
        before = pages;
        pages = move_pages(d, SQLITE_CHECKPOINT_PASSIVE);
        if (pages.in_log - before.in_log <= LIMIT_SQLITE_WAL_STEP_PAGES)
            break;
    }
    return pages;
}

/* While writers wait, it moves what arrived meanwhile, and a few pages that a reader kept. If a reader kept
 * many and has just ended, all of them could be moved then, and writers would wait for long: those are left
 * to the next attempt, LIMIT_SQLITE_WAL_STEP_PAGES of growth or LIMIT_SQLITE_LOOK_MS later. */
static struct pages move_log(struct store_sqlite *d) {
    if (atomic_load(&d->cancelled)) /* end_log moves it, if there is time */
        return (struct pages){0};
    struct pages pages = move_most(d);
    if (pages.kept <= LIMIT_SQLITE_WAL_PAGES && !atomic_load(&d->cancelled)) {
        pthread_mutex_lock(&d->write_lock);
        pages = move_pages(d, SQLITE_CHECKPOINT_PASSIVE);
        pthread_mutex_unlock(&d->write_lock);
    }
    atomic_store(&d->checkpointer.due_pages,
                 pages.kept ? pages.in_log + LIMIT_SQLITE_WAL_STEP_PAGES : LIMIT_SQLITE_WAL_PAGES);
    return pages;
}

static void move_if_due(struct store_sqlite *d) {
    struct pages pages = {0};
    if (atomic_exchange(&d->checkpointer.is_due, false) || log_bytes(d) > (int64_t)LIMIT_SQLITE_WAL_BYTES)
        pages = move_log(d);
    if (!pages.kept || pages.moved != d->checkpointer.moved)
        d->checkpointer.advanced_ms = clock_boot_ms();
    d->checkpointer.moved = pages.moved;
}

static bool is_held(const struct store_sqlite *d) {
    return clock_boot_ms() - d->checkpointer.advanced_ms >= LIMIT_SQLITE_HELD_MS;
}

/* The log's size, as a metric and as a trouble. */
static void report_log(struct store_sqlite *d, struct metrics_series *series) {
    char reason[512];
    int64_t bytes = log_bytes(d);
    struct health *health = atomic_load(&d->checkpointer.health);
    metrics_set(series, bytes);
    if (!health)
        return;
    if (bytes <= LIMIT_SQLITE_WAL_TROUBLE_BYTES) {
        if (health_clear(health, trouble))
            log_info("the write-ahead log '%s' has %" PRId64 " MiB again", log_path(d), bytes >> 20);
        return;
    }
    if (!is_held(d))
        return;
    snprintf(reason, sizeof reason,
             "the write-ahead log '%s' has %" PRId64
             " MiB and grows: another process reads an old state of the database and does not end; "
             "find it with `fuser -v '%s'` and end it, or its transaction",
             log_path(d), bytes >> 20, log_path(d));
    if (health_raise_kind(health, trouble, "", reason, clock_real_ms(), clock_boot_ms()))
        log_warn("%s", reason);
}

/* More than LIMIT_SQLITE_WAL_TROUBLE_BYTES would take too long: the next start moves them. */
static void end_log(struct store_sqlite *d) {
    struct error ignored;
    d->keeps_log = log_bytes(d) > LIMIT_SQLITE_WAL_TROUBLE_BYTES;
    if (d->lock_fd < 0 || store_sqlite_check_files(d, NULL) != STATUS_OK) /* another process fills it */
        return;
    sqlite3_busy_timeout(d->checkpointer.connection.db, LIMIT_SQLITE_END_MS);
    sqlite_run(&d->checkpointer.connection, "SELECT 1", &ignored); /* its start ends an interrupt that found
                                                                    * nothing to interrupt (sqlite3_step) */
    if (!d->keeps_log)
        move_pages(d, SQLITE_CHECKPOINT_TRUNCATE);
    int64_t bytes = log_bytes(d);
    if (bytes)
        log_warn("the write-ahead log '%s' keeps %" PRId64 " KiB, which the next start uses: %s", log_path(d),
                 bytes >> 10,
                 d->keeps_log ? "moving it now would take too long"
                              : "another process reads the database, or the disk is full");
}

static void *checkpointer_run(void *data) {
    struct store_sqlite *d = data;
    struct metrics_series *series = METRICS_SERIES(&bytes_family, NULL);
    pulse_watch(&d->checkpointer.pulse, "SQLite checkpointer", LIMIT_SQLITE_STUCK_MS, clock_boot_ms());
    while (!atomic_load(&d->checkpointer.ending)) {
        move_if_due(d);
        report_log(d, series);
        waker_wait(&d->checkpointer.waker, clock_boot_ms() + LIMIT_SQLITE_LOOK_MS, -1);
        pulse_beat(&d->checkpointer.pulse, clock_boot_ms());
    }
    end_log(d);
    pulse_unwatch(&d->checkpointer.pulse);
    return NULL;
}

void store_sqlite_report_to(struct store *store, struct health *health) {
    atomic_store(&store_sqlite_of(store)->checkpointer.health, health);
}

void store_sqlite_free_disk(struct store_sqlite *d) {
    if (store_sqlite_check_files(d, NULL) != STATUS_OK)
        return;
    sqlite3_busy_timeout(d->writer.db, 0);
    sqlite3_wal_checkpoint_v2(d->writer.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(d->writer.db, LIMIT_SQLITE_BUSY_MS);
}

enum status store_sqlite_start_checkpointer(struct store_sqlite *d, struct error *e) {
    enum status status =
        sqlite_open(&d->checkpointer.connection, d->path, false, LIMIT_SQLITE_READER_CACHE_KIB, e);
    if (status)
        return status;
    waker_init(&d->checkpointer.waker);
    atomic_store(&d->checkpointer.due_pages, LIMIT_SQLITE_WAL_PAGES);
    d->checkpointer.advanced_ms = clock_boot_ms();
    thread_must_start(&d->checkpointer.thread, "checkpointer", checkpointer_run, d);
    d->checkpointer.running = true;
    sqlite3_wal_hook(d->writer.db, log_has_grown, d);
    return STATUS_OK;
}

void store_sqlite_interrupt_checkpointer(struct store_sqlite *d) {
    if (d->checkpointer.running)
        sqlite3_interrupt(d->checkpointer.connection.db);
}

void store_sqlite_stop_checkpointer(struct store_sqlite *d) {
    if (!d->checkpointer.running)
        return;
    atomic_store(&d->checkpointer.ending, true);
    waker_wake(&d->checkpointer.waker);
    pthread_join(d->checkpointer.thread, NULL);
    waker_deinit(&d->checkpointer.waker);
}
