/*
 * http_reply: answers become microhttpd responses.
 *
 * An answer that is a representation (api/answer.h) is sent in the form that the request asks for: plain,
 * compressed, or as a 304 if the client has it (then without headers of a body; RFC 9110, section 15.4.5).
 *
 * For each form a response is made once and shared by all requests that get the same bytes and headers. It
 * lives with its answer, and is replaced when its Age or its cache state changes. A request that needs
 * headers of its own gets its own response over the same body; so does the request that an answer was loaded
 * for. An answer that caches may store has no X-Request-Id: it would be another client's. Pages of other
 * origins may read all answers but those of probes and metrics
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). Thread-safe; takes only leaf locks.
 */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

#include "api/api.h"
#include "server/http/field.h"
#include "server/http/negotiate.h"

/* The headers of a request that decide about its answer. Borrowed from the request. */
struct http_reply_wishes {
    const char *request_id; /* the first X-Request-Id; NULL: none */
    struct negotiate_codings codings;
    bool is_conditional; /* it has If-None-Match */
};

/* Headers of this answer alone. */
struct http_reply_extras {
    const char *request_id; /* NULL: none; left out if the answer is a representation */
    bool close;             /* "Connection: close" */
};

/* What was sent: the answer's own status or 304, and the bytes of the body (HEAD: that GET would have). */
struct http_reply_sent {
    unsigned status;
    size_t bytes;
};

#define HTTP_REPLY_NO_WISHES ((struct http_reply_wishes){.codings = NEGOTIATE_CODINGS})

/* Adds a header of the request to `wishes`, a struct http_reply_wishes (framing.h calls it). */
void http_reply_read_wish(void *wishes, enum field field, const char *value);

/* Queues the call's answer on the connection. The answer still belongs to the caller. */
enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct api_call *call,
                                 const struct http_reply_wishes *wishes,
                                 const struct http_reply_extras *extras, struct http_reply_sent *sent);

/* Adds the headers of the call's answer to a response that is made elsewhere. */
void http_reply_add_headers(struct MHD_Response *response, const struct api_call *call,
                            const struct http_reply_extras *extras);

#endif
