/* contribution: one row of the Contributions view: who made a product what it is, and how often it sold. */
#ifndef VIEWS_CONTRIBUTION_H
#define VIEWS_CONTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stands where a product's creator is not known, because the log was trimmed before its creation. No
 * contributor. */
#define CONTRIBUTION_UNKNOWN "UNKNOWN"

bool contribution_is_unknown(const char *user_id); /* NULL: false */

/* The two ways to contribute; their names in the tables are "creator" and "photographer". */
enum role { ROLE_CREATOR, ROLE_PHOTOGRAPHER };
#define ROLES 2

const char *role_name(enum role role);
/* Of one of those names. */
enum role role_from_name(const char *name);

/* Owns its strings. Not thread-safe. */
struct contribution {
    char *product_id;
    char *creator;      /* NULL: none yet */
    char *photographer; /* NULL: none yet */
    int64_t creator_score;
    int64_t photographer_score;
    char *last_event_id;         /* NULL: nothing was folded into it yet, so there is no such row */
    char *photographer_event_id; /* NULL: none */
    int64_t created_ms;          /* the first event's time */
    int64_t updated_ms;          /* the last event's */
    char *created_by;
    char *updated_by;
};

struct contribution *contribution_new(const char *product_id);
struct contribution *contribution_copy(const struct contribution *c);
void contribution_free(struct contribution *c);
void contribution_freep(struct contribution **c);

/* Memory that it takes, about. */
size_t contribution_size(const struct contribution *c);

#endif
