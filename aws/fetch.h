/*
 * aws/fetch: one small HTTP exchange, for what is asked rarely and answers briefly: STS, and the endpoints
 * that hand out credentials. (Calls that run all the time go through aws/client.)
 *
 * Everything is bounded: the body, each try, the number of tries. Redirects are not followed: who is sent
 * secrets is decided by us. A fetch ends at once when its `stop_fd` becomes readable.
 */
#ifndef AWS_FETCH_H
#define AWS_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/skew.h"
#include "base/buffer.h"
#include "base/error.h"

struct aws_fetch {
    /* The request. All borrowed. */
    const char *method; /* "GET", "PUT", "POST" */
    const char *url;
    const char *const *lines; /* header lines, NULL after the last; NULL: none */
    const char *body;         /* NULL: none */
    size_t length;
    const char *ca_bundle; /* NULL: the system's */
    bool direct;           /* through no proxy, whatever the environment says: metadata addresses */
    int connect_ms;
    int try_ms;   /* all of one try, connecting included */
    int tries;    /* a try that got no answer, or 429 or 5xx, is repeated up to so many in all */
    int pause_ms; /* between two */
    int stop_fd;  /* readable: give up; -1: never */

    /* The answer of the last try. */
    long http_status;            /* 0: none */
    bool connected;              /* whether there was a connection, when there is no answer */
    struct aws_skew_answer told; /* of the server's clock; no Date if there is no answer */
    struct buffer reply;         /* aws_fetch_deinit wipes it: it may hold secrets */
};

/* A zeroed request: one try, stopped by nothing. */
void aws_fetch_init(struct aws_fetch *f);
void aws_fetch_deinit(struct aws_fetch *f);

/* Blocks, for at most `tries` times `try_ms` and the pauses. Any thread; `f` is the caller's alone. OK: there
 * is an answer, of whatever status. RETRY, code "NoAnswer": there is none. FAILED: longer than
 * LIMIT_FETCH_BYTES ("ReplyTooLarge"), or stopped ("Cancelled"). */
enum status aws_fetch(struct aws_fetch *f, struct error *e);

#endif
