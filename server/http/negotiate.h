/*
 * negotiate: the form of answer that a request asks for: compressed or not (Accept-Encoding, RFC 9110,
 * section 12.5.3), or none if the client has it already (If-None-Match, section 13.1.2).
 *
 * Pure functions over header values, which are borrowed for the call. A header that was sent more than once
 * is one list: call them for each of its values.
 */
#ifndef SERVER_HTTP_NEGOTIATE_H
#define SERVER_HTTP_NEGOTIATE_H

#include <stdbool.h>

/* The weight of each coding, 0 (refused) to 1000; NEGOTIATE_UNNAMED if the request does not name it. */
struct negotiate_codings {
    int gzip;
    int identity;
    int any; /* "*": all codings that are not named */
};

#define NEGOTIATE_UNNAMED (-1)
#define NEGOTIATE_CODINGS                                                                                    \
    { NEGOTIATE_UNNAMED, NEGOTIATE_UNNAMED, NEGOTIATE_UNNAMED }

/* Adds a value of Accept-Encoding. An element that is malformed counts as not sent. */
void negotiate_codings_add(struct negotiate_codings *codings, const char *value);

/* Whether to send gzip. A body that is not `large` is compressed only if the plain one is refused. If the
 * request does not allow gzip, the plain body is sent, even if that is refused too. */
bool negotiate_gzip(const struct negotiate_codings *codings, bool large);

/* What a request's If-None-Match says about an ETag. Zeroed: it has none. */
struct negotiate_match {
    unsigned lines;
    bool any;       /* "*": the client has something */
    bool named;     /* by weak comparison (section 8.8.3.2) */
    bool malformed; /* all lines together are not `"*" / #entity-tag` */
};

/* Adds a value of If-None-Match. */
void negotiate_match_add(struct negotiate_match *match, const char *value, const char *etag);

/* Whether the client has the answer with this ETag. If-None-Match is ignored if any of it is malformed: a
 * client that gets the answer again loses time, one that keeps a wrong answer loses more. */
bool negotiate_matches(const struct negotiate_match *match);

#endif
