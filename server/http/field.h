/*
 * field: which header of a request a name is, of those that this server reads. A pure function: each header
 * is recognized once (framing.h), whatever it is read for.
 */
#ifndef SERVER_HTTP_FIELD_H
#define SERVER_HTTP_FIELD_H

#include <stddef.h>

enum field {
    FIELD_OTHER,
    FIELD_ACCEPT_ENCODING,
    FIELD_CONTENT_LENGTH,
    FIELD_EXPECT,
    FIELD_HOST,
    FIELD_IF_NONE_MATCH,
    FIELD_TRANSFER_ENCODING,
    FIELD_X_REQUEST_ID,
};

/* In any case of letters (RFC 9110, section 5.1). */
enum field field_of(const char *name, size_t length);

#endif
