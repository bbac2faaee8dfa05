/*
 * Whether the paths of the database, of its log and of the log's index still name the files that are open.
 *
 * If not, the next process does not find what is written. SQLite opens log and index by their paths, once
 * for each connection: one that is opened after the log was deleted would miss what is in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "views/sqlite/internal.h"

static const char *const suffixes[STORE_SQLITE_FILES] = {"", "-wal", "-shm"};

/* That of the database is the one that was given, so that a symbolic link is followed each time. The others
 * lie beside the file that it led to. */
static char *path_of(const struct store_sqlite *d, size_t i) {
    return i ? mem_printf("%s%s", sqlite3_db_filename(d->writer.db, "main"), suffixes[i])
             : mem_strdup(d->path);
}

enum status store_sqlite_note_files(struct store_sqlite *d, struct error *e) {
    int has_moved = 0;
    for (size_t i = 0; i < STORE_SQLITE_FILES; i++) {
        struct store_sqlite_file *f = &d->files[i];
        struct stat st;
        f->path = path_of(d, i);
        if (stat(f->path, &st) == 0) {
            f->device = st.st_dev;
            f->inode = st.st_ino;
        }
    }
    sqlite3_file_control(d->writer.db, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    return has_moved ? error_set(e, STATUS_RETRY, "database '%s' was moved while it was opened", d->path)
                     : STATUS_OK;
}

static enum status gone(const struct store_sqlite *d, const char *path, const char *how, struct error *e) {
    return error_set_code(
        e, STATUS_FAILED, STORE_ERROR_GONE,
        "database '%s' is not filled: '%s' %s while it was open; put back the file that was "
        "there, or restart this process to use what is there now",
        d->path, path, how);
}

enum status store_sqlite_check_files(const struct store_sqlite *d, struct error *e) {
    for (size_t i = 0; i < STORE_SQLITE_FILES; i++) {
        const struct store_sqlite_file *f = &d->files[i];
        struct stat st;
        if (!f->inode)
            continue;
        if (stat(f->path, &st) < 0)
            return gone(d, f->path, errno == ENOENT ? "was deleted or moved" : strerror(errno), e);
        if (st.st_ino != f->inode || st.st_dev != f->device)
            return gone(d, f->path, "was replaced", e);
    }
    return STATUS_OK;
}
