#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/limits.h"
#include "base/log_line.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/status_line.h"
#include "base/thread.h"

static struct metrics_family lost_family = {
    .name = "winner_view_log_lines_lost_total",
    .help = "Log lines that were not written: standard error was not read, or failed.",
    .kind = METRICS_COUNTER,
};

static _Atomic int log_level = LOG_LEVEL_INFO;
static _Atomic int log_format = LOG_FORMAT_TEXT;

/* Lines whose writer waits. */
struct delivery {
    const struct buffer *lines;
    int result; /* 0, an errno, or UNDECIDED */
    struct delivery *prev, *next;
};
enum { UNDECIDED = -1 };

static char room[2][LIMIT_LOG_QUEUE_BYTES]; /* lines are added to one while the other is written */

static struct {
    atomic_bool running;
    bool has_status;         /* set before the thread starts */
    atomic_size_t unwritten; /* bytes in the queue or on their way */
    struct metrics_series *lost_lines;

    pthread_mutex_t lock; /* guards the rest; a leaf */
    pthread_cond_t filled;
    pthread_cond_t delivered;
    char *lines;
    size_t length;
    unsigned long lost;          /* that no line has reported yet */
    struct delivery *deliveries; /* the oldest first */
    struct delivery *current;    /* being written; NULL: none, or its writer has given up */
    char status[LIMIT_LOG_STATUS_BYTES];
    bool is_status_new; /* the thread has not read it */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER, .lines = room[0]};

void log_init(enum log_level level, enum log_format format) {
    atomic_store(&log_level, level);
    atomic_store(&log_format, format);
}

/* Standard error. */

/* 0 or an errno. Waits for a slow reader, even if another process has made the pipe non-blocking. */
static int write_all(const char *data, size_t length, size_t *done) {
    for (*done = 0; *done < length;) {
        ssize_t n = write(STDERR_FILENO, data + *done, length - *done);
        if (n >= 0)
            *done += (size_t)n;
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* If a failure has left a line unfinished, it is ended first: no line is joined to another. */
static int write_lines(const char *lines, size_t length) {
    static atomic_bool torn;
    size_t done;
    int result = atomic_load(&torn) ? write_all("\n", 1, &done) : 0;
    if (result)
        return result;
    result = write_all(lines, length, &done);
    atomic_store(&torn, done > 0 && lines[done - 1] != '\n');
    return result;
}

/* How many bytes one write takes. */
static size_t first_lines(const char *lines, size_t length) {
    const char *end = length > PIPE_BUF ? memrchr(lines, '\n', PIPE_BUF) : lines + length - 1;
    if (!end)
        end = memchr(lines, '\n', length);
    return (size_t)(end - lines) + 1;
}

static unsigned long count_lines(const char *lines, size_t length) {
    unsigned long n = 0;
    for (size_t i = 0; i < length; i++)
        n += lines[i] == '\n';
    return n;
}

/* The queue. */

static void enqueue(const struct buffer *line) {
    pthread_mutex_lock(&queue.lock);
    bool fits = line->length <= LIMIT_LOG_QUEUE_BYTES - queue.length;
    if (fits) {
        memcpy(queue.lines + queue.length, line->data, line->length);
        queue.length += line->length;
        atomic_fetch_add(&queue.unwritten, line->length);
    } else {
        queue.lost++;
    }
    pthread_mutex_unlock(&queue.lock);
    pthread_cond_signal(&queue.filled);
    if (!fits)
        metrics_add(queue.lost_lines, 1);
}

/* What the thread has taken from the queue. */
struct taken {
    char *lines;
    size_t at, length;
    unsigned long lost; /* after these lines; 0: all was reported */
};

static bool is_over(const struct taken *t) {
    return t->at == t->length && !t->lost;
}

static void take_queue(struct taken *t) {
    char *written = t->lines;
    *t = (struct taken){queue.lines, 0, queue.length, queue.lost};
    queue.lines = written;
    queue.length = 0;
    queue.lost = 0;
    atomic_fetch_add(&queue.unwritten, t->lost > 0); /* the line about them */
}

/* Its lines are copied: its writer may give up while they are written. */
static void take_delivery(struct buffer *lines) {
    queue.current = queue.deliveries;
    if (!queue.current)
        return;
    DL_DELETE(queue.deliveries, queue.current);
    buffer_append(lines, queue.current->lines->data, queue.current->lines->length);
}

/* True if it is another one than before. */
static bool take_status(char status[LIMIT_LOG_STATUS_BYTES]) {
    bool is_new = queue.is_status_new;
    queue.is_status_new = false;
    if (is_new)
        memcpy(status, queue.status, LIMIT_LOG_STATUS_BYTES);
    return is_new;
}

/* Waits until there is something to write. True: the status line is another one. */
static bool take(struct taken *t, struct buffer *delivery, char status[LIMIT_LOG_STATUS_BYTES]) {
    pthread_mutex_lock(&queue.lock);
    while (is_over(t) && !queue.length && !queue.deliveries && !queue.is_status_new)
        pthread_cond_wait(&queue.filled, &queue.lock);
    if (is_over(t))
        take_queue(t);
    take_delivery(delivery);
    bool has_new_status = take_status(status);
    pthread_mutex_unlock(&queue.lock);
    return has_new_status;
}

static void write_delivery(struct buffer *lines) {
    int result = 0;
    for (size_t at = 0, n; !result && at < lines->length; at += n) {
        n = first_lines(lines->data + at, lines->length - at);
        result = write_lines(lines->data + at, n);
    }
    pthread_mutex_lock(&queue.lock);
    if (queue.current)
        queue.current->result = result;
    queue.current = NULL;
    pthread_mutex_unlock(&queue.lock);
    pthread_cond_broadcast(&queue.delivered);
    buffer_clear(lines);
}

static void report_later(unsigned long lost) {
    pthread_mutex_lock(&queue.lock);
    queue.lost += lost;
    pthread_mutex_unlock(&queue.lock);
}

static void write_taken_lines(struct taken *t) {
    const char *lines = t->lines + t->at;
    size_t n = first_lines(lines, t->length - t->at);
    if (write_lines(lines, n)) {
        unsigned long lost = count_lines(lines, n);
        report_later(lost);
        metrics_add(queue.lost_lines, (int64_t)lost);
    }
    t->at += n;
    atomic_fetch_sub(&queue.unwritten, n);
}

static void write_loss(struct taken *t) {
    _cleanup_(buffer_deinit) struct buffer line;
    char message[80];
    snprintf(message, sizeof message,
             "%lu lines of this log are lost: standard error was not read, or failed", t->lost);
    log_line_init(&line, (enum log_format)atomic_load(&log_format), LOG_LEVEL_WARN, NULL, message);
    if (write_lines(line.data, line.length))
        report_later(t->lost);
    t->lost = 0;
    atomic_fetch_sub(&queue.unwritten, 1);
}

/* One delivery, then one write of the queue: neither waits long for the other. The status line is below. */
static void *run(void *unused) {
    struct taken taken = {.lines = room[1]};
    struct buffer delivery;
    char status[LIMIT_LOG_STATUS_BYTES] = "";
    (void)unused;
    buffer_init(&delivery, SIZE_MAX);
    for (;;) {
        bool has_new_status = take(&taken, &delivery, status);
        status_line_erase();
        if (delivery.length)
            write_delivery(&delivery);
        if (taken.at < taken.length)
            write_taken_lines(&taken);
        else if (taken.lost)
            write_loss(&taken);
        status_line_draw(status);
        atomic_fetch_sub(&queue.unwritten, has_new_status);
    }
    return NULL; /* never reached */
}

/* For abort() and its callers: libraries, and mem_exhausted. */
static void flush_before_abort(int number) {
    (void)number;
    log_flush();
}

void log_start(void) {
    const struct sigaction action = {.sa_handler = flush_before_abort, .sa_flags = (int)SA_RESETHAND};
    pthread_t thread;
    queue.lost_lines = METRICS_SERIES(&lost_family, NULL);
    condition_init(&queue.delivered);
    queue.has_status = atomic_load(&log_level) >= LOG_LEVEL_INFO &&
                       atomic_load(&log_format) == LOG_FORMAT_TEXT && status_line_is_possible();
    thread_must_start(&thread, "log", run, NULL);
    pthread_detach(thread);
    atomic_store(&queue.running, true);
    sigaction(SIGABRT, &action, NULL);
}

static bool has_terminal(void) {
    return atomic_load(&queue.running) && queue.has_status;
}

bool log_is_terminal(void) {
    return has_terminal() && status_line_is_in_front();
}

void log_status(const char *line) {
    if (!has_terminal())
        return;
    pthread_mutex_lock(&queue.lock);
    snprintf(queue.status, sizeof queue.status, "%s", line);
    atomic_fetch_add(&queue.unwritten, !queue.is_status_new);
    queue.is_status_new = true;
    pthread_mutex_unlock(&queue.lock);
    pthread_cond_signal(&queue.filled);
}

void log_leave_status(void) {
    if (has_terminal())
        status_line_leave();
}

/* It polls, because a signal handler may take no lock. */
void log_flush(void) {
    int64_t end_ms = clock_boot_ms() + LIMIT_LOG_FLUSH_MS;
    while (atomic_load(&queue.unwritten) && clock_boot_ms() < end_ms)
        poll(NULL, 0, 1);
}

/* Lines. */

static void make_line(struct buffer *line, enum log_level level, const char *const fields[],
                      const char *format, va_list args) {
    char message[LIMIT_LOG_MESSAGE_BYTES];
    vsnprintf(message, sizeof message, format, args);
    log_line_init(line, (enum log_format)atomic_load(&log_format), level, fields, message);
}

void log_write(enum log_level level, const char *const fields[], const char *format, ...) {
    if ((int)level > atomic_load(&log_level))
        return;
    _cleanup_(buffer_deinit) struct buffer line;
    va_list args;
    va_start(args, format);
    make_line(&line, level, fields, format, args);
    va_end(args);
    if (atomic_load(&queue.running))
        enqueue(&line);
    else
        write_lines(line.data, line.length); /* a failure cannot be reported anywhere */
}

void log_append(struct buffer *lines, enum log_level level, const char *const fields[], const char *format,
                ...) {
    _cleanup_(buffer_deinit) struct buffer line;
    va_list args;
    va_start(args, format);
    make_line(&line, level, fields, format, args);
    va_end(args);
    buffer_append(lines, line.data, line.length);
}

/* As write_lines; ETIMEDOUT if the thread has not written the lines in time. */
static int wait_for_delivery(const struct buffer *lines) {
    struct delivery d = {.lines = lines, .result = UNDECIDED};
    const struct timespec end = condition_end(LIMIT_LOG_DELIVER_MS);
    int waited = 0;
    pthread_mutex_lock(&queue.lock);
    DL_APPEND(queue.deliveries, &d);
    pthread_cond_signal(&queue.filled);
    while (d.result == UNDECIDED && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&queue.delivered, &queue.lock, &end);
    if (d.result == UNDECIDED && queue.current == &d)
        queue.current = NULL;
    else if (d.result == UNDECIDED)
        DL_DELETE(queue.deliveries, &d);
    pthread_mutex_unlock(&queue.lock);
    return d.result == UNDECIDED ? ETIMEDOUT : d.result;
}

enum status log_deliver(const struct buffer *lines, struct error *e) {
    if (!lines->length)
        return STATUS_OK;
    int result =
        atomic_load(&queue.running) ? wait_for_delivery(lines) : write_lines(lines->data, lines->length);
    if (!result)
        return STATUS_OK;
    return error_set_code(e, STATUS_RETRY, "Log", "standard error takes no lines: %s",
                          result == ETIMEDOUT ? "nobody reads it" : strerror(result));
}
