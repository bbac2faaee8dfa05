/* What the files of the DynamoDB store share. */
#ifndef VIEWS_DYNAMODB_INTERNAL_H
#define VIEWS_DYNAMODB_INTERNAL_H

#include "aws/client.h"
#include "views/store.h"

#define SCORES_INDEX "ScoresByRole"

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

/* leases.c */
typeof(store_read_leases) store_dynamodb_read_leases;
typeof(store_create_lease) store_dynamodb_create_lease;
typeof(store_update_lease) store_dynamodb_update_lease;
typeof(store_delete_lease) store_dynamodb_delete_lease;

/* read.c */
typeof(store_read_board) store_dynamodb_read_board;
typeof(store_read_rank) store_dynamodb_read_rank;
typeof(store_read_scores) store_dynamodb_read_scores;
typeof(store_read_contribution) store_dynamodb_read_contribution;
typeof(store_list_contributions) store_dynamodb_list_contributions;

/* scan.c */
typeof(store_scan) store_dynamodb_scan;

#endif
