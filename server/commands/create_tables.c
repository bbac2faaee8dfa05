#include "base/log.h"
#include "base/mem.h"
#include "server/backend.h"
#include "server/commands/commands.h"

int create_tables_run(const struct options *options) {
    _cleanup_(backend_close) struct backend backend = {0};
    struct error e;
    enum status status = backend_open(&backend, options, false, &e);
    if (!status)
        status = store_create(backend.store, &e);
    if (status)
        log_error("cannot create tables: %s", e.message);
    else
        log_info("the tables of %s exist and are usable", options->store);
    return commands_exit_status(status);
}
