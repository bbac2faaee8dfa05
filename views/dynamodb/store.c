#include "views/dynamodb/store.h"

#include <stdlib.h>

#include "base/mem.h"
#include "views/dynamodb/internal.h"

static void cancel_store(struct store *store) {
    aws_client_cancel(store_dynamodb_of(store)->client);
}

static void free_store(struct store *store) {
    struct store_dynamodb *d = store_dynamodb_of(store);
    aws_client_free(d->client);
    free(d->contributions_table);
    free(d->scores_table);
    free(d->leases_table);
    free(d);
}

static const struct store_ops dynamodb_ops = {
    .name = "dynamodb",
    .index_late = true,
    .bind = store_dynamodb_bind,
    .read_identity_key = store_dynamodb_read_identity_key,
    .note_consumer = store_dynamodb_note_consumer,
    .read_consumer = store_dynamodb_read_consumer,
    .create = store_dynamodb_create,
    .read_contributions = store_dynamodb_read_contributions,
    .write_batch = store_dynamodb_write_batch,
    .read_leases = store_dynamodb_read_leases,
    .create_lease = store_dynamodb_create_lease,
    .update_lease = store_dynamodb_update_lease,
    .delete_lease = store_dynamodb_delete_lease,
    .remove_watermarks = store_dynamodb_remove_watermarks,
    .read_board = store_dynamodb_read_board,
    .read_rank = store_dynamodb_read_rank,
    .count_board = store_dynamodb_count_board,
    .read_scores = store_dynamodb_read_scores,
    .read_history = store_dynamodb_read_history,
    .read_sales = store_dynamodb_read_sales,
    .read_contribution = store_dynamodb_read_contribution,
    .list_contributions = store_dynamodb_list_contributions,
    .scan = store_dynamodb_scan,
    .cancel = cancel_store,
    .free = free_store,
};

static char *table_name(const char *given, const char *stage, const char *suffix) {
    return given ? mem_strdup(given) : mem_printf("%s-%s", stage, suffix);
}

enum status store_dynamodb_open(struct store **store, const struct store_dynamodb_options *options,
                                struct aws_settings *settings, const struct aws_transport *transport,
                                struct error *e) {
    struct aws_client *client;
    enum status status = aws_client_new(&client, &aws_dynamodb, settings, transport, e);
    if (status)
        return status;

    struct store_dynamodb *d = mem_zalloc(sizeof *d);
    d->store.ops = &dynamodb_ops;
    d->client = client;
    d->contributions_table = table_name(options->contributions_table, options->stage, "Contributions");
    d->scores_table = table_name(options->scores_table, options->stage, "Scores");
    d->leases_table = table_name(options->leases_table, options->stage, "Leases");
    *store = &d->store;
    return STATUS_OK;
}
