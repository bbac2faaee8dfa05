#include "base/text.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

struct range {
    uint32_t first, last;
};

static const struct range deceptive[] = {
    {0x00, 0x1F},     {0x7F, 0x9F},                                         /* Cc */
    {0x061C, 0x061C}, {0x200E, 0x200F}, {0x202A, 0x202E}, {0x2066, 0x2069}, /* Bidi_Control */
    {0x2028, 0x2029},                                                       /* Zl, Zp */
};

/* Besides the deceptive ones. */
static const struct range invisible[] = {
    /* White_Space */
    {0x20, 0x20},
    {0xA0, 0xA0},
    {0x1680, 0x1680},
    {0x2000, 0x200A},
    {0x202F, 0x202F},
    {0x205F, 0x205F},
    {0x3000, 0x3000},
    /* Default_Ignorable_Code_Point */
    {0xAD, 0xAD},
    {0x034F, 0x034F},
    {0x115F, 0x1160},
    {0x17B4, 0x17B5},
    {0x180B, 0x180F},
    {0x200B, 0x200D},
    {0x2060, 0x206F},
    {0x3164, 0x3164},
    {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},
    {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFF8},
    {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF},
    /* the empty braille pattern */
    {0x2800, 0x2800},
};

static bool is_in(uint32_t c, const struct range ranges[], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

bool text_is_deceptive(uint32_t c) {
    return is_in(c, deceptive, sizeof deceptive / sizeof *deceptive);
}

bool text_is_blank(const char *text, size_t length) {
    size_t bytes;
    for (size_t i = 0; i < length; i += bytes) {
        uint32_t c;
        bytes = utf8_decode(text + i, length - i, &c);
        if (!text_is_deceptive(c) && !is_in(c, invisible, sizeof invisible / sizeof *invisible))
            return false;
    }
    return true;
}

char *text_cleaned(const char *text, size_t length) {
    char *out = mem_alloc(length * strlen(REPLACEMENT) + 1);
    size_t n = 0, bytes;
    for (size_t i = 0; i < length; i += bytes) {
        uint32_t c;
        bytes = utf8_decode(text + i, length - i, &c);
        bool replace = text_is_deceptive(c) || c == 0xFFFD;
        size_t added = replace ? strlen(REPLACEMENT) : bytes;
        memcpy(out + n, replace ? REPLACEMENT : text + i, added);
        n += added;
    }
    out[n] = '\0';
    return out;
}
