/*
 * aws/fetch: one small HTTP exchange, for rare requests with short answers: STS, the endpoints that give
 * credentials, the health check. (Calls to services go through aws/client.)
 *
 * Everything is bounded: the body, each try, the number of tries. Redirects are not followed, so secrets go
 * only to the configured host. A fetch ends at once when `stop_fd` becomes readable.
 */
#ifndef AWS_FETCH_H
#define AWS_FETCH_H

#include "aws/clock_skew.h"
#include "aws/transport.h"
#include "base/error.h"

struct aws_fetch {
    struct aws_exchange exchange; /* the request, and the answer to the last try, which may hold secrets */
    int tries;                    /* in all: a try without an answer, or with 429 or 5xx, is repeated */
    int pause_ms;                 /* between two */
    int stop_fd;                  /* readable: the fetch ends; -1: none */
    struct aws_skew_answer clock; /* of the server, by its answer; date_ms is -1 without one */
};

/* An empty request with one try and no `stop_fd`. */
void aws_fetch_init(struct aws_fetch *f);
void aws_fetch_deinit(struct aws_fetch *f); /* wipes the reply */

/* The time of the server, by its last answer; 0 if that does not show it. */
int64_t aws_fetch_date(const struct aws_fetch *f);

/* Blocks, for at most `tries` times `attempt_ms` and the pauses. Any thread, one per `f`. OK: there is an
 * answer, of any HTTP status. RETRY, code "NoAnswer": there is none, or a part of one. FAILED: it is longer
 * than LIMIT_FETCH_BYTES ("ReplyTooLarge"), or the fetch was stopped ("Cancelled"). */
enum status aws_fetch(struct aws_fetch *f, struct error *e);

#endif
