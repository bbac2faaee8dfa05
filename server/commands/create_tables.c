#include "base/log.h"
#include "base/mem.h"
#include "server/backend.h"
#include "server/commands/commands.h"

static void report(const char *table, const char *what) {
    log_info("waiting for table '%s': %s", table, what);
}

int create_tables_run(const struct options *options) {
    _cleanup_(backend_close) struct backend backend = {0};
    const struct store_creation creation = {.board_partitions = 1, .report = report};
    struct error e;
    enum status status = backend_open(&backend, options, false, &e);
    if (!status)
        status = store_create(backend.store, &creation, &e);
    if (status)
        log_error("cannot create tables: %s", e.message);
    else
        log_info("the tables of %s exist and are usable", options->store);
    return commands_exit_status(status);
}
