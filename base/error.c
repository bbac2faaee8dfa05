#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Takes away a character that was cut in its middle. */
static void trim(char *text) {
    size_t length = strlen(text), last = length;
    while (last && ((unsigned char)text[last - 1] & 0xC0) == 0x80)
        last--;
    if (last && !utf8_is_valid(text + last - 1, length - last + 1))
        text[last - 1] = '\0';
}

enum status error_set(struct error *e, enum status status, const char *format, ...) {
    if (!e)
        return status;

    va_list args;
    va_start(args, format);
    memset(e, 0, sizeof *e);
    e->status = status;
    vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);
    trim(e->message);
    return status;
}

enum status error_wrap(struct error *e, const char *format, ...) {
    char inner[sizeof e->message];
    memcpy(inner, e->message, sizeof inner);

    va_list args;
    va_start(args, format);
    int n = vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);

    if (n >= 0 && (size_t)n < sizeof e->message)
        snprintf(e->message + n, sizeof e->message - (size_t)n, ": %s", inner);
    trim(e->message);
    return e->status;
}

const char *status_name(enum status status) {
    static const char *const names[] = {
        [STATUS_OK] = "ok",           [STATUS_NOT_FOUND] = "not found", [STATUS_CONFLICT] = "conflict",
        [STATUS_RETRY] = "try again", [STATUS_INVALID] = "invalid",     [STATUS_FAILED] = "failed",
    };
    return names[status];
}
