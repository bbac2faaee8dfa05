#include "base/log.h"
#include "base/mem.h"
#include "server/backend.h"
#include "server/commands/commands.h"

static void report(const char *table, const char *what) {
    log_info("waiting for table '%s': %s", table, what);
}

/* The index of boards is that of the view, if there is one; else that of the view that these options begin.
 */
static enum status find_partitions(const struct backend *backend, const struct options *options,
                                   unsigned *partitions, struct error *e) {
    struct store_wish wish = backend_wish(options, NULL);
    wish.wants_periods = wish.wants_best_sellers = false; /* whatever it keeps, the tables are the same */
    struct store_binding binding = {.shape = wish.shape};
    enum status status = store_bind(backend->store, &wish, &binding, e);
    *partitions = binding.shape.board_partitions;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

int create_tables_run(const struct options *options) {
    _cleanup_(backend_close) struct backend backend = {0};
    struct store_creation creation = {.report = report};
    struct error e;
    enum status status = backend_open(&backend, options, false, &e);
    if (!status)
        status = find_partitions(&backend, options, &creation.board_partitions, &e);
    if (!status)
        status = store_create(backend.store, &creation, &e);
    if (status)
        log_error("cannot create tables: %s", e.message);
    else
        log_info("the tables of %s exist and are usable", options->store);
    return commands_exit_status(status);
}
