/*
 * Moves the write-ahead log into the database, on a thread of its own: batches do not wait for the disk.
 *
 * Most of the log is moved while writers go on, the rest while they wait, for a moment: SQLite begins the log
 * anew only when all of it was moved. Else it would grow as long as batches arrive.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/thread.h"
#include "views/sqlite/internal.h"

static int log_has_grown(void *data, sqlite3 *db, const char *name, int pages) {
    struct store_sqlite *d = data;
    (void)db, (void)name;
    if (pages >= LIMIT_SQLITE_WAL_PAGES)
        waker_wake(&d->checkpointer.waker);
    return SQLITE_OK;
}

/* A failure (a full disk, a database that was moved) is not reported here: the next write fails, too, and
 * reports it. */
static void move_pages(struct store_sqlite *d) {
    if (store_sqlite_check_files(d, NULL) == STATUS_OK)
        sqlite3_wal_checkpoint_v2(d->checkpointer.connection.db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void move_log(struct store_sqlite *d) {
    move_pages(d);
    pthread_mutex_lock(&d->write_lock);
    move_pages(d);
    pthread_mutex_unlock(&d->write_lock);
}

static void *checkpointer_run(void *data) {
    struct store_sqlite *d = data;
    for (;;) {
        waker_wait(&d->checkpointer.waker, INT64_MAX, -1);
        if (atomic_load(&d->checkpointer.ending))
            return NULL;
        move_log(d);
    }
}

enum status store_sqlite_start_checkpointer(struct store_sqlite *d, struct error *e) {
    enum status status =
        sqlite_open(&d->checkpointer.connection, d->path, false, LIMIT_SQLITE_READER_CACHE_KIB, e);
    if (status)
        return status;
    waker_init(&d->checkpointer.waker);
    thread_must_start(&d->checkpointer.thread, "checkpointer", checkpointer_run, d);
    d->checkpointer.running = true;
    sqlite3_wal_hook(d->writer.db, log_has_grown, d);
    return STATUS_OK;
}

void store_sqlite_stop_checkpointer(struct store_sqlite *d) {
    if (!d->checkpointer.running)
        return;
    atomic_store(&d->checkpointer.ending, true);
    waker_wake(&d->checkpointer.waker);
    pthread_join(d->checkpointer.thread, NULL);
    waker_deinit(&d->checkpointer.waker);
}
