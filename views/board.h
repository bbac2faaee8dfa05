/*
 * board: what a row of Scores counts in: a role, in all or in one period. Its text is the row's attribute
 * `role`: "creator", "creator#day#2026-11-29". So the history of one kind lies together, in order of time.
 */
#ifndef VIEWS_BOARD_H
#define VIEWS_BOARD_H

#include <stdbool.h>

#include "views/period.h"

/* How credit is earned; in the tables "creator", "photographer", "product", "shop". */
enum role {
    ROLE_CREATOR,
    ROLE_PHOTOGRAPHER,
    ROLE_PRODUCT, /* the product itself: best sellers */
    ROLE_SHOP,    /* every purchase; counts in `sales`, and has no board */
};
#define PEOPLE_ROLES 2 /* the first two */
#define ROLES 4

const char *role_name(enum role role);
bool role_from_name(const char *name, enum role *role); /* false: there is no such role */

/* False: UNKNOWN, which is on no board of people. A product may have that id. */
bool role_is_listed(enum role role, const char *user_id);

struct board {
    enum role role;
    struct period period;
};

enum { BOARD_TEXT_SIZE = 40 };

/* All time, by role. */
extern const struct board board_all_time[ROLES];

const char *board_format(const struct board *board, char out[BOARD_TEXT_SIZE]);
bool board_parse(const char *text, struct board *board); /* false: the text names none */

/* Where the texts of a role's boards of one kind of period are: each begins with `first` ("creator#day#"),
 * and is below `end`. */
void board_range(enum role role, enum period_kind kind, char first[BOARD_TEXT_SIZE],
                 char end[BOARD_TEXT_SIZE]);

#endif
