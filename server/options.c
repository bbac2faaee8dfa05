#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aws/stream_arn.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/spelling.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/variable.h"
#include "ingest/deadletter/deadletter.h"
#include "server/listen.h"
#include "server/options_table.h"
#include "views/store.h"

static void *field(struct options *options, const struct option *option) {
    return (char *)options + option->offset;
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

static bool check_start(struct options *options, const struct option *option, const char *value) {
    const char *time = options_of_kind(value, "at");
    (void)option;
    options->start = strcmp(value, "latest") == 0 ? START_LATEST : time ? START_AT : START_TRIM_HORIZON;
    if (time)
        return clock_parse(time, strlen(time), &options->start_at_ms);
    return strcmp(value, "latest") == 0 || strcmp(value, "trim-horizon") == 0;
}

/* The options whose value stays a string. */

static void set_text(struct options *options, const struct option *option, const char *value) {
    *(const char **)field(options, option) = value;
}

static bool check_listen(struct options *options, const struct option *option, const char *value) {
    struct listen_address address;
    bool none = strcmp(value, "none") == 0;
    set_text(options, option, none ? NULL : value);
    return none || listen_parse(value, &address, NULL) == STATUS_OK;
}

static bool is_aws_name(const char *s, size_t least, size_t most) {
    size_t length = strlen(s);
    return length >= least && length <= most && strspn(s, TEXT_NAME_CHARACTERS) == length;
}

/* A Kinesis stream's name has 1 to 128 characters (Kinesis API, StreamName). check_together checks an ARN. */
static bool check_source(struct options *options, const struct option *option, const char *value) {
    const char *stream = options_of_kind(value, "kinesis"), *path = options_of_kind(value, "file");
    set_text(options, option, value);
    if (stream)
        return aws_stream_arn_is(stream) || is_aws_name(stream, 1, 128);
    return path ? *path != '\0' : strcmp(value, "none") == 0;
}

/* A table's name has 3 to 255 characters (DynamoDB API, TableName); a stage begins three of them. */
static bool check_store(struct options *options, const struct option *option, const char *value) {
    const char *stage = options_of_kind(value, "dynamodb"), *path = options_of_kind(value, "sqlite");
    set_text(options, option, value);
    if (path)
        return *path != '\0';
    return stage && is_aws_name(stage, 1, 255 - strlen("-Contributions"));
}

static bool check_table(struct options *options, const struct option *option, const char *value) {
    set_text(options, option, value);
    return is_aws_name(value, 3, 255);
}

static bool check_periods(struct options *options, const struct option *option, const char *value) {
    (void)option;
    options->has_periods = true;
    return period_set_parse(value, &options->periods);
}

static bool check_best_sellers(struct options *options, const struct option *option, const char *value) {
    (void)option;
    options->best_sellers = strcmp(value, "on") == 0 ? BEST_SELLERS_ON : BEST_SELLERS_OFF;
    return strcmp(value, "on") == 0 || strcmp(value, "off") == 0;
}

static bool check_worker_id(struct options *options, const struct option *option, const char *value) {
    set_text(options, option, value);
    size_t length = strlen(value);
    return length && length <= STORE_LEASE_OWNER_BYTES && utf8_is_valid(value, length);
}

static bool check_dead_letter(struct options *options, const struct option *option, const char *value) {
    set_text(options, option, value);
    return deadletter_is_target(value);
}

static const char *const identities[] = {[IDENTITIES_MASKED] = "masked", [IDENTITIES_FULL] = "full", NULL};
static const char *const output_formats[] = {[FORMAT_TABLE] = "table", [FORMAT_JSON] = "json", NULL};
static const char *const log_levels[] = {[LOG_LEVEL_ERROR] = "error",
                                         [LOG_LEVEL_WARN] = "warn",
                                         [LOG_LEVEL_INFO] = "info",
                                         [LOG_LEVEL_DEBUG] = "debug",
                                         NULL};
static const char *const log_formats[] = {
    [OPTIONS_LOG_AUTO] = "auto", [OPTIONS_LOG_TEXT] = "text", [OPTIONS_LOG_JSON] = "json", NULL};
static const char *const access_logs[] = {[HTTP_ACCESS_LOG_NONE] = "none",
                                          [HTTP_ACCESS_LOG_ERRORS] = "errors",
                                          [HTTP_ACCESS_LOG_ALL] = "all",
                                          NULL};

#define AT(member) .offset = offsetof(struct options, member)
#define READERS_OF_THE_STORE (OPTIONS_OF_SERVE | OPTIONS_OF_CREATE_TABLES | OPTIONS_OF_AUDIT)

const struct option options_table[] = {
    {GROUP_ADDRESS, "listen", "HOST:PORT|none", "127.0.0.1:8080",
     "address to serve HTTP on ([::]:8080: IPv6 and IPv4; port 0: any free port)", check_listen, AT(listen),
     .readers = OPTIONS_OF_SERVE | OPTIONS_OF_HEALTHCHECK, .is_first = true},
    {GROUP_ADDRESS, "ops-listen", "HOST:PORT|none", "none",
     "address to serve /metrics and the probes on instead", check_listen, AT(ops_listen),
     .readers = OPTIONS_OF_SERVE | OPTIONS_OF_HEALTHCHECK},
    {GROUP_VIEW, "source", "kinesis:STREAM|file:PATH|none", "file:events.jsonl",
     "a stream, by name or ARN; a file with one event per line; none: only serve", check_source, AT(source),
     .is_first = true},
    {GROUP_VIEW, "store", "dynamodb:STAGE|sqlite:PATH", "sqlite:winner-view.db",
     "the tables STAGE-Contributions, STAGE-Scores and STAGE-Leases; or a database file", check_store,
     AT(store), .readers = READERS_OF_THE_STORE, .is_first = true},
    {GROUP_VIEW, "identity-from", "dynamodb:STAGE|sqlite:PATH", NULL,
     "a view whose ids of people and cursors a new view takes over", check_store, AT(identity_from)},
    {GROUP_VIEW, "contributions-table", "NAME", NULL, "used instead of STAGE-Contributions", check_table,
     AT(contributions_table), .other_environment = "TABLE_CONTRIBUTIONS_NAME",
     .readers = READERS_OF_THE_STORE},
    {GROUP_VIEW, "scores-table", "NAME", NULL, "used instead of STAGE-Scores", check_table, AT(scores_table),
     .other_environment = "TABLE_SCORES_NAME", .readers = READERS_OF_THE_STORE},
    {GROUP_VIEW, "leases-table", "NAME", NULL, "used instead of STAGE-Leases", check_table, AT(leases_table),
     .readers = READERS_OF_THE_STORE},
    {GROUP_VIEW, "periods", "none|hour,day,week,month", NULL,
     "periods that have boards; if not given, those of the store; for a new one day,week,month with SQLite, "
     "none with DynamoDB",
     check_periods, AT(periods), .is_first = true},
    {GROUP_VIEW, "best-sellers", "on|off", NULL,
     "whether products have a board; if not given, as in the store; for a new one off", check_best_sellers,
     AT(best_sellers)},
    {GROUP_VIEW, "board-partitions", "N", NULL,
     "partitions of each board's index in DynamoDB; if not given, as in the store; for a new one 1",
     check_number, AT(board_partitions), .least = 1, .most = LIMIT_BOARD_PARTITIONS,
     .readers = OPTIONS_OF_SERVE | OPTIONS_OF_CREATE_TABLES},
    {GROUP_VIEW, "start", "trim-horizon|latest|at:RFC3339", "trim-horizon", "where a new view begins to read",
     check_start, AT(start)},
    {GROUP_READING, "batch-size", "N", "1000", "most records applied in one batch", check_number,
     AT(batch_size), .least = 1, .most = LIMIT_BATCH_RECORDS},
    {GROUP_READING, "batch-window-ms", "MS", "0", "longest time to fill a batch", check_number,
     AT(batch_window_ms), .most = 60000},
    {GROUP_READING, "poll-interval-ms", "MS", "250", "time between two reads of a shard that is caught up",
     check_number, AT(poll_interval_ms), .least = 10, .most = 60000},
    {GROUP_READING, "worker-id", "ID", NULL,
     "owner of this process's leases; if not given, host:pid:random, or embedded with SQLite",
     check_worker_id, AT(worker_id)},
    {GROUP_READING, "failover-ms", "MS", "10000", "age at which a lease that was not renewed becomes free",
     check_number, AT(failover_ms), .least = 1000, .most = 600000},
    {GROUP_READING, "max-leases", "N", NULL,
     "most shards that this process reads; if not given, as many as the system's limits allow", check_number,
     AT(max_leases), .least = 1, .most = LIMIT_SHARDS},
    {GROUP_READING, "dead-letter", "file:PATH|sqs:URL|log", "log",
     "where malformed records are written; URL: a queue, https://HOST/ACCOUNT/NAME", check_dead_letter,
     AT(dead_letter)},
    {GROUP_ANSWERS, "identities", "masked|full", "masked", "how ids of people are shown", check_choice,
     AT(identities), .choices = identities},
    {GROUP_ANSWERS, "cache-bytes", "N", "67108864", "most bytes of memory for cached answers", check_number,
     AT(cache_bytes), .least = 1 << 20, .most = INT64_C(1) << 40},
    {GROUP_ANSWERS, "cache-ttl-ms", "MS", "1000", "how long a cached answer is fresh", check_number,
     AT(api.cache.ttl_ms), .most = 3600000},
    {GROUP_ANSWERS, "cache-stale-ms", "MS", "10000",
     "how long after that it is still served while it is refreshed", check_number, AT(api.cache.stale_ms),
     .most = 86400000},
    {GROUP_ANSWERS, "cache-stale-if-error-ms", "MS", "300000",
     "how long it is still served while the store fails", check_number, AT(api.cache.stale_if_error_ms),
     .most = 86400000},
    {GROUP_ANSWERS, "caught-up-ms", "MS", "10000", "age up to which the view counts as caught up",
     check_number, AT(caught_up_ms), .least = 100, .most = 86400000},
    {GROUP_ANSWERS, "index-allowance-ms", "MS", "1000",
     "expected delay of the boards' index; a board's asOf is this much earlier", check_number,
     AT(api.index_allowance_ms), .most = 3600000},
    {GROUP_ANSWERS, "rank-units", "N", "100",
     "read units a second that DynamoDB may spend to rank everybody; 0: ranks beyond 1000 are null",
     check_number, AT(api.rank_units), .most = 40000},
    {GROUP_LIMITS, "connections", "N", "1024",
     "most connections at once; then idle ones are closed for newcomers", check_number, AT(connections),
     .least = 32, .most = 65536},
    {GROUP_LIMITS, "max-live", "N", "256", "most readers of /live at once; fewer than --connections",
     check_number, AT(max_live), .most = 65535},
    {GROUP_LIMITS, "drain-seconds", "S", "5", "how long to keep serving after SIGTERM", check_number,
     AT(drain_seconds), .most = 15},
    {GROUP_OUTPUT, "format", "table|json", "table", "output of audit", check_choice, AT(format),
     .choices = output_formats, .readers = OPTIONS_OF_AUDIT},
    {GROUP_OUTPUT, "log-level", "error|warn|info|debug", "info", "least severe level that is logged",
     check_choice, AT(log_level), .choices = log_levels, .readers = OPTIONS_OF_ALL, .is_first = true},
    {GROUP_OUTPUT, "log-format", "auto|text|json", "auto", "auto: text on a terminal, else json",
     check_choice, AT(log_format), .choices = log_formats, .readers = OPTIONS_OF_ALL},
    {GROUP_OUTPUT, "access-log", "all|errors|none", "errors", "which requests are logged", check_choice,
     AT(access_log), .choices = access_logs},
};
enum { VARIABLE_SIZE = 64 };
enum { SHOWN_BYTES = 200 }; /* of a value in a mistake: a mistake that had no room would be none */
enum { OPTIONS = sizeof options_table / sizeof *options_table };
const size_t options_count = OPTIONS;

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

static void set(struct options *options, const struct option *option, const char *value, const char *where,
                struct buffer *mistakes) {
    if (option->check(options, option, value))
        return;
    buffer_printf(mistakes, "%s: '%.*s' is not allowed; allowed: ", where, SHOWN_BYTES, value);
    describe_allowed(mistakes, option);
    buffer_putc(mistakes, '\n');
}

static void variable_name(const struct option *option, char out[VARIABLE_SIZE]) {
    snprintf(out, VARIABLE_SIZE, "WINNER_VIEW_%s", option->name);
    for (; *out; out++)
        *out = *out == '-' ? '_' : *out >= 'a' && *out <= 'z' ? (char)(*out - 32) : *out;
}

static const char *environment_value(const struct option *option, char name[VARIABLE_SIZE]) {
    variable_name(option, name);
    const char *value = variable_get(name);
    if (!value && option->other_environment) {
        snprintf(name, VARIABLE_SIZE, "%s", option->other_environment);
        value = variable_get(name);
    }
    return value;
}

/* Options without a flag: from the environment, else the default. */
static void set_defaults(struct options *options, const bool given[OPTIONS], struct buffer *mistakes) {
    for (size_t i = 0; i < OPTIONS; i++) {
        char name[VARIABLE_SIZE];
        const char *value = given[i] ? NULL : environment_value(&options_table[i], name);
        if (value)
            set(options, &options_table[i], value, name, mistakes);
        else if (!given[i] && options_table[i].default_text)
            set(options, &options_table[i], options_table[i].default_text, options_table[i].name, mistakes);
    }
}

const struct option *options_find(const char *argument, const char **value) {
    for (size_t i = 0; i < OPTIONS; i++) {
        size_t length = strlen(options_table[i].name);
        if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, options_table[i].name, length) != 0)
            continue;
        if (argument[2 + length] == '=' || !argument[2 + length]) {
            *value = argument[2 + length] ? argument + 3 + length : NULL;
            return &options_table[i];
        }
    }
    return NULL;
}

const struct command *options_find_command(const struct command *commands, const char *name) {
    for (; commands->name; commands++)
        if (strcmp(commands->name, name) == 0)
            return commands;
    return NULL;
}

static const char *nearest_command(const struct command *commands, const char *typed) {
    struct spelling spelling = {.typed = typed};
    for (; commands->name; commands++)
        if (typed[0] != '-' || commands->name[0] == '-')
            spelling_offer(&spelling, commands->name);
    return spelling.best;
}

static const char *nearest_option(const char *typed) {
    struct spelling spelling = {.typed = typed};
    for (size_t i = 0; i < OPTIONS; i++)
        spelling_offer(&spelling, options_table[i].name);
    return spelling.best;
}

/* The name without its value. */
static void refuse_option(struct buffer *mistakes, const struct command *commands, const char *argument) {
    char name[SPELLING_WORD_BYTES + 4];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
    const char *flag = nearest_command(commands, name);
    const char *option = strncmp(name, "--", 2) == 0 ? nearest_option(name + 2) : NULL;
    buffer_printf(mistakes, "%s: there is no such option; ", argument);
    if (flag || option)
        buffer_printf(mistakes, "did you mean %s%s?\n", flag ? "" : "--", flag ? flag : option);
    else
        buffer_puts(mistakes, "see winner-view --help\n");
}

static void refuse_command(struct buffer *mistakes, const struct command *commands, const char *argument) {
    const char *nearest = nearest_command(commands, argument);
    if (options_find_command(commands, argument))
        buffer_printf(mistakes, "%s: a command is the first argument; see winner-view --help\n", argument);
    else if (nearest)
        buffer_printf(mistakes, "%s: there is no such command; did you mean %s?\n", argument, nearest);
    else
        buffer_printf(mistakes, "%s: there is no such command; see winner-view --help\n", argument);
}

/* Returns how many arguments it read: the value of an option that is unknown is no mistake of its own. */
static int refuse(struct buffer *mistakes, const struct command *commands, int left, char *const argv[]) {
    char shown[SHOWN_BYTES + 1];
    snprintf(shown, sizeof shown, "%s", argv[0]);
    if (argv[0][0] != '-') {
        refuse_command(mistakes, commands, shown);
        return 1;
    }
    refuse_option(mistakes, commands, shown);
    bool has_value = strncmp(argv[0], "--", 2) == 0 && !strchr(argv[0], '=') && left > 1 && argv[1][0] != '-';
    return has_value ? 2 : 1;
}

/* Whether the argument is a command, or its name after `help`. A flag after a command asks for its help. */
static bool read_command(struct options *options, const struct command *commands, const char *argument,
                         int i) {
    const struct command *command = options_find_command(commands, argument);
    bool is_subject = i == 2 && options->command->options == OPTIONS_OF_HELP;
    if (!command || (i > 1 && command->name[0] != '-' && !is_subject))
        return false;
    if (is_subject)
        options->subject = command;
    else if (i > 1 && options->is_command_given)
        options->subject = options->command;
    if (!is_subject)
        options->command = command;
    options->is_command_given = i == 1;
    return true;
}

/* Reads the argument at `i`, and the next one if that is its value; returns how many it read. */
static int read_argument(struct options *options, const struct command *commands, int argc,
                         char *const argv[], int i, bool given[OPTIONS], struct buffer *mistakes) {
    const char *value;
    if (read_command(options, commands, argv[i], i))
        return 1;
    const struct option *option = options_find(argv[i], &value);
    if (!option)
        return refuse(mistakes, commands, argc - i, argv + i);
    given[option - options_table] = true;
    if (!value && i + 1 == argc) {
        buffer_printf(mistakes, "--%s: needs a value; allowed: ", option->name);
        describe_allowed(mistakes, option);
        buffer_putc(mistakes, '\n');
        return 1;
    }
    char where[VARIABLE_SIZE];
    snprintf(where, sizeof where, "--%s", option->name);
    set(options, option, value ? value : argv[i + 1], where, mistakes);
    return value ? 1 : 2;
}

/* The values of a serving process that must fit together. */
static void check_together(const struct options *options, struct buffer *mistakes) {
    const char *stream = options_of_kind(options->source, "kinesis");
    char region[AWS_REGION_SIZE];
    struct error e;
    if (stream && aws_stream_arn_is(stream) && aws_stream_arn_region(stream, region, &e))
        buffer_printf(mistakes, "--source: %s\n", e.message);
    if (strcmp(options->source, "none") == 0 && !options->listen)
        buffer_puts(mistakes,
                    "--source and --listen: both are none, so there is nothing to do; give one of them\n");
    if (options->max_live >= options->connections)
        buffer_printf(mistakes,
                      "--max-live: '%" PRId64 "' is not allowed; allowed with --connections %" PRId64
                      ": a number below that\n",
                      options->max_live, options->connections);
    if (options_of_kind(options->store, "dynamodb") &&
        options->caught_up_ms <= options->api.index_allowance_ms)
        buffer_printf(mistakes,
                      "--caught-up-ms: '%" PRId64
                      "' is not allowed; allowed with --index-allowance-ms %" PRId64
                      ": a number above that, else no board is ever caught up\n",
                      options->caught_up_ms, options->api.index_allowance_ms);
    if (options->board_partitions > 1 && options_of_kind(options->store, "sqlite"))
        buffer_printf(mistakes,
                      "--board-partitions: '%" PRId64
                      "' is not allowed; allowed with --store sqlite:PATH: 1, for only DynamoDB divides an "
                      "index\n",
                      options->board_partitions);
    if (options->start != START_TRIM_HORIZON && options_of_kind(options->source, "file"))
        buffer_puts(mistakes,
                    "--start: a file's lines have no time of arrival; allowed with --source file:PATH: "
                    "trim-horizon\n");
}

enum status options_parse(struct options *options, const struct command *commands, int argc,
                          char *const argv[], struct buffer *mistakes) {
    bool given[OPTIONS] = {false};
    *options = (struct options){.command = commands};
    for (int i = 1; i < argc;)
        i += read_argument(options, commands, argc, argv, i, given, mistakes);
    if (options->command->options & OPTIONS_OF_ALL) /* help is there whatever the environment says */
        set_defaults(options, given, mistakes);
    if (options->command == commands && !mistakes->length)
        check_together(options, mistakes);
    return mistakes->length ? STATUS_INVALID : STATUS_OK;
}
