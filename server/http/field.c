#include "server/http/field.h"

#include <strings.h>

#define NAME(text, field) [sizeof(text) - 1] = {(text), (field)}

/* By the length of the name: no two have the same. */
static const struct {
    const char *text;
    enum field field;
} names[] = {
    NAME("Accept-Encoding", FIELD_ACCEPT_ENCODING),
    NAME("Content-Length", FIELD_CONTENT_LENGTH),
    NAME("Expect", FIELD_EXPECT),
    NAME("Host", FIELD_HOST),
    NAME("If-None-Match", FIELD_IF_NONE_MATCH),
    NAME("Transfer-Encoding", FIELD_TRANSFER_ENCODING),
    NAME("X-Request-Id", FIELD_X_REQUEST_ID),
};

enum field field_of(const char *name, size_t length) {
    if (length >= sizeof names / sizeof *names || !names[length].text ||
        strncasecmp(name, names[length].text, length) != 0)
        return FIELD_OTHER;
    return names[length].field;
}
