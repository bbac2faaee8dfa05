#include "aws/header_value.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

#define SPACE " \t\r\n\v\f"

/* The text without the white space around it. */
static const char *inner(const char *text, size_t *length) {
    text += strspn(text, SPACE);
    *length = strlen(text);
    while (*length > 0 && strchr(SPACE, text[*length - 1]))
        --*length;
    return text;
}

char *aws_header_value_trim(const char *text) {
    size_t n = 0;
    const char *begin = text ? inner(text, &n) : NULL;
    return n > 0 ? mem_strndup(begin, n) : NULL;
}

static bool can_stand(char c) {
    return (c >= ' ' && c <= '~') || c == '\t';
}

enum status aws_header_value_take(const char *text, const char *what, char **out, struct error *e) {
    size_t n = 0;
    const char *begin = text ? inner(text, &n) : NULL;
    *out = NULL;
    for (size_t i = 0; i < n; i++)
        if (!can_stand(begin[i]))
            return error_set(
                e, STATUS_INVALID,
                "%s has a %s inside, which cannot stand in an HTTP header; allowed: printable ASCII", what,
                begin[i] == '\n' || begin[i] == '\r' ? "line break" : "character");
    *out = n > 0 ? mem_strndup(begin, n) : NULL;
    return STATUS_OK;
}
