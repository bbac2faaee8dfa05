#include "api/key.h"

#include <stdlib.h>
#include <string.h>

void key_begin(struct key *key, const char *template) {
    key->length = 0;
    key_add(key, template);
}

void key_add(struct key *key, const char *part) {
    size_t length = strlen(part) + 1;
    if (length > KEY_BYTES - key->length)
        abort(); /* whoever made the part had to bound it; never an overflow */
    memcpy(key->bytes + key->length, part, length);
    key->length += length;
}

const char *key_part(const char *key, size_t length, size_t index) {
    const char *end = key + length;
    while (key < end && index--)
        key += strlen(key) + 1;
    return key < end ? key : NULL;
}
