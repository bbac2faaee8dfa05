/* internal: what the handlers see of the api. For files in api/ only. */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H

#include <stdatomic.h>

#include "api/api.h"
#include "api/seal.h"
#include "views/cache/cache.h"

struct api {
    struct api_options options;
    struct freshness *freshness;
    struct health *health;
    struct cache *cache;
    atomic_bool has_view; /* the next two are there, for good */
    struct store *store;
    struct sealer *sealer;
    char cache_control[64];                         /* of what the cache keeps */
    struct answer *page, *style, *script, *openapi; /* assets.c */
    atomic_bool reads_fail;                         /* the store failed us last time */
};

/* Up to when an answer is true that is about to be read from the store; to be asked before reading. */
int64_t api_as_of(const struct api *api, bool from_index);

/* Whether the view reflects the stream so closely that what is not in it does not exist. */
bool api_is_caught_up(const struct api *api, int64_t as_of_ms);

/* The answer for rows that are not there: 404 if the view is caught up, else 503 view-not-ready. */
struct answer *api_missing(const struct api *api, int64_t as_of_ms, const char *what);

/* JSON of the store's rows becomes an answer that the cache keeps. Takes the reference. */
struct answer *api_view_answer(const struct api *api, json_t *json, int64_t as_of_ms);

/* A contributor's "id", "userId" and "name", set in this order. */
void api_set_person(const struct api *api, json_t *object, const char *user_id);

/* What is shown as "userId"; a new string. */
char *api_shown_user_id(const struct api *api, const char *user_id);

/* The userId that an "{id}" in a path means, whether it is one or an opaque id; a new string. NULL with a
 * problem. */
char *api_user_id(const struct api *api, const char *id, struct problem *p);

#endif
