#include "base/log.h"
#include "base/mem.h"
#include "ingest/kinesis/source.h"
#include "server/backend.h"
#include "server/commands/commands.h"

/* A worker that runs with --fan-out registers it again. */
static enum status warn_of_workers(struct store *store, struct error *e) {
    _cleanup_(mem_freep) struct store_lease *leases = NULL;
    size_t n = 0, held = 0;
    enum status status = store_read_leases(store, true, &leases, &n, e);
    for (size_t i = 0; i < n; i++)
        held += *leases[i].owner != '\0';
    if (held)
        log_warn("of %zu leases %zu are held: a worker that runs with --fan-out makes another consumer", n,
                 held);
    return status;
}

/* By a backend that makes nothing. */
static enum status find(const struct options *options, char *arn, struct error *e) {
    _cleanup_(backend_close) struct backend backend = {0};
    enum status status = backend_open(&backend, options, true, e);
    if (!status)
        status = store_read_consumer(backend.store, arn, e);
    return status ? status : warn_of_workers(backend.store, e);
}

static enum status deregister(const struct options *options, const char *arn, struct error *e) {
    _cleanup_(backend_close) struct backend backend = {0};
    enum status status = backend_open(&backend, options, false, e);
    if (!status && !backend.aws)
        status = backend_load_aws(&backend.aws, e);
    if (!status)
        status = source_kinesis_deregister(arn, backend.aws, NULL, e);
    return status ? status : store_note_consumer(backend.store, NULL, e);
}

int deregister_run(const struct options *options) {
    char arn[STORE_CONSUMER_SIZE];
    struct error e;
    enum status status = find(options, arn, &e);
    if (!status)
        status = deregister(options, arn, &e);
    if (status)
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("error", e.code, "requestId", e.request_id), "%s", e.message);
    else
        log_info("the consumer '%s' is deregistered", arn);
    return commands_exit_status(status);
}
