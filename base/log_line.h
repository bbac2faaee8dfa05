/* log_line: a log line as bytes; used by log.c only. One event is one line: control characters of a message
 * cannot begin another, or reach a terminal. */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include "base/buffer.h"
#include "base/log.h"

/* Makes `line` hold the line, with its newline; the caller deinits it. Too long for LIMIT_LOG_LINE_BYTES, it
 * has no fields. */
void log_line_init(struct buffer *line, enum log_format form, enum log_level level,
                   const char *const fields[], const char *message);

#endif
