/*
 * aws/eventstream: messages of application/vnd.amazon.eventstream ("Amazon Event Stream Specification",
 * Smithy 2.0), decoded from bytes as they arrive, in pieces of any size.
 *
 *   total length (4 bytes), length of the headers (4), CRC-32 of those 8 bytes
 *   headers: length of the name (1), name, type (1), value
 *   payload
 *   CRC-32 of all that is before it
 *
 * Numbers are big-endian; the CRC-32 is that of zlib. The lengths are believed only after their checksum
 * holds, and what is in a message only after its own does. A stream that is broken stays so: nothing shows
 * where its next message begins.
 *
 * Not thread-safe. The memory of a message is that of its bytes, and LIMIT_EVENTSTREAM_BYTES at most.
 */
#ifndef AWS_EVENTSTREAM_H
#define AWS_EVENTSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { EVENTSTREAM_PRELUDE_BYTES = 12, EVENTSTREAM_CHECKSUM_BYTES = 4 };

enum eventstream_state {
    EVENTSTREAM_PRELUDE, /* waits for the rest of the lengths and their checksum */
    EVENTSTREAM_BODY,    /* knows them; waits for the rest of the message */
    EVENTSTREAM_WHOLE,   /* has a message */
    EVENTSTREAM_BROKEN,
};

struct eventstream {
    enum eventstream_state state;

    /* private */
    uint8_t prelude[EVENTSTREAM_PRELUDE_BYTES];
    uint8_t *body; /* what follows the prelude */
    size_t capacity;
    size_t total;    /* of the message; with EVENTSTREAM_BODY and EVENTSTREAM_WHOLE */
    size_t received; /* of the message */
    size_t headers_length;
};

void eventstream_init(struct eventstream *s);
void eventstream_deinit(struct eventstream *s);

/* Takes some of the bytes, at most up to the next state, and returns their number. With EVENTSTREAM_WHOLE or
 * EVENTSTREAM_BROKEN it takes none; it breaks with `e` filled: RETRY, AWS_ERROR_CHECKSUM or
 * AWS_ERROR_MALFORMED, for the connection may have damaged them; FAILED, AWS_ERROR_TOO_LARGE. */
size_t eventstream_take(struct eventstream *s, const void *bytes, size_t length, struct error *e);

/* How many bytes the message under way has in all; 0: not known yet. */
size_t eventstream_total(const struct eventstream *s);

/* The payload of a whole message; borrowed, until eventstream_next or eventstream_deinit. */
const void *eventstream_payload(const struct eventstream *s, size_t *length);

/* Copies the text of a whole message's header; "" and false if there is none of that name, or it is no text.
 * A longer text is cut. */
bool eventstream_header(const struct eventstream *s, const char *name, char *out, size_t size);

/* Forgets a whole message, and its memory if that is much; the next one begins. */
void eventstream_next(struct eventstream *s);

#endif
