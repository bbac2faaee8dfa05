#include "ingest/file/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/waker.h"
#include "ingest/file/lines.h"

#define SHARD_ID "shardId-000000000000"
#define HIGHEST_HASH_KEY "340282366920938463463374607431768211455"

struct file {
    struct source source; /* first: what callers of ingest/source.h hold */
    char *path;
    struct service_clock *clock;
};

struct file_reader {
    struct source_reader reader; /* first, as above */
    struct file *file;
    struct source_start next; /* where to begin once the file is open */
    int fd;                   /* -1: not open yet */
    struct stat opened;
    int inotify; /* -1: not watching */
    struct waker waker;
    struct lines lines;
    bool at_end; /* the last read reached it: wait before the next */
    struct source_record *records;
    size_t capacity;
};

static int open_file(const struct file *f, struct stat *st, struct error *e) {
    int fd =
        open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a FIFO without a writer would block */
    if (fd < 0) {
        error_set(e, errno == ENOENT ? STATUS_RETRY : STATUS_FAILED,
                  errno == ENOENT ? "file '%s' is not there yet (%s)" : "cannot open file '%s': %s", f->path,
                  strerror(errno));
        return -1;
    }
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        return fd;
    error_set(e, STATUS_INVALID, "'%s' is not a regular file", f->path);
    close(fd);
    return -1;
}

/* A store recognizes the file by its first line. RETRY if there is no whole line yet. */
static enum status hash_first_line(const struct file *f, int fd, char out[DIGEST_HEX_SIZE], struct error *e) {
    _cleanup_(lines_deinit) struct lines lines;
    struct line line;
    ssize_t n;
    lines_init(&lines, fd, 0);
    while ((n = lines_fill(&lines)) > 0)
        if (lines_next(&lines, &line)) {
            digest_sha256_hex(line.data, line.length, out);
            return STATUS_OK;
        }
    return n < 0 ? error_set(e, STATUS_RETRY, "cannot read file '%s': %s", f->path, strerror(errno))
                 : error_set(e, STATUS_RETRY, "file '%s' has no whole line yet", f->path);
}

static enum status file_identify(struct source *source, struct store_source *out, struct error *e) {
    struct file *f = (struct file *)source;
    struct stat st;
    char hash[DIGEST_HEX_SIZE];
    int fd = open_file(f, &st, e);
    if (fd < 0)
        return e->status;
    enum status status = hash_first_line(f, fd, hash, e);
    close(fd);
    if (status)
        return status;
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "file: device %ju, inode %ju, first line sha256 %s",
             (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, hash);
    return STATUS_OK;
}

static enum status file_list_shards(struct source *source, int64_t from_ms, struct source_shard **shards,
                                    size_t *n, struct error *e) {
    (void)source, (void)from_ms, (void)e;
    *shards = mem_zalloc(sizeof **shards);
    **shards =
        (struct source_shard){.id = SHARD_ID, .starting_hash_key = "0", .ending_hash_key = HIGHEST_HASH_KEY};
    *n = 1;
    return STATUS_OK;
}

/* Without the budget: a chunk and a line bound the memory of the only shard. */
static struct source_reader *file_open(struct source *source, const struct source_shard *shard,
                                       const struct source_start *start, struct budget *budget) {
    struct file_reader *r = mem_zalloc(sizeof *r);
    (void)shard, (void)budget;
    r->reader.ops = source->ops;
    r->file = (struct file *)source;
    r->next = *start;
    r->fd = r->inotify = -1;
    waker_init(&r->waker);
    return &r->reader;
}

static void file_close(struct source_reader *reader) {
    struct file_reader *r = (struct file_reader *)reader;
    if (r->fd >= 0)
        close(r->fd);
    if (r->inotify >= 0)
        close(r->inotify);
    lines_deinit(&r->lines);
    waker_deinit(&r->waker);
    free(r->records);
    free(r);
}

static void file_wake(struct source_reader *reader) {
    waker_wake(&((struct file_reader *)reader)->waker);
}

static bool as_offset(const struct position *position, uint64_t *offset) {
    if (position->bytes[0] > sizeof *offset)
        return false;
    *offset = 0;
    for (size_t i = 0; i < position->bytes[0]; i++)
        *offset = *offset << 8 | position->bytes[1 + i];
    return true;
}

/* Continues after the line that was read last. That line is read again: the file must still have it. */
static enum status skip_last_line(struct file_reader *r, struct error *e) {
    struct line line;
    uint64_t offset;
    if (r->next.checkpoint != LEASE_AT_POSITION)
        return STATUS_OK;
    if (!as_offset(&r->next.position, &offset))
        return error_set(e, STATUS_FAILED, "the checkpoint is not an offset in file '%s'", r->file->path);
    lines_deinit(&r->lines);
    lines_init(&r->lines, r->fd, offset);
    while (lines_fill(&r->lines) > 0)
        if (lines_next(&r->lines, &line))
            return STATUS_OK;
    return error_set(e, STATUS_FAILED,
                     "file '%s' has shrunk: it has no line at byte %" PRIu64 ", which was read before",
                     r->file->path, offset);
}

/* A file that cannot be watched is still read every LIMIT_READ_WAIT_MS. */
static void watch(struct file_reader *r) {
    r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (r->inotify >= 0)
        inotify_add_watch(r->inotify, r->file->path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF);
}

static enum status ensure_open(struct file_reader *r, struct error *e) {
    if (r->fd >= 0)
        return STATUS_OK;
    int fd = open_file(r->file, &r->opened, e);
    if (fd < 0) /* what is not a regular file may be replaced by one */
        return e->status == STATUS_INVALID ? (e->status = STATUS_FAILED) : e->status;
    r->fd = fd;
    lines_init(&r->lines, fd, 0);
    enum status status = skip_last_line(r, e);
    if (!status && r->inotify < 0)
        watch(r);
    if (status) {
        lines_deinit(&r->lines);
        close(r->fd);
        r->fd = -1;
    }
    return status;
}

/* Whether the path still names the file that was opened, and that file still has all that was read. */
static enum status check_same(const struct file_reader *r, struct error *e) {
    struct stat now;
    if (stat(r->file->path, &now) < 0)
        return error_set(e, STATUS_FAILED, "file '%s' is gone: %s", r->file->path, strerror(errno));
    if (now.st_dev != r->opened.st_dev || now.st_ino != r->opened.st_ino)
        return error_set(e, STATUS_FAILED,
                         "file '%s' was replaced: it is inode %ju now and was %ju; the records read so far "
                         "are of the other, so "
                         "this one needs a store of its own (--store sqlite:OTHER)",
                         r->file->path, (uintmax_t)now.st_ino, (uintmax_t)r->opened.st_ino);
    uint64_t read = r->lines.offset + (r->lines.end - r->lines.start);
    if ((uint64_t)now.st_size < read)
        return error_set(e, STATUS_FAILED,
                         "file '%s' has shrunk: it has %jd bytes, of which %" PRIu64 " were read",
                         r->file->path, (intmax_t)now.st_size, read);
    return STATUS_OK;
}

static void wait_for_more(struct file_reader *r, int64_t until_ms) {
    char events[4096];
    waker_wait(&r->waker, until_ms, r->inotify);
    while (r->inotify >= 0 && read(r->inotify, events, sizeof events) > 0)
        ;
}

static void take_lines(struct file_reader *r, struct source_batch *batch) {
    struct line line;
    size_t n = 0;
    while (lines_next(&r->lines, &line)) {
        if (n == r->capacity) {
            r->capacity = r->capacity ? r->capacity * 2 : 256;
            r->records = mem_resize(r->records, r->capacity, sizeof *r->records);
        }
        r->records[n++] = (struct source_record){
            .position = position_from_u64(line.offset),
            .data = line.data,
            .length = line.length,
            .cut = line.cut,
        };
    }
    batch->records = r->records;
    batch->n = n;
}

static enum status file_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                             struct error *e) {
    struct file_reader *r = (struct file_reader *)reader;
    *batch = (struct source_batch){.as_of_ms = -1};
    if (r->at_end)
        wait_for_more(r, until_ms);
    r->at_end = true; /* if this read fails, the next one waits */

    enum status status = ensure_open(r, e);
    if (!status)
        status = check_same(r, e);
    if (status)
        return status;

    int64_t began_ms = service_clock_now(r->file->clock);
    ssize_t n = lines_fill(&r->lines);
    if (n < 0)
        return error_set(e, STATUS_RETRY, "cannot read file '%s': %s", r->file->path, strerror(errno));
    r->at_end = n < LIMIT_CHUNK_BYTES;
    take_lines(r, batch);
    if (r->at_end) /* all that the file had at that time is in this batch or an earlier one */
        batch->as_of_ms = began_ms;
    return STATUS_OK;
}

static void file_free(struct source *source) {
    struct file *f = (struct file *)source;
    free(f->path);
    free(f);
}

static const struct source_ops file_ops = {
    .identify = file_identify,
    .list_shards = file_list_shards,
    .open = file_open,
    .read = file_read,
    .wake = file_wake,
    .close = file_close,
    .free = file_free,
};

struct source *source_file_new(const char *path, struct service_clock *clock) {
    struct file *f = mem_zalloc(sizeof *f);
    f->source.ops = &file_ops;
    f->path = mem_strdup(path);
    f->clock = clock;
    return &f->source;
}
