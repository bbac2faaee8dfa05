/*
 * aws/retry: whether to send again, and when: the AWS SDKs' standard retry mode as of 2026 (SDKs and Tools
 * Reference Guide, "Retry behavior"; botocore 1.43.3, AWS_NEW_RETRIES_2026).
 *
 * Of that mode we leave out what its rule for long polls says (SQS ReceiveMessage and the like back off even
 * when the quota is spent), as we make no such call.
 *
 * Pure but for the quota, which is shared between threads. Time and chance are arguments.
 */
#ifndef AWS_RETRY_H
#define AWS_RETRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Why an attempt failed, as far as sending it again goes. */
enum aws_retry_cause {
    AWS_RETRY_NONE,      /* do not: the same request would fail in the same way */
    AWS_RETRY_THROTTLE,  /* the service says: slow down */
    AWS_RETRY_SERVER,    /* HTTP 500, 502, 503, 504 */
    AWS_RETRY_TRANSPORT, /* no whole answer arrived */
    AWS_RETRY_OTHER,     /* an answer that says try again, or that is damaged */
    AWS_RETRY_SKEW,      /* it was signed by a wrong clock, and now we know better (aws/skew.h) */
};

/* `name` is the error's (aws/service_error.h), `http_status` 0 if there was no answer. Never SKEW: a name
 * does not tell. */
enum aws_retry_cause aws_retry_cause_of(const char *name, long http_status);

/* "throttle", ...: the label of metrics. */
const char *aws_retry_cause_name(enum aws_retry_cause cause);

/*
 * Milliseconds to wait before attempt `retry` + 2 is sent (`retry` 0 is the first retry): `fraction` (chance,
 * from 0 to 1) of base * 2^retry, at most 20 s; the base is 1 s after a throttle. `retry_after_ms` is what
 * the service asked for (-1: nothing; aws_exchange_retry_after_ms): obeyed, but not below the computed wait
 * nor more than 5 s above it.
 */
int64_t aws_retry_delay_ms(enum aws_retry_cause cause, int retry, int base_ms, double fraction,
                           int64_t retry_after_ms);

/*
 * A token bucket that keeps a client from answering an outage with a storm: full at first, a retry takes from
 * it, a success gives back. Thread-safe, never blocks.
 */
#define AWS_RETRY_QUOTA 500

struct aws_retry_quota {
    _Atomic int tokens;
};

void aws_retry_quota_init(struct aws_retry_quota *q);

/* Takes what a retry for this cause costs (5 after a throttle, else 14); 0, and nothing is taken, if there is
 * less. */
int aws_retry_quota_take(struct aws_retry_quota *q, enum aws_retry_cause cause);

/* After a success: gives back what its last retry took, or 1 if it needed none (`taken` 0). Never above full.
 */
void aws_retry_quota_give(struct aws_retry_quota *q, int taken);

#endif
