/* For the properties of ids and positions: random decimal numbers of 1 to 80 digits, and arithmetic on their
 * digits, which no tested code uses. */
#ifndef TESTS_UNIT_SUPPORT_DECIMAL_H
#define TESTS_UNIT_SUPPORT_DECIMAL_H

#include <stdlib.h>

#include "base/limits.h"
#include "tests/unit/support/test.h"

#define DECIMAL_SIZE (LIMIT_SEQUENCE_DIGITS + 1)

/* WINNER_VIEW_SEED, else always the same. Failures print it. */
static inline uint64_t decimal_seed(void) {
    const char *seed = getenv("WINNER_VIEW_SEED");
    uint64_t number = seed ? strtoull(seed, NULL, 10) : 0;
    return number ? number : 20261123;
}

static inline void decimal_draw(uint64_t *random, size_t digits, char out[DECIMAL_SIZE]) {
    for (size_t i = 0; i < digits; i++)
        out[i] = (char)('0' + support_random(random) % 10);
    if (digits > 1 && out[0] == '0')
        out[0] = (char)('1' + support_random(random) % 9);
    out[digits] = '\0';
}

static inline size_t decimal_draw_length(uint64_t *random) {
    return 1 + support_random(random) % LIMIT_SEQUENCE_DIGITS;
}

/* Adds 1 to, or (`down`) takes 1 from a number; not from 0, and not to one of 80 nines. */
static inline void decimal_step(char *number, bool down) {
    char carry = down ? '0' : '9', into = down ? '9' : '0';
    size_t n = strlen(number), i = n;
    while (i && number[i - 1] == carry)
        number[--i] = into;
    if (i) {
        number[i - 1] = (char)(number[i - 1] + (down ? -1 : 1));
    } else { /* nines: one digit more */
        memmove(number + 1, number, n + 1);
        number[0] = '1';
    }
    if (number[0] == '0' && number[1])
        memmove(number, number + 1, n);
}

/* A number to compare `of` with: another, the same, the one before or after, or a prefix of it. */
static inline void decimal_draw_near(uint64_t *random, const char *of, char out[DECIMAL_SIZE]) {
    strcpy(out, of);
    switch (support_random(random) % 5) {
    case 0:
        decimal_draw(random, decimal_draw_length(random), out);
        break;
    case 1:
        if (strspn(of, "9") < LIMIT_SEQUENCE_DIGITS)
            decimal_step(out, false);
        break;
    case 2:
        if (strcmp(of, "0") != 0)
            decimal_step(out, true);
        break;
    case 3:
        out[1 + support_random(random) % strlen(of)] = '\0';
        break;
    default:
        break;
    }
}

/* A sub-sequence number: often none, or one at an edge. */
static inline uint32_t decimal_draw_sub(uint64_t *random) {
    static const uint32_t edges[] = {0, 0, 0, 1, 2, 9, 10, 255, 256, 65536, UINT32_MAX - 1, UINT32_MAX};
    uint32_t choice = support_random(random) % (COUNT(edges) + 4);
    return choice < COUNT(edges) ? edges[choice] : support_random(random);
}

/* Without leading zeros the longer is the greater, and of equal length the later in order. -1, 0, 1. */
static inline int decimal_compare(const char *a, const char *b) {
    size_t m = strlen(a), n = strlen(b);
    int order = m != n ? (m > n ? 1 : -1) : strcmp(a, b);
    return (order > 0) - (order < 0);
}

/* The number's bytes, big-endian without leading zeros, by dividing its digits by 256 over and over. Returns
 * how many. */
static inline size_t decimal_bytes(const char *number, uint8_t out[40]) {
    char digits[DECIMAL_SIZE];
    uint8_t reversed[40];
    size_t n = 0;
    strcpy(digits, number);
    while (digits[strspn(digits, "0")]) {
        unsigned rest = 0;
        for (char *digit = digits; *digit; digit++) {
            unsigned value = rest * 10 + (unsigned)(*digit - '0');
            *digit = (char)('0' + value / 256);
            rest = value % 256;
        }
        reversed[n++] = (uint8_t)rest;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

static inline int decimal_compare_subs(uint32_t a, uint32_t b) {
    return (a > b) - (a < b);
}

#endif
