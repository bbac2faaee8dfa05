/* spelling: how far a word is from the one that was meant. Thread-safe. */
#ifndef BASE_SPELLING_H
#define BASE_SPELLING_H

#include <stdbool.h>
#include <stddef.h>

enum { SPELLING_WORD_BYTES = 40 }; /* a longer word is near to none */

/* How many letters must be added, left out or replaced, or swapped with the next, to make one word of the
 * other ("optimal string alignment"), whatever their case. SIZE_MAX if a word is longer than
 * SPELLING_WORD_BYTES. */
size_t spelling_distance(const char *a, const char *b);

/* The best word that was offered for `typed`, if it is near: at most a letter in four is wrong, and one more,
 * but less than half of `typed`; or it begins with `typed`. */
struct spelling {
    const char *typed;
    const char *best; /* NULL: none is near; as it was offered */
    size_t distance;  /* of the best */
};

void spelling_offer(struct spelling *s, const char *word);

#endif
