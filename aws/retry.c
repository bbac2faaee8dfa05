#include "aws/retry.h"

#include <stddef.h>
#include <string.h>

#include "aws/service_error.h"

enum {
    COST_THROTTLE = 5,
    COST_OTHER = 14,
    GIVE_CLEAN = 1,
    BASE_THROTTLE_MS = 1000,
    DELAY_MAX_MS = 20000,
    RETRY_AFTER_SLACK_MS = 5000,
};

enum aws_retry_cause aws_retry_cause_of(const char *name, long http_status) {
    if (http_status == 0)
        return AWS_RETRY_TRANSPORT;
    if (aws_service_error_is_throttle(name) || http_status == 429)
        return AWS_RETRY_THROTTLE;
    if (http_status == 500 || http_status == 502 || http_status == 503 || http_status == 504)
        return AWS_RETRY_SERVER;
    /* Refused credentials and a wrong clock are not in this list: sending the same again does not help. */
    static const char *const others[] = {
        AWS_ERROR_CHECKSUM,
        AWS_ERROR_MALFORMED,
        "RequestTimeout",
        "RequestTimeoutException",
        "InternalServerError",
        "InternalFailure",
        "ReplicatedWriteConflictException",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i]) == 0)
            return AWS_RETRY_OTHER;
    return AWS_RETRY_NONE;
}

const char *aws_retry_cause_name(enum aws_retry_cause cause) {
    static const char *const names[] = {
        [AWS_RETRY_NONE] = "none",
        [AWS_RETRY_THROTTLE] = "throttle",
        [AWS_RETRY_SERVER] = "server",
        [AWS_RETRY_TRANSPORT] = "transport",
        [AWS_RETRY_OTHER] = "other",
        [AWS_RETRY_SKEW] = "skew",
        [AWS_RETRY_CREDENTIALS] = "credentials",
    };
    return names[cause];
}

int64_t aws_retry_delay_ms(enum aws_retry_cause cause, int retry, int base_ms, double fraction,
                           int64_t retry_after_ms) {
    int64_t ceiling = cause == AWS_RETRY_THROTTLE ? BASE_THROTTLE_MS : base_ms;
    for (int i = 0; i < retry && ceiling < DELAY_MAX_MS; i++)
        ceiling *= 2;
    if (ceiling > DELAY_MAX_MS)
        ceiling = DELAY_MAX_MS;

    int64_t delay = (int64_t)(fraction * (double)ceiling);
    if (retry_after_ms <= delay)
        return delay;
    return retry_after_ms < delay + RETRY_AFTER_SLACK_MS ? retry_after_ms : delay + RETRY_AFTER_SLACK_MS;
}

void aws_retry_quota_init(struct aws_retry_quota *q) {
    atomic_init(&q->tokens, AWS_RETRY_QUOTA);
}

int aws_retry_quota_take(struct aws_retry_quota *q, enum aws_retry_cause cause) {
    int cost = cause == AWS_RETRY_THROTTLE ? COST_THROTTLE : COST_OTHER;
    int tokens = atomic_load(&q->tokens);
    do {
        if (tokens < cost)
            return 0;
    } while (!atomic_compare_exchange_weak(&q->tokens, &tokens, tokens - cost));
    return cost;
}

void aws_retry_quota_give(struct aws_retry_quota *q, int taken) {
    int amount = taken > 0 ? taken : GIVE_CLEAN;
    int tokens = atomic_load(&q->tokens), next;
    do {
        next = tokens + amount < AWS_RETRY_QUOTA ? tokens + amount : AWS_RETRY_QUOTA;
    } while (!atomic_compare_exchange_weak(&q->tokens, &tokens, next));
}
