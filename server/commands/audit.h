/*
 * audit: compares the scores with the contributions, and those of periods with each other. Every score of all
 * time is derived again from the contributions and compared with its row, the row of UNKNOWN included. A row
 * that is missing, or that no contribution accounts for, is a difference. audit_rules.h says what is
 * compared. Only reads the store.
 *
 * SQLite gives a snapshot, so its result is exact whatever is written meanwhile. DynamoDB's rows change while
 * they are read. So the scores are read before the contributions and again after them. A score is written
 * before the contributions of its batch, and neither ever decreases. Therefore:
 *
 *   - A score that was the same both times, and equals the sum of its contributions, is exact.
 *   - A later score below that sum is wrong, whatever is written meanwhile.
 *   - An earlier score above that sum is wrong, or its batch is not complete yet. So everything is read
 *     again, up to LIMIT_AUDIT_ROUNDS times, until the contributions reach the scores of the first reading;
 *     but not if no lease is held, because then no batch is in progress.
 *   - Any other score is *moving*: right to within what was credited during the audit.
 *
 * Two sums of scores that are written together, as a period's, are compared in the same way, but either may
 * be written first: each must reach, in a later reading, what the other was in the earlier reading of the
 * first round.
 *
 * A batch that a crash interrupted is a difference until a worker has continued from there.
 *
 * Memory is bounded. Above some 100,000 contributors there are temporary files, which grow with the
 * contributors (tally.h). Not thread-safe.
 */
#ifndef SERVER_COMMANDS_AUDIT_H
#define SERVER_COMMANDS_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "server/commands/audit_rules.h"
#include "server/commands/scan_progress.h"
#include "server/options.h"
#include "views/store.h"

#define AUDIT_NONE (-1) /* no row; or no purchase */

struct audit_difference {
    const char *role;    /* as in the row: it may be an unknown one */
    const char *user_id; /* "": of a period, all rows of that role together; else a product without a creator
                          * was sold. "SHOP": all rows of the shop */
    int64_t score;       /* the row's, or AUDIT_NONE */
    int64_t derived;     /* from what it is compared with, or AUDIT_NONE */
};

struct audit {
    size_t products, scores; /* rows read, in the last round */
    size_t n_differences;
    size_t moving;
    size_t settled; /* differed in an earlier round, but not in the last */
    int rounds;
    size_t leases, held, moved;    /* all; held by a worker at the end; written during the audit */
    struct audit_rules rules;      /* `expired` is public; the rest is private: what audit_visit reads */
    struct scan_progress progress; /* private */
};

/* The store is bound. `now_ms`: since the epoch; what expires is judged by it.
 * Blocks while it reads the tables, several times if they differ, with a pause of `pause_ms` after the first
 * round, which doubles with each. The log says how far it is (scan_progress.h). Only after OK is there
 * something to deinit. */
enum status audit_store(struct store *store, int64_t now_ms, int64_t pause_ms, struct audit *audit,
                        struct error *e);
void audit_deinit(struct audit *audit);

/* The difference and its texts are valid during the call only. */
typedef void audit_visit_fn(void *data, const struct audit_difference *difference);

/* Visits each difference, by role and user id. FAILED if a temporary file cannot be written or read. */
enum status audit_visit(struct audit *audit, audit_visit_fn *visit, void *data, struct error *e);

/* As a table with a verdict in words, or as one JSON object, each difference as it is visited. FAILED: a part
 * was written at most. */
enum status audit_print(struct audit *audit, enum options_format format, FILE *out, struct error *e);

#endif
