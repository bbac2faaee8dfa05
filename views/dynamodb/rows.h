/* rows: keys of the three tables, and rows of Contributions as items. */
#ifndef VIEWS_DYNAMODB_ROWS_H
#define VIEWS_DYNAMODB_ROWS_H

#include <jansson.h>

#include "views/contribution.h"
#include "views/dynamodb/internal.h"

/* Of the record of the store's source, among the leases. */
#define ROWS_SOURCE_KEY "winner-view#source"

/* New references. */
json_t *rows_contribution_key(const char *product_id);
json_t *rows_score_key(const char *user_id, const struct board *board);
json_t *rows_lease_key(const char *lease_key);
json_t *rows_contribution_item(const struct contribution *row);

/* A board in several partitions (struct view_shape): which one a contributor is in, from 0 on;
 * and the attribute `board` of its rows: "creator/3", "creator#day#2026-11-29/3". */
enum { ROWS_PARTITION_SIZE = BOARD_TEXT_SIZE + 4 };
unsigned rows_partition_of(const char *user_id, unsigned partitions);
const char *rows_partition_format(const struct board *board, unsigned partition,
                                  char out[ROWS_PARTITION_SIZE]);

/* The attribute that a row of Scores counts in: "sales" of the shop, else "score". */
const char *rows_count_name(enum role role);

/* FAILED if the item is not one of ours. */
enum status rows_parse_contribution(const struct store_dynamodb *d, const json_t *item,
                                    struct contribution **row, struct error *e);

#endif
