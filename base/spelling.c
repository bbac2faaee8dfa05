#include "base/spelling.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { PREFIX_BYTES = 3 }; /* the beginning of a word is near to it if it is that long */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static bool is_same(char a, char b) {
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* rows[i][j] is the distance between the first i letters of a and the first j of b. */
size_t spelling_distance(const char *a, const char *b) {
    size_t rows[SPELLING_WORD_BYTES + 1][SPELLING_WORD_BYTES + 1], m = strlen(a), n = strlen(b);
    if (m > SPELLING_WORD_BYTES || n > SPELLING_WORD_BYTES)
        return SIZE_MAX;
    for (size_t i = 0; i <= m; i++)
        for (size_t j = 0; j <= n; j++) {
            rows[i][j] = i ? j ? SIZE_MAX : i : j;
            if (!i || !j)
                continue;
            rows[i][j] = least(least(rows[i - 1][j], rows[i][j - 1]) + 1,
                               rows[i - 1][j - 1] + !is_same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
                rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    return rows[m][n];
}

static bool begins(const char *word, const char *typed) {
    size_t length = strlen(typed);
    return length >= PREFIX_BYTES && strncmp(word, typed, length) == 0;
}

void spelling_offer(struct spelling *s, const char *word) {
    size_t distance = spelling_distance(s->typed, word);
    bool is_near = distance <= 1 + strlen(word) / 4 && 2 * distance < strlen(s->typed);
    if (!is_near && !begins(word, s->typed))
        return;
    if (s->best && s->distance <= distance)
        return;
    s->best = word;
    s->distance = distance;
}
