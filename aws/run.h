/*
 * aws/run: one run of calls from start to end, for aws_client_run. Each attempt is signed, sent, read, and
 * retried or not; a bounded number is under way; a call that waits for its retry does not hold up the others.
 * Internal: client.c and run.c share the struct of a client here.
 */
#ifndef AWS_RUN_H
#define AWS_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "aws/client.h"
#include "aws/endpoint.h"
#include "aws/retry.h"
#include "aws/sigv4.h"

struct aws_session; /* aws/transport.h */

/* What a run uses alone, from the pool of the client: connections, and the signing key of the day. */
struct aws_lane {
    struct aws_session *session;
    struct sigv4_key key;
    struct aws_lane *next_idle;
    struct aws_lane *next; /* of all lanes; never changed once it is listed, so a walk needs no lock */
};

/* What all its runs share. */
struct aws_client {
    const struct aws_service *service;
    const struct aws_settings *settings;
    const struct aws_transport *transport;
    struct aws_endpoint endpoint;
    struct aws_retry_quota quota;
    _Atomic int64_t correction_ms; /* what to add to our clock when signing; aws/clock_skew.h */
    atomic_bool cancelled;         /* once true, each run ends as soon as its session is woken */

    pthread_mutex_t lock; /* guards the heads of both lists. A leaf, held for a few instructions. */
    struct aws_lane *idle;
    struct aws_lane *all;
};

/* A lane is one thread's until it gives it back. Any thread. */
struct aws_lane *aws_client_take_lane(struct aws_client *client);
void aws_client_give_lane(struct aws_client *client, struct aws_lane *lane);

/* Blocks until each call has ended, or its stream has begun. `options` as in aws_client_run. */
void aws_run_calls(struct aws_client *client, struct aws_lane *lane, struct aws_call *calls, size_t n,
                   const struct aws_run *options);

/* Counts an error of a call in winner_view_aws_errors_total, by its code. */
void aws_run_count_error(const struct aws_client *client, const char *operation, const struct error *e,
                         long http_status);

#endif
