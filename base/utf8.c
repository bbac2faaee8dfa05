#include "base/utf8.h"

#include <string.h>

/* The length of the well-formed sequence at `s` (RFC 3629, section 4), 0 if there is none. */
static size_t sequence_length(const uint8_t *s, size_t left) {
    uint8_t lead = s[0], low = 0x80, high = 0xBF;
    size_t length;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0)
            low = 0xA0; /* else overlong */
        if (lead == 0xED)
            high = 0x9F; /* else a surrogate */
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0)
            low = 0x90; /* else overlong */
        if (lead == 0xF4)
            high = 0x8F; /* else above U+10FFFF */
    } else {
        return 0;
    }
    if (left < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* Of its beginning, in whole words. */
static size_t ascii_length(const char *data, size_t length) {
    size_t n = 0;
    for (uint64_t word; n + sizeof word <= length; n += sizeof word) {
        memcpy(&word, data + n, sizeof word);
        if (word & 0x8080808080808080)
            break;
    }
    return n;
}

bool utf8_is_valid(const char *data, size_t length) {
    const uint8_t *s = (const uint8_t *)data;
    for (size_t i = ascii_length(data, length); i < length;) {
        size_t n = s[i] < 0x80 ? 1 : sequence_length(s + i, length - i);
        if (!n)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_decode(const char *data, size_t left, uint32_t *c) {
    static const uint8_t lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07}; /* by length */
    const uint8_t *s = (const uint8_t *)data;
    size_t length = sequence_length(s, left);
    if (!length) {
        *c = 0xFFFD;
        return 1;
    }
    *c = s[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        *c = *c << 6 | (s[i] & 0x3F);
    return length;
}

static bool starts_code_point(char c) {
    return ((uint8_t)c & 0xC0) != 0x80;
}

size_t utf8_count(const char *data, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += starts_code_point(data[i]);
    return count;
}

size_t utf8_offset(const char *data, size_t length, size_t index) {
    for (size_t i = 0; i < length; i++)
        if (starts_code_point(data[i]) && index-- == 0)
            return i;
    return length;
}

size_t utf8_cut(const char *data, size_t length) {
    size_t last = length;
    while (last && !starts_code_point(data[last - 1]))
        last--;
    return last && utf8_is_valid(data + last - 1, length - last + 1) ? length : last - (last > 0);
}

void utf8_mend(char *text) {
    size_t length = utf8_cut(text, strlen(text));
    text[length] = '\0';
    for (size_t i = 0; i < length;) {
        size_t n = sequence_length((const uint8_t *)text + i, length - i);
        if (!n)
            text[i] = '?';
        i += n ? n : 1;
    }
}
