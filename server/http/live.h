/*
 * http_live: the HTTP side of api/live.h: a stream is a microhttpd response without an end, whose connection
 * is suspended while there is nothing to send.
 *
 * A stream ends with its last chunk when the hub ends, which must be before MHD_stop_daemon: no connection is
 * suspended after that. Thread-safe as MHD_queue_response is; takes no lock but the hub's.
 */
#ifndef SERVER_HTTP_LIVE_H
#define SERVER_HTTP_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "api/live.h"
#include "server/http/reply.h"

struct http_live_options {
    struct live *live;
    const struct api_call *call; /* its answer has the headers; stays the caller's */
    const struct http_reply_extras *extras;
    int fd;
    bool head; /* headers only */
    /* When to shut the socket down (CLOCK_BOOTTIME, 0: no need to), set while the reader has yet to take
     * something; must outlive the request. */
    _Atomic int64_t *close_at_ms;
    size_t *bytes; /* counts what was sent; must outlive the request too */
};

/* Queues a stream. False: there is no room for another reader, nothing was queued. */
bool http_live_queue(struct MHD_Connection *connection, const struct http_live_options *options,
                     enum MHD_Result *result);

#endif
