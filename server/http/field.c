#include "server/http/field.h"

#include <strings.h>

struct name {
    const char *text;
    size_t length;
};

#define NAME(literal)                                                                                        \
    { (literal), sizeof(literal) - 1 }

static const struct name names[FIELDS] = {
    [FIELD_ACCEPT_ENCODING] = NAME("Accept-Encoding"),
    [FIELD_CONTENT_LENGTH] = NAME("Content-Length"),
    [FIELD_EXPECT] = NAME("Expect"),
    [FIELD_HOST] = NAME("Host"),
    [FIELD_IF_NONE_MATCH] = NAME("If-None-Match"),
    [FIELD_TRANSFER_ENCODING] = NAME("Transfer-Encoding"),
    [FIELD_X_REQUEST_ID] = NAME("X-Request-Id"),
};

enum field field_of(const char *name, size_t length) {
    enum field field = FIELDS - 1;
    while (field != FIELD_OTHER &&
           (names[field].length != length || strncasecmp(name, names[field].text, length) != 0))
        field--;
    return field;
}
