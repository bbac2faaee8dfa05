#include "ingest/event_json.h"

#include <string.h>

#include "base/json_scan.h"

#define NAME(name)                                                                                           \
    { (name), sizeof(name) - 1 }

static const struct {
    const char *text;
    size_t length;
} names[EVENT_MEMBERS] = {
    [MEMBER_SCHEMA] = NAME("schema"),
    [MEMBER_ORIGIN] = NAME("origin"),
    [MEMBER_TIME_ORIGIN] = NAME("timeOrigin"),
    [MEMBER_DATA] = NAME("data"),
    [MEMBER_FOLLOWS_FROM] = NAME("followsFrom"),
    [MEMBER_EVENT_ID] = NAME("eventId"),
    [MEMBER_TIME_INGEST] = NAME("timeIngest"),
    [MEMBER_TIME_PROCESS] = NAME("timeProcess"),
    [MEMBER_ID] = NAME("id"),
    [MEMBER_BRAND] = NAME("brand"),
    [MEMBER_NAME] = NAME("name"),
    [MEMBER_DESCRIPTION] = NAME("description"),
    [MEMBER_CATEGORY] = NAME("category"),
    [MEMBER_IMAGE] = NAME("image"),
};

const char *event_member_name(enum event_member member) {
    return names[member].text;
}

/* The value of the member with this name; NULL: no event has one. */
static struct event_value *find_value(struct event_object *object, const char *name, size_t length) {
    for (size_t i = 0; i < EVENT_MEMBERS; i++)
        if (names[i].length == length && memcmp(names[i].text, name, length) == 0)
            return &object->values[i];
    return NULL;
}

enum value_type event_json_type(const json_t *value) {
    static const enum value_type types[] = {
        [JSON_OBJECT] = VALUE_OBJECT,  [JSON_ARRAY] = VALUE_ARRAY, [JSON_STRING] = VALUE_STRING,
        [JSON_INTEGER] = VALUE_NUMBER, [JSON_REAL] = VALUE_NUMBER, [JSON_TRUE] = VALUE_BOOLEAN,
        [JSON_FALSE] = VALUE_BOOLEAN,  [JSON_NULL] = VALUE_NULL,
    };
    return types[json_typeof(value)];
}

static void read_object(struct event_object *out, json_t *object) {
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        struct event_value *to = find_value(out, name, strlen(name));
        if (to)
            *to = (struct event_value){event_json_type(value), json_string_value(value),
                                       json_string_length(value)};
        else if (!out->unknown)
            out->unknown = name;
    }
}

void event_json_read(struct event_json *out, json_t *json) {
    memset(out, 0, sizeof *out);
    read_object(&out->envelope, json);
    read_object(&out->data, json_object_get(json, "data"));
}

static bool take_string(struct json_scan *scan, struct event_value *out) {
    out->type = VALUE_STRING;
    return json_scan_string(scan, &out->text, &out->length);
}

/* A name and its colon. */
static struct event_value *take_name(struct json_scan *scan, struct event_object *object) {
    struct event_value name, *value;
    if (!take_string(scan, &name) || !json_scan_take(scan, ':'))
        return NULL;
    value = find_value(object, name.text, name.length);
    return value && value->type == VALUE_MISSING ? value : NULL;
}

static bool take_data(struct json_scan *scan, struct event_object *data) {
    struct event_value *value;
    do {
        value = take_name(scan, data);
        if (!value || !take_string(scan, value))
            return false;
    } while (json_scan_take(scan, ','));
    return json_scan_take(scan, '}');
}

static bool take_envelope(struct json_scan *scan, struct event_json *out) {
    struct event_value *value;
    do {
        value = take_name(scan, &out->envelope);
        if (!value)
            return false;
        if (value == &out->envelope.values[MEMBER_DATA] && json_scan_take(scan, '{')) {
            value->type = VALUE_OBJECT;
            if (!take_data(scan, &out->data))
                return false;
        } else if (!take_string(scan, value)) {
            return false;
        }
    } while (json_scan_take(scan, ','));
    return json_scan_take(scan, '}');
}

bool event_json_read_plain(struct event_json *out, const char *data, size_t length) {
    if (!length)
        return false;
    struct json_scan scan = {data, data + length};
    memset(out, 0, sizeof *out);
    if (!json_scan_take(&scan, '{') || !take_envelope(&scan, out))
        return false;
    json_scan_space(&scan);
    return scan.at == scan.end;
}
