/*
 * options: the command line and the environment, checked whole: every mistake is one line that names the
 * option, what was given and what is allowed. One table (options.c) makes the parser, the environment names
 * and --help.
 *
 * A flag goes before its environment variable, which goes before the default. An empty variable is not set.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "server/http/http.h"

enum options_command {
    COMMAND_SERVE,
    COMMAND_CREATE_TABLES,
    COMMAND_AUDIT,
    COMMAND_CREDENTIALS,
    COMMAND_HEALTHCHECK,
    COMMAND_HELP,
    COMMAND_VERSION,
};

enum options_start { START_TRIM_HORIZON, START_LATEST, START_AT };
enum options_identities { IDENTITIES_MASKED, IDENTITIES_FULL };
enum options_format { FORMAT_TABLE, FORMAT_JSON };
enum options_log_format { LOG_FORMAT_AUTO = -1 };

/* Strings are borrowed from the arguments, the environment or the table; an option that is not given and has
 * no default is NULL. */
struct options {
    enum options_command command;

    const char *listen;     /* HOST:PORT, or NULL: none */
    const char *ops_listen; /* the same */
    const char *source;     /* "kinesis:...", "file:..." or "none" */
    const char *store;      /* "dynamodb:..." or "sqlite:..." */
    const char *contributions_table, *scores_table, *leases_table;
    enum options_start start;
    int64_t start_at_ms; /* with START_AT */
    int64_t batch_size, batch_window_ms, poll_interval_ms;
    const char *worker_id; /* NULL: made up */
    int64_t failover_ms;
    const char *dead_letter;
    int64_t identities; /* enum options_identities, as all enumerated ones below */
    int64_t cache_bytes, cache_ttl_ms, cache_stale_ms, cache_stale_if_error_ms;
    int64_t caught_up_ms, index_allowance_ms;
    int64_t connections, max_live;
    int64_t drain_seconds;
    int64_t format; /* enum options_format: what audit prints */
    int64_t log_level;
    int64_t log_format; /* or LOG_FORMAT_AUTO */
    int64_t access_log; /* enum http_access_log */
};

/* Fills `options`. INVALID: every mistake is a line of `mistakes`. */
enum status options_parse(struct options *options, int argc, char *const argv[], struct buffer *mistakes);

/* What follows "kind:" in a source or store, or NULL if it is of another kind. */
const char *options_of_kind(const char *spec, const char *kind);

void options_print_help(FILE *out);

#endif
