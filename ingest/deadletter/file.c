/* Dead letters into a file, a line each. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "ingest/deadletter/internal.h"

struct file {
    struct deadletter_target target; /* first: what callers hold */
    char *path;
    pthread_mutex_t lock; /* writers take turns: else lines would mix */
    int fd;               /* -1: not open */
    bool torn;            /* the file ends in the middle of a line: the disk was full, or a writer crashed */
};

/* RETRY: the failure may end by itself. FAILED: an operator must repair it. */
static enum status status_of(int error) {
    return error == ENOSPC || error == EDQUOT || error == EFBIG || error == EAGAIN || error == ENOMEM ||
                   error == EMFILE || error == ENFILE
               ? STATUS_RETRY
               : STATUS_FAILED;
}

static enum status failure(const struct file *f, const char *what, int error, struct error *e) {
    return error_set(e, status_of(error), "cannot %s the dead letter file '%s': %s", what, f->path,
                     strerror(error));
}

static bool ends_torn(int fd) {
    char last;
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* Moved away or deleted: letters written to the open file would not be found under its name. */
static bool is_gone(const struct file *f) {
    struct stat open_file, named;
    if (stat(f->path, &named) < 0)
        return errno == ENOENT;
    return fstat(f->fd, &open_file) == 0 &&
           (open_file.st_dev != named.st_dev || open_file.st_ino != named.st_ino);
}

static void close_file(struct file *f) {
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

static enum status open_file(struct file *f, struct error *e) {
    if (f->fd >= 0 && is_gone(f))
        close_file(f);
    if (f->fd >= 0)
        return STATUS_OK;
    f->fd = open(f->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (f->fd < 0)
        return failure(f, "open", errno, e);
    f->torn = ends_torn(f->fd);
    return STATUS_OK;
}

static enum status append(struct file *f, const char *data, size_t length, struct error *e) {
    for (size_t done = 0; done < length;) {
        ssize_t n = write(f->fd, data + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            f->torn = f->torn || done;
            return failure(f, "write to", errno, e);
        }
        done += (size_t)n;
    }
    f->torn = false;
    return STATUS_OK;
}

static enum status append_letter(struct file *f, const struct deadletter_letter *letter, int64_t now_real_ms,
                                 struct error *e) {
    _cleanup_(buffer_deinit) struct buffer line;
    buffer_init(&line, LIMIT_DEAD_LETTER_LINE_BYTES + 2);
    if (f->torn)
        buffer_putc(&line, '\n'); /* else this letter would be joined to the torn one */
    deadletter_append(&line, letter, LIMIT_DEAD_LETTER_LINE_BYTES, now_real_ms);
    buffer_putc(&line, '\n');
    return append(f, line.data, line.length, e);
}

static enum status sync_file(const struct file *f, struct error *e) {
    if (fdatasync(f->fd) == 0 || errno == EINVAL || errno == EROFS) /* a pipe or device cannot be synced */
        return STATUS_OK;
    return failure(f, "sync", errno, e);
}

static struct file *file_of(struct deadletter_target *target) {
    return (struct file *)target;
}

/* A letter counts as written once it is synced: one whose sync failed may be lost, and is written again. */
static enum status write_all(struct file *f, struct deadletter_letter *letters, size_t n, int64_t now_real_ms,
                             struct error *e) {
    enum status status = open_file(f, e);
    size_t done = 0;
    if (status)
        return status;
    for (; done < n; done++) {
        if (letters[done].state == DEADLETTER_PENDING)
            status = append_letter(f, &letters[done], now_real_ms, e);
        if (status)
            break;
    }
    struct error sync_error;
    enum status synced = sync_file(f, &sync_error);
    if (synced) {
        *e = sync_error;
        return synced;
    }
    for (size_t i = 0; i < done; i++)
        if (letters[i].state == DEADLETTER_PENDING)
            letters[i].state = DEADLETTER_TAKEN;
    return status;
}

static enum status file_write(struct deadletter_target *target, struct deadletter_letter *letters, size_t n,
                              int64_t now_real_ms, struct error *e) {
    struct file *f = file_of(target);
    pthread_mutex_lock(&f->lock);
    enum status status = write_all(f, letters, n, now_real_ms, e);
    if (status == STATUS_FAILED)
        close_file(f); /* the next attempt opens it again */
    pthread_mutex_unlock(&f->lock);
    return status;
}

static void file_free(struct deadletter_target *target) {
    struct file *f = file_of(target);
    close_file(f);
    free(f->path);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

static const struct deadletter_target_ops file_ops = {"file", file_write, NULL, file_free};

enum status deadletter_file_open(struct deadletter_target **target, const char *path, struct error *e) {
    struct file *f = mem_zalloc(sizeof *f);
    f->target.ops = &file_ops;
    f->path = mem_strdup(path);
    f->fd = -1;
    pthread_mutex_init(&f->lock, NULL);
    enum status status = open_file(f, e);
    if (status) {
        file_free(&f->target);
        if (e)
            e->status = STATUS_FAILED;
        return STATUS_FAILED;
    }
    *target = &f->target;
    return STATUS_OK;
}
