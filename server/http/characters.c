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

enum { TOKEN = 1, AUTHORITY = 2, BOTH = TOKEN | AUTHORITY };

/* What each byte may be a part of. */
static const unsigned char parts[256] = {
    ['0' ... '9'] = BOTH, ['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH, ['!'] = BOTH,      ['$'] = BOTH,
    ['%'] = BOTH,         ['&'] = BOTH,         ['\''] = BOTH,        ['*'] = BOTH,      ['+'] = BOTH,
    ['-'] = BOTH,         ['.'] = BOTH,         ['_'] = BOTH,         ['~'] = BOTH,      ['#'] = TOKEN,
    ['^'] = TOKEN,        ['`'] = TOKEN,        ['|'] = TOKEN,        ['('] = AUTHORITY, [')'] = AUTHORITY,
    [','] = AUTHORITY,    [':'] = AUTHORITY,    [';'] = AUTHORITY,    ['='] = AUTHORITY, ['['] = AUTHORITY,
    [']'] = AUTHORITY,
};

static bool are_all(unsigned char part, const char *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        part &= parts[(unsigned char)text[i]];
    return part;
}

bool characters_are_token(const char *text, size_t length) {
    return length && are_all(TOKEN, text, length);
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
    return are_all(AUTHORITY, text, length);
}

bool characters_are_target(const char *text) {
    if (!*text)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f || *text == '#')
            return false;
    return true;
}
