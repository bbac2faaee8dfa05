/*
 * position: where a record lies in its shard: a sequence number, and the place within an aggregated record.
 *
 * Sequence numbers are decimal integers of about 56 digits (80 are accepted): too long for a machine word,
 * and as strings they sort wrongly. A position is kept as bytes whose order is the numeric order, in memory
 * and in the watermarks: one byte with the number of magnitude bytes, the sequence number big-endian without
 * leading zeros, and 4 big-endian bytes of sub-sequence number if that is not 0.
 */
#ifndef VIEWS_POSITION_H
#define VIEWS_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/* 80 digits are 266 bits. */
#define POSITION_MAGNITUDE_BYTES 34
#define POSITION_BYTES (1 + POSITION_MAGNITUDE_BYTES + 4)
#define POSITION_TEXT_SIZE (LIMIT_SEQUENCE_DIGITS + 2)

struct position {
    uint8_t length; /* bytes used; never 0 in a valid position */
    uint8_t bytes[POSITION_BYTES];
};

/* Above all positions. Older programs left it as the watermark of an ended shard. */
extern const struct position position_end;

/* Whether `text` is "0", or digits without a leading zero, at most `max_digits` of them. */
bool position_is_number(const char *text, size_t length, size_t max_digits);

/* False unless `sequence` is a number of at most LIMIT_SEQUENCE_DIGITS digits. */
bool position_parse(const char *sequence, size_t length, uint32_t sub_sequence, struct position *out);

/* The sequence number of a plain integer: a file's byte offset. */
struct position position_from_u64(uint64_t sequence);

/* From stored bytes; false if they are no position (position_end is one). */
bool position_from_bytes(const void *bytes, size_t length, struct position *out);

/* The sequence number in decimal, and the sub-sequence number. Not for position_end. */
const char *position_sequence(const struct position *p, char out[POSITION_TEXT_SIZE]);
uint32_t position_sub_sequence(const struct position *p);

/* Negative, 0, positive: `a` is below, equal to, above `b`. */
int position_compare(const struct position *a, const struct position *b);

/* The same for their sequence numbers only. Not for position_end. */
int position_compare_sequences(const struct position *a, const struct position *b);

#endif
