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
#include "ingest/event_json.h"

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
    enum event_member member;
    enum field_type type;
};

/* The fields of `data` are checked later: its schema first decides whether the views use the record. */
static const struct field ingress_fields[] = {
    {MEMBER_SCHEMA, FIELD_STRING},
    {MEMBER_ORIGIN, FIELD_STRING},
    {MEMBER_TIME_ORIGIN, FIELD_TIME},
    {MEMBER_DATA, FIELD_OBJECT},
    {MEMBER_FOLLOWS_FROM, FIELD_OPTIONAL_STRING},
    {0, FIELD_END},
};

static const struct field egress_fields[] = {
    {MEMBER_SCHEMA, FIELD_STRING},
    {MEMBER_ORIGIN, FIELD_STRING},
    {MEMBER_TIME_ORIGIN, FIELD_TIME},
    {MEMBER_DATA, FIELD_OBJECT},
    {MEMBER_EVENT_ID, FIELD_STRING},
    {MEMBER_TIME_INGEST, FIELD_STRING},
    {MEMBER_TIME_PROCESS, FIELD_STRING},
    {MEMBER_FOLLOWS_FROM, FIELD_OPTIONAL_STRING},
    {0, FIELD_END},
};

static const struct field create_fields[] = {
    {MEMBER_SCHEMA, FIELD_STRING},
    {MEMBER_ID, FIELD_STRING},
    {MEMBER_BRAND, FIELD_STRING},
    {MEMBER_NAME, FIELD_STRING},
    {MEMBER_DESCRIPTION, FIELD_STRING},
    {MEMBER_CATEGORY, FIELD_STRING},
    {0, FIELD_END},
};

static const struct field image_fields[] = {
    {MEMBER_SCHEMA, FIELD_STRING}, {MEMBER_ID, FIELD_STRING}, {MEMBER_IMAGE, FIELD_STRING}, {0, FIELD_END}};

static const struct field purchase_fields[] = {
    {MEMBER_SCHEMA, FIELD_STRING}, {MEMBER_ID, FIELD_STRING}, {0, FIELD_END}};

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

static const char *type_name(enum value_type type) {
    static const char *const names[] = {
        [VALUE_MISSING] = "missing", [VALUE_OBJECT] = "an object", [VALUE_ARRAY] = "an array",
        [VALUE_STRING] = "a string", [VALUE_NUMBER] = "a number",  [VALUE_BOOLEAN] = "a boolean",
        [VALUE_NULL] = "null",
    };
    return names[type];
}

static bool parse_time(const struct event_value *value, int64_t *ms) {
    return clock_parse(value->text, value->length, ms);
}

static bool check_field(struct envelope *out, const char *where, const struct event_object *object,
                        const struct field *field) {
    const struct event_value *value = &object->values[field->member];
    const char *name = event_member_name(field->member);
    int64_t ms;
    if (value->type == VALUE_MISSING)
        return field->type == FIELD_OPTIONAL_STRING ||
               dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is missing", where, name);
    if (field->type == FIELD_OBJECT)
        return value->type == VALUE_OBJECT || dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is %s, not an object",
                                                   where, name, type_name(value->type));
    if (value->type != VALUE_STRING)
        return dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is %s, not a string", where, name,
                    type_name(value->type));
    if (field->type == FIELD_TIME && !parse_time(value, &ms))
        return dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is not an RFC 3339 time", where, name);
    return true;
}

/* The name of a member that is none of the `allowed` (a bit for each member), or NULL. */
static const char *find_not_allowed(const struct event_object *object, unsigned allowed) {
    if (object->unknown)
        return object->unknown;
    for (unsigned i = 0; i < EVENT_MEMBERS; i++)
        if (object->values[i].type != VALUE_MISSING && !(allowed >> i & 1))
            return event_member_name(i);
    return NULL;
}

static bool check_fields(struct envelope *out, const char *where, const struct event_object *object,
                         const struct field *fields) {
    unsigned allowed = 0;
    for (const struct field *field = fields; field->type != FIELD_END; field++) {
        if (!check_field(out, where, object, field))
            return false;
        allowed |= 1U << field->member;
    }
    const char *name = find_not_allowed(object, allowed);
    return !name || dead(out, ENVELOPE_INVALID_FIELD, "%s.%s is not allowed", where, name);
}

static bool is_text(const struct event_value *value, const char *text) {
    return value->type == VALUE_STRING && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}

static bool check_envelope(struct envelope *out, const struct event_object *envelope) {
    const struct event_value *schema = &envelope->values[MEMBER_SCHEMA],
                             *event_id = &envelope->values[MEMBER_EVENT_ID];
    bool egress = is_text(schema, EGRESS);
    struct event_id id;

    if (!egress && !is_text(schema, INGRESS))
        return schema->type == VALUE_STRING
                   ? dead(out, ENVELOPE_UNKNOWN_SCHEMA, "schema is %.*s", (int)schema->length, schema->text)
                   : dead(out, ENVELOPE_UNKNOWN_SCHEMA, "schema is %s", type_name(schema->type));
    if (!check_fields(out, "envelope", envelope, egress ? egress_fields : ingress_fields))
        return false;
    return !egress || event_id_parse(event_id->text, event_id->length, &id) ||
           dead(out, ENVELOPE_MALFORMED_EVENT_ID, "eventId is '%.*s'", (int)event_id->length, event_id->text);
}

/* A key in DynamoDB, and part of a URL's path: not empty, not too long, no NUL. */
static bool check_key(struct envelope *out, enum envelope_reason reason, const char *what,
                      const struct event_value *value, size_t limit) {
    if (value->length == 0 || value->length > limit)
        return dead(out, reason, "%s has %zu bytes, not 1 to %zu", what, value->length, limit);
    if (memchr(value->text, '\0', value->length))
        return dead(out, reason, "%s contains U+0000", what);
    return true;
}

static const struct data_schema *find_data_schema(const struct event_value *name) {
    for (size_t i = 0; i < sizeof data_schemas / sizeof *data_schemas; i++)
        if (is_text(name, data_schemas[i].name))
            return &data_schemas[i];
    return NULL;
}

/* The key's length is not taken: that of an aggregated part may be as long as the record, in thousands of
 * parts. */
static bool is_partition_key(const struct event_value *id, const char *key) {
    return strncmp(id->text, key, id->length) == 0 && !key[id->length];
}

static bool check_data(struct envelope *out, const struct source_record *record,
                       const struct event_json *json) {
    const struct event_object *data = &json->data;
    if (!check_field(out, "data", data, &purchase_fields[0]))
        return false;

    const struct data_schema *schema = find_data_schema(&data->values[MEMBER_SCHEMA]);
    if (!schema) {
        out->kind = ENVELOPE_SKIPPED;
        return false;
    }
    const struct event_value *origin = &json->envelope.values[MEMBER_ORIGIN], *id = &data->values[MEMBER_ID];
    if (!check_fields(out, "data", data, schema->fields) ||
        !check_key(out, ENVELOPE_INVALID_ORIGIN, "origin", origin, LIMIT_KEY_BYTES) ||
        !check_key(out, ENVELOPE_INVALID_PRODUCT_ID, "product id", id, LIMIT_PRODUCT_ID_BYTES))
        return false;

    out->event.kind = schema->kind;
    return !record->partition_key || is_partition_key(id, record->partition_key) ||
           dead(out, ENVELOPE_PARTITION_KEY_MISMATCH, "the partition key is not the product id");
}

/* A string that is kept: `length` bytes of `from` (NULL: there is none), and `end`. */
struct text {
    const char *from;
    size_t length;
    const char *end;
};

static struct text whole_text(const struct event_value *value) {
    return (struct text){value->text, value->length, ""};
}

/* Of a product: what is before U+0000, cut to the limit. An empty one is none. */
static struct text product_text(const struct event_value *value) {
    static const char ellipsis[] = "\u2026";
    struct text text = {value->text, strnlen(value->text, value->length), ""};
    if (text.length > LIMIT_PRODUCT_TEXT_BYTES) {
        text.length = utf8_cut(text.from, LIMIT_PRODUCT_TEXT_BYTES - strlen(ellipsis));
        text.end = ellipsis;
    }
    return text.length ? text : (struct text){0};
}

/* Half an address is none. */
static struct text image_text(const struct event_value *value) {
    bool is_one =
        value->length && value->length <= LIMIT_IMAGE_BYTES && !memchr(value->text, '\0', value->length);
    return is_one ? whole_text(value) : (struct text){0};
}

static void keep_text(char **at, const char **to, const struct text *text) {
    if (!text->from)
        return;
    *to = *at;
    *at = stpcpy(mempcpy(*at, text->from, text->length), text->end) + 1;
}

/* In one block, of the strings that the fold needs. */
static void keep_strings(struct envelope *out, struct text id, const struct event_json *json) {
    struct event *event = &out->event;
    const struct event_value *data = json->data.values;
    bool is_create = event->kind == EVENT_CREATE, is_image = event->kind == EVENT_IMAGE;
    const struct text none = {0}, texts[] = {
                                      id,
                                      whole_text(&data[MEMBER_ID]),
                                      whole_text(&json->envelope.values[MEMBER_ORIGIN]),
                                      is_create ? product_text(&data[MEMBER_NAME]) : none,
                                      is_create ? product_text(&data[MEMBER_BRAND]) : none,
                                      is_create ? product_text(&data[MEMBER_CATEGORY]) : none,
                                      is_image ? image_text(&data[MEMBER_IMAGE]) : none,
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
static void set_arrival(struct envelope *out, const struct source_record *record,
                        const struct event_value *ingest) {
    int64_t *ms = &out->event.arrived_ms;
    bool is_given = ingest->type == VALUE_STRING;
    if (!is_given || !parse_time(ingest, ms) || *ms < 0)
        *ms = record->arrived_ms;
    out->foreign_arrival = is_given || record->arrived_ms < 0;
}

static void make_event(struct envelope *out, const char *shard_id, const struct source_record *record,
                       const struct event_json *json) {
    const struct event_value *fields = json->envelope.values;
    char made_id[EVENT_ID_SIZE];
    struct text id = whole_text(&fields[MEMBER_EVENT_ID]);
    if (!id.from) {
        id.from = event_id_format(shard_id, &record->position, made_id);
        id.length = strlen(id.from);
    }
    parse_time(&fields[MEMBER_TIME_ORIGIN], &out->event.time_ms);
    set_arrival(out, record, &fields[MEMBER_TIME_INGEST]);
    keep_strings(out, id, json);
    out->kind = ENVELOPE_EVENT;
}

/* What these members are; `out` is zeros. Whether it is an event. */
static bool decode(struct envelope *out, const char *shard_id, const struct source_record *record,
                   const struct event_json *json) {
    if (!check_envelope(out, &json->envelope) || !check_data(out, record, json))
        return false;
    make_event(out, shard_id, record, json);
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
        return dead(out, ENVELOPE_NOT_OBJECT, "the data is %s", type_name(event_json_type(*json)));
    return true;
}

void envelope_judge(struct envelope *out, const char *shard_id, const struct source_record *record) {
    json_auto_t *json = NULL;
    struct event_json members;

    memset(out, 0, sizeof *out);
    if (record->blank) {
        out->kind = ENVELOPE_SKIPPED;
        return;
    }
    if (!parse(out, record, &json))
        return;
    event_json_read(&members, json);
    decode(out, shard_id, record, &members);
}

void envelope_decode(struct envelope *out, const char *shard_id, const struct source_record *record) {
    struct event_json members;

    memset(out, 0, sizeof *out);
    if (record->cut || record->broken || !event_json_read_plain(&members, record->data, record->length) ||
        !decode(out, shard_id, record, &members))
        envelope_judge(out, shard_id, record);
}

void envelope_deinit(struct envelope *envelope) {
    free(envelope->strings);
    envelope->strings = NULL;
}
