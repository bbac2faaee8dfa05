/*
 * http_reply: answers become microhttpd responses.
 *
 * A response is finished once and shared by all requests that get the same bytes and the same headers; it
 * lives with its answer, and is made anew when its Age or its cache state changes. A request that needs
 * headers of its own gets its own response, over the same body. Thread-safe; takes only leaf locks.
 */
#ifndef SERVER_HTTP_REPLY_H
#define SERVER_HTTP_REPLY_H

#include <stdbool.h>

#include <microhttpd.h>

#include "api/api.h"

/* Headers of this request alone. */
struct http_reply_extras {
    const char *request_id; /* NULL: none */
    bool close;             /* "Connection: close" */
};

/* Queues the call's answer on the connection. The answer stays the caller's. */
enum MHD_Result http_reply_queue(struct MHD_Connection *connection, const struct api_call *call,
                                 const struct http_reply_extras *extras);

#endif
