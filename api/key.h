/*
 * key: the canonical form of a request that is loaded from the store, as the cache knows it: the route's
 * template and the parameters that matter, in a fixed order, each ended by a NUL (which no parameter can
 * hold). A load finds all it needs in it; whatever asks for the same thing makes the same key.
 */
#ifndef API_KEY_H
#define API_KEY_H

#include <stddef.h>

#include "base/limits.h"

#define KEY_BYTES (LIMIT_KEY_BYTES + 256)

struct key {
    size_t length;
    char bytes[KEY_BYTES];
};

void key_begin(struct key *key, const char *template);
/* `part` is at most LIMIT_KEY_BYTES long; all other parts together at most 200. */
void key_add(struct key *key, const char *part);

/* Part `index` (0: the template) of a key that is followed by a NUL; NULL if there is none. Borrowed. */
const char *key_part(const char *key, size_t length, size_t index);

#endif
