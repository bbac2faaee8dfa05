/*
 * event_json: the members of an event's JSON, taken from what jansson has parsed, or read without it from the
 * plain form.
 *
 * Plain is what producers write: an object of strings, in which only `data` is an object, of strings too;
 * with these names only, none twice, in any order; white space as in RFC 8259, no escapes, valid UTF-8. What
 * is read so is what jansson reads. Everything else is for jansson to read, and to find at fault:
 * tests/fuzz/fuzz_envelope.c compares the two.
 */
#ifndef INGEST_EVENT_JSON_H
#define INGEST_EVENT_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum event_member {
    MEMBER_SCHEMA,
    MEMBER_ORIGIN,
    MEMBER_TIME_ORIGIN,
    MEMBER_DATA,
    MEMBER_FOLLOWS_FROM,
    MEMBER_EVENT_ID,
    MEMBER_TIME_INGEST,
    MEMBER_TIME_PROCESS,
    MEMBER_ID,
    MEMBER_BRAND,
    MEMBER_NAME,
    MEMBER_DESCRIPTION,
    MEMBER_CATEGORY,
    MEMBER_IMAGE,
};
enum { EVENT_MEMBERS = MEMBER_IMAGE + 1 };

/* As it stands in the JSON: "timeOrigin". */
const char *event_member_name(enum event_member member);

enum value_type {
    VALUE_MISSING,
    VALUE_OBJECT,
    VALUE_ARRAY,
    VALUE_STRING,
    VALUE_NUMBER,
    VALUE_BOOLEAN,
    VALUE_NULL,
};

/* Of a string, its `length` bytes of UTF-8, borrowed, without an end; from jansson they may contain NUL. */
struct event_value {
    enum value_type type;
    const char *text;
    size_t length;
};

struct event_object {
    struct event_value values[EVENT_MEMBERS]; /* by enum event_member */
    const char *unknown;                      /* the first name that is none of them, or NULL */
};

struct event_json {
    struct event_object envelope;
    struct event_object data; /* if the envelope's `data` is an object */
};

enum value_type event_json_type(const json_t *value);

/* The members of `json`, an object, from which `out` borrows. */
void event_json_read(struct event_json *out, json_t *json);

/* Whether `data` is of the plain form; only then is `out` complete. It borrows from `data`. */
bool event_json_read_plain(struct event_json *out, const char *data, size_t length);

#endif
