/*
 * The cases are tests/data/envelopes.json. In each:
 *   data          the record's JSON; or `text`, its text as it is; or `dataBase64`, its bytes
 *   tokens        {"<x>": [string, times]}: in all of the case, <x> is replaced by `times` copies of that
 * string partitionKey  "lamp" unless given; null: the source has none. shard, sequence, sub: the position
 *   arrived       when the record arrived; the source does not say unless given
 *   expect        the result; `detail` is a part of the envelope's
 * The Python model must pass them too, except those with a `limit` (tests/model/test_envelope_cases.py).
 */
#include "ingest/envelope.h"

#include "base/base64.h"
#include "base/buffer.h"
#include "base/utf8.h"
#include "ingest/event_json.h"
#include "tests/unit/support/test.h"

/* The text with each token replaced. The caller frees it. */
static char *expand(const char *text, size_t length, json_t *tokens, size_t *expanded_length) {
    struct buffer b;
    buffer_init(&b, 16u << 20);
    for (size_t i = 0; i < length;) {
        const char *token;
        json_t *value;
        size_t matched = 0;
        json_object_foreach(tokens, token, value) {
            if (strncmp(text + i, token, strlen(token)) != 0)
                continue;
            matched = strlen(token);
            for (json_int_t n = json_integer_value(json_array_get(value, 1)); n > 0; n--)
                buffer_puts(&b, json_string_value(json_array_get(value, 0)));
            break;
        }
        if (!matched)
            buffer_putc(&b, text[i]);
        i += matched ? matched : 1;
    }
    assert_false(b.overflowed);
    *expanded_length = b.length;
    return buffer_detach(&b);
}

static char *expand_text(const char *text, const json_t *one) {
    size_t length;
    return text ? expand(text, strlen(text), json_object_get(one, "tokens"), &length) : NULL;
}

/* The record's bytes. The caller frees them. */
static void *data_of(const json_t *one, size_t *length) {
    const char *base64 = support_text(one, "dataBase64"), *text = support_text(one, "text");
    if (base64)
        return base64_decode(base64, strlen(base64), length);
    if (text)
        return expand(text, strlen(text), json_object_get(one, "tokens"), length);
    _cleanup_(mem_freep) char *dumped = json_dumps(json_object_get(one, "data"), JSON_COMPACT);
    return expand(dumped, strlen(dumped), json_object_get(one, "tokens"), length);
}

static void assert_kind(const struct envelope *envelope, const char *expected) {
    static const char *const kinds[] = {
        [ENVELOPE_EVENT] = "event", [ENVELOPE_SKIPPED] = "skipped", [ENVELOPE_DEAD] = "dead"};
    if (strcmp(kinds[envelope->kind], expected) != 0)
        fail_msg("it is '%s' (%s), not '%s'", kinds[envelope->kind], envelope->detail, expected);
}

static void assert_dead(const struct envelope *envelope, const json_t *expect) {
    if (strcmp(envelope_reason_name(envelope->reason), support_text(expect, "reason")) != 0)
        fail_msg("the reason is %s (%s), not %s", envelope_reason_name(envelope->reason), envelope->detail,
                 support_text(expect, "reason"));
    assert_contains(envelope->detail, support_text(expect, "detail"));
    assert_true(strlen(envelope->detail) < sizeof envelope->detail);
    assert_true(utf8_is_valid(envelope->detail, strlen(envelope->detail))); /* it is written into JSON */
}

static int64_t optional_time(const json_t *one, const char *name) {
    const json_t *time = json_object_get(one, name);
    return time ? json_integer_value(time) : -1;
}

static void assert_text(const char *text, const char *name, const json_t *expect, const json_t *one) {
    _cleanup_(mem_freep) char *expected = expand_text(support_text(expect, name), one);
    if (!text != !expected || (text && strcmp(text, expected) != 0))
        fail_msg("%s is '%s', not '%s'", name, text, expected);
}

static void assert_event(const struct event *event, const json_t *expect, const json_t *one) {
    static const char *const kinds[] = {
        [EVENT_CREATE] = "create", [EVENT_IMAGE] = "image", [EVENT_PURCHASE] = "purchase"};
    _cleanup_(mem_freep) char *product_id = expand_text(support_text(expect, "productId"), one);
    _cleanup_(mem_freep) char *origin = expand_text(support_text(expect, "origin"), one);
    assert_string_equal(kinds[event->kind], support_text(expect, "kind"));
    assert_string_equal(event->id, support_text(expect, "id"));
    assert_string_equal(event->product_id, product_id);
    assert_string_equal(event->origin, origin);
    assert_int_equal(event->time_ms, json_integer_value(json_object_get(expect, "time")));
    assert_int_equal(event->arrived_ms, optional_time(expect, "arrived"));
    assert_text(event->name, "name", expect, one);
    assert_text(event->brand, "brand", expect, one);
    assert_text(event->category, "category", expect, one);
    assert_text(event->image, "image", expect, one);
}

typedef void decoder(struct envelope *, const char *, const struct source_record *);

/* By envelope_decode and by envelope_judge. */
static void assert_decoded(decoder *decode, const json_t *one, const char *shard,
                           const struct source_record *record) {
    const json_t *expect = json_object_get(one, "expect");
    _cleanup_(mem_freep) char *data = mem_dup(record->data, record->length);
    struct source_record copy = *record;
    struct envelope envelope;
    copy.data = data;
    decode(&envelope, shard, &copy);
    memset(data, '!', record->length); /* it copies what it needs */
    assert_kind(&envelope, support_text(expect, "kind"));
    if (envelope.kind == ENVELOPE_DEAD)
        assert_dead(&envelope, expect);
    if (envelope.kind == ENVELOPE_EVENT)
        assert_event(&envelope.event, json_object_get(expect, "event"), one);
    envelope_deinit(&envelope);
}

/* Those of the cases that are written by jansson have nothing else that is not plain. */
static void assert_plain_without_escapes(const char *data, size_t length) {
    struct event_json json;
    assert_int_equal(event_json_read_plain(&json, data, length), !memchr(data, '\\', length));
}

static void check_case(void **state) {
    const json_t *one = *state, *key = json_object_get(one, "partitionKey");
    const char *sequence = support_text(one, "sequence"), *shard = support_text(one, "shard");
    struct position position;
    sequence = sequence ? sequence : "42";
    shard = shard ? shard : "shardId-000000000002";
    assert_true(position_parse(sequence, strlen(sequence),
                               (uint32_t)json_integer_value(json_object_get(one, "sub")), &position));

    size_t length;
    _cleanup_(mem_freep) void *data = data_of(one, &length);
    _cleanup_(mem_freep) char *partition_key = expand_text(key ? json_string_value(key) : "lamp", one);
    const struct source_record record = {
        .position = position,
        .arrived_ms = optional_time(one, "arrived"),
        .partition_key = partition_key,
        .data = data,
        .length = length,
    };
    assert_decoded(envelope_decode, one, shard, &record);
    assert_decoded(envelope_judge, one, shard, &record);
    if (json_object_get(one, "data") &&
        strcmp(support_text(json_object_get(one, "expect"), "kind"), "event") == 0)
        assert_plain_without_escapes(data, length);
}

/* Events that are cut or have one changed byte. Any result is allowed. */
static void damaged_records_are_decoded_without_memory_errors(void **state) {
    (void)state;
    static const char text[] =
        "{\"schema\":\"com.nordstrom/retail-stream-egress/1-0-0\",\"origin\":\"a\\u00e4\\ud83d\\ude00\","
        "\"timeOrigin\":\"2026-11-23T04:36:00.5+01:00\",\"eventId\":\"s:1:2\",\"timeIngest\":\"\","
        "\"timeProcess\":\"\","
        "\"data\":{\"schema\":\"com.nordstrom/product/purchase/1-0-0\",\"id\":\"lamp\"}}";
    struct position position = position_from_u64(1);
    uint64_t random = 7;
    size_t events = 0;
    for (int i = 0; i < 20000; i++) {
        size_t length = i % 2 ? sizeof text - 1 : support_random(&random) % sizeof text;
        _cleanup_(mem_freep) char *data =
            mem_dup(text, length); /* in its own block, for the address sanitizer */
        if (length)
            data[support_random(&random) % length] = (char)support_random(&random);
        struct envelope envelope;
        const struct source_record record = {
            .position = position, .partition_key = "lamp", .data = data, .length = length};
        envelope_decode(&envelope, "s", &record);
        events += envelope.kind == ENVELOPE_EVENT;
        assert_true(utf8_is_valid(envelope.detail, strlen(envelope.detail)));
        envelope_deinit(&envelope);
    }
    assert_in_range(events, 100, 5000); /* changes inside a string are harmless */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_records_are_decoded_without_memory_errors)};
    int failed = support_run_cases("tests/data/envelopes.json", check_case);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
