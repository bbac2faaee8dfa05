/*
 * envelope: the input is a record's data. The second opinion is jansson's: it parses the input, and its
 * strict unpacking checks the fields. An event whose JSON is written anew is the same event. What is read
 * without jansson is what jansson reads, and becomes the same event or the same dead letter.
 */
#include "ingest/envelope.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "ingest/event_json.h"
#include "tests/fuzz/fuzz.h"

#define SHARD_ID "shardId-000000000002"
#define PARSE (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

struct verdict {
    enum envelope_kind kind;
    enum envelope_reason reason;
    enum event_kind event;
    char id[EVENT_ID_SIZE];
    const char *product_id, *origin; /* of the JSON */
    int64_t time_ms, arrived_ms;
    json_t *data;
};

static struct verdict dead(enum envelope_reason reason) {
    return (struct verdict){.kind = ENVELOPE_DEAD, .reason = reason};
}

static bool equals(const char *text, size_t length, const char *expected) {
    return length == strlen(expected) && memcmp(text, expected, length) == 0;
}

static bool is_key(const char *text, size_t length, size_t limit) {
    return length > 0 && length <= limit && !memchr(text, '\0', length);
}

/* A struct string for each `s%`, in the order of the format's names. */
struct string {
    const char *text;
    size_t length;
};

struct fields {
    struct string schema, origin, time, id;
    json_t *data;
};

static bool unpack_envelope(json_t *json, bool egress, struct fields *f) {
    const char *skipped;
    if (json_unpack(json, "{s:s%,s:s%,s:s%,s:o}", "schema", &f->schema.text, &f->schema.length, "origin",
                    &f->origin.text, &f->origin.length, "timeOrigin", &f->time.text, &f->time.length, "data",
                    &f->data) ||
        !json_is_object(f->data))
        return false;
    if (!egress)
        return json_unpack(json, "{s:s,s:s,s:s,s:o,s?s!}", "schema", &skipped, "origin", &skipped,
                           "timeOrigin", &skipped, "data", &f->data, "followsFrom", &skipped) == 0;
    return json_unpack(json, "{s:s,s:s,s:s,s:o,s:s%,s:s,s:s,s?s!}", "schema", &skipped, "origin", &skipped,
                       "timeOrigin", &skipped, "data", &f->data, "eventId", &f->id.text, &f->id.length,
                       "timeIngest", &skipped, "timeProcess", &skipped, "followsFrom", &skipped) == 0;
}

/* 1: the views use it, and it is as it must be; 0: they do not use it; -1: it is malformed. */
static int unpack_data(json_t *data, enum event_kind *kind, struct string *product) {
    struct string schema;
    const char *s;
    int status;
    if (json_unpack(data, "{s:s%}", "schema", &schema.text, &schema.length))
        return -1;
    json_unpack(data, "{s?s%}", "id", &product->text, &product->length);
    if (equals(schema.text, schema.length, "com.nordstrom/product/create/1-0-0")) {
        *kind = EVENT_CREATE;
        status = json_unpack(data, "{s:s,s:s,s:s,s:s,s:s,s:s!}", "schema", &s, "id", &s, "brand", &s, "name",
                             &s, "description", &s, "category", &s);
    } else if (equals(schema.text, schema.length, "com.nordstrom/product/image/1-0-0")) {
        *kind = EVENT_IMAGE;
        status = json_unpack(data, "{s:s,s:s,s:s!}", "schema", &s, "id", &s, "image", &s);
    } else if (equals(schema.text, schema.length, "com.nordstrom/product/purchase/1-0-0")) {
        *kind = EVENT_PURCHASE;
        status = json_unpack(data, "{s:s,s:s!}", "schema", &s, "id", &s);
    } else {
        return 0;
    }
    return status ? -1 : 1;
}

static struct verdict judge_object(json_t *json, const struct source_record *record) {
    struct fields f = {0};
    struct string product = {0};
    struct event_id id;
    struct verdict v = {.kind = ENVELOPE_EVENT};
    if (json_unpack(json, "{s:s%}", "schema", &f.schema.text, &f.schema.length))
        return dead(ENVELOPE_UNKNOWN_SCHEMA);
    bool egress = equals(f.schema.text, f.schema.length, "com.nordstrom/retail-stream-egress/1-0-0");
    if (!egress && !equals(f.schema.text, f.schema.length, "com.nordstrom/retail-stream-ingress/1-0-0"))
        return dead(ENVELOPE_UNKNOWN_SCHEMA);
    if (!unpack_envelope(json, egress, &f) || !clock_parse(f.time.text, f.time.length, &v.time_ms))
        return dead(ENVELOPE_INVALID_FIELD);
    if (egress && !event_id_parse(f.id.text, f.id.length, &id))
        return dead(ENVELOPE_MALFORMED_EVENT_ID);

    int use = unpack_data(f.data, &v.event, &product);
    if (use == 0)
        return (struct verdict){.kind = ENVELOPE_SKIPPED};
    if (use < 0)
        return dead(ENVELOPE_INVALID_FIELD);
    if (!is_key(f.origin.text, f.origin.length, LIMIT_KEY_BYTES))
        return dead(ENVELOPE_INVALID_ORIGIN);
    if (!is_key(product.text, product.length, LIMIT_PRODUCT_ID_BYTES))
        return dead(ENVELOPE_INVALID_PRODUCT_ID);
    if (record->partition_key && !equals(product.text, product.length, record->partition_key))
        return dead(ENVELOPE_PARTITION_KEY_MISMATCH);

    strcpy(v.id, SHARD_ID ":42");
    if (egress)
        memcpy(v.id, f.id.text, f.id.length + 1);
    v.product_id = product.text;
    v.origin = f.origin.text;
    v.data = f.data;
    json_t *ingest = json_object_get(json, "timeIngest");
    if (!ingest || !clock_parse(json_string_value(ingest), json_string_length(ingest), &v.arrived_ms) ||
        v.arrived_ms < 0)
        v.arrived_ms = record->arrived_ms;
    return v;
}

static struct verdict judge(json_t *json, const struct source_record *record) {
    if (json)
        return json_is_object(json) ? judge_object(json, record) : dead(ENVELOPE_NOT_OBJECT);
    json_auto_t *utf8 = json_stringn(record->data, record->length);
    return dead(utf8 ? ENVELOPE_NOT_JSON : ENVELOPE_NOT_UTF8);
}

/* A text is the beginning of the JSON's, up to U+0000; one that was cut has an ellipsis, and no room for
 * another character before it. */
static void check_text(const char *text, const char *name, const struct verdict *v) {
    const char *whole = json_string_value(json_object_get(v->data, name));
    if (v->event != EVENT_CREATE || !*whole) {
        FUZZ_CHECK(!text, "%s is '%s'", name, text);
        return;
    }
    FUZZ_CHECK(text && utf8_is_valid(text, strlen(text)), "%s", name);
    size_t length = strlen(text), kept = length > 3 ? length - 3 : 0;
    if (strlen(whole) <= LIMIT_PRODUCT_TEXT_BYTES) {
        FUZZ_CHECK(strcmp(text, whole) == 0, "'%s' became '%s'", whole, text);
        return;
    }
    FUZZ_CHECK(length <= LIMIT_PRODUCT_TEXT_BYTES && length > LIMIT_PRODUCT_TEXT_BYTES - 4 &&
                   memcmp(text, whole, kept) == 0 && strcmp(text + kept, "\xe2\x80\xa6") == 0,
               "'%s' became '%s'", whole, text);
}

static void check_image(const char *image, const struct verdict *v) {
    const json_t *whole = json_object_get(v->data, "image");
    size_t length = json_string_length(whole);
    bool is_kept = v->event == EVENT_IMAGE && length && length <= LIMIT_IMAGE_BYTES &&
                   !memchr(json_string_value(whole), '\0', length);
    FUZZ_CHECK(is_kept ? image && strcmp(image, json_string_value(whole)) == 0 : !image, "'%s'", image);
}

static void check_verdict(const struct envelope *e, const struct verdict *v) {
    FUZZ_CHECK(e->kind == v->kind, "%d, not %d: %s", e->kind, v->kind, e->detail);
    FUZZ_CHECK(utf8_is_valid(e->detail, strnlen(e->detail, sizeof e->detail)), "%s", e->detail);
    if (e->kind == ENVELOPE_DEAD) {
        FUZZ_CHECK(e->reason == v->reason, "%s, not %s: %s", envelope_reason_name(e->reason),
                   envelope_reason_name(v->reason), e->detail);
        FUZZ_CHECK(*e->detail, "no detail");
    }
    if (e->kind == ENVELOPE_EVENT) {
        FUZZ_CHECK(e->event.kind == v->event, "%d, not %d", e->event.kind, v->event);
        FUZZ_CHECK(strcmp(e->event.id, v->id) == 0, "'%s', not '%s'", e->event.id, v->id);
        FUZZ_CHECK(strcmp(e->event.product_id, v->product_id) == 0, "'%s'", e->event.product_id);
        FUZZ_CHECK(strcmp(e->event.origin, v->origin) == 0, "'%s'", e->event.origin);
        FUZZ_CHECK(e->event.time_ms == v->time_ms, "%lld", (long long)e->event.time_ms);
        FUZZ_CHECK(e->event.arrived_ms == v->arrived_ms, "%lld", (long long)e->event.arrived_ms);
        check_text(e->event.name, "name", v);
        check_text(e->event.brand, "brand", v);
        check_text(e->event.category, "category", v);
        check_image(e->event.image, v);
    }
}

static bool is_same_text(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_same_event(const struct event *a, const struct event *b) {
    FUZZ_CHECK(a->kind == b->kind && a->time_ms == b->time_ms && a->arrived_ms == b->arrived_ms, "%s", a->id);
    FUZZ_CHECK(is_same_text(a->id, b->id) && is_same_text(a->product_id, b->product_id) &&
                   is_same_text(a->origin, b->origin) && is_same_text(a->name, b->name) &&
                   is_same_text(a->brand, b->brand) && is_same_text(a->category, b->category) &&
                   is_same_text(a->image, b->image),
               "%s", a->id);
}

/* By envelope_decode and by jansson alone. */
static void check(const struct source_record *record, const struct verdict *v) {
    struct envelope decoded, judged;
    envelope_decode(&decoded, SHARD_ID, record);
    envelope_judge(&judged, SHARD_ID, record);
    check_verdict(&decoded, v);
    FUZZ_CHECK(decoded.kind == judged.kind && decoded.reason == judged.reason, "%s", judged.detail);
    FUZZ_CHECK(decoded.foreign_arrival == judged.foreign_arrival, "%d", judged.foreign_arrival);
    FUZZ_CHECK(strcmp(decoded.detail, judged.detail) == 0, "'%s', not '%s'", decoded.detail, judged.detail);
    if (decoded.kind == ENVELOPE_EVENT)
        check_same_event(&decoded.event, &judged.event);
    envelope_deinit(&decoded);
    envelope_deinit(&judged);
}

static void check_same_members(const struct event_object *plain, const struct event_object *parsed) {
    FUZZ_CHECK(!plain->unknown && !parsed->unknown, "%s", parsed->unknown);
    for (size_t i = 0; i < EVENT_MEMBERS; i++) {
        const struct event_value *a = &plain->values[i], *b = &parsed->values[i];
        FUZZ_CHECK(a->type == b->type && a->length == b->length, "%s", event_member_name(i));
        FUZZ_CHECK(!a->length || !memcmp(a->text, b->text, a->length), "%s", event_member_name(i));
    }
}

static void check_plain(const char *data, size_t size) {
    struct event_json plain, parsed;
    if (!event_json_read_plain(&plain, data, size))
        return;
    json_auto_t *json = json_loadb(data, size, PARSE | JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json, "jansson does not read it");
    event_json_read(&parsed, json);
    check_same_members(&plain.envelope, &parsed.envelope);
    check_same_members(&plain.data, &parsed.data);
}

/* An event is plain once it is written without escapes. */
static void check_recognised(const json_t *json) {
    struct event_json members;
    _cleanup_(mem_freep) char *text = json_dumps(json, JSON_COMPACT);
    if (!strchr(text, '\\'))
        FUZZ_CHECK(event_json_read_plain(&members, text, strlen(text)), "%s", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_object_seed(1);
    json_auto_t *json = json_loadb((const char *)data, size, PARSE, NULL);
    struct source_record record = {
        .data = data, .length = size, .partition_key = "lamp", .arrived_ms = 1700000000000};
    position_parse("42", 2, 0, &record.position);
    struct verdict v = judge(json, &record);
    check_plain(record.data, size);
    check(&record, &v);
    record.partition_key = NULL;
    record.arrived_ms = -1;
    v = judge(json, &record);
    check(&record, &v);
    if (v.kind == ENVELOPE_EVENT) {
        check_recognised(json);
        _cleanup_(mem_freep) char *text = json_dumps(json, JSON_ENSURE_ASCII);
        record.data = text;
        record.length = strlen(text);
        check(&record, &v);
    }
    return 0;
}
