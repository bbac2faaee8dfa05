/*
 * log: one line for each event, to standard error, as text for people or as JSON for machines.
 *
 * A function that can fail returns its error; the caller that decides what to do logs it, once. Messages are
 * lower case and begin with what failed. Never log a secret. Thread-safe.
 *
 * The reader of standard error may be slow, or stop. After log_start only the log's own thread waits for it.
 * Lines wait in a queue of LIMIT_LOG_QUEUE_BYTES. A line that finds no room there is lost: it is counted in
 * winner_view_log_lines_lost_total, and a line reports how many were lost once the log is read again. A line
 * that must not be lost goes through log_deliver: its caller waits.
 *
 * Before log_start the caller writes, and waits. Lines stay whole: one write(2) has as many as fit into
 * PIPE_BUF bytes, which no other process can split on a pipe (pipe(7)). A longer line has a write of its own.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

struct buffer;

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Until then the level is info, the format text. */
void log_init(enum log_level level, enum log_format format);

/* Starts the thread, which runs until the process ends. From then on abort() writes the queue first. Call it
 * once, with all signals blocked that another thread is to receive. */
void log_start(void);

/* Waits until every line in the queue is written: at most LIMIT_LOG_FLUSH_MS. For the end of the process, and
 * safe in a signal handler. */
void log_flush(void);

/* Never blocks after log_start. `fields`: name, value, name, value, ..., NULL; or NULL. A value is a string,
 * and may be "". If its name begins with '#' (which is not written), the value is a JSON number. */
void log_write(enum log_level level, const char *const fields[], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define log_error(...) log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

/* Appends the line to `lines`, for log_deliver, whatever the log's level. */
void log_append(struct buffer *lines, enum log_level level, const char *const fields[], const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* Writes the lines, and returns when they are written. RETRY: they are not, because standard error failed or
 * did not take them within LIMIT_LOG_DELIVER_MS. Some may be written all the same, or be written later: those
 * that were on their way. */
enum status log_deliver(const struct buffer *lines, struct error *e);

/* Since log_start: a person reads along: standard error is a terminal (base/status_line.h) with this process
 * in its foreground, the format is text and information is logged. */
bool log_is_terminal(void);

/* One line below the log that is written over again: of printable ASCII; "": none. On a terminal alone, else
 * nothing is written. Never blocks: a line that the terminal has not taken before the next one is skipped. */
void log_status(const char *line);

/* What else is written on the terminal stands below the status line. For the end of the process, and safe in
 * a signal handler. Does not wait: nothing is written if the terminal takes nothing. */
void log_leave_status(void);

#endif
