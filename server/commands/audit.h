/*
 * audit: are the scores what the contributions say? Every score is derived again, from who made each product
 * what it is and how often that sold, and compared with its row, UNKNOWN's included. A row that is missing,
 * or that nothing was sold for, is a difference. Reads the store alone and writes nothing.
 *
 * SQLite shows all of it as of one moment, so its answer is exact whatever is written meanwhile. In DynamoDB
 * the rows move while they are read. So the scores are read before the contributions and again after them. As
 * a score is written before the contributions of its batch, and none of them ever shrinks:
 *
 *   - A score that was the same both times, and is what the contributions say, is exact.
 *   - One that is below what had been read of the contributions before is wrong, whoever writes meanwhile.
 *   - One that was above what was read of them after is wrong, or of a batch still on its way. So all is read
 *     again, up to LIMIT_AUDIT_ROUNDS times, for the contributions to catch up with that very first reading;
 *     but not if nobody holds a lease, because then nothing is on its way.
 *   - Any other is *moving*: right to within what was credited during the audit. No more can be said of it
 *     while that goes on.
 *
 * A batch that a crash cut short is a difference until a worker has gone on from there.
 *
 * Memory grows with the contributors, not with the products. Not thread-safe.
 */
#ifndef SERVER_COMMANDS_AUDIT_H
#define SERVER_COMMANDS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "server/options.h"
#include "views/store.h"

#define AUDIT_NONE (-1) /* no row; or no purchase */

struct audit_difference {
    char *role;      /* as the row has it: it may be neither of ours */
    char *user_id;   /* "": a product has a score but nobody who earned it */
    int64_t score;   /* the row's, or AUDIT_NONE */
    int64_t derived; /* from the contributions, or AUDIT_NONE */
};

struct audit {
    size_t products, scores;              /* rows read, in the last round */
    struct audit_difference *differences; /* by role and user id */
    size_t n_differences;
    size_t moving;
    size_t settled; /* differed in an earlier round, and not in the last */
    int rounds;
    size_t leases, held, moved; /* all; owned by a worker at the end; written to during the audit */
};

/* Blocks for as long as the tables take to read, several times if they differ; `pause_ms` after the first
 * round, twice as long after each other. On anything but OK there is nothing to deinit. */
enum status audit_store(struct store *store, int64_t pause_ms, struct audit *audit, struct error *e);
void audit_deinit(struct audit *audit);

/* As a table, or as one JSON object. False if `out` did not take it. */
bool audit_print(const struct audit *audit, enum options_format format, FILE *out);

#endif
