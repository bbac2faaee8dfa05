#include "server/http/live.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "server/http/internal.h"

struct stream {
    struct live_reader reader; /* first */
    struct MHD_Connection *mhd;
    struct http_loop *loop;
    _Atomic int64_t *close_at_ms;
    size_t *bytes;
    int64_t take_by_ms; /* by when the last piece must be sent; 0: it was */
};

static struct metrics_family dropped_family = {
    .name = "winner_view_live_dropped_total",
    .help = "Readers of /live that were dropped because they did not receive their data.",
    .kind = METRICS_COUNTER,
};

static void resume(struct stream *s) {
    http_loop_resume(s->loop, s->mhd);
}

static void wake(struct live_reader *reader) {
    resume((struct stream *)reader);
}

static void set_take_by(struct stream *s, int64_t ms) {
    s->take_by_ms = ms;
    atomic_store_explicit(s->close_at_ms, ms, memory_order_relaxed);
}

/* Without chunks (HTTP/1.0) the end of the connection ends the stream. Microhttpd 0.9.75 marks it as closed,
 * but may not look at it again while another one is idle for longer. It does look at resumed ones. */
static ssize_t end_stream(struct stream *s) {
    MHD_suspend_connection(s->mhd);
    resume(s);
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* Called when the kernel has taken the previous piece. Microhttpd allows suspending here; after a return of 0
 * without that it would call again at once. */
static ssize_t read_stream(void *context, uint64_t position, char *out, size_t size) {
    struct stream *s = context;
    (void)position;
    int64_t now_ms = clock_boot_ms();
    ssize_t n = live_read(&s->reader, now_ms, out, size);
    set_take_by(s, n > 0 ? now_ms + LIMIT_LIVE_TAKE_MS : 0);
    if (n == LIVE_ENDED)
        return end_stream(s);
    *s->bytes += (size_t)n;
    if (n == 0) {
        MHD_suspend_connection(s->mhd);
        if (!live_wait(&s->reader))
            resume(s); /* an event arrived meanwhile */
    }
    return n;
}

static void free_stream(void *context) {
    struct stream *s = context;
    if (s->take_by_ms && s->take_by_ms <= clock_boot_ms())
        metrics_count(&dropped_family, NULL, 1);
    live_leave(&s->reader);
    free(s);
}

/* A piece counts as read once the kernel has it. So the kernel must not hold many, and must give up a reader
 * whose host is gone before the quarter of an hour that is its default (tcp(7), TCP_USER_TIMEOUT). */
static void limit_send_buffer(int fd) {
    int bytes = LIMIT_LIVE_SEND_BYTES;
    unsigned unacknowledged_ms = LIMIT_LIVE_GONE_MS;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof unacknowledged_ms);
}

bool http_live_queue(struct MHD_Connection *connection, const struct http_live_options *o,
                     enum MHD_Result *result) {
    struct stream *s = mem_zalloc(sizeof *s);
    s->reader.wake = wake;
    s->mhd = connection;
    s->loop = o->loop;
    s->close_at_ms = o->close_at_ms;
    s->bytes = o->bytes;
    const struct live_wishes wishes = {
        o->call->live_kind, o->call->live_changes,
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID")};
    if (!live_join(o->live, &s->reader, &wishes, clock_boot_ms())) {
        free(s);
        return false;
    }
    limit_send_buffer(o->fd);
    struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, LIMIT_LIVE_SEND_BYTES,
                                                                      read_stream, s, free_stream);
    if (!response)
        mem_exhausted();
    if (o->head) /* for chunks, libmicrohttpd 0.9.75 sends the last one also after HEAD (RFC 9110,
                    section 9.3.2) */
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    http_reply_add_headers(response, o->call, o->extras);
    if (MHD_add_response_header(response, "X-Accel-Buffering", "no") !=
        MHD_YES) /* nginx would hold it back */
        mem_exhausted();
    *result = MHD_queue_response(connection, o->call->answer->status, response);
    MHD_destroy_response(response);
    return true;
}
