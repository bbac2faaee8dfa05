/*
 * aws/run: one run of calls, from the first to the last: what aws_client_run does once it has connections.
 * Each attempt is signed, sent, read, and retried or not; at most so many are under way; a call that waits
 * for its retry keeps no other from going on. Internal to aws/.
 */
#ifndef AWS_RUN_H
#define AWS_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aws_call; /* aws/client.h, as are the next two */
struct aws_run;
struct aws_service;
struct aws_settings;    /* aws/settings.h */
struct aws_endpoint;    /* aws/endpoint.h */
struct aws_retry_quota; /* aws/retry.h */
struct aws_session;     /* aws/transport.h */
struct aws_transport;
struct sigv4_key; /* aws/sigv4.h */

/* What a run works with, all borrowed. */
struct aws_run_with {
    const struct aws_service *service;
    const struct aws_settings *settings;
    const struct aws_endpoint *endpoint;
    const struct aws_transport *transport;
    struct aws_retry_quota *quota;  /* shared with other runs, like the next */
    _Atomic int64_t *correction_ms; /* what to add to our clock when signing; aws/skew.h */
    const atomic_bool *cancelled;   /* once true, the run ends as soon as the session is woken */
    struct aws_session *session;    /* this run's alone, like the next */
    struct sigv4_key *key;
};

/* Blocks until each call has its end, which is in it. `options` as in aws_client_run. */
void aws_run_calls(const struct aws_run_with *with, struct aws_call *calls, size_t n,
                   const struct aws_run *options);

#endif
