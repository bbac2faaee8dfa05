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

/* FAILED if the item is not one of ours. */
enum status rows_parse_contribution(const struct store_dynamodb *d, const json_t *item,
                                    struct contribution **row, struct error *e);

#endif
