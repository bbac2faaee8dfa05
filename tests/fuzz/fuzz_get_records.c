/*
 * get_records: the input is the sequence number of the position that was read last (empty: none), a newline,
 * and the body of a reply of GetRecords. The second opinion is jansson's unpacking, and a base64 of the
 * target's own.
 */
#include <jansson.h>
#include <math.h>

#include "aws/reply.h"
#include "aws/transport.h"
#include "base/limits.h"
#include "ingest/kinesis/reply.h"
#include "tests/fuzz/fuzz.h"

/* Reading it as an answer. */

static bool is_absent_or(json_t *value, int (*is_of_type)(const json_t *)) {
    return !value || json_is_null(value) || is_of_type(value);
}

static int is_string(const json_t *value) {
    return json_is_string(value);
}

static int is_number(const json_t *value) {
    return json_is_number(value);
}

static int is_array(const json_t *value) {
    return json_is_array(value);
}

static bool judge_child(json_t *child) {
    const char *text;
    json_t *parents, *parent;
    size_t i;
    if (json_unpack(child, "{s:s,s:{s:s,s:s},s:o}", "ShardId", &text, "HashKeyRange", "StartingHashKey",
                    &text, "EndingHashKey", &text, "ParentShards", &parents) ||
        !json_is_array(parents))
        return false;
    json_array_foreach(parents, i, parent) {
        if (!json_is_string(parent))
            return false;
    }
    return true;
}

/* Whether the reply has what GetRecords promises. */
static bool judge(json_t *json) {
    const char *text;
    json_t *records = json_object_get(json, "Records"), *children = json_object_get(json, "ChildShards"),
           *one;
    size_t i;
    if (!json_is_array(records) || !is_absent_or(json_object_get(json, "NextShardIterator"), is_string) ||
        !is_absent_or(json_object_get(json, "MillisBehindLatest"), is_number) ||
        !is_absent_or(children, is_array))
        return false;
    json_array_foreach(records, i, one) {
        if (json_unpack(one, "{s:s,s:s,s:s}", "SequenceNumber", &text, "PartitionKey", &text, "Data",
                        &text) ||
            !is_absent_or(json_object_get(one, "ApproximateArrivalTimestamp"), is_number))
            return false;
    }
    json_array_foreach(children, i, one) {
        if (!judge_child(one))
            return false;
    }
    return true;
}

/* What its records must become. */

/* Of RFC 4648, section 4, strict. NULL if the text is not in that form; the caller frees it. */
static uint8_t *decode(const char *text, size_t length, size_t *n) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    _cleanup_(mem_freep) uint8_t *out = mem_alloc(length);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t pads = 0;
    *n = 0;
    while (length > pads && pads < 2 && text[length - 1 - pads] == '=')
        pads++;
    for (size_t i = 0; i < length - pads; i++) {
        const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;
        if (!at)
            return NULL;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[(*n)++] = (uint8_t)(bits >> held);
        }
    }
    if (length % 4 || held != 2 * pads || (bits & ((1u << held) - 1)))
        return NULL;
    uint8_t *decoded = out;
    out = NULL;
    return decoded;
}

static bool is_sequence(const char *text, size_t length) {
    return length && length <= LIMIT_SEQUENCE_DIGITS && strspn(text, "0123456789") == length &&
           (*text != '0' || length == 1);
}

struct expected {
    const struct kinesis_reply *reply;
    const struct position *after;
    size_t next;    /* of the reply's records */
    double arrival; /* of the record, in seconds; 0: none */
    size_t bytes;
};

static void expect_one(struct expected *x, const char *sequence, uint32_t sub, const char *key,
                       const void *data, size_t length) {
    struct position position;
    position_parse(sequence, strlen(sequence), sub, &position);
    if (x->after && position_compare(&position, x->after) <= 0)
        return;
    FUZZ_CHECK(x->next < x->reply->n, "record %zu is missing", x->next);
    const struct source_record *got = &x->reply->records[x->next++];
    FUZZ_CHECK(position_compare(&got->position, &position) == 0, "%s:%u", sequence, sub);
    FUZZ_CHECK(got->length == length && (!length || memcmp(got->data, data, length) == 0), "%s", sequence);
    FUZZ_CHECK(!got->cut && !got->blank, "%s", sequence);
    bool is_time = x->arrival > 0 && x->arrival < 253402300799;
    FUZZ_CHECK(is_time ? got->arrived_ms == (int64_t)floor(x->arrival * 1000 + 0.5)
                       : got->arrived_ms == -1 || x->arrival * 1000 >= -0.5,
               "%lld", (long long)got->arrived_ms);
    FUZZ_CHECK(got->broken || strcmp(got->partition_key, key) == 0, "'%s'", got->partition_key);
}

static void expect_parts(struct expected *x, const char *sequence, const uint8_t *data, size_t length) {
    char why[AGGREGATED_WHY_SIZE];
    struct aggregated a;
    if (!aggregated_open(&a, data, length, why)) {
        expect_one(x, sequence, 0, NULL, data, length);
        return;
    }
    for (size_t i = 0; i < a.n; i++)
        expect_one(x, sequence, (uint32_t)i, a.parts[i].partition_key, a.parts[i].data, a.parts[i].length);
    aggregated_deinit(&a);
}

/* False if it is malformed. */
static bool expect_record(struct expected *x, json_t *record) {
    const char *sequence, *key, *text;
    size_t sequence_length, key_length, text_length, length;
    json_unpack(record, "{s:s%,s:s%,s:s%}", "SequenceNumber", &sequence, &sequence_length, "PartitionKey",
                &key, &key_length, "Data", &text, &text_length);
    x->arrival = json_number_value(json_object_get(record, "ApproximateArrivalTimestamp"));
    if (!is_sequence(sequence, sequence_length))
        return false;
    _cleanup_(mem_freep) uint8_t *data = decode(text, text_length, &length);
    if (!data)
        return false;
    x->bytes += length;
    if (length >= 4 && memcmp(data, "\xf3\x89\x9a\xc2", 4) == 0)
        expect_parts(x, sequence, data, length);
    else
        expect_one(x, sequence, 0, memchr(key, '\0', key_length) ? "" : key, data, length);
    return true;
}

static void check_records(const struct kinesis_reply *r, const json_t *copy, const struct position *after,
                          enum status status) {
    struct expected x = {.reply = r, .after = after};
    const json_t *records = json_object_get(copy, "Records");
    size_t i;
    json_t *one;
    json_array_foreach(records, i, one) {
        if (!expect_record(&x, one))
            break;
    }
    FUZZ_CHECK((status == STATUS_OK) == (i == json_array_size(records)), "record %zu: %d", i, status);
    FUZZ_CHECK(x.next == r->n, "%zu records, not %zu", r->n, x.next);
    FUZZ_CHECK(x.bytes == r->bytes, "%zu bytes, not %zu", r->bytes, x.bytes);
    if (!status)
        FUZZ_CHECK(r->n_blocks == i && r->memory_bytes >= x.bytes * (r->n_parts == 0), "%zu",
                   r->memory_bytes);
}

static void check_children(const struct kinesis_reply *r, const json_t *json) {
    FUZZ_CHECK(r->n_children <= json_array_size(json_object_get(json, "ChildShards")), "%zu", r->n_children);
    for (size_t i = 0; i < r->n_children; i++)
        FUZZ_CHECK(event_id_is_shard_id(r->children[i].id, strlen(r->children[i].id)), "'%s'",
                   r->children[i].id);
}

static void check_reply(json_t *json, const struct position *after) {
    const struct aggregated_range range = {0};
    json_auto_t *copy = json_deep_copy(json);
    struct kinesis_reply r = {0};
    struct error e;
    enum status status = kinesis_reply_take(&r, json, after, &range, &e);
    check_records(&r, copy, after, status);
    if (!status) {
        kinesis_reply_take_children(&r, json);
        check_children(&r, copy);
    }
    kinesis_reply_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct aws_exchange x;
    struct position after;
    struct error e;
    size_t length;
    json_object_seed(1);
    _cleanup_(mem_freep) char *sequence = fuzz_take_text(&in, '\n', &length);
    bool has_position = position_parse(sequence, length, 1, &after);
    aws_exchange_init(&x);
    aws_exchange_answer(&x, 200, "");
    x.operation = "GetRecords";
    buffer_append(&x.reply, in.data, in.size);

    json_t *json = NULL;
    json_auto_t *again = json_loadb((const char *)in.data, in.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    enum status status = aws_reply_read(&x, &json, &e);
    FUZZ_CHECK((status == STATUS_OK) == judge(again), "%d: %s", status, e.message);
    FUZZ_CHECK(status == STATUS_OK || strcmp(e.code, "MalformedReply") == 0, "%s: %s", e.code, e.message);
    if (!status)
        check_reply(json, has_position ? &after : NULL);
    json_decref(json);
    aws_exchange_deinit(&x);
    return 0;
}
