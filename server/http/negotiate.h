/*
 * negotiate: what a request says about how it wants its answer: compressed or not (Accept-Encoding, RFC 9110,
 * section 12.5.3), and not at all if it holds it already (If-None-Match, section 13.1.2).
 *
 * Pure functions over the values of headers, which are borrowed for the call. A header that was sent more
 * than once is one list: add each of its values; ask each of its values.
 */
#ifndef SERVER_HTTP_NEGOTIATE_H
#define SERVER_HTTP_NEGOTIATE_H

#include <stdbool.h>

/* How much each coding is wanted: 0 (not at all) to 1000; NEGOTIATE_UNSAID if it was not mentioned. */
struct negotiate_codings {
    int gzip;
    int identity;
    int any; /* "*": whatever is not mentioned */
};

#define NEGOTIATE_UNSAID (-1)
#define NEGOTIATE_CODINGS                                                                                    \
    { NEGOTIATE_UNSAID, NEGOTIATE_UNSAID, NEGOTIATE_UNSAID }

/* Adds a value of Accept-Encoding. An element that is malformed counts as not sent. */
void negotiate_codings_add(struct negotiate_codings *codings, const char *value);

/* Whether to send gzip. Of a body that is not `large` only if nothing else is acceptable. Never if gzip was
 * not asked for: then the plain body is sent, also to who refused that, as it is all there is. */
bool negotiate_gzip(const struct negotiate_codings *codings, bool large);

/* Whether a value of If-None-Match names the weak or strong `etag`, by weak comparison (section 8.8.3.2). */
bool negotiate_matches(const char *value, const char *etag);

#endif
