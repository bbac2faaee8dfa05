/*
 * stream_summary: the input is the body of a reply of DescribeStreamSummary (aws/reply,
 * ingest/kinesis/stream). The second opinion is jansson's unpacking; the time is rounded by the C library.
 */
#include <jansson.h>
#include <math.h>

#include "aws/reply.h"
#include "aws/transport.h"
#include "ingest/kinesis/stream.h"
#include "tests/fuzz/fuzz.h"

#define YEAR_10000_S 253402300800.0

struct expected {
    const char *arn;
    size_t length;
    double created_s;
    json_t *hours;
};

/* Whether the reply has what the service promises. */
static bool judge(json_t *reply, struct expected *x) {
    return json_unpack(reply, "{s:{s:s%,s:F,s:o}}", "StreamDescriptionSummary", "StreamARN", &x->arn,
                       &x->length, "StreamCreationTimestamp", &x->created_s, "RetentionPeriodHours",
                       &x->hours) == 0 &&
           json_is_number(x->hours);
}

static void check_time(double s, int64_t ms) {
    bool is_on_a_clock = s >= 0 && s < YEAR_10000_S - 1;
    if (is_on_a_clock)
        FUZZ_CHECK(fabs(round(s * 1000) - (double)ms) <= 1, "%f became %lld", s, (long long)ms);
    else
        FUZZ_CHECK(ms == -1 || s >= YEAR_10000_S - 1 || s > -0.001, "%f became %lld", s, (long long)ms);
    FUZZ_CHECK(ms >= -1 && (double)ms < YEAR_10000_S * 1000, "%lld", (long long)ms);
}

static void check_retention(json_t *hours, int64_t ms) {
    const int64_t hour_ms = 3600000;
    int64_t least_ms = 24 * hour_ms, product;
    bool is_known = json_is_integer(hours) && json_integer_value(hours) > 0 &&
                    !__builtin_mul_overflow(json_integer_value(hours), hour_ms, &product);
    FUZZ_CHECK(ms == (is_known ? product : least_ms), "%lld", (long long)ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct aws_exchange x;
    struct expected expected;
    struct store_source source;
    struct error e;
    int64_t retention_ms;
    json_t *json = NULL;
    json_object_seed(1);
    aws_exchange_init(&x);
    aws_exchange_answer(&x, 200, "");
    x.operation = "DescribeStreamSummary";
    buffer_append(&x.reply, data, size);

    json_auto_t *again = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    enum status status = aws_reply_read(&x, &json, &e);
    FUZZ_CHECK((status == STATUS_OK) == judge(again, &expected), "%d: %s", status, e.message);
    if (!status) {
        bool is_arn =
            expected.length && expected.length < 512 && !memchr(expected.arn, '\0', expected.length);
        FUZZ_CHECK(kinesis_stream_parse_summary(json, &source, &retention_ms) == is_arn, "'%s'",
                   expected.arn);
        if (is_arn) {
            FUZZ_CHECK(strcmp(source.name, expected.arn) == 0, "'%s'", source.name);
            check_time(expected.created_s, source.created_ms);
            check_retention(expected.hours, retention_ms);
        }
    }
    json_decref(json);
    aws_exchange_deinit(&x);
    return 0;
}
