#include "base/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

char *base64_encode(const void *data, size_t length) {
    if (length > INT_MAX / 2)
        mem_exhausted();
    char *out = mem_alloc((length + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)out, data, (int)length);
    return out;
}

/* Of each character of the alphabet its value plus one; 0: it is none. */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64};

/* The 24 bits of four characters; more than 24 if one is not of the alphabet. */
static inline uint32_t decode_group(const uint8_t text[4]) {
    return (values[text[0]] - UINT32_C(1)) << 18 | (values[text[1]] - UINT32_C(1)) << 12 |
           (values[text[2]] - UINT32_C(1)) << 6 | (values[text[3]] - UINT32_C(1));
}

static inline void put_group(uint8_t out[3], uint32_t bits) {
    out[0] = (uint8_t)(bits >> 16);
    out[1] = (uint8_t)(bits >> 8);
    out[2] = (uint8_t)bits;
}

/* The last four characters, with their padding. More than 24 bits also if some are stray (RFC 4648, section
 * 3.5). */
static uint32_t decode_last(const uint8_t text[4], size_t padding) {
    uint8_t last[4];
    memcpy(last, text, sizeof last);
    memset(last + sizeof last - padding, 'A', padding);
    uint32_t bits = decode_group(last), stray = (UINT32_C(1) << 8 * padding) - 1;
    return bits & stray ? UINT32_MAX : bits;
}

/* Three bytes for each of `n` groups, those of the padding included. */
static bool decode_groups(const uint8_t *text, size_t n, size_t padding, uint8_t *out) {
    uint32_t all = 0, bits;
    for (; n > 0; n--, text += 4, out += 3) {
        all |= bits = n > 1 ? decode_group(text) : decode_last(text, padding);
        put_group(out, bits);
    }
    return all >> 24 == 0;
}

uint8_t *base64_decode(const char *text, size_t text_length, size_t *length) {
    size_t groups = text_length / 4, padding = 0;
    if (text_length % 4)
        return NULL;
    while (padding < 2 && padding < text_length && text[text_length - 1 - padding] == '=')
        padding++;
    uint8_t *out = mem_alloc(groups * 3 + 1);
    if (!decode_groups((const uint8_t *)text, groups, padding, out)) {
        free(out);
        return NULL;
    }
    *length = groups * 3 - padding;
    out[*length] = '\0';
    return out;
}

static void exchange(char *text, const char *from, const char *to) {
    for (; *text; text++) {
        const char *at = strchr(from, *text);
        if (at)
            *text = to[at - from];
    }
}

char *base64_url_encode(const void *data, size_t length) {
    char *out = base64_encode(data, length);
    exchange(out, "+/", "-_");
    out[strcspn(out, "=")] = '\0';
    return out;
}

uint8_t *base64_url_decode(const char *text, size_t text_length, size_t *length) {
    if (memchr(text, '+', text_length) || memchr(text, '/', text_length) || memchr(text, '=', text_length) ||
        memchr(text, '\0', text_length) || text_length > INT_MAX / 2)
        return NULL;
    size_t padded = (text_length + 3) / 4 * 4;
    _cleanup_(mem_freep) char *standard = mem_alloc(padded + 1);
    memcpy(standard, text, text_length);
    memset(standard + text_length, '=', padded - text_length);
    standard[padded] = '\0';
    exchange(standard, "-_", "+/");

    return base64_decode(standard, padded, length);
}
