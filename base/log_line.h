/* log_line: a log line as bytes; used by log.c only. One event is one line: what could begin
 * another, command a terminal or reorder the line is replaced (base/text.h). */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include "base/buffer.h"
#include "base/log.h"

/* Sets `line` to the line, with its newline; the caller deinits it. A line longer than LIMIT_LOG_LINE_BYTES
 * is made without its fields. */
void log_line_init(struct buffer *line, enum log_format form, enum log_level level,
                   const char *const fields[], const char *message);

#endif
