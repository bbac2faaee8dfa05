/*
 * aws/retry: whether to send again, and when: the standard retry mode of the AWS SDKs as of 2026 (SDKs and
 * Tools Reference Guide, "Retry behavior"; botocore 1.43.3, AWS_NEW_RETRIES_2026). Its rule for long polls
 * (SQS ReceiveMessage) is left out: we make no such call.
 *
 * Pure but for the quota, which threads share. Time and chance are arguments.
 */
#ifndef AWS_RETRY_H
#define AWS_RETRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Why an attempt is sent again. */
enum aws_retry_cause {
    AWS_RETRY_NONE,        /* it is not: the same request would fail in the same way */
    AWS_RETRY_THROTTLE,    /* the service asked to slow down */
    AWS_RETRY_SERVER,      /* HTTP 500, 502, 503, 504 */
    AWS_RETRY_TRANSPORT,   /* no whole answer arrived */
    AWS_RETRY_OTHER,       /* an error that may pass, or a damaged answer */
    AWS_RETRY_SKEW,        /* it was signed with a wrong time, which is known now (aws/clock_skew.h) */
    AWS_RETRY_CREDENTIALS, /* its credentials were refused, and others are there or being fetched */
};

/* `name` is the error's (aws/service_error.h), `http_status` 0 if there was no answer. Never SKEW nor
 * CREDENTIALS, which the name alone does not show. */
enum aws_retry_cause aws_retry_cause_of(const char *name, long http_status);

/* "throttle", ...: the label of metrics. */
const char *aws_retry_cause_name(enum aws_retry_cause cause);

/*
 * Milliseconds to wait before attempt `retry` + 2 is sent (`retry` 0 is the first retry): `fraction` (chance,
 * from 0 to 1) of base * 2^retry, at most 20 s; the base is 1 s after a throttle. `retry_after_ms` is what
 * the service asked for (-1: nothing; aws_exchange_retry_after_ms). It holds between the computed wait and 5
 * s above it. */
int64_t aws_retry_delay_ms(enum aws_retry_cause cause, int retry, int base_ms, double fraction,
                           int64_t retry_after_ms);

/* A token bucket, so that an outage does not cause a storm of retries: full at first, a retry takes from it,
 * a success gives back. Thread-safe, never blocks. */
#define AWS_RETRY_QUOTA 500

struct aws_retry_quota {
    _Atomic int tokens;
};

void aws_retry_quota_init(struct aws_retry_quota *q);

/* Takes the cost of a retry (5 after a throttle, else 14) and returns it; 0 if there are fewer tokens. */
int aws_retry_quota_take(struct aws_retry_quota *q, enum aws_retry_cause cause);

/* After a success: gives back what its last retry took, or 1 if it had none (`taken` 0). Never above full. */
void aws_retry_quota_give(struct aws_retry_quota *q, int taken);

#endif
