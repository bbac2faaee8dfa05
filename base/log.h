/*
 * log: one line an event, to standard error, in text for people or in JSON for machines.
 *
 * Only the ingest loops, the API's dispatch and main log; everything below them returns errors. Messages are
 * lower case and say first what failed. Never log a secret. Thread-safe; a line is written whole, by one
 * write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Before that: info, text. */
void log_init(enum log_level level, enum log_format format);

/* `fields`: name, value, name, value, ..., NULL; or NULL. A value may be "" and is a string in either format,
 * but for those whose name begins with '#' (which is not written): they are JSON numbers already. */
void log_write(enum log_level level, const char *const fields[], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define log_error(...) log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

#endif
