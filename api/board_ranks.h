/*
 * board_ranks: competition ranks on one board: one more than how many have a higher score. Up to LIMIT_RANKED
 * they are counted in the index; beyond, they are from the rank table, if there is one (views/rank_table.h).
 *
 * Call board_ranks_init before the row that is ranked is read: then nobody outranks themselves. One thread
 * each.
 */
#ifndef API_BOARD_RANKS_H
#define API_BOARD_RANKS_H

#include "api/route.h"
#include "views/rank_tables.h"

struct board_ranks {
    const struct route_load *load;
    const struct board *board;
    const struct rank_table *table; /* NULL: none yet */
    bool is_beyond; /* of a score that was looked up: LIMIT_RANKED rows or more are above it */
};

struct board_rank {
    int64_t rank; /* 0: not known */
    bool tied;
    bool is_counted; /* else it is from the table */
};

/* From now on a table of this board is wanted. */
void board_ranks_init(struct board_ranks *r, const struct route_load *load, const struct board *board);
void board_ranks_deinit(struct board_ranks *r);

/* The rank of a contributor with this score. May read the store. */
enum status board_ranks_find(struct board_ranks *r, int64_t score, const char *user_id,
                             struct board_rank *rank, struct error *e);

#endif
