#include "views/position.h"

#include <string.h>

#define END_BYTE 0xFF

const struct position position_end = {1, {END_BYTE}};

bool position_is_number(const char *text, size_t length, size_t max_digits) {
    if (length == 0 || length > max_digits || (text[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

static void put_sub_sequence(struct position *p, uint32_t sub_sequence) {
    if (!sub_sequence)
        return;
    for (int shift = 24; shift >= 0; shift -= 8)
        p->bytes[p->length++] = (uint8_t)(sub_sequence >> shift);
}

static void put_magnitude(struct position *p, const uint8_t *magnitude, size_t size) {
    while (size && *magnitude == 0) {
        magnitude++;
        size--;
    }
    p->bytes[0] = (uint8_t)size;
    memcpy(p->bytes + 1, magnitude, size);
    p->length = (uint8_t)(1 + size);
}

/* 9 decimal digits at a time into base 2^32, least significant limb first. */
enum { LIMBS = 9, CHUNK_DIGITS = 9 };

static void limbs_multiply_add(uint32_t limbs[LIMBS], uint32_t factor, uint32_t term) {
    uint64_t carry = term;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static uint32_t limbs_divide(uint32_t limbs[LIMBS], uint32_t divisor) {
    uint64_t rest = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        rest = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

bool position_parse(const char *sequence, size_t length, uint32_t sub_sequence, struct position *out) {
    if (!position_is_number(sequence, length, LIMIT_SEQUENCE_DIGITS))
        return false;

    uint32_t limbs[LIMBS] = {0};
    for (size_t i = 0; i < length;) {
        uint32_t factor = 1, term = 0;
        for (int n = 0; n < CHUNK_DIGITS && i < length; n++, i++) {
            factor *= 10;
            term = term * 10 + (uint32_t)(sequence[i] - '0');
        }
        limbs_multiply_add(limbs, factor, term);
    }

    uint8_t magnitude[LIMBS * 4];
    for (size_t i = 0; i < sizeof magnitude; i++)
        magnitude[i] = (uint8_t)(limbs[LIMBS - 1 - i / 4] >> (24 - 8 * (i % 4)));
    put_magnitude(out, magnitude, sizeof magnitude);
    put_sub_sequence(out, sub_sequence);
    return true;
}

struct position position_from_u64(uint64_t sequence) {
    struct position p;
    uint8_t magnitude[8];
    for (int i = 0; i < 8; i++)
        magnitude[i] = (uint8_t)(sequence >> (56 - 8 * i));
    put_magnitude(&p, magnitude, sizeof magnitude);
    return p;
}

/* Whether position_parse makes the same bytes of its text: no leading zeros, no sub-sequence of 0, not too
 * large. */
static bool is_canonical(const struct position *p) {
    char text[POSITION_TEXT_SIZE];
    struct position again;
    position_sequence(p, text);
    return position_parse(text, strlen(text), position_sub_sequence(p), &again) &&
           position_compare(p, &again) == 0;
}

bool position_from_bytes(const void *bytes, size_t length, struct position *out) {
    const uint8_t *b = bytes;
    if (length == 0 || length > POSITION_BYTES)
        return false;
    bool end = length == 1 && b[0] == END_BYTE;
    size_t magnitude = b[0];
    if (!end &&
        (magnitude > POSITION_MAGNITUDE_BYTES || (length != 1 + magnitude && length != 1 + magnitude + 4)))
        return false;
    memcpy(out->bytes, b, length);
    out->length = (uint8_t)length;
    return end || is_canonical(out);
}

/* The fast path for a file's offsets: every event id of a file contains one. */
static const char *short_sequence(const struct position *p, char out[POSITION_TEXT_SIZE]) {
    uint64_t value = 0;
    char digits[20];
    size_t at = sizeof digits;
    for (size_t i = 0; i < p->bytes[0]; i++)
        value = value << 8 | p->bytes[1 + i];
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    memcpy(out, digits + at, sizeof digits - at);
    out[sizeof digits - at] = '\0';
    return out;
}

const char *position_sequence(const struct position *p, char out[POSITION_TEXT_SIZE]) {
    if (p->bytes[0] <= sizeof(uint64_t))
        return short_sequence(p, out);
    uint32_t limbs[LIMBS] = {0};
    for (size_t i = 0; i < p->bytes[0]; i++)
        limbs_multiply_add(limbs, 256, p->bytes[1 + i]);

    char digits[LIMBS * 10 + CHUNK_DIGITS];
    size_t at = sizeof digits;
    for (int chunk = 0; chunk <= LIMIT_SEQUENCE_DIGITS / CHUNK_DIGITS; chunk++) {
        uint32_t rest = limbs_divide(limbs, 1000000000);
        for (int i = 0; i < CHUNK_DIGITS; i++, rest /= 10)
            digits[--at] = (char)('0' + rest % 10);
    }
    while (at < sizeof digits - 1 && digits[at] == '0')
        at++;
    memcpy(out, digits + at, sizeof digits - at);
    out[sizeof digits - at] = '\0';
    return out;
}

uint32_t position_sub_sequence(const struct position *p) {
    uint32_t sub = 0;
    for (size_t i = 1u + p->bytes[0]; i < p->length; i++)
        sub = sub << 8 | p->bytes[i];
    return sub;
}

int position_compare(const struct position *a, const struct position *b) {
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, shorter);
    return order ? order : (int)a->length - (int)b->length;
}

int position_compare_sequences(const struct position *a, const struct position *b) {
    return memcmp(a->bytes, b->bytes, 1 + a->bytes[0]);
}
