/*
 * http_live: the HTTP side of api/live/live.h: a stream is a microhttpd response without an end. Its
 * connection is suspended while there is nothing to send.
 *
 * live_end ends the streams; no connection of a stream is suspended after that. It must be called before
 * MHD_stop_daemon. Thread-safe as MHD_queue_response is; takes only the lock of the `struct live`.
 */
#ifndef SERVER_HTTP_LIVE_H
#define SERVER_HTTP_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "api/live/live.h"
#include "server/http/reply.h"

struct http_loop;

struct http_live_options {
    struct http_loop *loop; /* of the connection */
    struct live *live;
    const struct api_call *call; /* what to follow, and an answer with the headers; borrowed for the call */
    const struct http_reply_extras *extras;
    int fd;
    bool head; /* headers only: the reader leaves at once */
    /* Set while the reader has not read everything that was sent: when to shut the socket down
     * (CLOCK_BOOTTIME; 0: never). Must outlive the request. */
    _Atomic int64_t *close_at_ms;
    size_t *bytes; /* counts the bytes sent; must outlive the request */
};

/* Queues a stream. False: there is no room for another reader, nothing was queued. */
bool http_live_queue(struct MHD_Connection *connection, const struct http_live_options *options,
                     enum MHD_Result *result);

#endif
