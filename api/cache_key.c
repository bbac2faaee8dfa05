#include "api/cache_key.h"

#include <stdlib.h>
#include <string.h>

void cache_key_clear(struct cache_key *key) {
    key->length = 0;
}

bool cache_key_is_clear(const struct cache_key *key) {
    return !key->length;
}

void cache_key_begin(struct cache_key *key, const char *template) {
    cache_key_clear(key);
    cache_key_add(key, template);
}

void cache_key_add(struct cache_key *key, const char *part) {
    size_t length = strlen(part) + 1;
    if (length > CACHE_KEY_BYTES - key->length)
        abort(); /* the caller must bound each part; never an overflow */
    memcpy(key->bytes + key->length, part, length);
    key->length += length;
}

void cache_key_make(struct cache_key *key, const char *template, const char *first, const char *second) {
    cache_key_begin(key, template);
    cache_key_add(key, first);
    if (second)
        cache_key_add(key, second);
}

void cache_key_split(const char *key, size_t length, const char *parts[CACHE_KEY_PARTS]) {
    const char *end = key + length;
    for (size_t i = 0; i < CACHE_KEY_PARTS; i++) {
        parts[i] = key < end ? key : NULL;
        key += key < end ? strlen(key) + 1 : 0;
    }
}
