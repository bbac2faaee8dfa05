/*
 * lines: the input is how a file grows, a newline, and the file. Its source reads it while it grows, with a
 * restart now and then, and small chunks. Whatever the pieces are, the records are those of a plain split at
 * newlines.
 *
 * The source is included here, with small limits and with a file in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/limits.h"
#include "base/waker.h"
#include "ingest/file/source.h"
#include "tests/fuzz/fuzz.h"

#undef LIMIT_CHUNK_BYTES
#undef LIMIT_BEHIND_BYTES
#undef LIMIT_LINE_BYTES
#undef LIMIT_CUT_LINE_BYTES
#define LIMIT_CHUNK_BYTES 64
#define LIMIT_BEHIND_BYTES 24
#define LIMIT_LINE_BYTES 150u
#define LIMIT_CUT_LINE_BYTES 20u

/* The file. */

static const uint8_t *content;
static size_t content_size, visible;

static ssize_t memory_preadv(int fd, const struct iovec *parts, int n, off_t offset) {
    size_t at = (size_t)offset;
    ssize_t got = 0;
    (void)fd;
    for (int i = 0; i < n && at < visible; i++) {
        size_t some = parts[i].iov_len < visible - at ? parts[i].iov_len : visible - at;
        if (some)
            memcpy(parts[i].iov_base, content + at, some);
        at += some;
        got += (ssize_t)some;
    }
    return got;
}

static int memory_stat(struct stat *st) {
    *st = (struct stat){.st_mode = S_IFREG, .st_ino = 1};
    return 0;
}

#define open(path, flags) 1
#define close(fd) (void)(fd)
#define fstat(fd, st) memory_stat(st)
#define stat(path, st) memory_stat(st)
#define preadv memory_preadv
#define inotify_init1(flags) (-1)

#include "ingest/file/lines.c"
#include "ingest/file/source.c"

#undef stat

/* What must be read: the file at every size, split at newlines. */

enum { MOST_LINES = 4096 };

struct expected {
    size_t offset, end;
};

static struct expected lines[MOST_LINES];
static size_t n_lines;
static size_t hole; /* of the whole file: where nothing more is read; SIZE_MAX: none */

static size_t run_of_nul(size_t from, size_t to) {
    for (size_t i = from, run = 0; i < to; i++) {
        run = content[i] ? 0 : run + 1;
        if (run == HOLE_BYTES)
            return i + 1 - run;
    }
    return SIZE_MAX;
}

/* False if there is a hole in a line that is too long: whether it is found depends on the pieces. */
static bool split(void) {
    size_t offset = 0;
    n_lines = 0;
    hole = SIZE_MAX;
    for (size_t i = 0; i <= content_size && n_lines < MOST_LINES; i++) {
        if (i < content_size && content[i] != '\n')
            continue;
        size_t found = run_of_nul(offset, i);
        if (found != SIZE_MAX && i - offset > LIMIT_LINE_BYTES)
            return false;
        if (found != SIZE_MAX && hole == SIZE_MAX)
            hole = found;
        if (i < content_size)
            lines[n_lines++] = (struct expected){offset, i};
        offset = i + 1;
    }
    return n_lines < MOST_LINES;
}

static bool is_visible(size_t i) {
    return i < n_lines && lines[i].end < visible && lines[i].end <= hole;
}

static void check_record(const struct source_record *record, size_t i) {
    size_t from = lines[i].offset, length = lines[i].end - from;
    bool cut = length > LIMIT_LINE_BYTES, blank = !cut;
    char text[POSITION_TEXT_SIZE];
    FUZZ_CHECK(is_visible(i), "line %zu", i);
    FUZZ_CHECK(strtoull(position_sequence(&record->position, text), NULL, 10) == from, "%s, not %zu", text,
               from);
    if (cut)
        length = LIMIT_CUT_LINE_BYTES;
    if (from == 0 && length >= 3 && memcmp(content, "\xef\xbb\xbf", 3) == 0) {
        from += 3;
        length -= 3;
    }
    for (size_t b = from; b < from + length; b++)
        blank = blank && content[b] && strchr(" \t\r", content[b]);
    FUZZ_CHECK(record->length == length, "line %zu has %zu bytes, not %zu", i, record->length, length);
    FUZZ_CHECK(!length || memcmp(record->data, content + from, length) == 0, "line %zu", i);
    FUZZ_CHECK(record->cut == cut && record->blank == blank, "line %zu: %d %d", i, record->cut,
               record->blank);
}

/* Reading it. */

struct reading {
    struct source *source;
    struct source_reader *reader;
    struct source_batch batch;
    struct source_start next; /* after the lines that were read */
    size_t n;                 /* of them */
};

static void open_again(struct reading *r) {
    static const struct source_shard shard = {.id = SHARD_ID};
    source_close(r->reader);
    r->reader = source_open(r->source, &shard, &r->next, NULL);
}

/* The first `kept` records of the batch are checked, and count as read. */
static void take(struct reading *r, size_t kept) {
    for (size_t i = 0; i < kept; i++)
        check_record(&r->batch.records[i], r->n++);
    if (kept)
        r->next = (struct source_start){.checkpoint = LEASE_AT_POSITION,
                                        .position = r->batch.records[kept - 1].position,
                                        .hash = source_hash(r->reader, kept)};
}

/* All that is visible now, with a restart in the middle of batch `restart_at`. */
static void read_all(struct reading *r, unsigned restart_at) {
    enum status status = STATUS_OK;
    struct error e = {0};
    bool again = true;
    while (again) {
        status = source_read(r->reader, 0, &r->batch, &e);
        again = !status && r->batch.as_of_ms < 0;
        if (!status && r->batch.n && restart_at-- == 0) {
            take(r, r->batch.n / 2);
            open_again(r);
            again = true;
        } else if (!status) {
            take(r, r->batch.n);
        }
    }
    bool has_line = n_lines && lines[0].end < visible,
         has_hole = hole != SIZE_MAX && hole + HOLE_BYTES <= visible;
    FUZZ_CHECK(!status == (has_line && !has_hole), "%s", e.message);
    if (has_line)
        FUZZ_CHECK(!is_visible(r->n), "line %zu was not read: %s", r->n, e.message);
}

static void read_growing(struct reading *r, const char *steps) {
    visible = 0;
    for (; *steps && visible < content_size; steps++) {
        size_t grown = visible + (uint8_t)*steps;
        visible = grown < content_size ? grown : content_size;
        read_all(r, (uint8_t)*steps % 8);
    }
    visible = content_size;
    read_all(r, UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct service_clock *clock;
    struct fuzz_input in = {data, size};
    struct reading r = {.next = {.checkpoint = LEASE_TRIM_HORIZON}};
    size_t length;
    if (!clock)
        clock = service_clock_new(false);
    _cleanup_(mem_freep) char *steps = fuzz_take_text(&in, '\n', &length);
    content = in.data;
    content_size = in.size;
    if (!split())
        return 0;
    r.source = source_file_new("a file", clock);
    open_again(&r);
    read_growing(&r, steps);
    source_close(r.reader);
    source_free(r.source);
    return 0;
}
