/*
 * people: what an answer shows of a contributor. A userId is the origin of the contributor's events,
 * `widget/role/uniqueId/friendlyName`. The rules for names and masks are those of the Lambda reader that this
 * program replaces, except that an origin of fewer parts has no name while people are masked.
 *
 * Strings returned are new, the caller's. A `user_id` is UTF-8; all counting is in code points. Thread-safe.
 */
#ifndef API_PEOPLE_H
#define API_PEOPLE_H

#include <jansson.h>

#include "api/view.h"

/* The name as clients may see it: part 4, cleaned (base/text.h). NULL: there is none, or it is blank. With
 * `full_identities` (--identities full), 3 parts have their third as the name, 2 their second, 1 "UNKNOWN";
 * else they have none, because that part may be what must not be seen, such as an e-mail address. */
char *people_name(const char *user_id, bool full_identities);

/* `name (**...**xyz****)`: xyz are the up to three code points before the last four of the unique id (part 3;
 * of 2 parts part 2; otherwise "UNKNOWN"), cleaned; if there are none, only the name. Without a name, only
 * `(**...**xyz****)`, also if there is no xyz. */
char *people_masked(const char *user_id);

/* What an answer has as "userId": masked, or whole with --identities full. */
char *people_shown_user_id(const struct view *view, const char *user_id);

/* Sets "id" (sealed), "userId" and "name" (or null), in this order. */
void people_set(const struct view *view, json_t *object, const char *user_id);

/* The userId that an "{id}" in a path means: a sealed id; with --identities full also a userId. NULL: it can
 * be nobody's. Masked, a userId is no id: whoever guesses one must not learn that it exists. */
char *people_user_id(const struct view *view, const char *id);

#endif
