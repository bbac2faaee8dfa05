#include "ingest/event_json.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

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

/* What is not read yet. */
struct rest {
    const char *at, *end;
};

static void skip_space(struct rest *rest) {
    while (rest->at < rest->end &&
           (*rest->at == ' ' || *rest->at == '\n' || *rest->at == '\r' || *rest->at == '\t'))
        rest->at++;
}

/* Past white space, and past `c` if that is next. */
static bool take(struct rest *rest, char c) {
    skip_space(rest);
    if (rest->at == rest->end || *rest->at != c)
        return false;
    rest->at++;
    return true;
}

/* Eight bytes at a time: a number that has the same byte eight times, and one with each byte's highest bit.
 */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define HIGHEST EACH(0x80)

/* The next eight bytes, the first the lowest; zeros where the data ends. */
static uint64_t load(const struct rest *rest) {
    uint64_t word = 0;
    size_t left = (size_t)(rest->end - rest->at);
    if (left >= sizeof word)
        memcpy(&word, rest->at, sizeof word);
    else
        memcpy(&word, rest->at, left);
    return le64toh(word);
}

/* Marks each ASCII byte below `limit` (at most 0x80) by its highest bit. Above the first, a borrow may mark
 * others. */
static inline uint64_t mark_below(uint64_t word, uint8_t limit) {
    return (word - EACH(limit)) & ~word & HIGHEST;
}

/* The first mark is at the first byte that may not stand in a plain string: a quote, an escape, or a control
 * character. */
static inline uint64_t mark_string_end(uint64_t word) {
    return mark_below(word ^ EACH('"'), 1) | mark_below(word ^ EACH('\\'), 1) | mark_below(word, 0x20);
}

/* Goes to the end of the characters of a plain string. Returns the bits that any of them, or of a few bytes
 * behind them, has. */
static uint64_t skip_characters(struct rest *rest) {
    uint64_t bits = 0, word, marks;
    while (rest->at < rest->end) {
        bits |= word = load(rest);
        marks = mark_string_end(word);
        rest->at += marks ? __builtin_ctzll(marks) / 8 : (int)sizeof word;
        if (marks)
            break;
    }
    return bits;
}

static bool take_string(struct rest *rest, struct event_value *out) {
    if (!take(rest, '"'))
        return false;
    const char *begin = rest->at;
    bool is_ascii = !(skip_characters(rest) & HIGHEST);
    *out = (struct event_value){VALUE_STRING, begin, (size_t)(rest->at - begin)};
    if (rest->at == rest->end || *rest->at != '"')
        return false;
    rest->at++;
    return is_ascii || utf8_is_valid(out->text, out->length);
}

/* A name and its colon. */
static struct event_value *take_name(struct rest *rest, struct event_object *object) {
    struct event_value name, *value;
    if (!take_string(rest, &name) || !take(rest, ':'))
        return NULL;
    value = find_value(object, name.text, name.length);
    return value && value->type == VALUE_MISSING ? value : NULL;
}

static bool take_data(struct rest *rest, struct event_object *data) {
    struct event_value *value;
    do {
        value = take_name(rest, data);
        if (!value || !take_string(rest, value))
            return false;
    } while (take(rest, ','));
    return take(rest, '}');
}

static bool take_envelope(struct rest *rest, struct event_json *out) {
    struct event_value *value;
    do {
        value = take_name(rest, &out->envelope);
        if (!value)
            return false;
        if (value == &out->envelope.values[MEMBER_DATA] && take(rest, '{')) {
            value->type = VALUE_OBJECT;
            if (!take_data(rest, &out->data))
                return false;
        } else if (!take_string(rest, value)) {
            return false;
        }
    } while (take(rest, ','));
    return take(rest, '}');
}

bool event_json_read_plain(struct event_json *out, const char *data, size_t length) {
    if (!length)
        return false;
    struct rest rest = {data, data + length};
    memset(out, 0, sizeof *out);
    if (!take(&rest, '{') || !take_envelope(&rest, out))
        return false;
    skip_space(&rest);
    return rest.at == rest.end;
}
