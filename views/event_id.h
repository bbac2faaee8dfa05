/*
 * event_id: `shardId-000000000002:49577...[:sub-sequence]`, the name of an event on the core stream.
 *
 * Ids compare by shard id, then sequence number, then sub-sequence number (absent: 0), the latter two as
 * numbers. An id is not a position (position.h), which is where the record lies in the stream that is read:
 * on a fanned-out stream the two differ.
 */
#ifndef VIEWS_EVENT_ID_H
#define VIEWS_EVENT_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "views/position.h"

#define EVENT_ID_SIZE (LIMIT_SHARD_ID_BYTES + 1 + LIMIT_SEQUENCE_DIGITS + 1 + 10 + 1)

/* The parts, borrowed from the text that was parsed. */
struct event_id {
    const char *shard;
    size_t shard_length;
    const char *sequence;
    size_t sequence_length;
    uint32_t sub_sequence;
};

/* False unless `text` is well-formed: a shard id, a sequence number as position_parse takes it, and perhaps a
 * sub-sequence number below 2^32 without leading zeros. */
bool event_id_parse(const char *text, size_t length, struct event_id *out);

/* The id of a record that brings none, made of its position. */
const char *event_id_format(const char *shard_id, const struct position *position, char out[EVENT_ID_SIZE]);

/* Negative, 0, positive. */
int event_id_compare(const struct event_id *a, const struct event_id *b);
int event_id_compare_texts(const char *a, const char *b); /* both are well-formed */

/* 1..LIMIT_SHARD_ID_BYTES characters of [A-Za-z0-9_.-]. */
bool event_id_is_shard_id(const char *text, size_t length);

#endif
