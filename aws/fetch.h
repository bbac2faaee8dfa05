/*
 * aws/fetch: one small HTTP exchange, for what is asked rarely and answers briefly: STS, and the endpoints
 * that hand out credentials. (Calls that run all the time go through aws/client.)
 *
 * Everything is bounded: the body, each try, the number of tries. Redirects are not followed: who is sent
 * secrets is decided by us. A fetch ends at once when its `stop_fd` becomes readable.
 */
#ifndef AWS_FETCH_H
#define AWS_FETCH_H

#include "aws/skew.h"
#include "aws/transport.h"
#include "base/error.h"

struct aws_fetch {
    struct aws_exchange
        exchange; /* the request, and the answer of the last try, whose reply may hold secrets */
    int tries;    /* a try that got no answer, or 429 or 5xx, is repeated up to so many in all */
    int pause_ms; /* between two */
    int stop_fd;  /* readable: give up; -1: never */
    struct aws_skew_answer clock; /* of the server, as its answer shows it; no Date if there is no answer */
};

/* A zeroed request: one try, stopped by nothing. */
void aws_fetch_init(struct aws_fetch *f);
void aws_fetch_deinit(struct aws_fetch *f); /* wipes the reply */

/* Blocks, for at most `tries` times `attempt_ms` and the pauses. Any thread; `f` is the caller's alone. OK:
 * there is an answer, of whatever status. RETRY, code "NoAnswer": there is none. FAILED: longer than
 * LIMIT_FETCH_BYTES ("ReplyTooLarge"), or stopped ("Cancelled"). */
enum status aws_fetch(struct aws_fetch *f, struct error *e);

#endif
