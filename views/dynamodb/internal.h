/* What the files of the DynamoDB store share: views/dynamodb/store*.c, and nobody else. */
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

/* views/dynamodb/store.c: from an item; FAILED if the item is not one of ours. */
enum status store_dynamodb_parse_contribution(const struct store_dynamodb *d, const json_t *item,
                                              struct contribution **row, struct error *e);
json_t *store_dynamodb_contribution_item(const struct contribution *row);

/* views/dynamodb/tables.c */
enum status store_dynamodb_create(struct store *store, struct error *e);

/* views/dynamodb/write.c */
#define STORE_DYNAMODB_WATERMARK_SIZE (2 + LIMIT_SHARD_ID_BYTES + 1)
void store_dynamodb_watermark_name(const char *shard_id, char out[STORE_DYNAMODB_WATERMARK_SIZE]);
enum status store_dynamodb_read_contributions(struct store *store, const char *const ids[], size_t n,
                                              struct contribution *rows[], struct store_context *context,
                                              struct error *e);
enum status store_dynamodb_write_batch(struct store *store, const struct store_batch *batch,
                                       struct store_context *context, struct error *e);

/* views/dynamodb/leases.c */
enum status store_dynamodb_bind(struct store *store, const struct store_source *source, uint8_t *identity_key,
                                struct error *e);
enum status store_dynamodb_read_leases(struct store *store, struct store_lease **leases, size_t *n,
                                       struct error *e);
enum status store_dynamodb_create_lease(struct store *store, const struct store_lease *lease,
                                        struct error *e);
enum status store_dynamodb_update_lease(struct store *store, const struct store_lease *before,
                                        const struct store_lease *after, const struct fence *fence,
                                        struct store_lease *found, struct error *e);
enum status store_dynamodb_delete_lease(struct store *store, const struct store_lease *before,
                                        const struct fence *fence, struct error *e);

/* views/dynamodb/forget.c */
enum status store_dynamodb_shrink_watermarks(struct store *store, const char *shard_id,
                                             const struct fence *fence, struct store_shrinking *shrinking,
                                             struct error *e);

/* views/dynamodb/read.c */
enum status store_dynamodb_read_board(struct store *store, enum role role, const struct store_place *after,
                                      size_t limit, int64_t deadline_boot_ms, struct store_board *board,
                                      struct error *e);
enum status store_dynamodb_read_rank(struct store *store, enum role role, int64_t score, const char *user_id,
                                     size_t max, int64_t deadline_boot_ms, size_t *above, bool *tied,
                                     struct error *e);
enum status store_dynamodb_read_scores(struct store *store, const char *user_id, int64_t deadline_boot_ms,
                                       struct store_score scores[ROLES], struct error *e);
enum status store_dynamodb_read_contribution(struct store *store, const char *product_id,
                                             int64_t deadline_boot_ms, struct contribution **row,
                                             struct error *e);
enum status store_dynamodb_list_contributions(struct store *store, const char *after, size_t limit,
                                              int64_t deadline_boot_ms, struct contribution ***rows,
                                              size_t *n, struct error *e);

/* Moves `from`'s LastEvaluatedKey into `body` as where to go on; false if there is none: the end. Items or
 * not, only a missing key is the end. */
bool store_dynamodb_next_page(json_t *body, const json_t *from);

/* views/dynamodb/scan.c */
enum status store_dynamodb_scan(struct store *store, const struct store_visitor *visitor, struct error *e);

#endif
