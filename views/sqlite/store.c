#include "views/sqlite/store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "views/sqlite/internal.h"

static void cancel_store(struct store *store) {
    struct store_sqlite *d = store_sqlite_of(store);
    atomic_store(&d->cancelled, true);
    store_sqlite_interrupt_checkpointer(d);
}

static void close_connections(struct store_sqlite *d) {
    void (*close_one)(struct sqlite *) =
        store_sqlite_check_files(d, NULL) == STATUS_OK && !d->keeps_log ? sqlite_close : sqlite_abandon;
    close_one(&d->checkpointer.connection);
    while (d->idle) {
        struct sqlite *c = d->idle;
        d->idle = c->next;
        close_one(c);
        free(c);
    }
    close_one(&d->writer);
}

static void close_store(struct store *store) {
    struct store_sqlite *d = store_sqlite_of(store);
    cancel_store(store);
    store_sqlite_stop_checkpointer(d);
    close_connections(d);
    for (size_t i = 0; i < STORE_SQLITE_FILES; i++)
        free(d->files[i].path);
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    pthread_mutex_destroy(&d->write_lock);
    pthread_mutex_destroy(&d->idle_lock);
    free(d->path);
    free(d);
}

static const struct store_ops sqlite_ops = {
    .name = "sqlite",
    .index_late = false,
    .snapshot = true,
    .bind = store_sqlite_bind,
    .read_identity_key = store_sqlite_read_identity_key,
    .note_consumer = store_sqlite_note_consumer,
    .read_consumer = store_sqlite_read_consumer,
    .create = store_sqlite_create,
    .read_contributions = store_sqlite_read_contributions,
    .write_batch = store_sqlite_write_batch,
    .read_leases = store_sqlite_read_leases,
    .create_lease = store_sqlite_create_lease,
    .update_lease = store_sqlite_update_lease,
    .delete_lease = store_sqlite_delete_lease,
    .read_board = store_sqlite_read_board,
    .read_rank = store_sqlite_read_rank,
    .count_board = store_sqlite_count_board,
    .read_scores = store_sqlite_read_scores,
    .read_history = store_sqlite_read_history,
    .read_sales = store_sqlite_read_sales,
    .read_contribution = store_sqlite_read_contribution,
    .list_contributions = store_sqlite_list_contributions,
    .scan = store_sqlite_scan,
    .cancel = cancel_store,
    .free = close_store,
};

/* So that the file is still found after the working directory was moved. */
static char *absolute(const char *path) {
    char folder[PATH_MAX];
    return *path != '/' && getcwd(folder, sizeof folder) ? mem_printf("%s/%s", folder, path)
                                                         : mem_strdup(path);
}

static struct store_sqlite *new_store(const char *path) {
    struct store_sqlite *d = mem_zalloc(sizeof *d);
    d->store.ops = &sqlite_ops;
    d->path = absolute(path);
    d->lock_fd = -1;
    pthread_mutex_init(&d->write_lock, NULL);
    pthread_mutex_init(&d->idle_lock, NULL);
    return d;
}

static enum status open_store(struct store **store, const char *path, bool fills, struct error *e) {
    struct store_sqlite *d = new_store(path);
    enum status status = sqlite_open(&d->writer, d->path, fills, LIMIT_SQLITE_WRITER_CACHE_KIB, e);
    if (!status)
        status = fills ? store_sqlite_create(&d->store, NULL, e) : store_sqlite_check_tables(d, e);
    if (!status)
        status = store_sqlite_note_files(d, e);
    if (!status)
        status = store_sqlite_open_readers(d, e);
    if (!status && fills)
        status = store_sqlite_start_checkpointer(d, e);
    if (status) {
        close_store(&d->store);
        return error_wrap(e, "cannot open the store");
    }
    *store = &d->store;
    return STATUS_OK;
}

enum status store_sqlite_open(struct store **store, const char *path, struct error *e) {
    return open_store(store, path, true, e);
}

enum status store_sqlite_open_reader(struct store **store, const char *path, struct error *e) {
    if (access(path, F_OK) != 0)
        return error_set(e, STATUS_NOT_FOUND, "cannot open the store: database '%s': %s", path,
                         strerror(errno));
    return open_store(store, path, false, e);
}
