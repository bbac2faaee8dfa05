/*
 * options: the command line and the environment, checked as a whole: each mistake is one line that names the
 * option, the value and what is allowed. One table (options_table.c) makes the flags, the environment names,
 * the checks, the help and the words that a shell completes; the manual page and the package's environment
 * file are made from the help (deploy/options.awk).
 *
 * A flag wins over its environment variable, which wins over the default. An empty variable is not set.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "api/api.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "server/http/http.h"

enum options_start { START_TRIM_HORIZON, START_LATEST, START_AT };
enum options_best_sellers { BEST_SELLERS_NOT_GIVEN, BEST_SELLERS_OFF, BEST_SELLERS_ON };
enum options_identities { IDENTITIES_MASKED, IDENTITIES_FULL };
enum options_format { FORMAT_TABLE, FORMAT_JSON };
enum options_log_format { OPTIONS_LOG_AUTO, OPTIONS_LOG_TEXT, OPTIONS_LOG_JSON };

/* Strings are borrowed from the arguments, the environment or the table. An option without a value and
 * without a default is NULL. */
struct options {
    const struct command *command;
    bool is_command_given;         /* by its name: it is not the default */
    const struct command *subject; /* of --help; NULL: the program */

    const char *listen;        /* HOST:PORT; NULL: none */
    const char *ops_listen;    /* HOST:PORT; NULL: none */
    const char *source;        /* "kinesis:...", "file:..." or "none" */
    const char *store;         /* "dynamodb:..." or "sqlite:..." */
    const char *identity_from; /* like a store; NULL: none */
    const char *contributions_table, *scores_table, *leases_table;
    unsigned periods; /* with has_periods: a set of kinds (views/period.h) */
    bool has_periods; /* --periods is given */
    enum options_best_sellers best_sellers;
    int64_t board_partitions; /* 0: not given */
    enum options_start start;
    int64_t start_at_ms; /* with START_AT */
    int64_t batch_size, batch_window_ms, poll_interval_ms;
    const char *fan_out;   /* the name of a consumer; NULL: polling */
    const char *worker_id; /* NULL: the service makes one */
    int64_t failover_ms;
    int64_t max_leases; /* 0: no limit */
    const char *dead_letter;
    int64_t identities; /* enum options_identities; the table stores every choice as int64_t */
    int64_t cache_bytes;
    int64_t caught_up_ms;
    struct api_options api; /* what the api needs as it is given; service.c completes it */
    int64_t connections, max_live;
    int64_t drain_seconds;
    int64_t format;     /* enum options_format */
    int64_t log_level;  /* enum log_level */
    int64_t log_format; /* enum options_log_format */
    int64_t access_log; /* enum http_access_log */
};

/* Which commands read an option, as a set. */
enum options_reader {
    OPTIONS_OF_SERVE = 1,
    OPTIONS_OF_CREATE_TABLES = 2,
    OPTIONS_OF_AUDIT = 4,
    OPTIONS_OF_CREDENTIALS = 8,
    OPTIONS_OF_HEALTHCHECK = 16,
    OPTIONS_OF_DEREGISTER = 32,
    OPTIONS_OF_ALL = 63,
    OPTIONS_OF_HELP = 64, /* none, but it takes the name of a command */
};

/* One row of the table of commands, which ends with a row without a name. Its first row is the default
 * command and is the one that serves: its options must also fit together. */
struct command {
    const char *name;                          /* "audit"; or a flag: "--version" */
    const char *help;                          /* its line in --help; NULL: none */
    int (*run)(const struct options *options); /* returns the exit status of the process */
    unsigned options;                          /* those that it reads: an enum options_reader, or 0: none */
};

/* Fills `options`. INVALID: `mistakes` has one line for each mistake. */
enum status options_parse(struct options *options, const struct command *commands, int argc,
                          char *const argv[], struct buffer *mistakes);

/* The part after "kind:" of a source or a store; NULL if it is of another kind. */
const char *options_of_kind(const char *spec, const char *kind);

/* The help of the program, within 24 lines of 80 columns; or of one command, with all of its options. */
void options_print_help(const struct command *commands, const struct command *subject, FILE *out);

/* What a shell may put in the place of the last of `words`, which follow the program's name: a line for each
 * word, with a tab and what it means. */
void options_complete(const struct command *commands, size_t n, const char *const words[], FILE *out);

#endif
