/*
 * backend: the store that --store names, and the AWS settings, if the store, the source or the dead letters
 * need them.
 */
#ifndef SERVER_BACKEND_H
#define SERVER_BACKEND_H

#include <stdbool.h>

#include "aws/settings.h"
#include "server/options.h"
#include "views/store.h"

/* Zeroed, but for the clock: nothing is open. */
struct backend {
    struct service_clock *clock; /* set by the caller, borrowed: taught by the source's service; NULL: none */
    struct aws_settings *aws;    /* NULL: not needed */
    struct store *store;
};

/* The service whose replies teach the clock: Kinesis; without it DynamoDB; NULL: none. */
const struct aws_service *backend_teacher(const struct options *options);

/* Loads the AWS settings, and logs a warning for each that has no effect or cannot be used as it is. */
enum status backend_load_aws(struct aws_settings **aws, struct error *e);

/* Opens for reading only, or for all. After a failure it may be called again: settings that were loaded stay.
 * Blocks while it reads the settings. */
enum status backend_open(struct backend *backend, const struct options *options, bool read_only,
                         struct error *e);

/* What the options ask of the store: for its first use, and to be compared afterwards. `source` is borrowed;
 * NULL: none. */
struct store_wish backend_wish(const struct options *options, const struct store_source *source);

void backend_close(struct backend *backend);

#endif
