/*
 * aws/client: signed calls to one AWS service that speaks JSON (DynamoDB, Kinesis, SQS), one at a time or
 * many at once, retried as in the standard mode of the AWS SDKs (aws/retry.h).
 *
 * A client is for one service in one region. It is thread-safe: each run takes a libcurl multi handle with
 * its kept-alive connections from a pool and returns it. Calls block their thread. Each is bounded by
 * time-outs, by a number of attempts, and by the deadline of the run.
 *
 * Each attempt is signed anew with the credentials of that moment. Metrics:
 * winner_view_aws_requests_total{service,operation} counts attempts;
 * winner_view_aws_errors_total{service,operation,error} errors (by the name of AWS, else "HTTP <status>",
 * else one of aws/service_error.h); winner_view_aws_retries_total{service,operation,cause} retries; throttles
 * are counted by resource (aws/throttle.h). Requests are signed with the time of the service if our clock is
 * wrong (aws/clock_skew.h): how far the service's clock is ahead is
 * winner_view_aws_clock_skew_seconds{service}; the settings' `on_skew` is called when a correction begins or
 * ends.
 */
#ifndef AWS_CLIENT_H
#define AWS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/service_error.h" /* what the name of an error means */
#include "base/error.h"
#include "base/fence.h"
#include "base/pulse.h"

struct aws_client;
struct aws_exchange;  /* aws/transport.h */
struct aws_settings;  /* aws/settings.h: region, endpoints, credentials */
struct aws_transport; /* aws/transport.h: sends the bytes; a test replaces it */

struct aws_service {
    const char *name;          /* in signatures and host names: "dynamodb" */
    const char *target_prefix; /* X-Amz-Target's: "DynamoDB_20120810" */
    const char *content_type;  /* "application/x-amz-json-1.0" (DynamoDB) or "-1.1" (Kinesis) */
    const char *endpoint_key;  /* environment AWS_ENDPOINT_URL_<this>: "DYNAMODB" */
    int max_attempts;          /* unless AWS_MAX_ATTEMPTS is set. 4 for DynamoDB, else 3 */
    int backoff_base_ms;       /* 25 for DynamoDB, else 50 (SDK standard mode, 2026) */
};

extern const struct aws_service aws_dynamodb;
extern const struct aws_service aws_kinesis;
extern const struct aws_service aws_sqs;

/* One call. `body` is borrowed while it runs. The caller owns the reply: aws_call_deinit. */
struct aws_call {
    const char *operation; /* "UpdateItem" */
    const char *body;      /* JSON */
    size_t length;
    int max_attempts;            /* 0: the service's; 1: the caller retries by itself */
    const char *resource;        /* for metrics, if neither reply nor body name it: "stream/x"; NULL: none */
    struct aws_exchange *stream; /* of a call whose answer is a stream: aws/streaming.h alone sets it */

    /* Filled by the run. */
    enum status status; /* as aws_service_error_status has it */
    json_t *reply; /* of a success an object that has what is promised (aws/promise.h); of an error its JSON
                      (a failed condition has the item), or NULL */
    struct error error; /* if not OK: the name of AWS (without namespace), message and request id */
    int64_t sent_ms;    /* if OK: when it was sent, by the clock that this service teaches; -1: not known */
    int attempts;       /* number of attempts sent */
    int throttles;      /* number of them that were throttled */
};

/* Options of a run, for all its calls. All zeros is the default. */
struct aws_run {
    int concurrency;           /* attempts under way at once; 0: LIMIT_AWS_CONCURRENCY */
    int64_t deadline_boot_ms;  /* the run ends then at the latest; 0: none */
    const struct fence *fence; /* NULL: none. While it is shut nothing is signed: FAILED, code "FenceShut" */
    int patience_ms;           /* a deadline that moves on with each call that is answered; 0: none */
    struct pulse *pulse;       /* beats with each call that is answered; NULL: none */

    /* For large replies over a slow line, and for memory. */
    int attempt_ms; /* for one attempt, connecting included; 0: LIMIT_AWS_ATTEMPT_MS */
    int slow_s;     /* an attempt ends after so long below LIMIT_AWS_SLOW_BYTES a second; 0: never */
    /* Called (unless NULL) by the run's thread as a reply arrives, with its bytes so far. False ends the
     * attempt: RETRY, code "ReplyDropped". Must not block. */
    bool (*arrived)(void *receiver, size_t bytes);
    void *receiver;
};

/* `settings` and `transport` are borrowed and must outlive the client. `transport` NULL: libcurl. INVALID if
 * the environment names an endpoint that is not valid. */
enum status aws_client_new(struct aws_client **client, const struct aws_service *service,
                           struct aws_settings *settings, const struct aws_transport *transport,
                           struct error *e);

/* The same for one stream by its ARN, or one queue by its URL, which may be in another region
 * (aws/endpoint.h). INVALID also if `resource` is neither; NULL: none. */
enum status aws_client_new_for(struct aws_client **client, const struct aws_service *service,
                               const char *resource, struct aws_settings *settings,
                               const struct aws_transport *transport, struct error *e);

void aws_client_free(struct aws_client *client);

/* Runs one call. Status, error and reply are in `call`; the status is also returned. */
enum status aws_client_call(struct aws_client *client, struct aws_call *call, const struct aws_run *run);

/* Runs all calls, several at once, until each has ended. Each has its own status. */
void aws_client_run(struct aws_client *client, struct aws_call *calls, size_t n, const struct aws_run *run);

/* Any thread. Every run under way and every later one ends at once: FAILED, code "Cancelled". */
void aws_client_cancel(struct aws_client *client);

void aws_call_deinit(struct aws_call *call);

#endif
