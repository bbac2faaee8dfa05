/*
 * http_reply: answers become microhttpd responses.
 *
 * An answer that is a representation (api/answer.h) goes out in the form that the request asks for: plain,
 * compressed, or only as the news that it has not changed (304, to which no header is added that speaks of a
 * body; RFC 9110, section 15.4.5).
 *
 * For each form a response is finished once and shared by all requests that get the same bytes and the same
 * headers; it lives with its answer, and is made anew when its Age or its cache state changes. A request that
 * needs headers of its own gets its own response, over the same body, and so does the one that an answer was
 * read for. Thread-safe; takes only leaf locks.
 */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

#include "api/api.h"

/* Headers of this request alone. */
struct http_reply_extras {
    const char *request_id; /* NULL: none */
    bool close;             /* "Connection: close" */
};

/* What the client is told: the answer's own status or 304, and how many bytes of body (but for HEAD). */
struct http_reply_sent {
    unsigned status;
    size_t bytes;
};

/* Queues the call's answer on the connection. The answer stays the caller's. */
enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct api_call *call,
                                 const struct http_reply_extras *extras, struct http_reply_sent *sent);

/* The headers of the call's answer, for a response that is made elsewhere. */
void http_reply_add_headers(struct MHD_Response *response, const struct api_call *call,
                            const struct http_reply_extras *extras);

#endif
