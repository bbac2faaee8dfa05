/*
 * people: what an answer shows of a contributor. A userId is the origin of the contributor's events,
 * `widget/role/uniqueId/friendlyName`. The rules for names and masks, with fewer parts too, are those of the
 * Lambda reader that this program replaces.
 *
 * Strings returned are new, the caller's. A `user_id` is UTF-8; all counting is in code points. Thread-safe.
 */
#ifndef API_PEOPLE_H
#define API_PEOPLE_H

#include <jansson.h>

#include "api/problem.h"
#include "api/view.h"

/* The name: part 4; of 3 parts part 3, of 2 parts part 2; otherwise "UNKNOWN". */
char *people_name(const char *user_id);

/* `name (**...**xyz****)`: xyz are the up to three code points before the last four of the unique id (part 3;
 * of 2 parts part 2; otherwise "UNKNOWN"); if there are none, only the name. */
char *people_masked(const char *user_id);

/* What an answer has as "userId": masked, or whole with --identities full. */
char *people_shown_user_id(const struct view *view, const char *user_id);

/* Sets "id" (sealed), "userId" and "name", in this order. */
void people_set(const struct view *view, json_t *object, const char *user_id);

/* The userId that an "{id}" in a path means: a sealed id or a userId. NULL with a problem. */
char *people_user_id(const struct view *view, const char *id, struct problem *p);

#endif
