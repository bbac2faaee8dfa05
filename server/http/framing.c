#include "server/http/framing.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "server/http/characters.h"

/* Host = uri-host [ ":" port ], which may be empty (RFC 9110, section 7.2). */
static bool is_host(const char *text, size_t length) {
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return characters_are_authority(text, length);
}

/* What was found so far. */
struct reading {
    const struct framing_request *request;
    struct problem *problem;
    const char *at; /* where the next piece must begin */
    bool is_sound;
    unsigned lines, hosts, codings, lengths;
    bool expects;    /* 100-continue */
    uint64_t length; /* of the body */
};

#define UNTILED "a line is folded, has a NUL, or does not end with CR LF"

/* False: the iteration ends. */
static enum MHD_Result malformed(struct reading *r, const char *why) {
    r->is_sound = problem_set(r->problem, PROBLEM_MALFORMED_REQUEST, "%s; the connection is closed", why);
    return MHD_NO;
}

/* The next piece begins after the line that ends at `end`: where CR and LF were, there are two NULs now. */
static bool end_line(struct reading *r, const char *end) {
    r->at = end + 2;
    return !end[0] && !end[1];
}

/* libmicrohttpd takes one space before the target and one after it for granted. */
static enum MHD_Result read_line(struct reading *r) {
    const struct framing_request *request = r->request;
    size_t method_length = strlen(request->method);
    if (request->target_at != request->method + method_length + 1 ||
        request->version != request->target_at + request->target_length + 1 ||
        !characters_are_target(request->target))
        return malformed(r,
                         "the request line is not a method, a target without spaces or control characters, "
                         "and a version, with a space between them");
    if (!characters_are_token(request->method, method_length))
        return malformed(r, "the method has a character that is not allowed");
    return end_line(r, request->version + strlen("HTTP/1.1")) ? MHD_YES : malformed(r, UNTILED);
}

/* Content-Length = 1*DIGIT. libmicrohttpd has refused what does not fit into 64 bits. */
static enum MHD_Result read_length(struct reading *r, const char *value, size_t length) {
    if (r->lengths++)
        return malformed(r, "there are two Content-Length");
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return malformed(r, "Content-Length is not a number");
        r->length = r->length * 10 + (uint64_t)(value[i] - '0');
    }
    return length ? MHD_YES : malformed(r, "Content-Length is empty");
}

static enum MHD_Result read_coding(struct reading *r, const char *value) {
    if (r->codings++)
        return malformed(r, "there are two Transfer-Encoding");
    if (strcasecmp(value, "chunked") != 0)
        return malformed(r, "Transfer-Encoding is not 'chunked'");
    return MHD_YES;
}

static enum MHD_Result read_host(struct reading *r, const char *value, size_t length) {
    if (r->hosts++)
        return malformed(r, "there are two Host");
    return is_host(value, length) ? MHD_YES : malformed(r, "Host is not a host and a port");
}

static const char no_cookies[] = "Cookie";

static enum MHD_Result read_field(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_length, const char *value, size_t value_length) {
    (void)kind;
    struct reading *r = context;
    if (name == no_cookies)
        return MHD_YES;
    r->lines++;
    if (name != r->at || value <= name + name_length /* a colon is between them */ ||
        !end_line(r, value + value_length))
        return malformed(r, UNTILED);
    enum field field = field_of(name, name_length);
    if (field == FIELD_OTHER && !characters_are_token(name, name_length))
        return malformed(r, "a header's name is empty or has a character that is not allowed");
    if (!characters_are_value(value, value_length))
        return malformed(r, "a header's value has a control character");
    switch (field) {
    case FIELD_OTHER:
        return MHD_YES;
    case FIELD_HOST:
        return read_host(r, value, value_length);
    case FIELD_CONTENT_LENGTH:
        return read_length(r, value, value_length);
    case FIELD_TRANSFER_ENCODING:
        return read_coding(r, value);
    case FIELD_EXPECT:
        r->expects |= strcasecmp(value, "100-continue") == 0;
        return MHD_YES;
    default:
        r->request->read(r->request->context, field, value);
        return MHD_YES;
    }
}

static bool has_body(const struct reading *r) {
    return r->codings || r->length;
}

static bool is_1_0(const struct framing_request *request) {
    return strcmp(request->version, "HTTP/1.0") == 0;
}

/* What only all headers together show. */
static enum MHD_Result read_end(struct reading *r, size_t size) {
    const struct framing_request *request = r->request;
    if (!end_line(r, r->at) || r->at != request->method + size)
        return malformed(r, UNTILED);
    if (r->codings && (r->lengths || is_1_0(request)))
        return malformed(r, "Transfer-Encoding is not allowed with Content-Length or in HTTP/1.0");
    if (!r->hosts && !is_1_0(request))
        return malformed(r, "there is no Host");
    if (r->expects &&
        !has_body(r)) /* RFC 9110, section 10.1.1; libmicrohttpd would handle the next request twice */
        return malformed(r, "Expect: 100-continue is not allowed without a body");
    return MHD_YES;
}

static bool is_within_limits(const struct reading *r, size_t header_bytes) {
    if (header_bytes > LIMIT_HEADER_BYTES)
        return problem_set(r->problem, PROBLEM_HEADERS_TOO_LARGE, "the headers have %zu bytes; allowed: %d",
                           header_bytes, LIMIT_HEADER_BYTES);
    if (r->lines > LIMIT_HEADER_LINES)
        return problem_set(r->problem, PROBLEM_HEADERS_TOO_LARGE, "there are %u headers; allowed: %d",
                           r->lines, LIMIT_HEADER_LINES);
    if (r->length > LIMIT_REQUEST_BODY_BYTES)
        return problem_set(r->problem, PROBLEM_CONTENT_TOO_LARGE,
                           "the body has %" PRIu64 " bytes; allowed: %d", r->length,
                           LIMIT_REQUEST_BODY_BYTES);
    return true;
}

void framing_begin(struct MHD_Connection *mhd, const char *target) {
    char *query = strchr(target, '?');
    if (query && query[1])
        query[1] = '\0';
    MHD_set_connection_value(mhd, MHD_HEADER_KIND, no_cookies, "-"); /* it parses the first Cookie only */
}

/* A request within the limits leaves this room; for one beyond them what follows it is not counted. */
static bool is_full(const struct reading *r, size_t size) {
    return size + (size_t)r->lines * LIMIT_MHD_FIELD_BYTES + LIMIT_MHD_OWN_BYTES + LIMIT_ANSWER_HEAD_BYTES >
           LIMIT_CONNECTION_BYTES;
}

/* A request stands where the memory of its connection begins, which is where malloc puts it: at a multiple of
 * 16. Before it stand empty lines alone, as NULs. */
static size_t count_skipped(const char *method) {
    size_t n = (uintptr_t)method & FRAMING_SKIPPED;
    for (size_t i = 1; i <= n; i++)
        if (*(method - i))
            return 0;
    return n;
}

bool framing_check(struct MHD_Connection *mhd, const struct framing_request *request, struct framing *out,
                   struct problem *p) {
    struct reading r = {.request = request, .problem = p, .is_sound = true};
    size_t size = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    if (read_line(&r))
        MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, read_field, &r);
    if (r.is_sound)
        read_end(&r, size);
    *out = (struct framing){has_body(&r), is_full(&r, size), count_skipped(request->method)};
    return r.is_sound && is_within_limits(&r, size - request->target_length);
}
