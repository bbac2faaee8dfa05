/*
 * Answers of AWS services (aws/transport's headers, aws/reply, aws/service_error, aws/retry): status, header
 * lines, an empty line, the body. Second opinions: the name of an error is cut from what AWS sends by a walk
 * over its characters, and the CRC-32 is counted bit by bit.
 */
#include "aws/reply.h"

#include <jansson.h>

#include "aws/promise.h"
#include "aws/retry.h"
#include "aws/service_error.h"
#include "aws/transport.h"
#include "tests/fuzz/fuzz.h"

static const char *const operations[] = {
    "GetItem",      "UpdateItem",
    "BatchGetItem", "Query",
    "Scan",         "DescribeTable",
    "CreateTable",  "DescribeStreamSummary",
    "ListShards",   "GetShardIterator",
    "GetRecords",   "SendMessage",
    "PutItem",      NULL,
};
static const long statuses[] = {200, 200, 200, 204, 300, 400, 400, 403, 408, 413, 429, 500, 503, 0};

enum { OPERATIONS = sizeof operations / sizeof *operations, STATUSES = sizeof statuses / sizeof *statuses };

static uint32_t crc32_by_bits(const char *data, size_t length) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= (uint8_t)data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xEDB88320) : crc >> 1;
    }
    return ~crc;
}

/* A name is shown to Prometheus as a label, so it has letters, digits and ". _ -" only; another text is no
 * name. */
static bool is_name(const char *text) {
    for (; *text; text++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *text))
            return false;
    return true;
}

/* "ns#Name:http://..." -> "Name", cut to the size of a code. */
static void name_of(const char *type, char name[sizeof((struct error *)NULL)->code]) {
    size_t n = 0, size = sizeof((struct error *)NULL)->code;
    bool has_namespace = strchr(type, '#') != NULL;
    for (; has_namespace && *type != '#'; type++)
        ;
    _cleanup_(mem_freep) char *whole = mem_strdup(type + has_namespace);
    whole[strcspn(whole, ":")] = '\0';
    while (is_name(whole) && whole[n] && n < size - 1) {
        name[n] = whole[n];
        n++;
    }
    name[n] = '\0';
}

static const char *text_member(const json_t *reply, const char *name) {
    return json_string_value(json_object_get(reply, name));
}

static void check_error(const struct aws_exchange *x, const json_t *reply, enum status status,
                        const struct error *e) {
    char name[sizeof e->code];
    const char *type = text_member(reply, "__type");
    FUZZ_CHECK(status != STATUS_OK && status == e->status, "%d %d", status, e->status);
    FUZZ_CHECK(is_name(e->code), "'%s'", e->code);
    FUZZ_CHECK(*e->message && strcmp(e->request_id, x->request_id) == 0, "%s", e->message);
    if (strcmp(e->code, AWS_ERROR_CHECKSUM) == 0 || x->result != AWS_EXCHANGE_ANSWERED ||
        x->http_status / 100 == 2)
        return;
    type = type ? type : text_member(reply, "code");
    name_of(type ? type : x->error_type, name);
    FUZZ_CHECK(strcmp(name, e->code) == 0, "'%s' '%s'", name, e->code);
    FUZZ_CHECK(status == aws_service_error_status(name, x->http_status), "'%s' %d", name, status);
}

/* No answer makes a call wait for longer than the longest delay and the slack for Retry-After. */
static void check_retry(const struct aws_exchange *x, const struct error *e) {
    int64_t retry_after_ms = aws_exchange_retry_after_ms(x, 1700000000000);
    enum aws_retry_cause cause = aws_retry_cause_of(e->code, x->http_status);
    int64_t delay_ms = aws_retry_delay_ms(cause, 9, 50, 0.999, retry_after_ms);
    FUZZ_CHECK(retry_after_ms >= -1, "%lld", (long long)retry_after_ms);
    FUZZ_CHECK(delay_ms >= 0 && delay_ms <= 25000, "%lld", (long long)delay_ms);
    FUZZ_CHECK(aws_retry_cause_name(cause) != NULL, "%d", cause);
}

/* "Name: value" lines up to an empty one. */
static void read_headers(struct aws_exchange *x, struct fuzz_input *in) {
    for (bool more = true; more && in->size;) {
        size_t length;
        _cleanup_(mem_freep) char *line = fuzz_take_text(in, '\n', &length);
        char *colon = strchr(line, ':');
        more = *line;
        if (!colon)
            continue;
        *colon = '\0';
        aws_exchange_header(x, line, colon + 1 + strspn(colon + 1, " "));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct aws_exchange x;
    struct error e = {0};
    json_t *reply;
    aws_exchange_init(&x);
    x.operation = operations[fuzz_take_below(&in, OPERATIONS)];
    long http_status = statuses[fuzz_take_below(&in, STATUSES)];
    aws_exchange_answer(&x, http_status, "");
    read_headers(&x, &in);
    buffer_append(&x.reply, in.data, in.size);

    enum status status = aws_reply_read(&x, &reply, &e);
    if (x.has_crc32 && crc32_by_bits((const char *)in.data, in.size) != x.crc32)
        FUZZ_CHECK(strcmp(e.code, AWS_ERROR_CHECKSUM) == 0 && !reply, "'%s'", e.code);
    if (status)
        check_error(&x, reply, status, &e);
    else
        FUZZ_CHECK(json_is_object(reply) && http_status / 100 == 2, "HTTP %ld", http_status);
    check_retry(&x, &e);
    json_decref(reply);
    aws_exchange_deinit(&x);
    return 0;
}
