#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void fill(struct error *e, enum status status, const char *code, const char *format, va_list args) {
    memset(e, 0, sizeof *e);
    e->status = status;
    snprintf(e->code, sizeof e->code, "%s", code);
    utf8_mend(e->code);
    vsnprintf(e->message, sizeof e->message, format, args);
    utf8_mend(e->message);
}

enum status error_set(struct error *e, enum status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (e)
        fill(e, status, "", format, args);
    va_end(args);
    return status;
}

enum status error_set_code(struct error *e, enum status status, const char *code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (e)
        fill(e, status, code, format, args);
    va_end(args);
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
    utf8_mend(e->message);
    return e->status;
}

void error_note_person(struct error *e, const char *user_id) {
    snprintf(e->user_id, sizeof e->user_id, "%s", user_id);
}

const char *status_name(enum status status) {
    static const char *const names[] = {
        [STATUS_OK] = "ok",           [STATUS_NOT_FOUND] = "not found", [STATUS_CONFLICT] = "conflict",
        [STATUS_RETRY] = "try again", [STATUS_INVALID] = "invalid",     [STATUS_FAILED] = "failed",
    };
    return names[status];
}
