#include "base/log.h"
#include "base/mem.h"
#include "ingest/kinesis/source.h"
#include "server/backend.h"
#include "server/commands/commands.h"

static enum status deregister(struct backend *backend, const struct options *options, char *arn,
                              struct error *e) {
    enum status status = backend_open(backend, options, false, e);
    if (!status && !backend->aws)
        status = backend_load_aws(&backend->aws, e);
    if (!status)
        status = store_read_consumer(backend->store, arn, e);
    if (!status)
        status = source_kinesis_deregister(arn, backend->aws, NULL, e);
    return status ? status : store_note_consumer(backend->store, NULL, e);
}

int deregister_run(const struct options *options) {
    _cleanup_(backend_close) struct backend backend = {0};
    char arn[STORE_CONSUMER_SIZE] = "";
    struct error e;
    enum status status = deregister(&backend, options, arn, &e);
    if (status)
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS("error", e.code, "requestId", e.request_id), "%s", e.message);
    else
        log_info("the consumer '%s' is deregistered", arn);
    return commands_exit_status(status);
}
