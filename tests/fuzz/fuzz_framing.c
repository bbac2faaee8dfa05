/*
 * Framing (server/http/framing): the bytes of a connection, as libmicrohttpd hands them over. The second
 * opinion is a strict reader of the same bytes, made from RFC 9112: of each request that is accepted it finds
 * the same method, target, headers and end; it accepts what is accepted, and nothing is accepted after what
 * it refuses. A request that it accepts within the limits is not refused.
 */
#include "server/http/framing.h"

#include <ctype.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "tests/fuzz/fuzz.h"

enum { HEADERS = 128, MAX_BYTES = 1 << 16, RUNS = 1000 };

/* The second opinion. */

struct text {
    const char *at;
    size_t length;
};

struct head {
    struct text method, target, version;
    struct text names[HEADERS], values[HEADERS];
    size_t n;
    bool has_body;
    size_t skipped;      /* bytes before it */
    bool may_be_refused; /* it is beyond a limit, has a fragment, or expects an answer before a body that it
                            has not */
};

enum verdict { SOUND, UNSOUND, UNFINISHED };

static bool is_token(struct text t) {
    for (size_t i = 0; i < t.length; i++)
        if (!isalnum((unsigned char)t.at[i]) && (!t.at[i] || !strchr("!#$%&'*+-.^_`|~", t.at[i])))
            return false;
    return t.length;
}

/* No control character but, perhaps, a tab. */
static bool is_visible(struct text t, bool with_blanks) {
    for (size_t i = 0; i < t.length; i++) {
        unsigned char c = (unsigned char)t.at[i];
        if (c == 0x7f || (c < 0x20 && !(with_blanks && c == '\t')) || (c == ' ' && !with_blanks))
            return false;
    }
    return true;
}

static struct text strip(struct text t) {
    while (t.length && (t.at[0] == ' ' || t.at[0] == '\t'))
        t.at++, t.length--;
    while (t.length && (t.at[t.length - 1] == ' ' || t.at[t.length - 1] == '\t'))
        t.length--;
    return t;
}

static bool is(struct text t, const char *expected) {
    return t.length == strlen(expected) && strncasecmp(t.at, expected, t.length) == 0;
}

/* Takes what stands before `end`, and `end`; false if it is not there. */
static bool take(struct text *in, const char *end, struct text *out) {
    const char *found = memmem(in->at, in->length, end, strlen(end));
    if (!found)
        return false;
    *out = (struct text){in->at, (size_t)(found - in->at)};
    in->at = found + strlen(end);
    in->length -= out->length + strlen(end);
    return true;
}

static bool read_line(struct text line, struct head *h) {
    if (!take(&line, " ", &h->method) || !take(&line, " ", &h->target))
        return false;
    h->version = line;
    return is_token(h->method) && h->target.length && is_visible(h->target, false) &&
           h->version.length == 8 && memcmp(h->version.at, "HTTP/1.", 7) == 0 &&
           isdigit((unsigned char)h->version.at[7]);
}

static bool read_field(struct text line, struct head *h) {
    struct text name;
    if (!take(&line, ":", &name) || !is_token(name) || !is_visible(line, true) || h->n == HEADERS)
        return false;
    h->names[h->n] = name;
    h->values[h->n++] = strip(line);
    return true;
}

static bool is_host(struct text t) {
    for (size_t i = 0; i < t.length; i++)
        if (!isalnum((unsigned char)t.at[i]) && (!t.at[i] || !strchr("-._~%!$&'()*+,;=:[]", t.at[i])))
            return false;
    return true;
}

static bool is_number(struct text t) {
    for (size_t i = 0; i < t.length; i++)
        if (!isdigit((unsigned char)t.at[i]))
            return false;
    return t.length;
}

/* Whether all readers see the same body, and the same host. */
static bool read_meaning(struct head *h, bool *is_small) {
    unsigned hosts = 0, lengths = 0, codings = 0;
    bool is_1_0 = h->version.at[7] == '0', sound = true, expects = false;
    uint64_t length = 0;
    for (size_t i = 0; i < h->n; i++) {
        struct text value = h->values[i];
        bool is_followed =
            value.at[value.length] != '\r'; /* by blanks, which microhttpd leaves in the value */
        if (is(h->names[i], "Host")) {
            hosts++;
            sound &= is_host(value);
        } else if (is(h->names[i], "Content-Length")) {
            lengths++;
            sound &= is_number(value) && !is_followed;
            for (size_t k = 0; sound && k < value.length && length <= UINT32_MAX; k++)
                length = length * 10 + (uint64_t)(value.at[k] - '0');
        } else if (is(h->names[i], "Transfer-Encoding")) {
            codings++;
            sound &= is(value, "chunked") && !is_followed;
        } else if (is(h->names[i], "Expect")) {
            expects = true;
        }
    }
    h->has_body = length || codings;
    h->may_be_refused = expects && !h->has_body;
    *is_small = length <= LIMIT_REQUEST_BODY_BYTES;
    return sound && hosts <= 1 && (hosts || is_1_0) && lengths <= 1 && codings <= 1 &&
           !(codings && (lengths || is_1_0));
}

/* Empty lines before a request (section 2.2): to libmicrohttpd they may end with a bare LF, and are empty if
 * they begin with a NUL. Nothing shows them to framing_check, and no proxy sends them. */
static void skip_empty_lines(struct text *in) {
    struct text line, rest = *in;
    while (take(&rest, "\n", &line) && (!line.length || !*line.at || is(line, "\r")))
        *in = rest;
}

/* Reads one head; `in` is what follows it. */
static enum verdict read_head(struct text *in, struct head *h) {
    struct text all, line, start;
    bool is_small;
    memset(h, 0, sizeof *h);
    start = *in;
    skip_empty_lines(in);
    h->skipped = (size_t)(in->at - start.at);
    start = *in;
    if (!take(in, "\r\n\r\n", &all))
        return UNFINISHED;
    size_t bytes = (size_t)(in->at - start.at);
    all.length += 2; /* the end of the last line */
    if (!take(&all, "\r\n", &line) || !read_line(line, h))
        return UNSOUND;
    while (all.length)
        if (!take(&all, "\r\n", &line) || !read_field(line, h))
            return UNSOUND;
    if (!read_meaning(h, &is_small))
        return UNSOUND;
    h->may_be_refused |= !is_small || h->n > LIMIT_HEADER_LINES || h->target.length > LIMIT_URI_BYTES ||
                         bytes - h->target.length > LIMIT_HEADER_BYTES ||
                         memchr(h->target.at, '#', h->target.length);
    return SOUND;
}

/* The connection. */

static struct {
    struct text in; /* what the strict reader has not read yet */
    bool has_headers, is_last, is_ended, is_rewritten;
    const char *target_at;
    char *target;
} run;

/* framing_begin's own, or one that looks like it. */
static bool is_ignored(struct text name, struct text value) {
    return is(name, "Cookie") && is(value, "-");
}

struct fields {
    const struct head *head;
    size_t at;
};

static enum MHD_Result compare_field(void *context, enum MHD_ValueKind kind, const char *name,
                                     size_t name_length, const char *value, size_t value_length) {
    (void)kind;
    struct fields *f = context;
    const struct head *h = f->head;
    struct text given = strip((struct text){value, value_length});
    if (is_ignored((struct text){name, name_length}, given))
        return MHD_YES;
    while (f->at < h->n && is_ignored(h->names[f->at], h->values[f->at]))
        f->at++;
    FUZZ_CHECK(f->at < h->n, "one more header: '%s'", name);
    struct text expected_name = h->names[f->at], expected = h->values[f->at];
    f->at++;
    FUZZ_CHECK(expected_name.length == name_length && memcmp(expected_name.at, name, name_length) == 0,
               "'%s'", name);
    FUZZ_CHECK(expected.length == given.length && memcmp(expected.at, given.at, given.length) == 0,
               "'%s: %s'", name, value);
    return MHD_YES;
}

static void compare_head(struct MHD_Connection *mhd, const char *method, const struct head *h) {
    struct fields fields = {h, 0};
    FUZZ_CHECK(is(h->method, method) && strncmp(h->method.at, method, h->method.length) == 0, "'%s'", method);
    FUZZ_CHECK(h->target.length == strlen(run.target) &&
                   memcmp(h->target.at, run.target, h->target.length) == 0,
               "'%s'", run.target);
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, compare_field, &fields);
    while (fields.at < h->n && is_ignored(h->names[fields.at], h->values[fields.at]))
        fields.at++;
    FUZZ_CHECK(fields.at == h->n, "%zu headers less", h->n - fields.at);
}

static enum MHD_Result reply(struct MHD_Connection *mhd, unsigned status) {
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (run.is_last)
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(mhd, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Nothing is counted of a line that begins with a NUL and is not empty. */
static void check_skipped(const struct head *h, size_t counted) {
    const char *begin = h->method.at - h->skipped;
    bool is_plain = strspn(begin, "\r\n") >= h->skipped && !memmem(begin, h->skipped, "\r\r", 2);
    FUZZ_CHECK(counted == h->skipped % (FRAMING_SKIPPED + 1) || (!counted && !is_plain), "%zu, not %zu",
               counted, h->skipped);
}

static void ignore(void *context, enum field field, const char *value) {
    (void)context, (void)field, (void)value;
}

/* The headers have arrived. */
static enum MHD_Result begin(struct MHD_Connection *mhd, const char *method, const char *version) {
    const struct framing_request request = {method, version, run.target_at, run.target, strlen(run.target),
                                            ignore, NULL};
    struct problem p = {.type = PROBLEM_TYPES};
    struct head head;
    struct framing framing;
    FUZZ_CHECK(!run.is_last, "a request after the last: '%s'", run.target);
    run.has_headers = true;
    bool is_accepted = framing_check(mhd, &request, &framing, &p);
    enum verdict verdict = read_head(&run.in, &head);
    run.is_last = !is_accepted || framing.has_body;
    if (!is_accepted) {
        FUZZ_CHECK(verdict != SOUND || head.may_be_refused || run.is_rewritten, "refused: %s", p.detail);
        return reply(mhd, 400);
    }
    FUZZ_CHECK(verdict == SOUND, "accepted: '%s %s'", method, run.target);
    FUZZ_CHECK(framing.has_body == head.has_body, "a body");
    check_skipped(&head, framing.skipped_bytes);
    compare_head(mhd, method, &head);
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_size, void **request_context) {
    (void)context, (void)url, (void)upload_data, (void)request_context;
    if (!run.has_headers)
        return begin(mhd, method, version);
    if (!*upload_size)
        return reply(mhd, 200);
    *upload_size = 0;
    return MHD_YES;
}

static void *on_request_line(void *context, const char *target, struct MHD_Connection *mhd) {
    (void)context;
    free(run.target);
    run.target = mem_strdup(target);
    run.target_at = target;
    run.has_headers = false;
    framing_begin(mhd, target);
    return &run;
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    (void)context, (void)mhd, (void)socket_context;
    run.is_ended = code == MHD_CONNECTION_NOTIFY_CLOSED;
}

static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context, (void)mhd;
    return strlen(text);
}

/* As in server/http/http.c, but without threads. */
static struct MHD_Daemon *microhttpd(void) {
    static struct MHD_Daemon *made;
    if (!made)
        made = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, NULL,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_CONNECTION_BYTES,
                                MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK,
                                on_request_line, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL,
                                MHD_OPTION_END);
    FUZZ_CHECK(made, "no daemon");
    return made;
}

/* Sends all of it, and ends its side; the answers are read by nobody, and fit into the socket. */
static void serve(const char *data, size_t length) {
    static const struct sockaddr address = {.sa_family = AF_UNIX};
    struct MHD_Daemon *daemon = microhttpd();
    int fds[2];
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0, "no sockets");
    FUZZ_CHECK(send(fds[1], data, length, MSG_NOSIGNAL) == (ssize_t)length, "not sent");
    FUZZ_CHECK(MHD_add_connection(daemon, fds[0], &address, sizeof address) == MHD_YES, "not added");
    MHD_run(daemon);
    shutdown(fds[1], SHUT_WR); /* microhttpd does not notice an end that comes with the data */
    for (int i = 0; i < RUNS && !run.is_ended; i++)
        MHD_run(daemon);
    FUZZ_CHECK(run.is_ended, "not ended");
    close(fds[1]);
}

static bool is_end(char c) {
    return !c || c == '\r' || c == '\n';
}

/* Whether microhttpd makes four NULs of these characters, as it does of CR LF CR LF. */
static bool looks_like_the_end(const char *at) {
    bool has_colon = at[0] == '\n' && at[1] == ':';
    return is_end(at[0]) && (is_end(at[1]) || has_colon) && is_end(at[2]) && at[3] == '\n' &&
           memchr(at, '\n', 3);
}

/* What looks like CR LF when microhttpd has read it: framing.h says so. */
static char *as_read(const uint8_t *data, size_t size) {
    char *copy = mem_dup(data, size);
    for (size_t i = 0; i + 3 <= size; i++)
        if (memcmp(copy + i, "\n:\n", 3) == 0)
            copy[i + 1] = '\r';
    for (size_t i = 1; i + 4 <= size; i++)
        if (!is_end(copy[i - 1]) && looks_like_the_end(copy + i))
            memcpy(copy + i, "\r\n\r\n", 4);
    for (size_t i = 0; i + 2 <= size; i++)
        if (!copy[i] && copy[i + 1] == '\n')
            copy[i] = '\r';
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size || size > MAX_BYTES)
        return 0;
    _cleanup_(mem_freep) char *copy = as_read(data, size);
    run.in = (struct text){copy, size};
    run.is_rewritten = memcmp(copy, data, size) != 0;
    run.is_last = run.is_ended = run.has_headers = false;
    serve((const char *)data, size);
    free(run.target);
    run.target = NULL;
    return 0;
}
