#include "server/http/characters.h"

#include <stdint.h>
#include <string.h>

/* Whether eight bytes are visible characters of ASCII or spaces. A sum carries into the next byte only from
 * one that is neither. */
static bool is_plain_word(const char *text) {
    const uint64_t ones = UINT64_MAX / 255;
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return !((word | (word - ones * ' ') | (word + ones)) & (ones * 0x80));
}

/* The same of the whole text. The last eight bytes overlap those before; a shorter text is not looked at. */
static bool is_plain(const char *text, size_t length) {
    if (length < 8)
        return false;
    const char *last = text + length - 8;
    for (; text < last; text += 8)
        if (!is_plain_word(text))
            return false;
    return is_plain_word(last);
}

/* Characters of ASCII, one bit for each. */
struct set {
    uint64_t bits[2];
};

static const struct set token = {{0x03ff6cfa00000000, 0x57ffffffc7fffffe}};
static const struct set authority = {{0x2fff7ff200000000, 0x47fffffeaffffffe}};

static bool is_all_of(const struct set *set, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 128 || !(set->bits[c >> 6] >> (c & 63) & 1))
            return false;
    }
    return true;
}

bool characters_are_token(const char *text, size_t length) {
    return length && is_all_of(&token, text, length);
}

bool characters_are_value(const char *text, size_t length) {
    if (is_plain(text, length))
        return true;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool characters_are_authority(const char *text, size_t length) {
    return is_all_of(&authority, text, length);
}

bool characters_are_target(const char *text) {
    if (!*text)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f || *text == '#')
            return false;
    return true;
}
