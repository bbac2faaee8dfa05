/*
 * rank_tables: the tables of the boards whose ranks are asked for (views/rank_table.h), each made again by
 * one pass over its board's index after another, as long as it is wanted and its board moves.
 *
 * A board is wanted from a rank_tables_acquire on for LIMIT_RANK_WANTED_MS, or for twice its pass if that is
 * longer. It moved if the shop's sales in its period did, because every credit comes from a sale that counts
 * there; so nobody need report writes, and those of other processes are seen, too. A period that is final is
 * read once. A pass that was begun is finished, page by page, at the pace of `units_per_s`: what a pass costs
 * does not depend on requests. One pass runs at a time; the board that has waited longest is next.
 *
 * There are RANK_TABLES_PERIODS tables of periods, and one of all time for each role: whoever asks for many
 * periods takes no place of those. A period for which there is no place has no table until another one is no
 * longer wanted.
 *
 * Thread-safe. Nothing here blocks, but for rank_tables_turn and rank_tables_free. Metrics:
 * winner_view_rank_tables, winner_view_rank_rows_total, winner_view_rank_table_age_seconds.
 */
#ifndef VIEWS_RANK_TABLES_H
#define VIEWS_RANK_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "views/rank_table.h"
#include "views/store.h"

enum { RANK_TABLES_PERIODS = 5 };

struct rank_tables;

struct rank_tables_options {
    int64_t units_per_s; /* as store_count_board counts them: DynamoDB's read units, or rows; 0: no tables */

    /* Up to when a read of an index that begins now sees events; and whether a period is known to be final,
     * if a read sees events up to then. Called on the thread of rank_tables_turn. */
    int64_t (*as_of)(void *data);
    bool (*is_final)(void *data, const struct period *period, int64_t as_of_ms);
    void *data;
};

/* `store` is borrowed, and bound. Never NULL. */
struct rank_tables *rank_tables_new(const struct rank_tables_options *options, struct store *store);

/* Starts the thread that makes the tables. Without units it does nothing. */
void rank_tables_start(struct rank_tables *t);

/* Waits for the page that is being read: LIMIT_LOAD_MS at most. Tables that were acquired stay valid. NULL is
 * fine. */
void rank_tables_free(struct rank_tables *t);

/* The newest table of this board, or NULL: there is none yet. Either way the board is wanted from now on. The
 * caller releases it. */
const struct rank_table *rank_tables_acquire(struct rank_tables *t, const struct board *board);

/* What the thread does at `now_boot_ms` (CLOCK_BOOTTIME), at most one page; returns when it is to be called
 * next, INT64_MAX: when a board is wanted. Blocks in the store. Tests call it instead of rank_tables_start.
 */
int64_t rank_tables_turn(struct rank_tables *t, int64_t now_boot_ms);

#endif
