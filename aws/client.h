/*
 * aws/client: calls to one AWS service that speaks JSON (DynamoDB, Kinesis, SQS, ...): signed, retried as the
 * AWS SDKs' standard mode does, one at a time or many at once.
 *
 * A client is one service in one region. It is thread-safe: every run takes a libcurl multi handle of its
 * own, with its kept-alive connections, from a pool, and gives it back. Calls block their thread; each is
 * bounded by time-outs, by a number of attempts, and by the run's deadline. Retries: aws/retry.h.
 *
 * Each attempt is signed anew, with the credentials of that moment, and counted in
 * winner_view_aws_requests_total{service,operation}; an error in
 * winner_view_aws_errors_total{service,operation,error} (AWS's name for it, else "HTTP <status>", else one of
 * aws/service_error.h); a retry in winner_view_aws_retries_total{service,operation,cause}; a throttle by what
 * was throttled (aws/throttle.h). A machine whose clock is wrong is helped (aws/skew.h): how far the
 * service's clock is ahead stands in winner_view_aws_clock_skew_seconds{service}; the settings' `on_skew`
 * says when that begins to matter.
 */
#ifndef AWS_CLIENT_H
#define AWS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/service_error.h" /* what an error's name means: aws_service_error_status, aws_service_error_is_throttle */
#include "base/error.h"
#include "base/fence.h"
#include "base/pulse.h"

struct aws_client;
struct aws_settings;  /* aws/settings.h: region, endpoints, credentials */
struct aws_transport; /* aws/transport.h: how bytes are sent; a test scripts its replies */

struct aws_service {
    const char *name;          /* what is signed, and the host's first label: "dynamodb" */
    const char *target_prefix; /* X-Amz-Target's: "DynamoDB_20120810" */
    const char *content_type;  /* "application/x-amz-json-1.0" (DynamoDB) or "-1.1" (Kinesis) */
    const char *endpoint_key;  /* environment AWS_ENDPOINT_URL_<this>: "DYNAMODB" */
    int max_attempts;          /* by default; AWS_MAX_ATTEMPTS goes first. 4 for DynamoDB, else 3 */
    int backoff_base_ms;       /* 25 for DynamoDB, else 50 (SDK standard mode, 2026) */
};

extern const struct aws_service aws_dynamodb;
extern const struct aws_service aws_kinesis;
extern const struct aws_service aws_sqs; /* QueueUrl stands in the body; aws_client_new_for_queue */

/* One call. The caller owns `body` while it runs, and what comes back: aws_call_deinit. */
struct aws_call {
    const char *operation; /* "UpdateItem" */
    const char *body;      /* JSON */
    size_t length;
    int max_attempts;     /* 0: the service's; 1 where the caller paces itself */
    const char *resource; /* what metrics name where neither reply nor body tell: "stream/x"; NULL: nothing */

    /* Filled by the run. */
    enum status status; /* OK; else what aws_service_error_status says of the error's name */
    json_t *reply; /* the reply's JSON, on errors too if there was any (a failed condition brings the item);
                    * NULL if the body was empty, which is OK */
    struct error error; /* if not OK: AWS's name (without namespace), its message, the request id */
    int64_t sent_ms;    /* wall clock when the answered attempt was sent */
    int attempts;       /* how many were sent */
    int throttles;      /* how many of them were answered by a throttle */
};

/* What holds for all calls of a run. A zeroed one is the default. */
struct aws_run {
    int concurrency;          /* at once; 0: LIMIT_AWS_CONCURRENCY */
    int64_t deadline_boot_ms; /* nothing goes on after this; 0: none */
    const struct fence
        *fence;          /* nothing is signed while it is shut; NULL: none. Then: FAILED, code "FenceShut" */
    int patience_ms;     /* as a deadline that each call which gets its answer moves on; 0: none */
    struct pulse *pulse; /* beats with each call that gets its answer; NULL: none */
};

/* `settings` and `transport` are borrowed and must outlive the client. `transport` NULL: libcurl. INVALID if
 * the endpoint that the environment names is none. */
enum status aws_client_new(struct aws_client **client, const struct aws_service *service,
                           struct aws_settings *settings, const struct aws_transport *transport,
                           struct error *e);

/* The same for SQS and one queue: requests go where that queue is, which may be another region than ours
 * (aws_endpoint_of_queue). INVALID if the URL is none of a queue's. */
enum status aws_client_new_for_queue(struct aws_client **client, const char *queue_url,
                                     struct aws_settings *settings, const struct aws_transport *transport,
                                     struct error *e);

void aws_client_free(struct aws_client *client);

/* Runs one call to its end; its status, error and reply are in `call`, the status is also returned. */
enum status aws_client_call(struct aws_client *client, struct aws_call *call, const struct aws_run *run);

/* Runs all of them, some at once, until each has its end. Each has its own status. */
void aws_client_run(struct aws_client *client, struct aws_call *calls, size_t n, const struct aws_run *run);

/* From any thread: every run that is under way, and every later one, ends at once with FAILED, code
 * "Cancelled". */
void aws_client_cancel(struct aws_client *client);

void aws_call_deinit(struct aws_call *call);

#endif
