/* For tests of a Kinesis source against a transport that plays a script: each call must be the next one of
 * the script, and gets its answer. */
#ifndef TESTS_UNIT_SUPPORT_SOURCE_KINESIS_H
#define TESTS_UNIT_SUPPORT_SOURCE_KINESIS_H

#include "ingest/kinesis/source.h"

#include <inttypes.h>
#include <pthread.h>

#include "aws/client.h"
#include "aws/settings.h"
#include "aws/transport.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/memory_budget.h"
#include "base/metrics.h"
#include "ingest/kinesis/refusal.h"
#include "tests/unit/support/aws.h"
#include "tests/unit/support/clock.h"
#include "tests/unit/support/test.h"

#define PATIENCE_MS 60000
#define FOR_EVER (clock_boot_ms() + PATIENCE_MS)
#define HOUR_MS INT64_C(3600000)
#define SHARD "shardId-000000000001"

enum { STEPS = 64, TOO_LARGE = -1 };

struct step {
    const char *operation;
    char part[256];   /* of the request's body */
    long http_status; /* 0: no answer; or TOO_LARGE */
    char *reply;
    size_t length; /* of a reply that is no text; 0: it is one */
};

struct fixture {
    struct aws_settings *settings;
    struct aws_transport transport;
    struct source *source;
    struct source_reader *reader;
    struct budget *budget;
    struct source_batch batch; /* of the last read */
    struct error error;
    struct step steps[STEPS];
    size_t planned, played;
    struct budget_claim *fills; /* holds all of the budget when a reply arrives; NULL: none */
    int retry_after_ms;         /* the Retry-After of every answer; 0: none */
};

/* The script. */

static inline void send_scripted(const struct aws_transport *transport, struct aws_session *session,
                                 struct aws_exchange *x) {
    struct fixture *t = transport->context;
    if (t->played == t->planned)
        fail_msg("%s %s: nothing more was expected", x->operation, x->body);
    const struct step *step = &t->steps[t->played++];
    if (strcmp(step->operation, x->operation) != 0)
        fail_msg("%s %s instead of %s", x->operation, x->body, step->operation);
    assert_contains(x->body, step->part);
    if (t->fills && strcmp(x->operation, "GetRecords") == 0)
        budget_set(t->budget, t->fills, LIMIT_INFLIGHT_BYTES);
    if (step->http_status == TOO_LARGE)
        x->result = AWS_EXCHANGE_TOO_LARGE;
    else if (step->http_status)
        aws_exchange_answer(x, step->http_status, step->length ? "" : step->reply);
    else
        aws_exchange_fail(x, "as scripted");
    if (step->length)
        buffer_append(&x->reply, step->reply, step->length);
    if (t->retry_after_ms) {
        char text[16];
        snprintf(text, sizeof text, "%d", t->retry_after_ms);
        aws_exchange_header(x, "x-amz-retry-after", text);
    }
    aws_session_finish(session, x, 0);
}

__attribute__((format(printf, 5, 6))) static inline void plan(struct fixture *t, const char *operation,
                                                              const char *part, long http_status,
                                                              const char *format, ...) {
    assert_true(t->planned < STEPS);
    struct step *step = &t->steps[t->planned++];
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&step->reply, format, args) >= 0);
    va_end(args);
    step->operation = operation;
    step->http_status = http_status;
    snprintf(step->part, sizeof step->part, "%s", part);
}

/* The next call must get an iterator of this type ("TRIM_HORIZON", or the sequence number AT which it
 * begins). */
static inline void plan_iterator(struct fixture *t, const char *from, const char *iterator) {
    char part[160];
    snprintf(part, sizeof part,
             *from >= '0' && *from <= '9'
                 ? "\"ShardIteratorType\":\"AT_SEQUENCE_NUMBER\",\"StartingSequenceNumber\":\"%s\""
                 : "\"ShardIteratorType\":\"%s\"}",
             from);
    plan(t, "GetShardIterator", part, 200, "{\"ShardIterator\":\"%s\"}", iterator);
}

static inline void plan_refusal(struct fixture *t, const char *operation, const char *name,
                                const char *message) {
    plan(t, operation, "", 400, "{\"__type\":\"%s\",\"message\":\"%s\"}", name, message);
}

/* GetRecords with that iterator: records, what follows them in the reply. */
static inline void plan_records(struct fixture *t, const char *iterator, const char *records,
                                const char *rest) {
    char part[64];
    snprintf(part, sizeof part, "\"ShardIterator\":\"%s\"", iterator);
    plan(t, "GetRecords", part, 200, "{\"Records\":[%s],%s}", records, rest);
}

#define AT_TIP(next) "\"NextShardIterator\":\"" next "\",\"MillisBehindLatest\":0"
#define BEHIND(next, ms) "\"NextShardIterator\":\"" next "\",\"MillisBehindLatest\":" #ms
#define RECORD(sequence, data_base64)                                                                        \
    "{\"SequenceNumber\":\"" sequence                                                                        \
    "\",\"PartitionKey\":\"lamp\",\"ApproximateArrivalTimestamp\":1700000000.5,\"Data\":\"" data_base64      \
    "\"}"
#define A "YQ=="
#define B "Yg=="
#define RANGE "\"HashKeyRange\":{\"StartingHashKey\":\"100\",\"EndingHashKey\":\"999\"}"
#define LISTED(id, more) "{\"ShardId\":\"" id "\"," RANGE more "}"

static inline void plan_summary(struct fixture *t, int64_t created_s, int retention_hours) {
    plan(t, "DescribeStreamSummary", "", 200,
         "{\"StreamDescriptionSummary\":{\"StreamARN\":\"arn:s\",\"StreamCreationTimestamp\":%" PRId64
         ",\"RetentionPeriodHours\":%d}}",
         created_s, retention_hours);
}

static inline void identify(struct fixture *t, int64_t created_s, int retention_hours) {
    struct store_source identity;
    plan_summary(t, created_s, retention_hours);
    assert_int_equal(source_identify(t->source, &identity, &t->error), STATUS_OK);
}

/* The fixture. */

static inline void open_reader(struct fixture *t, const struct source_start *start) {
    struct source_shard shard = {.id = SHARD, .starting_hash_key = "100", .ending_hash_key = "999"};
    t->reader = source_open(t->source, &shard, start, t->budget);
}

static inline void open_at_horizon(struct fixture *t) {
    open_reader(t, &(struct source_start){.checkpoint = LEASE_TRIM_HORIZON});
}

static inline struct position position_at(const char *sequence, uint32_t sub) {
    struct position p;
    assert_true(position_parse(sequence, strlen(sequence), sub, &p));
    return p;
}

/* A reader that had read all that arrived up to `age_ms` ago; -1: unknown. */
static inline void open_long_after(struct fixture *t, const char *sequence, uint32_t sub, int64_t age_ms) {
    int64_t as_of_ms = age_ms < 0 ? -1 : service_clock_now(support_clock()) - age_ms;
    open_reader(t, &(struct source_start){.checkpoint = LEASE_AT_POSITION,
                                          .position = position_at(sequence, sub),
                                          .as_of_ms = as_of_ms});
}

static inline void open_after(struct fixture *t, const char *sequence, uint32_t sub) {
    open_long_after(t, sequence, sub, 0);
}

static inline int make_with(void **state, const struct source_kinesis_options *options) {
    struct fixture *t = mem_zalloc(sizeof *t);
    *state = t;
    t->transport = (struct aws_transport){.send = send_scripted, .context = t};
    t->budget = budget_new(LIMIT_INFLIGHT_BYTES);
    support_set_environment();
    if (aws_settings_load(&t->settings, NULL))
        return -1;
    t->settings->teacher = &aws_kinesis;
    t->settings->clock = support_clock();
    return source_kinesis_open(&t->source, options, t->settings, &t->transport, NULL);
}

static inline int make(void **state) {
    static const struct source_kinesis_options options = {.stream = "a-stream", .poll_interval_ms = 1};
    return make_with(state, &options);
}

static inline int tear_down(void **state) {
    struct fixture *t = *state;
    source_close(t->reader);
    source_free(t->source);
    aws_settings_free(t->settings);
    assert_int_equal(budget_held(t->budget), 0);
    budget_free(t->budget);
    for (size_t i = 0; i < t->planned; i++)
        free(t->steps[i].reply);
    assert_int_equal(t->played, t->planned);
    free(t);
    return 0;
}

static inline enum status read_once(struct fixture *t) {
    t->error = (struct error){0};
    return source_read(t->reader, FOR_EVER, &t->batch, &t->error);
}

static inline void read_ok(struct fixture *t) {
    if (read_once(t))
        fail_msg("%s", t->error.message);
}

static inline void assert_record(const struct fixture *t, size_t i, const char *sequence, uint32_t sub,
                                 const char *data) {
    struct position expected = position_at(sequence, sub);
    assert_true(i < t->batch.n);
    assert_int_equal(position_compare(&t->batch.records[i].position, &expected), 0);
    assert_int_equal(t->batch.records[i].length, strlen(data));
    assert_memory_equal(t->batch.records[i].data, data, strlen(data));
}

static inline int64_t counted_as(const char *name, const char *labels) {
    _cleanup_(buffer_deinit) struct buffer text;
    char line[200];
    buffer_init(&text, 1u << 20);
    metrics_write(&text);
    snprintf(line, sizeof line, "\n%s{%s} ", name, labels);
    const char *at = text.data ? strstr(text.data, line) : NULL;
    return at ? strtoll(at + strlen(line), NULL, 10) : 0;
}

static inline int64_t counted(const char *name) {
    return counted_as(name, "shard=\"" SHARD "\"");
}

/* Reads up to the tip: record 7, iterator "i2". */
static inline void read_seven(struct fixture *t) {
    plan_iterator(t, "TRIM_HORIZON", "i1");
    plan_records(t, "i1", RECORD("7", A), AT_TIP("i2"));
    open_at_horizon(t);
    read_ok(t);
    assert_record(t, 0, "7", 0, "a");
}

#define test(title, function)                                                                                \
    { title, function, make, tear_down, NULL }

#endif
