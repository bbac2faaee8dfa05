/*
 * config: the command line and the environment, checked whole: every mistake is one line that names the
 * option, what was given and what is allowed. One table (config.c) makes the parser, the environment names
 * and --help.
 *
 * A flag goes before its environment variable, which goes before the default. An empty variable is not set.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "server/http/http.h"

enum config_command {
    COMMAND_SERVE,
    COMMAND_CREATE_TABLES,
    COMMAND_AUDIT,
    COMMAND_CREDENTIALS,
    COMMAND_HEALTHCHECK,
    COMMAND_HELP,
    COMMAND_VERSION,
};

enum config_start { START_TRIM_HORIZON, START_LATEST, START_AT };
enum config_identities { IDENTITIES_MASKED, IDENTITIES_FULL };
enum config_format { FORMAT_TABLE, FORMAT_JSON };
enum config_log_format { LOG_FORMAT_AUTO = -1 };

/* Strings are borrowed from the arguments, the environment or the table; an option that is not given and has
 * no default is NULL. */
struct config {
    enum config_command command;

    const char *listen;     /* HOST:PORT, or NULL: none */
    const char *ops_listen; /* the same */
    const char *source;     /* "kinesis:...", "file:..." or "none" */
    const char *store;      /* "dynamodb:..." or "sqlite:..." */
    const char *contributions_table, *scores_table, *leases_table;
    enum config_start start;
    int64_t start_at_ms; /* with START_AT */
    int64_t batch_size, batch_window_ms, poll_interval_ms;
    const char *worker_id; /* NULL: made up */
    int64_t failover_ms;
    const char *dead_letter;
    int64_t identities; /* enum config_identities, as all enumerated ones below */
    int64_t cache_bytes, cache_ttl_ms, cache_stale_ms, cache_stale_if_error_ms;
    int64_t caught_up_ms, index_allowance_ms;
    int64_t connections, max_live;
    int64_t drain_seconds;
    int64_t format; /* enum config_format: what audit prints */
    int64_t log_level;
    int64_t log_format; /* or LOG_FORMAT_AUTO */
    int64_t access_log; /* enum http_access_log */
};

/* Fills `config`. INVALID: every mistake is a line of `mistakes`. */
enum status config_parse(struct config *config, int argc, char *const argv[], struct buffer *mistakes);

/* What follows "kind:" in a source or store, or NULL if it is of another kind. */
const char *config_of_kind(const char *spec, const char *kind);

void config_print_help(FILE *out);

#endif
