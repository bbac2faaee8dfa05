/*
 * tally: what an audit has read of each contributor, in bounded memory.
 *
 * Tallies are added up in a table in memory. A table of `max_bytes` is sorted and written to a temporary
 * file, a part; the parts are merged when the reading is over. So memory does not grow with the contributors,
 * but the temporary files do: by about 60 bytes and the user id each, twice that while they are merged. They
 * are in $TMPDIR, else in /var/tmp, else in /tmp, have no name, and are gone when the process ends. There are
 * none while everything fits into the table.
 *
 * Not thread-safe.
 */
#ifndef SERVER_COMMANDS_TALLY_H
#define SERVER_COMMANDS_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/hash.h"

/* What an audit compares (audit_rules.h). Its numbers in several parts are added up. */
struct tally_numbers {
    bool has_before, has_after;
    int64_t before, after; /* the score, read before and after the contributions */
    int64_t derived;       /* from the contributions; or from other scores, read with `before` */
    int64_t derived_after; /* the same with `after`; unused with contributions */

    /* kept from round to round */
    bool had_row;                 /* when the audit began */
    int64_t least, least_derived; /* the score and what was derived then: the other side must reach it */
    bool differed;                /* in some round */
};

struct tally {
    struct tally_numbers numbers;
    char *key; /* the role, NUL, the user id */
    size_t size;
    UT_hash_handle hh;
};

enum { TALLY_PARTS = 64 };

struct tallies {
    size_t max_bytes;

    /* private */
    struct tally *table;
    size_t bytes;
    FILE *parts[TALLY_PARTS]; /* each sorted */
    size_t n_parts;
    bool is_merged; /* all of them are in parts[0], from an earlier round */
    struct error error;
};

void tallies_init(struct tallies *t, size_t max_bytes);
void tallies_deinit(struct tallies *t);

/* The numbers to add to, valid until the next call. A contributor's may be in several parts: those that are
 * returned begin with zeros then. */
struct tally_numbers *tallies_find(struct tallies *t, const char *role, const char *user_id);

/* May change the numbers. */
typedef void tallies_visit_fn(void *data, const char *role, const char *user_id,
                              struct tally_numbers *numbers);

/* Visits each contributor once, by role and user id, with all that was added. FAILED if a temporary file
 * cannot be written or read. */
enum status tallies_visit(struct tallies *t, tallies_visit_fn *visit, void *data, struct error *e);

/* Before the first round of reading, and after tallies_visit before each further one: what is not kept from
 * round to round becomes zero. */
void tallies_begin_round(struct tallies *t);

#endif
