/*
 * loaders: the threads that run a cache's loads: LIMIT_LOADERS that read, and one that keeps time (loads past
 * their deadline, values that were marked). They sleep while there is nothing to do.
 *
 * A load function reads one key from the store, within `deadline_ms` (CLOCK_BOOTTIME), on a loader thread. It
 * returns OK and a value (the reference goes to the cache), or a failure and the error.
 */
#ifndef VIEWS_CACHE_LOADERS_H
#define VIEWS_CACHE_LOADERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "views/cache/cache.h"

struct loaders;

/* `key` is followed by a NUL that `key_length` does not count. */
typedef enum status loaders_function(void *context, const char *key, size_t key_length, int64_t deadline_ms,
                                     struct cache_value **value, struct error *e);

/* Serves the cache until it is freed. NULL if threads cannot be made. The cache must outlive it. */
struct loaders *loaders_new(struct cache *cache, loaders_function *load, void *context, struct error *e);

/* Waits for the loads that run (they end by their deadline); those that wait for a thread stay in the cache.
 */
void loaders_free(struct loaders *loaders);

#endif
