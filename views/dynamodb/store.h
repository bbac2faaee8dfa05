/* store_dynamodb: the views and leases in three DynamoDB tables (views/README.md, "Tables"). */
#ifndef VIEWS_DYNAMODB_STORE_H
#define VIEWS_DYNAMODB_STORE_H

#include "aws/client.h"
#include "views/store.h"

struct store_dynamodb_options {
    const char *stage; /* tables are <stage>-Contributions, -Scores, -Leases ... */
    const char *contributions_table, *scores_table, *leases_table; /* ... unless named here (else NULL) */
};

/* `settings` and `transport` (NULL: libcurl) are borrowed, to outlive the store. Sends nothing yet. */
enum status store_dynamodb_open(struct store **store, const struct store_dynamodb_options *options,
                                struct aws_settings *settings, const struct aws_transport *transport,
                                struct error *e);

#endif
