#include "base/json_scan.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

void json_scan_space(struct json_scan *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

bool json_scan_take(struct json_scan *scan, char c) {
    json_scan_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* Eight bytes at a time: a number that has the same byte eight times, and one with each byte's highest bit.
 */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))
#define HIGHEST EACH(0x80)

/* The next eight bytes, the first the lowest; zeros where the text ends. */
static uint64_t load(const struct json_scan *scan) {
    uint64_t word = 0;
    size_t left = (size_t)(scan->end - scan->at);
    if (left >= sizeof word)
        memcpy(&word, scan->at, sizeof word);
    else
        memcpy(&word, scan->at, left);
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
static uint64_t skip_characters(struct json_scan *scan) {
    uint64_t bits = 0, word, marks;
    while (scan->at < scan->end) {
        bits |= word = load(scan);
        marks = mark_string_end(word);
        scan->at += marks ? __builtin_ctzll(marks) / 8 : (int)sizeof word;
        if (marks)
            break;
    }
    return bits;
}

size_t json_scan_characters(const char *at, const char *end) {
    struct json_scan scan = {at, end};
    skip_characters(&scan);
    return (size_t)(scan.at - at);
}

bool json_scan_string(struct json_scan *scan, const char **text, size_t *length) {
    if (!json_scan_take(scan, '"'))
        return false;
    *text = scan->at;
    bool is_ascii = !(skip_characters(scan) & HIGHEST);
    if (scan->at >= scan->end || *scan->at != '"')
        return false;
    *length = (size_t)(scan->at++ - *text);
    return is_ascii || utf8_is_valid(*text, *length);
}
