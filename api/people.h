/*
 * people: what of a contributor's userId is shown. A userId is the origin of their events,
 * `widget/role/uniqueId/friendlyName`; the rules, and what happens with fewer parts, are the old reader's.
 */
#ifndef API_PEOPLE_H
#define API_PEOPLE_H

#include <stdbool.h>

/* New strings, the caller's. `user_id` is UTF-8; all counting is in code points. */

/* The name: part 4; of 3 parts part 3, of 2 parts part 2; otherwise "UNKNOWN". */
char *people_name(const char *user_id);

/* `name (**...**xyz****)`: xyz are the up to three code points before the last four of the unique id (part 3;
 * of 2 parts part 2; otherwise "UNKNOWN"); if there are none, only the name. */
char *people_masked(const char *user_id);

#endif
