/* Who may use the database: one writer at a time, in a transaction; readers on connections of their own. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "views/sqlite/internal.h"

static enum status check_cancelled(const struct store_sqlite *d, struct error *e) {
    if (atomic_load(&d->cancelled))
        return error_set_code(e, STATUS_FAILED, "Cancelled", "the store was cancelled");
    return STATUS_OK;
}

static enum status may_write(const struct store_sqlite *d, const struct fence *fence, struct error *e) {
    enum status status = check_cancelled(d, e);
    if (!status && !fence_is_open(fence, clock_boot_ms()))
        return error_set_code(e, STATUS_FAILED, "FenceShut", "the lease is no longer held");
    return status;
}

enum status store_sqlite_begin(struct store_sqlite *d, const struct fence *fence, struct error *e) {
    pthread_mutex_lock(&d->write_lock);
    enum status status = may_write(d, fence, e);
    if (!status)
        status = sqlite_run(&d->writer, "BEGIN IMMEDIATE", e);
    if (status)
        pthread_mutex_unlock(&d->write_lock);
    return status;
}

enum status store_sqlite_end(struct store_sqlite *d, const struct fence *fence, enum status status,
                             struct error *e) {
    struct error ignored;
    if (!status)
        status = may_write(d, fence, e);
    if (!status)
        status = store_sqlite_check_files(d, e);
    if (!status)
        status = sqlite_run(&d->writer, "COMMIT", e);
    if (status)
        sqlite_run(&d->writer, "ROLLBACK", &ignored); /* fails if SQLite has rolled back already */
    if (status && sqlite_is_full(e))
        store_sqlite_free_disk(d); /* for the next attempt */
    pthread_mutex_unlock(&d->write_lock);
    return status;
}

static struct sqlite *take_idle(struct store_sqlite *d) {
    pthread_mutex_lock(&d->idle_lock);
    struct sqlite *c = d->idle;
    if (c)
        d->idle = c->next;
    pthread_mutex_unlock(&d->idle_lock);
    return c;
}

static void give_idle(struct store_sqlite *d, struct sqlite *c) {
    pthread_mutex_lock(&d->idle_lock);
    c->next = d->idle;
    d->idle = c;
    pthread_mutex_unlock(&d->idle_lock);
}

/* Files that are moved while this opens them are found by the second check. */
static enum status open_reader(struct store_sqlite *d, struct sqlite **out, struct error *e) {
    struct sqlite *c = mem_zalloc(sizeof *c);
    enum status status = store_sqlite_check_files(d, e);
    if (!status)
        status = sqlite_open(c, d->path, false, LIMIT_SQLITE_READER_CACHE_KIB, e);
    if (!status)
        status = store_sqlite_check_files(d, e);
    if (status) {
        sqlite_abandon(c);
        free(c);
        return status;
    }
    *out = c;
    return STATUS_OK;
}

enum status store_sqlite_open_readers(struct store_sqlite *d, struct error *e) {
    struct sqlite *c;
    enum status status = STATUS_OK;
    for (int i = 0; i < LIMIT_LOADERS + 1 && !(status = open_reader(d, &c, e)); i++)
        give_idle(d, c);
    return status;
}

enum status store_sqlite_begin_reading(struct store_sqlite_reading *r, struct store *store, struct error *e) {
    struct store_sqlite *d = store_sqlite_of(store);
    enum status status = check_cancelled(d, e);
    if (status)
        return status;
    struct sqlite *c = take_idle(d);
    if (!c && (status = open_reader(d, &c, e)))
        return status;
    *r = (struct store_sqlite_reading){.d = d, .c = c};
    return STATUS_OK;
}

enum status store_sqlite_begin_query(struct store_sqlite_reading *r, struct store *store,
                                     enum store_sqlite_statement number, const char *sql, struct error *e) {
    enum status status = store_sqlite_begin_reading(r, store, e);
    if (status)
        return status;
    r->s = sqlite_statement(r->c, number, sql, e);
    return r->s ? STATUS_OK : e->status;
}

void store_sqlite_end_reading(struct store_sqlite_reading *r) {
    if (!r->c)
        return;
    sqlite3_reset(r->s); /* else its read transaction would stay open */
    give_idle(r->d, r->c);
}
