#include "ingest/file/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/waker.h"
#include "ingest/file/lines.h"

#define SHARD_ID "shardId-000000000000"
#define HIGHEST_HASH_KEY "340282366920938463463374607431768211455"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define HOLE_BYTES 16 /* no line has so many NUL bytes in a row */
#define NO_HOLE UINT64_MAX

/* What an operator can do. */
#define WAY_OUT                                                                                              \
    "nothing more is applied until the file that was read is back at this path (a copy will do); to read "   \
    "this one, give it a store of its own (--store)"

struct file {
    struct source source; /* first: what callers of ingest/source.h hold */
    char *path;
    struct service_clock *clock;
    pthread_mutex_t lock;     /* guards `first_line`; a leaf */
    struct digest first_line; /* as last identified; all zeros before */
};

struct file_reader {
    struct source_reader reader; /* first, as above */
    struct file *file;
    struct source_start next; /* after the last line that was handed out */
    struct digest first_line; /* all zeros before the file was first open */
    int fd;                   /* -1: not open */
    struct stat opened;
    int inotify; /* -1: not watching */
    struct waker waker;
    struct lines lines;
    bool at_end;   /* the last read reached it: wait before the next */
    uint64_t hole; /* where there are NUL bytes in place of lines, after those that were taken; or NO_HOLE */
    struct source_record *records;
    size_t n, capacity; /* of the last read */
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

static enum status read_failed(const struct file *f, struct error *e) {
    return error_set(e, STATUS_RETRY, "cannot read file '%s': %s", f->path, strerror(errno));
}

/* A store recognizes the file by its first line, as it lies. RETRY if there is no whole line yet. */
static enum status hash_first_line(const struct file *f, int fd, struct digest *out, struct error *e) {
    _cleanup_(lines_deinit) struct lines lines;
    struct line line;
    ssize_t n;
    lines_init(&lines, fd, 0);
    while ((n = lines_fill(&lines)) > 0)
        if (lines_next(&lines, &line)) {
            *out = digest_of(line.data, line.length);
            return STATUS_OK;
        }
    return n == -1 ? read_failed(f, e)
                   : error_set(e, STATUS_RETRY, "file '%s' has no whole line yet", f->path);
}

static void name_source(const struct digest *first_line, struct store_source *out) {
    char hash[DIGEST_HEX_SIZE];
    digest_hex(first_line->bytes, hash);
    *out = (struct store_source){0};
    snprintf(out->name, sizeof out->name, "file: first line sha256 %s", hash);
}

static enum status file_identify(struct source *source, struct store_source *out, struct error *e) {
    struct file *f = (struct file *)source;
    struct stat st;
    struct digest first_line;
    int fd = open_file(f, &st, e);
    if (fd < 0)
        return e->status;
    enum status status = hash_first_line(f, fd, &first_line, e);
    close(fd);
    if (status)
        return status;
    pthread_mutex_lock(&f->lock);
    f->first_line = first_line;
    pthread_mutex_unlock(&f->lock);
    name_source(&first_line, out);
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
    r->hole = NO_HOLE;
    waker_init(&r->waker);
    return &r->reader;
}

static void close_file(struct file_reader *r) {
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->hole = NO_HOLE;
    lines_deinit(&r->lines);
}

static void file_close(struct source_reader *reader) {
    struct file_reader *r = (struct file_reader *)reader;
    close_file(r);
    if (r->inotify >= 0)
        close(r->inotify);
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

static enum status not_the_file(const struct file_reader *r, const char *what, struct error *e) {
    return error_set(e, STATUS_FAILED, "file '%s' is not the one that was read: %s; " WAY_OUT, r->file->path,
                     what);
}

static enum status has_shrunk(const struct file_reader *r, uint64_t read, struct error *e) {
    return error_set(e, STATUS_FAILED,
                     "file '%s' has shrunk: it has no line at byte %" PRIu64
                     ", which was read before; " WAY_OUT,
                     r->file->path, read);
}

static struct digest hash_behind(const struct lines *l, uint64_t offset) {
    const char *bytes;
    size_t n = lines_behind(l, offset, &bytes);
    return n ? digest_of(bytes, n) : (struct digest){0};
}

/* Compares the bytes before the next line with those that were read there, if their hash is known. */
static enum status check_behind(struct file_reader *r, struct error *e) {
    const struct digest hash = hash_behind(&r->lines, r->lines.offset);
    char what[128];
    if (digest_is_set(&r->next.hash) && !digest_is_same(&r->next.hash, &hash)) {
        snprintf(what, sizeof what,
                 "the bytes before byte %" PRIu64 ", up to which it was read, have changed", r->lines.offset);
        return not_the_file(r, what, e);
    }
    r->next.hash = hash;
    return STATUS_OK;
}

/* Continues after the line that was read last. That line is read again: the file must still have it. */
static enum status skip_last_line(struct file_reader *r, uint64_t offset, ssize_t *n, struct error *e) {
    struct line line;
    while ((*n = lines_fill(&r->lines)) > 0)
        if (lines_next(&r->lines, &line))
            return check_behind(r, e);
    return *n == -1 ? read_failed(r->file, e) : has_shrunk(r, offset, e);
}

/* Reads from the place where the reader stands. */
static enum status find_place(struct file_reader *r, ssize_t *n, struct error *e) {
    uint64_t offset = 0;
    bool begun = r->next.checkpoint == LEASE_AT_POSITION;
    if (begun && !as_offset(&r->next.position, &offset))
        return error_set(e, STATUS_FAILED, "the checkpoint is not an offset in file '%s'", r->file->path);
    if (!lines_init(&r->lines, r->fd, offset))
        return errno ? read_failed(r->file, e) : has_shrunk(r, offset, e);
    if (begun)
        return skip_last_line(r, offset, n, e);
    *n = lines_fill(&r->lines);
    return *n < 0 ? read_failed(r->file, e) : STATUS_OK;
}

static enum status check_first_line(struct file_reader *r, struct error *e) {
    struct digest first_line;
    enum status status = hash_first_line(r->file, r->fd, &first_line, e);
    if (status)
        return status;
    if (!digest_is_set(&r->first_line)) {
        pthread_mutex_lock(&r->file->lock);
        r->first_line = r->file->first_line;
        pthread_mutex_unlock(&r->file->lock);
    }
    if (digest_is_set(&r->first_line) && !digest_is_same(&r->first_line, &first_line))
        return not_the_file(r, "its first line is another", e);
    r->first_line = first_line;
    return STATUS_OK;
}

/* A file that cannot be watched is still read every LIMIT_READ_WAIT_MS. */
static void watch(struct file_reader *r) {
    if (r->inotify >= 0)
        close(r->inotify); /* of the file that was here before */
    r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (r->inotify >= 0)
        inotify_add_watch(r->inotify, r->file->path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF);
}

/* Opens what is at the path, reads on from where the reader stands, and only then compares what is known of
 * the file: a file that was written over meanwhile does not pass. */
static enum status open_and_fill(struct file_reader *r, ssize_t *n, struct error *e) {
    int fd = open_file(r->file, &r->opened, e);
    if (fd < 0) /* what is not a regular file may be replaced by one */
        return e->status == STATUS_INVALID ? (e->status = STATUS_FAILED) : e->status;
    r->fd = fd;
    enum status status = find_place(r, n, e);
    if (!status)
        status = check_first_line(r, e);
    if (status)
        close_file(r);
    else
        watch(r);
    return status;
}

/* If the bytes that were read before have changed, the file is opened again: perhaps only a part of a last
 * line, not handed out yet, was written anew. */
static enum status fill(struct file_reader *r, ssize_t *n, struct error *e) {
    if (r->fd >= 0) {
        *n = lines_fill(&r->lines);
        if (*n == -1)
            return read_failed(r->file, e);
        if (*n != LINES_CHANGED)
            return STATUS_OK;
        close_file(r);
    }
    return open_and_fill(r, n, e);
}

/* If the path names another file than the open one, the open one is closed. So is one with a hole, to read it
 * again: the hole may have been filled. Notes how long the file is. */
static enum status check_path(struct file_reader *r, struct error *e) {
    struct stat now;
    if (r->fd < 0)
        return STATUS_OK;
    if (stat(r->file->path, &now) < 0)
        return error_set(e, STATUS_FAILED, "file '%s' is gone: %s", r->file->path, strerror(errno));
    if (r->hole != NO_HOLE || now.st_dev != r->opened.st_dev || now.st_ino != r->opened.st_ino)
        close_file(r);
    r->opened.st_size = now.st_size;
    return STATUS_OK;
}

static void wait_for_more(struct file_reader *r, int64_t until_ms) {
    char events[4096];
    waker_wait(&r->waker, until_ms, r->inotify);
    while (r->inotify >= 0 && read(r->inotify, events, sizeof events) > 0)
        ;
}

/* White space of JSON. */
static bool is_blank(const struct line *line) {
    for (size_t i = 0; i < line->length; i++)
        if (line->data[i] != ' ' && line->data[i] != '\t' && line->data[i] != '\r')
            return false;
    return !line->cut;
}

/* Where a run of NUL bytes begins in this part of the file, which begins at `offset`. A crash leaves them, or
 * a writer with an old offset, in place of lines. */
static uint64_t find_hole(uint64_t offset, const char *data, size_t length) {
    const char *at = data, *end = data + length;
    while (at < end && (at = memchr(at, '\0', (size_t)(end - at)))) {
        const char *from = at;
        while (at < end && !*at)
            at++;
        if (at - from >= HOLE_BYTES)
            return offset + (uint64_t)(from - data);
    }
    return NO_HOLE;
}

static void take_line(struct file_reader *r, struct line *line) {
    const size_t mark = strlen(BYTE_ORDER_MARK);
    if (line->offset == 0 && line->length >= mark && memcmp(line->data, BYTE_ORDER_MARK, mark) == 0) {
        line->data += mark;
        line->length -= mark;
    }
    if (r->n == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 256;
        r->records = mem_resize(r->records, r->capacity, sizeof *r->records);
    }
    r->records[r->n++] = (struct source_record){
        .arrived_ms = -1,
        .position = position_from_u64(line->offset),
        .data = line->data,
        .length = line->length,
        .cut = line->cut,
        .blank = is_blank(line),
    };
}

/* Takes the whole lines up to the first hole. */
static void take_lines(struct file_reader *r) {
    struct line line;
    uint64_t end = r->lines.offset;
    r->n = 0;
    while (lines_next(&r->lines, &line)) {
        r->hole = find_hole(line.offset, line.data, line.length);
        if (r->hole != NO_HOLE)
            break;
        take_line(r, &line);
        end = r->lines.offset;
    }
    if (r->hole == NO_HOLE)
        r->hole = find_hole(end, r->lines.buffer + r->lines.start, r->lines.end - r->lines.start);
    if (r->n)
        r->next = (struct source_start){.checkpoint = LEASE_AT_POSITION,
                                        .position = r->records[r->n - 1].position,
                                        .hash = hash_behind(&r->lines, end)};
}

static enum status refuse_hole(const struct file_reader *r, struct error *e) {
    return error_set(
        e, STATUS_FAILED,
        "file '%s' has a hole at byte %" PRIu64
        ": NUL bytes in place of lines, as a crash leaves them, or a writer that keeps its offset "
        "when the file is truncated; nothing more is applied until the lines are there (if they "
        "are lost for good: a newline in place of each NUL)",
        r->file->path, r->hole);
}

/* What the file had when this read began, without the lines that were handed out. A last line without its end
 * does not count. */
static int64_t bytes_left(const struct file_reader *r) {
    int64_t left = (int64_t)r->opened.st_size - (int64_t)r->lines.offset;
    return r->at_end || left < 0 ? 0 : left;
}

static enum status file_read(struct source_reader *reader, int64_t until_ms, struct source_batch *batch,
                             struct error *e) {
    struct file_reader *r = (struct file_reader *)reader;
    *batch = (struct source_batch){.as_of_ms = -1};
    r->n = 0;
    if (r->at_end)
        wait_for_more(r, until_ms);
    r->at_end = true; /* if this read fails, the next one waits */

    ssize_t n = 0;
    int64_t began_ms = service_clock_now(r->file->clock);
    enum status status = check_path(r, e);
    if (!status)
        status = fill(r, &n, e);
    if (status)
        return status;
    take_lines(r);
    if (r->hole != NO_HOLE && !r->n)
        return refuse_hole(r, e);
    r->at_end = n < LIMIT_CHUNK_BYTES && r->hole == NO_HOLE;
    batch->records = r->records;
    batch->n = r->n;
    batch->more = !r->at_end;
    batch->bytes_left = bytes_left(r);
    if (r->at_end) /* all that the file had at that time is in this batch or an earlier one */
        batch->as_of_ms = began_ms;
    return STATUS_OK;
}

static struct digest file_hash(struct source_reader *reader, size_t i) {
    struct file_reader *r = (struct file_reader *)reader;
    uint64_t offset;
    if (i >= r->n)
        return r->next.hash;
    return as_offset(&r->records[i].position, &offset) ? hash_behind(&r->lines, offset) : (struct digest){0};
}

static void file_forget(struct source_reader *reader) {
    ((struct file_reader *)reader)->n = 0;
}

static void file_free(struct source *source) {
    struct file *f = (struct file *)source;
    pthread_mutex_destroy(&f->lock);
    free(f->path);
    free(f);
}

static const struct source_ops file_ops = {
    .no_arrivals = true,
    .identify = file_identify,
    .list_shards = file_list_shards,
    .open = file_open,
    .read = file_read,
    .hash = file_hash,
    .forget = file_forget,
    .wake = file_wake,
    .close = file_close,
    .free = file_free,
};

struct source *source_file_new(const char *path, struct service_clock *clock) {
    struct file *f = mem_zalloc(sizeof *f);
    f->source.ops = &file_ops;
    f->path = mem_strdup(path);
    f->clock = clock;
    pthread_mutex_init(&f->lock, NULL);
    return &f->source;
}
