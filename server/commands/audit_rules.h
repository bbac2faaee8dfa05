/*
 * audit_rules: what an audit compares. Each row adds to the two sides of some tallies, its `score` and what
 * is `derived`:
 *
 *   a row of all time: a person's with their contributions, a best seller's with its own contribution, the
 *     shop's, all together, with all contributions
 *   a period: the sum of a role's rows (with user id "") with the shop's sales. Photographers' may be less
 *   one contributor's row of a period with their rows of the periods that it is made of: a day's hours, the
 *     days of a week and a month (else their hours), if all of those are there
 *
 * Rows of a period that expires within LIMIT_AUDIT_EXPIRY_MS add to nothing: some may be gone. What counted
 * in a period cannot be derived from anything else.
 *
 * Both sides only grow. A score is written before the contributions that it is derived from. All other rows
 * of a batch are written together, in any order: so one side must reach, in time, what the other was when the
 * audit began.
 */
#ifndef SERVER_COMMANDS_AUDIT_RULES_H
#define SERVER_COMMANDS_AUDIT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/commands/tally.h"
#include "views/store.h"

struct audit_rules {
    struct view_shape shape;
    int64_t now_ms; /* since the epoch */
    struct tallies tallies;
    size_t expired; /* rows of Scores, of the later reading, that were passed over */
};

/* A row of Scores, of the earlier or the later (`after`) reading. `count`: its score or sales. */
void audit_rules_add_score(struct audit_rules *rules, const char *role, const char *user_id, int64_t count,
                           bool after);

void audit_rules_add_contribution(struct audit_rules *rules, const struct contribution *row);

/* Whether the two sides were the same all the time. */
bool audit_rules_is_exact(const char *role, const char *user_id, const struct tally_numbers *t);

/* Whether one side is wrong, or a batch that concerns it was in progress in all rounds. */
bool audit_rules_differs(const char *role, const char *user_id, const struct tally_numbers *t);

#endif
