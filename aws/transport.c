#include "aws/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/limits.h"

void aws_exchange_init(struct aws_exchange *x) {
    memset(x, 0, sizeof *x);
    buffer_init(&x->reply, LIMIT_AWS_REPLY_BYTES);
    aws_exchange_forget_headers(x);
}

void aws_exchange_deinit(struct aws_exchange *x) {
    buffer_deinit(&x->reply);
}

void aws_exchange_forget_headers(struct aws_exchange *x) {
    x->request_id[0] = '\0';
    x->error_type[0] = '\0';
    x->has_crc32 = x->has_age = false;
    x->retry_after_ms = x->http_retry_after_ms = x->retry_at_ms = x->date_ms = -1;
}

void aws_exchange_forget_answer(struct aws_exchange *x) {
    buffer_clear(&x->reply);
    x->result = AWS_EXCHANGE_PENDING;
    x->dropped = x->begun = x->paused = false;
    x->http_status = 0;
    x->connected = false;
    x->problem[0] = '\0';
    aws_exchange_forget_headers(x);
}

void aws_exchange_answer(struct aws_exchange *x, long http_status, const char *reply) {
    aws_exchange_forget_answer(x);
    x->result = AWS_EXCHANGE_ANSWERED;
    x->http_status = http_status;
    if (!buffer_puts(&x->reply, reply))
        x->result = AWS_EXCHANGE_TOO_LARGE;
    else if (x->arrived && !x->arrived(x->receiver, x->reply.length))
        x->result = AWS_EXCHANGE_DROPPED;
}

void aws_exchange_fail(struct aws_exchange *x, const char *problem) {
    aws_exchange_forget_answer(x);
    x->result = AWS_EXCHANGE_NO_ANSWER;
    snprintf(x->problem, sizeof x->problem, "%s", problem);
}

/* A decimal number from 0 to `max`, and nothing else. */
static bool read_number(const char *text, unsigned long long max, unsigned long long *number) {
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *number <= max;
}

void aws_exchange_header(struct aws_exchange *x, const char *name, const char *value) {
    unsigned long long number;
    if (strcasecmp(name, "x-amzn-RequestId") == 0) {
        snprintf(x->request_id, sizeof x->request_id, "%s", value);
    } else if (strcasecmp(name, "x-amzn-ErrorType") == 0) {
        snprintf(x->error_type, sizeof x->error_type, "%s", value);
    } else if (strcasecmp(name, "x-amz-crc32") == 0 && read_number(value, UINT32_MAX, &number)) {
        x->has_crc32 = true;
        x->crc32 = (uint32_t)number;
    } else if (strcasecmp(name, "x-amz-retry-after") == 0 && read_number(value, INT32_MAX, &number)) {
        x->retry_after_ms = (int64_t)number;
    } else if (strcasecmp(name, "Retry-After") == 0) {
        if (read_number(value, INT32_MAX, &number))
            x->http_retry_after_ms = (int64_t)number * 1000;
        else
            clock_parse_http(value, &x->retry_at_ms);
    } else if (strcasecmp(name, "Date") == 0) {
        clock_parse_http(value, &x->date_ms);
    } else if (strcasecmp(name, "Age") == 0) {
        x->has_age = true;
    }
}

int64_t aws_exchange_retry_after_ms(const struct aws_exchange *x, int64_t now_ms) {
    if (x->retry_after_ms >= 0)
        return x->retry_after_ms;
    if (x->http_retry_after_ms >= 0 || x->retry_at_ms < 0)
        return x->http_retry_after_ms;
    int64_t left_ms = x->retry_at_ms - (x->date_ms >= 0 ? x->date_ms : now_ms);
    return left_ms > 0 ? left_ms : 0;
}
