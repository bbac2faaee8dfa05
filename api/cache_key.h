/*
 * cache_key: what a request asks the store for, in one canonical form: the template of its route and the
 * parameters that matter, in a fixed order, each ended by a NUL (which no parameter can hold). Requests for
 * the same thing have the same key. A load reads all its parameters from the key.
 */
#ifndef API_CACHE_KEY_H
#define API_CACHE_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

#define CACHE_KEY_BYTES (LIMIT_URI_BYTES + 256)
#define CACHE_KEY_PARTS 12

struct cache_key {
    size_t length;
    char bytes[CACHE_KEY_BYTES];
};

/* A clear key stands for what cannot exist, whatever is in the store: it is answered without a load. */
void cache_key_clear(struct cache_key *key);
bool cache_key_is_clear(const struct cache_key *key);

/* A part is at most LIMIT_KEY_BYTES long, or a list from a request's URI; a key has two of the former or one
 * of the latter, and all its other parts together have at most 200 bytes. */
void cache_key_begin(struct cache_key *key, const char *template);
void cache_key_add(struct cache_key *key, const char *part);

/* The key of a row: the template and the values of its "{...}", of which it has one or two (`second` NULL).
 */
void cache_key_make(struct cache_key *key, const char *template, const char *first, const char *second);

/* The parts of a key, the template first; NULL where there is none. Borrowed from `key`. */
void cache_key_split(const char *key, size_t length, const char *parts[CACHE_KEY_PARTS]);

#endif
