#include "server/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/variable.h"
#include "ingest/deadletter/deadletter.h"
#include "server/listen.h"
#include "views/store.h"

/* ---- what an option may be
 * ------------------------------------------------------------------------------------------ */

struct option;

/* Puts the value where it belongs; false: it is not allowed. */
typedef bool option_check_fn(struct options *options, const struct option *option, const char *value);

struct option {
    const char *name;
    const char *argument; /* in --help, and after "allowed: " in mistakes unless `allowed` is there */
    const char *default_text;
    const char *help;
    option_check_fn *check;
    size_t offset;
    int64_t least, most;        /* numbers */
    const char *const *choices; /* by value; NULL after the last */
    const char *other_environment;
};

static void *field(struct options *options, const struct option *option) {
    return (char *)options + option->offset;
}

static bool check_string(struct options *options, const struct option *option, const char *value) {
    *(const char **)field(options, option) = value;
    return *value != '\0';
}

static bool check_number(struct options *options, const struct option *option, const char *value) {
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    *(int64_t *)field(options, option) = number;
    return *value >= '0' && *value <= '9' && !*end && !errno && number >= option->least &&
           number <= option->most;
}

static bool check_choice(struct options *options, const struct option *option, const char *value) {
    for (int64_t i = 0; option->choices[i]; i++)
        if (strcmp(option->choices[i], value) == 0) {
            *(int64_t *)field(options, option) = i;
            return true;
        }
    return false;
}

static bool check_listen(struct options *options, const struct option *option, const char *value) {
    struct listen_address address;
    bool none = strcmp(value, "none") == 0;
    *(const char **)field(options, option) = none ? NULL : value;
    return none || listen_parse(value, &address, NULL) == STATUS_OK;
}

/* A Kinesis stream: a name of 1..128 [A-Za-z0-9_.-], or an ARN (Kinesis API, StreamName and StreamARN). */
static bool is_stream(const char *s) {
    size_t length = strlen(s);
    return strncmp(s, "arn:", 4) == 0
               ? length <= 2048
               : length >= 1 && length <= 128 && strspn(s, TEXT_NAME_CHARACTERS) == length;
}

static bool check_source(struct options *options, const struct option *option, const char *value) {
    const char *stream = options_of_kind(value, "kinesis"), *path = options_of_kind(value, "file");
    *(const char **)field(options, option) = value;
    return strcmp(value, "none") == 0 || (stream && is_stream(stream)) || (path && *path);
}

/* A table's name, 3..255 of [A-Za-z0-9_.-] (DynamoDB API, TableName), or the start of one. */
static bool is_table_name(const char *s, size_t least, size_t most) {
    size_t length = strlen(s);
    return length >= least && length <= most && strspn(s, TEXT_NAME_CHARACTERS) == length;
}

static bool check_store(struct options *options, const struct option *option, const char *value) {
    const char *stage = options_of_kind(value, "dynamodb"), *path = options_of_kind(value, "sqlite");
    *(const char **)field(options, option) = value;
    if (path)
        return *path != '\0';
    return stage && is_table_name(stage, 1, 255 - strlen("-Contributions"));
}

static bool check_table(struct options *options, const struct option *option, const char *value) {
    *(const char **)field(options, option) = value;
    return is_table_name(value, 3, 255);
}

static bool check_start(struct options *options, const struct option *option, const char *value) {
    const char *time = options_of_kind(value, "at");
    (void)option;
    options->start = strcmp(value, "latest") == 0 ? START_LATEST : time ? START_AT : START_TRIM_HORIZON;
    if (time)
        return clock_parse(time, strlen(time), &options->start_at_ms);
    return strcmp(value, "latest") == 0 || strcmp(value, "trim-horizon") == 0;
}

static bool check_worker_id(struct options *options, const struct option *option, const char *value) {
    return check_string(options, option, value) && strlen(value) <= STORE_LEASE_OWNER_BYTES;
}

static bool check_dead_letter(struct options *options, const struct option *option, const char *value) {
    *(const char **)field(options, option) = value;
    return deadletter_is_target(value);
}

static bool check_log_format(struct options *options, const struct option *option, const char *value) {
    static const char *const formats[] = {[LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};
    options->log_format = LOG_FORMAT_AUTO;
    if (strcmp(value, "auto") == 0)
        return true;
    struct option choice = *option;
    choice.choices = formats;
    return check_choice(options, &choice, value);
}

/* ---- the table
 * ------------------------------------------------------------------------------------------------------ */

static const char *const identities[] = {[IDENTITIES_MASKED] = "masked", [IDENTITIES_FULL] = "full", NULL};
static const char *const output_formats[] = {[FORMAT_TABLE] = "table", [FORMAT_JSON] = "json", NULL};
static const char *const log_levels[] = {[LOG_LEVEL_ERROR] = "error",
                                         [LOG_LEVEL_WARN] = "warn",
                                         [LOG_LEVEL_INFO] = "info",
                                         [LOG_LEVEL_DEBUG] = "debug",
                                         NULL};
static const char *const access_logs[] = {[HTTP_ACCESS_LOG_NONE] = "none",
                                          [HTTP_ACCESS_LOG_ERRORS] = "errors",
                                          [HTTP_ACCESS_LOG_ALL] = "all",
                                          NULL};

#define AT(member) offsetof(struct options, member)

static const struct option table[] = {
    {"listen", "HOST:PORT|none", "127.0.0.1:8080",
     "where to serve HTTP ([::]:8080 too; port 0: any free one)", check_listen, AT(listen), 0, 0, NULL, NULL},
    {"ops-listen", "HOST:PORT|none", "none", "where to serve /metrics and the probes instead", check_listen,
     AT(ops_listen), 0, 0, NULL, NULL},
    {"source", "kinesis:STREAM|file:PATH|none", "file:events.jsonl",
     "a stream, by name or ARN; a file with an event a line; none: only serve", check_source, AT(source), 0,
     0, NULL, NULL},
    {"store", "dynamodb:STAGE|sqlite:PATH", "sqlite:winner-view.db",
     "the tables STAGE-Contributions, STAGE-Scores and STAGE-Leases; or a file", check_store, AT(store), 0, 0,
     NULL, NULL},
    {"contributions-table", "NAME", NULL, "instead of STAGE-Contributions", check_table,
     AT(contributions_table), 0, 0, NULL, "TABLE_CONTRIBUTIONS_NAME"},
    {"scores-table", "NAME", NULL, "instead of STAGE-Scores", check_table, AT(scores_table), 0, 0, NULL,
     "TABLE_SCORES_NAME"},
    {"leases-table", "NAME", NULL, "instead of STAGE-Leases", check_table, AT(leases_table), 0, 0, NULL,
     NULL},
    {"start", "trim-horizon|latest|at:RFC3339", "trim-horizon", "where a new view begins to read",
     check_start, AT(start), 0, 0, NULL, NULL},
    {"batch-size", "N", "1000", "records applied at once", check_number, AT(batch_size), 1,
     LIMIT_BATCH_RECORDS, NULL, NULL},
    {"batch-window-ms", "MS", "0", "how long a batch waits to be full", check_number, AT(batch_window_ms), 0,
     60000, NULL, NULL},
    {"poll-interval-ms", "MS", "250", "how often a shard is read once caught up", check_number,
     AT(poll_interval_ms), 10, 60000, NULL, NULL},
    {"worker-id", "ID", NULL,
     "the owner of this process's leases (default: host:pid:random; with SQLite: embedded)", check_worker_id,
     AT(worker_id), 0, 0, NULL, NULL},
    {"failover-ms", "MS", "10000", "a lease not renewed for so long is free", check_number, AT(failover_ms),
     1000, 600000, NULL, NULL},
    {"dead-letter", "file:PATH|sqs:URL|log", "log",
     "where records go that are not events; URL: a queue's, https://HOST/ACCOUNT/NAME", check_dead_letter,
     AT(dead_letter), 0, 0, NULL, NULL},
    {"identities", "masked|full", "masked", "how people's ids are shown", check_choice, AT(identities), 0, 0,
     identities, NULL},
    {"cache-bytes", "N", "67108864", "the most that cached answers take", check_number, AT(cache_bytes),
     1 << 20, INT64_C(1) << 40, NULL, NULL},
    {"cache-ttl-ms", "MS", "1000", "how long an answer is fresh", check_number, AT(cache_ttl_ms), 0, 3600000,
     NULL, NULL},
    {"cache-stale-ms", "MS", "10000", "how long after that it is served while one refresh runs", check_number,
     AT(cache_stale_ms), 0, 86400000, NULL, NULL},
    {"cache-stale-if-error-ms", "MS", "300000", "how long it is served while the store fails", check_number,
     AT(cache_stale_if_error_ms), 0, 86400000, NULL, NULL},
    {"caught-up-ms", "MS", "10000", "the view is caught up while it is at most so old", check_number,
     AT(caught_up_ms), 100, 86400000, NULL, NULL},
    {"index-allowance-ms", "MS", "1000", "how late the boards' index may be: their asOf is from so long ago",
     check_number, AT(index_allowance_ms), 0, 3600000, NULL, NULL},
    {"connections", "N", "1024", "the most connections at once", check_number, AT(connections), 32, 65536,
     NULL, NULL},
    {"max-live", "N", "256", "the most readers of /live at once; fewer than --connections", check_number,
     AT(max_live), 0, 65535, NULL, NULL},
    {"drain-seconds", "S", "5", "how long to go on serving after SIGTERM", check_number, AT(drain_seconds), 0,
     15, NULL, NULL},
    {"format", "table|json", "table", "how audit prints", check_choice, AT(format), 0, 0, output_formats,
     NULL},
    {"log-level", "error|warn|info|debug", "info", "the least that is logged", check_choice, AT(log_level), 0,
     0, log_levels, NULL},
    {"log-format", "auto|text|json", "auto", "auto: text on a terminal, else json", check_log_format,
     AT(log_format), 0, 0, NULL, NULL},
    {"access-log", "all|errors|none", "errors", "which requests are logged", check_choice, AT(access_log), 0,
     0, access_logs, NULL},
};
enum { OPTIONS = sizeof table / sizeof *table };

static const struct command {
    const char *name;
    enum options_command command;
    const char *help;
} commands[] = {
    {"serve", COMMAND_SERVE, "run: ingest the source and serve the views (default)"},
    {"create-tables", COMMAND_CREATE_TABLES,
     "create what --store needs, if missing, and wait until it is usable"},
    {"audit", COMMAND_AUDIT,
     "re-derive every score of --store from its contributions, print each difference"},
    {"credentials", COMMAND_CREDENTIALS, "show which provider supplies the AWS credentials, and until when"},
    {"healthcheck", COMMAND_HEALTHCHECK,
     "ask the running server's /livez, for containers; same options as serve"},
    {"--help", COMMAND_HELP, NULL},
    {"-h", COMMAND_HELP, NULL},
    {"--version", COMMAND_VERSION, NULL},
};

/* ---- reading it
 * ------------------------------------------------------------------------------------------------------ */

const char *options_of_kind(const char *spec, const char *kind) {
    size_t length = strlen(kind);
    return spec && strncmp(spec, kind, length) == 0 && spec[length] == ':' ? spec + length + 1 : NULL;
}

static void describe_allowed(struct buffer *out, const struct option *option) {
    if (option->check == check_number)
        buffer_printf(out, "a number from %" PRId64 " to %" PRId64, option->least, option->most);
    else
        buffer_puts(out, option->argument);
}

static void apply(struct options *options, const struct option *option, const char *value, const char *where,
                  struct buffer *mistakes) {
    if (option->check(options, option, value))
        return;
    buffer_printf(mistakes, "%s: '%s' is not allowed; allowed: ", where, value);
    describe_allowed(mistakes, option);
    buffer_putc(mistakes, '\n');
}

static void environment_name(const struct option *option, char *out, size_t size) {
    snprintf(out, size, "WINNER_VIEW_%s", option->name);
    for (; *out; out++)
        *out = *out == '-' ? '_' : *out >= 'a' && *out <= 'z' ? (char)(*out - 32) : *out;
}

static const char *environment_value(const struct option *option, char *name, size_t size) {
    environment_name(option, name, size);
    const char *value = variable_get(name);
    if (!value && option->other_environment) {
        snprintf(name, size, "%s", option->other_environment);
        value = variable_get(name);
    }
    return value;
}

static void apply_defaults(struct options *options, const bool given[OPTIONS], struct buffer *mistakes) {
    for (size_t i = 0; i < OPTIONS; i++) {
        char name[64];
        const char *value = given[i] ? NULL : environment_value(&table[i], name, sizeof name);
        if (value)
            apply(options, &table[i], value, name, mistakes);
        else if (!given[i] && table[i].default_text)
            apply(options, &table[i], table[i].default_text, table[i].name, mistakes);
    }
}

static const struct option *find_option(const char *argument, const char **value) {
    for (size_t i = 0; i < OPTIONS; i++) {
        size_t length = strlen(table[i].name);
        if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, table[i].name, length) != 0)
            continue;
        if (argument[2 + length] == '=' || !argument[2 + length]) {
            *value = argument[2 + length] ? argument + 3 + length : NULL;
            return &table[i];
        }
    }
    return NULL;
}

static const struct command *find_command(const char *argument) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, argument) == 0)
            return &commands[i];
    return NULL;
}

/* Takes the argument at `i`, and the one after it if that is its value; returns how many. */
static int take_argument(struct options *options, int argc, char *const argv[], int i, bool given[OPTIONS],
                         struct buffer *mistakes) {
    const char *value;
    const struct command *command = find_command(argv[i]);
    const struct option *option = find_option(argv[i], &value);
    int taken = 1;

    if (command && (i == 1 || command->name[0] == '-')) {
        options->command = command->command;
    } else if (!option) {
        buffer_printf(mistakes, "%s: there is no such %s; see winner-view --help\n", argv[i],
                      argv[i][0] == '-' ? "option" : "command");
    } else if (!value && i + 1 == argc) {
        buffer_printf(mistakes, "--%s: needs a value; allowed: ", option->name);
        describe_allowed(mistakes, option);
        buffer_putc(mistakes, '\n');
    } else {
        char where[64];
        taken = value ? 1 : 2;
        snprintf(where, sizeof where, "--%s", option->name);
        apply(options, option, value ? value : argv[i + 1], where, mistakes);
    }
    if (option)
        given[option - table] = true;
    return taken;
}

static void check_together(const struct options *options, struct buffer *mistakes) {
    if (options->command != COMMAND_SERVE || mistakes->length)
        return;
    if (strcmp(options->source, "none") == 0 && !options->listen)
        buffer_puts(mistakes,
                    "--source and --listen: both are none, so there is nothing to do; give one of them\n");
    if (options->max_live >= options->connections)
        buffer_printf(mistakes,
                      "--max-live: '%" PRId64 "' is not allowed; allowed with --connections %" PRId64
                      ": a number below that\n",
                      options->max_live, options->connections);
    if (options_of_kind(options->store, "dynamodb") && options->caught_up_ms <= options->index_allowance_ms)
        buffer_printf(mistakes,
                      "--caught-up-ms: '%" PRId64
                      "' is not allowed; allowed with --index-allowance-ms %" PRId64
                      ": a number above that, else no board is ever caught up\n",
                      options->caught_up_ms, options->index_allowance_ms);
    if (options->start != START_TRIM_HORIZON && options_of_kind(options->source, "file"))
        buffer_puts(mistakes,
                    "--start: a file's lines have no time of arrival; allowed with --source file:PATH: "
                    "trim-horizon\n");
}

enum status options_parse(struct options *options, int argc, char *const argv[], struct buffer *mistakes) {
    bool given[OPTIONS] = {false};
    *options = (struct options){.command = COMMAND_SERVE, .log_format = LOG_FORMAT_AUTO};
    for (int i = 1; i < argc;)
        i += take_argument(options, argc, argv, i, given, mistakes);
    apply_defaults(options, given, mistakes);
    check_together(options, mistakes);
    return mistakes->length ? STATUS_INVALID : STATUS_OK;
}

void options_print_help(FILE *out) {
    fprintf(out, "usage: winner-view [command] [options]\n\n"
                 "Reads a stream of events and serves who earned what from it.\n\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (commands[i].help)
            fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].help);
    fprintf(out,
            "  --help, --version\n\noptions (or in the environment, as WINNER_VIEW_LISTEN for --listen):\n");
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *o = &table[i];
        fprintf(out, "  --%s %s\n      %s", o->name, o->argument, o->help);
        if (o->default_text)
            fprintf(out, " (default: %s)", o->default_text);
        if (o->other_environment)
            fprintf(out, " (also %s)", o->other_environment);
        fputc('\n', out);
    }
    fprintf(out, "\nAWS region, credentials and endpoints come from where every AWS program finds them.\n"
                 "Exit status: 0 stopped as asked, 1 failed, 2 the configuration is wrong, 3 audit found "
                 "differences.\n");
}
