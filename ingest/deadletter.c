#include "ingest/deadletter.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/base64.h"
#include "server/base/buffer.h"
#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/log.h"
#include "server/base/mem.h"
#include "server/base/metrics.h"

static struct metrics_family dead_letters_family = {
    .name = "winner_view_dead_letters_total",
    .help = "Records that are not events, by reason; a replay counts them again.",
    .kind = METRICS_COUNTER,
    .labels = {"reason"},
};

struct deadletter {
    int fd; /* -1: the log */
    char *path;
    pthread_mutex_t lock; /* one batch of lines after the other */
    bool torn;            /* the file ends in the middle of a line: the disk was full */
};

/* Whoever wrote last was killed in the middle of it. */
static bool ends_torn(int fd) {
    char last;
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

enum status deadletter_open(struct deadletter **d, const char *target, struct error *e) {
    static const char prefix[] = "file:";
    int fd = -1;
    bool to_file = strncmp(target, prefix, sizeof prefix - 1) == 0;
    const char *path = target + sizeof prefix - 1;

    if (to_file && !*path)
        return error_set(e, STATUS_INVALID, "the dead letter target '%s' names no file", target);
    if (!to_file && strcmp(target, "log") != 0)
        return error_set(e, STATUS_INVALID,
                         "the dead letter target '%s' is none: allowed are file:PATH and log", target);
    if (to_file && (fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640)) < 0)
        return error_set(e, STATUS_FAILED, "cannot open the dead letter file '%s': %s", path,
                         strerror(errno));

    *d = mem_zalloc(sizeof **d);
    (*d)->fd = fd;
    (*d)->torn = to_file && ends_torn(fd);
    (*d)->path = to_file ? mem_strdup(path) : NULL;
    pthread_mutex_init(&(*d)->lock, NULL);
    for (int reason = 0; reason < ENVELOPE_REASONS; reason++)
        METRICS_SERIES(&dead_letters_family, envelope_reason_name((enum envelope_reason)reason));
    return STATUS_OK;
}

void deadletter_close(struct deadletter *d) {
    if (!d)
        return;
    if (d->fd >= 0)
        close(d->fd);
    free(d->path);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static void append_line(struct buffer *b, const struct deadletter_letter *letter, int64_t now_real_ms) {
    char sequence[POSITION_TEXT_SIZE], now[CLOCK_TEXT_SIZE];
    _cleanup_(mem_freep) char *data = base64_encode(letter->data, letter->length);
    json_auto_t *line = json_pack("{s:s,s:s,s:I,s:s,s:s,s:s,s:s}", "shard", letter->shard_id,
                                  "sequenceNumber", position_sequence(&letter->position, sequence),
                                  "subSequenceNumber", (json_int_t)position_sub_sequence(&letter->position),
                                  "reason", envelope_reason_name(letter->reason), "detail", letter->detail,
                                  "data", data, "time", clock_format(now_real_ms, now));
    char *text = json_dumps(line, JSON_COMPACT);
    if (!text)
        mem_exhausted();
    buffer_puts(b, text);
    buffer_putc(b, '\n');
    free(text);
}

static enum status append_to_file(struct deadletter *d, const char *data, size_t length, struct error *e) {
    for (size_t done = 0; done < length;) {
        ssize_t n = write(d->fd, data + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            d->torn = d->torn || done;
            return error_set(e, STATUS_RETRY, "cannot write to the dead letter file '%s': %s", d->path,
                             strerror(errno));
        }
        done += (size_t)n;
    }
    d->torn = false;
    return STATUS_OK;
}

static enum status write_to_file(struct deadletter *d, const struct deadletter_letter *letters, size_t n,
                                 int64_t now_real_ms, struct error *e) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&d->lock); /* the lock is what keeps lines whole: the only I/O done under one */
    for (size_t i = 0; !status && i < n; i++) {
        _cleanup_(buffer_deinit) struct buffer line;
        buffer_init(&line, LIMIT_DEAD_LETTER_LINE_BYTES);
        if (d->torn)
            buffer_putc(&line, '\n'); /* else this letter would be lost in the rest of the last one */
        append_line(&line, &letters[i], now_real_ms);
        status = append_to_file(d, line.data, line.length, e);
    }
    if (!status && fdatasync(d->fd) < 0 && errno != EINVAL &&
        errno != EROFS) /* a pipe or device cannot be synced */
        status =
            error_set(e, STATUS_RETRY, "cannot sync the dead letter file '%s': %s", d->path, strerror(errno));
    pthread_mutex_unlock(&d->lock);
    return status;
}

static void write_to_log(const struct deadletter_letter *letter) {
    char sequence[POSITION_TEXT_SIZE], sub[16];
    size_t length = letter->length < LIMIT_LOGGED_LETTER_BYTES ? letter->length : LIMIT_LOGGED_LETTER_BYTES;
    _cleanup_(mem_freep) char *data = base64_encode(letter->data, length);
    snprintf(sub, sizeof sub, "%u", position_sub_sequence(&letter->position));
    log_write(LOG_LEVEL_WARN,
              LOG_FIELDS("shard", letter->shard_id, "sequenceNumber",
                         position_sequence(&letter->position, sequence), "subSequenceNumber", sub, "reason",
                         envelope_reason_name(letter->reason), "detail", letter->detail, "data", data,
                         "truncated", length < letter->length ? "true" : "false"),
              "dead letter");
}

enum status deadletter_write(struct deadletter *d, const struct deadletter_letter *letters, size_t n,
                             int64_t now_real_ms, struct error *e) {
    enum status status = STATUS_OK;
    if (!n)
        return STATUS_OK;
    if (d->fd >= 0)
        status = write_to_file(d, letters, n, now_real_ms, e);
    for (size_t i = 0; d->fd < 0 && i < n; i++)
        write_to_log(&letters[i]);
    for (size_t i = 0; !status && i < n; i++)
        metrics_count(&dead_letters_family,
                      (const char *const[]){envelope_reason_name(letters[i].reason), NULL}, 1);
    return status;
}
