/*
 * framing: refuses what two parsers may read differently, so that a proxy in front and this server never
 * disagree about where a request ends (RFC 9112, sections 2.2, 3, 5, 6 and 11.2).
 *
 * libmicrohttpd 0.9.75 is lenient. It parses in place: in the bytes that it read it replaces the colon of
 * each header and the end of each line by NULs, and hands over pointers into them. It glues a folded line to
 * the *name* of the header before, ends lines at a bare LF, skips spaces, and texts end at a NUL that was
 * sent. So the check does not trust the texts alone: the pieces must tile the bytes that were read. Each
 * begins where the one before, with its delimiter, ends; the last ends with the headers. What microhttpd
 * turns into two NULs at the end of a line looks the same afterwards and is not noticed: CR LF, but also a
 * NUL beside a bare LF, and a line of only ":" beside a bare LF, at which it ends the headers. No proxy
 * passes these on as they are.
 *
 * A request that is refused is answered early, which makes microhttpd close the connection: nothing after it
 * is read.
 */
#ifndef SERVER_HTTP_FRAMING_H
#define SERVER_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

#include <microhttpd.h>

#include "api/problem.h"
#include "server/http/field.h"

/* A request as microhttpd handed it over. Borrowed. */
struct framing_request {
    const char *method;
    const char *version;
    const char *target_at; /* where the target was; its text is microhttpd's to change */
    const char *target;    /* a copy, perhaps cut */
    size_t target_length;  /* to its first NUL; not cut */

    /* Is called with each header of enum field that framing has no use for, in the order in which they were
     * sent. */
    void (*read)(void *context, enum field field, const char *value);
    void *context;
};

/* To be called with the target while the request line is parsed (MHD_OPTION_URI_LOG_CALLBACK). Keeps
 * microhttpd from parsing the query and the cookies, which are not used: each part of them takes 64 bytes of
 * the connection's memory, and with 1,000 parameters it waits for ever. */
void framing_begin(struct MHD_Connection *mhd, const char *target);

struct framing {
    bool has_body; /* one follows */
    bool is_full;  /* microhttpd has no memory left for the head of an answer */
    /* Of empty lines before the request line, which are ignored, as one should be (RFC 9112, section 2.2).
     * Modulo FRAMING_SKIPPED + 1. */
    size_t skipped_bytes;
};

enum { FRAMING_SKIPPED = 15 };

/* To be called when the headers have arrived and the body has not (the first call of the access handler).
 * False, with the problem: the request is to be refused. */
bool framing_check(struct MHD_Connection *mhd, const struct framing_request *request, struct framing *out,
                   struct problem *p);

#endif
