/* What the files of the DynamoDB store share. */
#ifndef VIEWS_DYNAMODB_INTERNAL_H
#define VIEWS_DYNAMODB_INTERNAL_H

#include "aws/client.h"
#include "views/store.h"

#define SCORES_INDEX "ScoresByRole"
#define SCORES_BY_BOARD "ScoresByBoard" /* in its place with --board-partitions */
#define PRODUCTS_BY_CREATOR "ProductsByCreator"
#define PRODUCTS_BY_PHOTOGRAPHER "ProductsByPhotographer"

struct store_dynamodb {
    struct store store; /* first: what callers hold */
    struct aws_client *client;
    char *contributions_table, *scores_table, *leases_table;
};

static inline struct store_dynamodb *store_dynamodb_of(struct store *store) {
    return (struct store_dynamodb *)store;
}

/* tables.c */
typeof(store_create) store_dynamodb_create;

/* write.c */
typeof(store_read_contributions) store_dynamodb_read_contributions;
typeof(store_write_batch) store_dynamodb_write_batch;

/* watermarks.c */
#define STORE_DYNAMODB_WATERMARK_SIZE (2 + LIMIT_SHARD_ID_BYTES + 1)
void store_dynamodb_watermark_name(const char *shard_id, char out[STORE_DYNAMODB_WATERMARK_SIZE]);
typeof(store_remove_watermarks) store_dynamodb_remove_watermarks;

/* binding.c */
typeof(store_bind) store_dynamodb_bind;
typeof(store_read_identity_key) store_dynamodb_read_identity_key;
typeof(store_note_consumer) store_dynamodb_note_consumer;
typeof(store_read_consumer) store_dynamodb_read_consumer;

/* leases.c */
typeof(store_read_leases) store_dynamodb_read_leases;
typeof(store_create_lease) store_dynamodb_create_lease;
typeof(store_update_lease) store_dynamodb_update_lease;
typeof(store_delete_lease) store_dynamodb_delete_lease;

/* read.c. A read from `table`, or from its `index` (NULL: none), failed: makes the error what callers expect.
 * NOT_FOUND, which to them is a missing row, becomes FAILED; so does an index that cannot be read, with code
 * STORE_ERROR_NO_INDEX. Returns the status. */
enum status store_dynamodb_read_failed(struct error *e, const char *table, const char *index);
/* The count of a row of Scores; no item (NULL, or empty) is no row: `user_id` stays NULL. */
enum status store_dynamodb_parse_score(const struct store_dynamodb *d, const json_t *item, enum role role,
                                       struct store_score *score, struct error *e);
typeof(store_read_scores) store_dynamodb_read_scores;
typeof(store_read_contribution) store_dynamodb_read_contribution;

/* boards.c */
typeof(store_read_board) store_dynamodb_read_board;
typeof(store_read_rank) store_dynamodb_read_rank;
typeof(store_count_board) store_dynamodb_count_board;

/* history.c */
typeof(store_read_history) store_dynamodb_read_history;
typeof(store_read_sales) store_dynamodb_read_sales;

/* list.c */
typeof(store_list_contributions) store_dynamodb_list_contributions;

/* scan.c */
typeof(store_scan) store_dynamodb_scan;

#endif
