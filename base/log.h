/*
 * log: one line for each event, to standard error, as text for people or as JSON for machines.
 *
 * A function that can fail returns its error; the caller that decides what to do logs it, once. Messages are
 * lower case and begin with what failed. Never log a secret. Thread-safe; each line is written by one
 * write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Until then the level is info, the format text. */
void log_init(enum log_level level, enum log_format format);

/* `fields`: name, value, name, value, ..., NULL; or NULL. A value is a string, and may be "". If its name
 * begins with '#' (which is not written), the value is a JSON number. */
void log_write(enum log_level level, const char *const fields[], const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define LOG_FIELDS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define log_error(...) log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__)

#endif
