#include "aws/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json_scan.h"
#include "base/limits.h"
#include "base/mem.h"

enum {
    DEPTH = 16,          /* of objects and arrays within each other; jansson reads 2048 */
    INTEGER_DIGITS = 18, /* more may not fit into 64 bits */
    NUMBER_LENGTH = 32,
};

/* Reading. */

static json_t *read_value(struct json_scan *scan, int depth);

/* Frees `whole` unless it was read to its end. */
static json_t *conclude(json_t *whole, bool is_plain) {
    if (is_plain)
        return whole;
    json_decref(whole);
    return NULL;
}

static bool read_member(struct json_scan *scan, json_t *object, int depth) {
    const char *name;
    size_t length;
    if (!json_scan_string(scan, &name, &length) || !json_scan_take(scan, ':'))
        return false;
    json_t *value = read_value(scan, depth);
    return value && json_object_setn_new_nocheck(object, name, length, value) == 0;
}

static json_t *read_object(struct json_scan *scan, int depth) {
    json_t *object = json_object();
    bool is_plain = object != NULL;
    if (json_scan_take(scan, '}'))
        return object;
    do
        is_plain = is_plain && read_member(scan, object, depth);
    while (is_plain && json_scan_take(scan, ','));
    return conclude(object, is_plain && json_scan_take(scan, '}'));
}

static json_t *read_array(struct json_scan *scan, int depth) {
    json_t *array = json_array();
    bool is_plain = array != NULL;
    if (json_scan_take(scan, ']'))
        return array;
    do
        is_plain = is_plain && json_array_append_new(array, read_value(scan, depth)) == 0;
    while (is_plain && json_scan_take(scan, ','));
    return conclude(array, is_plain && json_scan_take(scan, ']'));
}

static size_t skip_digits(struct json_scan *scan) {
    const char *begin = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - begin);
}

static bool take_byte(struct json_scan *scan, char a, char b) {
    bool is_there = scan->at < scan->end && (*scan->at == a || *scan->at == b);
    scan->at += is_there;
    return is_there;
}

/* What makes a number real. Kinesis writes times as 1.679520584772E9. False: no digits. */
static bool skip_fraction_and_exponent(struct json_scan *scan) {
    if (take_byte(scan, '.', '.') && !skip_digits(scan))
        return false;
    if (!take_byte(scan, 'e', 'E'))
        return true;
    take_byte(scan, '+', '-');
    return skip_digits(scan) > 0;
}

/* Copied: the number functions read up to a byte that is no part of a number. */
static json_t *read_number(struct json_scan *scan) {
    char text[NUMBER_LENGTH + 1];
    const char *begin = scan->at;
    scan->at += *begin == '-';
    const char *first = scan->at;
    size_t digits = skip_digits(scan);
    if (!digits || digits > INTEGER_DIGITS || (*first == '0' && digits > 1))
        return NULL;
    const char *rest = scan->at;
    if (!skip_fraction_and_exponent(scan))
        return NULL;
    bool is_real = scan->at > rest;
    size_t length = (size_t)(scan->at - begin);
    if (length > NUMBER_LENGTH)
        return NULL;
    memcpy(text, begin, length);
    text[length] = '\0';
    return is_real ? json_real(strtod(text, NULL)) : json_integer(strtoll(text, NULL, 10));
}

static json_t *read_word(struct json_scan *scan, const char *word, json_t *value) {
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return NULL;
    scan->at += length;
    return value;
}

static json_t *read_string(struct json_scan *scan) {
    const char *text;
    size_t length;
    return json_scan_string(scan, &text, &length) ? json_stringn_nocheck(text, length) : NULL;
}

static json_t *read_value(struct json_scan *scan, int depth) {
    json_scan_space(scan);
    if (scan->at == scan->end || depth == 0)
        return NULL;
    switch (*scan->at) {
    case '{':
        scan->at++;
        return read_object(scan, depth - 1);
    case '[':
        scan->at++;
        return read_array(scan, depth - 1);
    case '"':
        return read_string(scan);
    case 't':
        return read_word(scan, "true", json_true());
    case 'f':
        return read_word(scan, "false", json_false());
    case 'n':
        return read_word(scan, "null", json_null());
    default:
        return read_number(scan);
    }
}

json_t *aws_json_read_plain(const char *text, size_t length) {
    if (!length)
        return NULL;
    struct json_scan scan = {text, text + length};
    json_t *value = read_value(&scan, DEPTH);
    json_scan_space(&scan);
    return conclude(value, scan.at == scan.end);
}

json_t *aws_json_read(const char *text, size_t length) {
    json_t *value = aws_json_read_plain(text, length);
    return value ? value : json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* Writing. */

static void write_value(struct buffer *out, json_t *value);

static void write_escape(struct buffer *out, char c) {
    static const char of[] = "\"\\\b\f\n\r\t", by[] = "\"\\bfnrt";
    const char *at = c ? strchr(of, c) : NULL;
    if (at)
        buffer_printf(out, "\\%c", by[at - of]);
    else
        buffer_printf(out, "\\u%04X", (unsigned)c);
}

static void write_string(struct buffer *out, const char *text, size_t length) {
    const char *end = text + length;
    buffer_putc(out, '"');
    for (;;) {
        size_t plain = json_scan_characters(text, end);
        buffer_append(out, text, plain);
        text += plain;
        if (text == end)
            break;
        write_escape(out, *text++);
    }
    buffer_putc(out, '"');
}

static void write_object(struct buffer *out, json_t *object) {
    const char *name;
    size_t length;
    json_t *value;
    char before = '{';
    json_object_keylen_foreach(object, name, length, value) {
        buffer_putc(out, before);
        write_string(out, name, length);
        buffer_putc(out, ':');
        write_value(out, value);
        before = ',';
    }
    buffer_puts(out, before == '{' ? "{}" : "}");
}

static void write_array(struct buffer *out, const json_t *array) {
    buffer_putc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            buffer_putc(out, ',');
        write_value(out, json_array_get(array, i));
    }
    buffer_putc(out, ']');
}

/* Numbers and words: jansson has rules for them, and they are few. */
static void write_other(struct buffer *out, const json_t *value) {
    _cleanup_(mem_freep) char *text = json_dumps(value, JSON_ENCODE_ANY);
    if (!text)
        mem_exhausted();
    buffer_puts(out, text);
}

static void write_value(struct buffer *out, json_t *value) {
    if (json_is_object(value))
        write_object(out, value);
    else if (json_is_array(value))
        write_array(out, value);
    else if (json_is_string(value))
        write_string(out, json_string_value(value), json_string_length(value));
    else
        write_other(out, value);
}

char *aws_json_write(json_t *value, size_t *length) {
    struct buffer out;
    buffer_init(&out, LIMIT_AWS_BODY_BYTES);
    write_value(&out, value);
    if (out.overflowed)
        mem_exhausted();
    *length = out.length;
    return buffer_detach(&out);
}
