#include "views/event_id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool event_id_is_shard_id(const char *text, size_t length) {
    if (length == 0 || length > LIMIT_SHARD_ID_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!text[i] || !strchr(TEXT_NAME_CHARACTERS, text[i]))
            return false;
    return true;
}

static bool parse_sub_sequence(const char *text, size_t length, uint32_t *out) {
    if (!position_is_number(text, length, 10))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    *out = (uint32_t)value;
    return value <= UINT32_MAX;
}

/* False without a sequence number, or with a sub-sequence number that is none. The others are not checked. */
static bool split(const char *text, size_t length, struct event_id *out) {
    const char *end = text + length;
    const char *colon = memchr(text, ':', length);
    if (!colon)
        return false;
    const char *sequence = colon + 1;
    const char *second = memchr(sequence, ':', (size_t)(end - sequence));

    *out = (struct event_id){
        .shard = text,
        .shard_length = (size_t)(colon - text),
        .sequence = sequence,
        .sequence_length = (size_t)((second ? second : end) - sequence),
    };
    return !second || parse_sub_sequence(second + 1, (size_t)(end - second - 1), &out->sub_sequence);
}

bool event_id_parse(const char *text, size_t length, struct event_id *out) {
    return split(text, length, out) && event_id_is_shard_id(out->shard, out->shard_length) &&
           position_is_number(out->sequence, out->sequence_length, LIMIT_SEQUENCE_DIGITS);
}

const char *event_id_format(const char *shard_id, const struct position *position, char out[EVENT_ID_SIZE]) {
    uint32_t sub = position_sub_sequence(position);
    char *at = stpcpy(out, shard_id);
    *at++ = ':';
    position_sequence(position, at);
    if (sub) {
        at += strlen(at);
        snprintf(at, EVENT_ID_SIZE - (size_t)(at - out), ":%" PRIu32, sub);
    }
    return out;
}

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = memcmp(a, b, shorter);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

/* Without leading zeros, the longer number is the greater. */
static int compare_numbers(const char *a, size_t a_length, const char *b, size_t b_length) {
    if (a_length != b_length)
        return a_length < b_length ? -1 : 1;
    return memcmp(a, b, a_length);
}

int event_id_compare(const struct event_id *a, const struct event_id *b) {
    int order = compare_bytes(a->shard, a->shard_length, b->shard, b->shard_length);
    if (!order)
        order = compare_numbers(a->sequence, a->sequence_length, b->sequence, b->sequence_length);
    if (!order)
        order = (a->sub_sequence > b->sub_sequence) - (a->sub_sequence < b->sub_sequence);
    return order;
}

int event_id_compare_texts(const char *a, const char *b) {
    struct event_id x, y;
    split(a, strlen(a), &x);
    split(b, strlen(b), &y);
    return event_id_compare(&x, &y);
}
