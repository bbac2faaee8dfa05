#include "ingest/envelope.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"

#define INGRESS "com.nordstrom/retail-stream-ingress/1-0-0"
#define EGRESS "com.nordstrom/retail-stream-egress/1-0-0"

const char *envelope_reason_name(enum envelope_reason reason) {
    static const char *const names[] = {
        [ENVELOPE_NOT_UTF8] = "not-utf8",
        [ENVELOPE_NOT_JSON] = "not-json",
        [ENVELOPE_NOT_OBJECT] = "not-object",
        [ENVELOPE_UNKNOWN_SCHEMA] = "unknown-schema",
        [ENVELOPE_INVALID_FIELD] = "invalid-field",
        [ENVELOPE_MALFORMED_EVENT_ID] = "malformed-event-id",
        [ENVELOPE_INVALID_ORIGIN] = "invalid-origin",
        [ENVELOPE_INVALID_PRODUCT_ID] = "invalid-product-id",
        [ENVELOPE_PARTITION_KEY_MISMATCH] = "partition-key-mismatch",
        [ENVELOPE_TOO_LONG] = "too-long",
        [ENVELOPE_BROKEN_AGGREGATE] = "broken-aggregate",
    };
    return names[reason];
}

enum field_type { FIELD_END, FIELD_STRING, FIELD_TIME, FIELD_OBJECT, FIELD_OPTIONAL_STRING };

struct field {
    const char *name;
    enum field_type type;
};

/* The fields of `data` are checked later: its schema first decides whether the views use the record. */
static const struct field ingress_fields[] = {
    {"schema", FIELD_STRING},
    {"origin", FIELD_STRING},
    {"timeOrigin", FIELD_TIME},
    {"data", FIELD_OBJECT},
    {"followsFrom", FIELD_OPTIONAL_STRING},
    {NULL, FIELD_END},
};

static const struct field egress_fields[] = {
    {"schema", FIELD_STRING},
    {"origin", FIELD_STRING},
    {"timeOrigin", FIELD_TIME},
    {"data", FIELD_OBJECT},
    {"eventId", FIELD_STRING},
    {"timeIngest", FIELD_STRING},
    {"timeProcess", FIELD_STRING},
    {"followsFrom", FIELD_OPTIONAL_STRING},
    {NULL, FIELD_END},
};

static const struct field create_fields[] = {
    {"schema", FIELD_STRING}, {"id", FIELD_STRING},          {"brand", FIELD_STRING},
    {"name", FIELD_STRING},   {"description", FIELD_STRING}, {"category", FIELD_STRING},
    {NULL, FIELD_END},
};

static const struct field image_fields[] = {
    {"schema", FIELD_STRING}, {"id", FIELD_STRING}, {"image", FIELD_STRING}, {NULL, FIELD_END}};

static const struct field purchase_fields[] = {
    {"schema", FIELD_STRING}, {"id", FIELD_STRING}, {NULL, FIELD_END}};

static const struct data_schema {
    const char *name;
    enum event_kind kind;
    const struct field *fields;
} data_schemas[] = {
    {"com.nordstrom/product/create/1-0-0", EVENT_CREATE, create_fields},
    {"com.nordstrom/product/image/1-0-0", EVENT_IMAGE, image_fields},
    {"com.nordstrom/product/purchase/1-0-0", EVENT_PURCHASE, purchase_fields},
};

/* False, as each check below whose rule does not hold. */
__attribute__((format(printf, 3, 4))) static bool dead(struct envelope *out, enum envelope_reason reason,
                                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(out->detail, sizeof out->detail, format, args);
    va_end(args);
    utf8_mend(out->detail); /* jansson quotes half a character, and vsnprintf may cut one */
    out->kind = ENVELOPE_DEAD;
    out->reason = reason;
    return false;
}

static const char *type_name(const json_t *value) {
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number",  [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",  [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}

static bool check_field(struct envelope *out, const char *where, const json_t *object,
                        const struct field *field) {
    const json_t *value = json_object_get(object, field->name);
    int64_t ms;
    if (!value)
        return field->type == FIELD_OPTIONAL_STRING ||
               dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is missing", where, field->name);
    if (field->type == FIELD_OBJECT)
        return json_is_object(value) || dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is %s, not an object", where,
                                             field->name, type_name(value));
    if (!json_is_string(value))
        return dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is %s, not a string", where, field->name,
                    type_name(value));
    if (field->type == FIELD_TIME && !clock_parse(json_string_value(value), json_string_length(value), &ms))
        return dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is not an RFC 3339 time", where, field->name);
    return true;
}

static bool is_allowed(const struct field *fields, const char *name) {
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return true;
    return false;
}

static bool check_fields(struct envelope *out, const char *where, json_t *object,
                         const struct field *fields) {
    const char *name;
    json_t *value;
    size_t n = 0;
    for (const struct field *field = fields; field->name; field++) {
        if (!check_field(out, where, object, field))
            return false;
        n += json_object_get(object, field->name) != NULL;
    }
    if (n == json_object_size(object))
        return true;
    json_object_foreach(object, name, value) {
        if (!is_allowed(fields, name))
            return dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is not allowed", where, name);
    }
    return true;
}

static bool parse(struct envelope *out, const struct source_record *record, json_t **json) {
    json_error_t error;
    if (record->cut)
        return dead(out, ENVELOPE_TOO_LONG, "the record has more than %u bytes", LIMIT_LINE_BYTES);
    if (record->broken)
        return dead(out, ENVELOPE_BROKEN_AGGREGATE, "an aggregated record, but %s", record->broken);
    *json = json_loadb(record->data, record->length,
                       JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (!*json && !utf8_is_valid(record->data, record->length))
        return dead(out, ENVELOPE_NOT_UTF8, "the data is not UTF-8");
    if (!*json)
        return dead(out, ENVELOPE_NOT_JSON, "at byte %d: %s", error.position, error.text);
    if (!json_is_object(*json))
        return dead(out, ENVELOPE_NOT_OBJECT, "the data is %s", type_name(*json));
    return true;
}

/* A JSON string may contain NUL: compare to its end. */
static bool is_text(const json_t *value, const char *text) {
    size_t length = strlen(text);
    return json_string_length(value) == length && memcmp(json_string_value(value), text, length) == 0;
}

static bool check_envelope(struct envelope *out, json_t *json, const json_t **event_id) {
    const json_t *schema = json_object_get(json, "schema");
    const char *name = json_string_value(schema);
    bool egress = is_text(schema, EGRESS);
    struct event_id id;

    if (!egress && !is_text(schema, INGRESS))
        return dead(out, ENVELOPE_UNKNOWN_SCHEMA, "schema is %s",
                    name     ? name
                    : schema ? type_name(schema)
                             : "missing");
    if (!check_fields(out, "envelope", json, egress ? egress_fields : ingress_fields))
        return false;
    *event_id = egress ? json_object_get(json, "eventId") : NULL;
    return !egress || event_id_parse(json_string_value(*event_id), json_string_length(*event_id), &id) ||
           dead(out, ENVELOPE_MALFORMED_EVENT_ID, "eventId is '%s'", json_string_value(*event_id));
}

/* A key in DynamoDB, and part of a URL's path: not empty, not too long, no NUL. */
static bool check_key(struct envelope *out, enum envelope_reason reason, const char *what,
                      const json_t *value, size_t limit) {
    size_t length = json_string_length(value);
    if (length == 0 || length > limit)
        return dead(out, reason, "%s has %zu bytes, not 1 to %zu", what, length, limit);
    if (strlen(json_string_value(value)) != length)
        return dead(out, reason, "%s contains U+0000", what);
    return true;
}

static const struct data_schema *find_data_schema(const json_t *name) {
    for (size_t i = 0; i < sizeof data_schemas / sizeof *data_schemas; i++)
        if (is_text(name, data_schemas[i].name))
            return &data_schemas[i];
    return NULL;
}

static bool check_data(struct envelope *out, const struct source_record *record, const json_t *json) {
    json_t *data = json_object_get(json, "data");
    if (!check_field(out, "data", data, &purchase_fields[0]))
        return false;

    const struct data_schema *schema = find_data_schema(json_object_get(data, "schema"));
    if (!schema) {
        out->kind = ENVELOPE_SKIPPED;
        return false;
    }
    const json_t *origin = json_object_get(json, "origin"), *id = json_object_get(data, "id");
    if (!check_fields(out, "data", data, schema->fields) ||
        !check_key(out, ENVELOPE_INVALID_ORIGIN, "origin", origin, LIMIT_KEY_BYTES) ||
        !check_key(out, ENVELOPE_INVALID_PRODUCT_ID, "product id", id, LIMIT_PRODUCT_ID_BYTES))
        return false;

    out->event.kind = schema->kind;
    /* Not by its length: that of an aggregated part may be as long as the record, in thousands of parts. */
    return !record->partition_key || strcmp(json_string_value(id), record->partition_key) == 0 ||
           dead(out, ENVELOPE_PARTITION_KEY_MISMATCH, "the partition key is not the product id");
}

/* A string that is kept: `length` bytes of `from` (NULL: there is none), and `end`. */
struct text {
    const char *from;
    size_t length;
    const char *end;
};

static struct text whole_text(const char *from) {
    return (struct text){from, strlen(from), ""};
}

/* Of a product: what is before U+0000, cut to the limit. An empty one is none. */
static struct text product_text(const json_t *value) {
    static const char ellipsis[] = "\u2026";
    struct text text = whole_text(json_string_value(value));
    if (text.length > LIMIT_PRODUCT_TEXT_BYTES) {
        text.length = utf8_cut(text.from, LIMIT_PRODUCT_TEXT_BYTES - strlen(ellipsis));
        text.end = ellipsis;
    }
    return text.length ? text : (struct text){0};
}

/* Half an address is none. */
static struct text image_text(const json_t *value) {
    struct text text = whole_text(json_string_value(value));
    bool is_one = text.length && text.length == json_string_length(value) && text.length <= LIMIT_IMAGE_BYTES;
    return is_one ? text : (struct text){0};
}

static void keep_text(char **at, const char **to, const struct text *text) {
    if (!text->from)
        return;
    *to = *at;
    *at = stpcpy(mempcpy(*at, text->from, text->length), text->end) + 1;
}

/* In one block, of the strings that the fold needs: the parsed JSON takes some twenty times as much memory.
 */
static void keep_strings(struct envelope *out, const char *id, const json_t *json) {
    struct event *event = &out->event;
    const json_t *data = json_object_get(json, "data");
    bool is_create = event->kind == EVENT_CREATE, is_image = event->kind == EVENT_IMAGE;
    const struct text none = {0}, texts[] = {
                                      whole_text(id),
                                      whole_text(json_string_value(json_object_get(data, "id"))),
                                      whole_text(json_string_value(json_object_get(json, "origin"))),
                                      is_create ? product_text(json_object_get(data, "name")) : none,
                                      is_create ? product_text(json_object_get(data, "brand")) : none,
                                      is_create ? product_text(json_object_get(data, "category")) : none,
                                      is_image ? image_text(json_object_get(data, "image")) : none,
                                  };
    const char **const to[] = {&event->id,    &event->product_id, &event->origin, &event->name,
                               &event->brand, &event->category,   &event->image};
    enum { TEXTS = sizeof texts / sizeof *texts };
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i].from ? texts[i].length + strlen(texts[i].end) + 1 : 0;
    char *at = out->strings = mem_alloc(size);
    for (size_t i = 0; i < TEXTS; i++)
        keep_text(&at, to[i], &texts[i]);
}

/* A time before 1970 is no arrival: no clock showed it. `timeIngest` is where the event arrived first. */
static void set_arrival(struct envelope *out, const struct source_record *record, const json_t *json) {
    const json_t *ingest = json_object_get(json, "timeIngest");
    int64_t *ms = &out->event.arrived_ms;
    if (!ingest || !clock_parse(json_string_value(ingest), json_string_length(ingest), ms) || *ms < 0)
        *ms = record->arrived_ms;
    out->foreign_arrival = ingest || record->arrived_ms < 0;
}

void envelope_decode(struct envelope *out, const char *shard_id, const struct source_record *record) {
    json_auto_t *json = NULL;
    const json_t *event_id = NULL;
    char made_id[EVENT_ID_SIZE];

    memset(out, 0, sizeof *out);
    if (record->blank) {
        out->kind = ENVELOPE_SKIPPED;
        return;
    }
    if (!parse(out, record, &json) || !check_envelope(out, json, &event_id) || !check_data(out, record, json))
        return;
    const json_t *time = json_object_get(json, "timeOrigin");
    clock_parse(json_string_value(time), json_string_length(time), &out->event.time_ms);
    set_arrival(out, record, json);
    keep_strings(
        out, event_id ? json_string_value(event_id) : event_id_format(shard_id, &record->position, made_id),
        json);
    out->kind = ENVELOPE_EVENT;
}

void envelope_deinit(struct envelope *envelope) {
    free(envelope->strings);
    envelope->strings = NULL;
}
