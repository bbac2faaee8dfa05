/* audit_run: the command `audit`. */
#include <pthread.h>
#include <signal.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/backend.h"
#include "server/commands/audit.h"
#include "server/commands/commands.h"

static int compare(const struct options *options, struct store *store) {
    _cleanup_(audit_deinit) struct audit audit = {0};
    struct error e;
    if (audit_store(store, clock_real_ms(), LIMIT_AUDIT_PAUSE_MS, &audit, &e)) {
        log_write(LOG_LEVEL_ERROR, LOG_FIELDS(e.user_id[0] ? "userId" : NULL, e.user_id),
                  "cannot audit %s: %s", options->store, e.message);
        return 1;
    }
    if (audit_print(&audit, (enum options_format)options->format, stdout, &e)) {
        log_error("cannot print what the audit of %s found: %s", options->store, e.message);
        return 1;
    }
    return audit.n_differences ? 3 : 0;
}

/* The log's thread takes no signal: its end by one (main.c) waits for that thread. */
static void start_log(void) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    log_start();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int audit_run(const struct options *options) {
    _cleanup_(backend_close) struct backend backend = {0};
    struct error e;
    struct store_binding binding;
    const struct store_wish wish = {0}; /* none: the view as it is */
    start_log();
    enum status status = backend_open(&backend, options, true, &e);
    if (!status)
        status = store_bind(backend.store, &wish, &binding, &e);
    if (!status)
        return compare(options, backend.store);
    log_error("cannot audit %s: %s", options->store, e.message);
    return commands_exit_status(status);
}
