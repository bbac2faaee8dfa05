#include "base/log_line.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"

static void append_json_string(struct buffer *b, const char *s) {
    if (!utf8_is_valid(s, strlen(s)))
        s = "(not utf-8)";
    buffer_putc(b, '"');
    size_t bytes;
    for (size_t left = strlen(s); left; left -= bytes, s += bytes) {
        uint32_t c;
        bytes = utf8_decode(s, left, &c);
        if (c == '"' || c == '\\')
            buffer_putc(b, '\\');
        if (text_is_deceptive(c))
            buffer_printf(b, "\\u%04x", (unsigned)c); /* all are below U+10000 */
        else
            buffer_append(b, s, bytes);
    }
    buffer_putc(b, '"');
}

static void append_text(struct buffer *b, const char *s) {
    size_t bytes;
    for (size_t left = strlen(s); left; left -= bytes, s += bytes) {
        uint32_t c;
        bytes = utf8_decode(s, left, &c);
        buffer_append(b, text_is_deceptive(c) ? "?" : s, text_is_deceptive(c) ? 1 : bytes);
    }
}

static void append_line(struct buffer *b, bool json, enum log_level level, const char *const fields[],
                        const char *message) {
    static const char *const names[] = {"error", "warn", "info", "debug"};
    char now[CLOCK_TEXT_SIZE];
    clock_format(clock_real_ms(), now);

    if (json) {
        buffer_printf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", now, names[level]);
        append_json_string(b, message);
    } else {
        buffer_printf(b, "%s %-5s ", now, names[level]);
        append_text(b, message);
    }
    for (size_t i = 0; fields && fields[i]; i += 2) {
        bool number = fields[i][0] == '#';
        buffer_puts(b, json ? "," : " ");
        (json ? append_json_string : append_text)(b, fields[i] + number);
        buffer_putc(b, json ? ':' : '=');
        (json && !number ? append_json_string : append_text)(b, fields[i + 1]);
    }
    buffer_puts(b, json ? "}\n" : "\n");
}

void log_line_init(struct buffer *line, enum log_format form, enum log_level level,
                   const char *const fields[], const char *message) {
    bool json = form == LOG_FORMAT_JSON;
    buffer_init(line, LIMIT_LOG_LINE_BYTES);
    append_line(line, json, level, fields, message);
    if (line->overflowed) { /* the message alone always fits */
        buffer_clear(line);
        append_line(line, json, level, NULL, message);
    }
}
