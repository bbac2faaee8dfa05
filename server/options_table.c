/* options_table: the rows, and the checks of one value alone. */
#include "server/options_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/stream_arn.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/utf8.h"
#include "ingest/deadletter/deadletter.h"
#include "server/listen.h"
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

/* A consumer's name has 1 to 128 characters (Kinesis API, ConsumerName). */
static bool check_fan_out(struct options *options, const struct option *option, const char *value) {
    set_text(options, option, value);
    return is_aws_name(value, 1, 128);
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
#define READERS_OF_THE_STORE                                                                                 \
    (OPTIONS_OF_SERVE | OPTIONS_OF_CREATE_TABLES | OPTIONS_OF_AUDIT | OPTIONS_OF_DEREGISTER)

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
    {GROUP_READING, "batch-size", "N", "1000000", "most records applied in one batch", check_number,
     AT(batch_size), .least = 1, .most = LIMIT_BATCH_RECORDS},
    {GROUP_READING, "batch-window-ms", "MS", "0", "longest time to fill a batch", check_number,
     AT(batch_window_ms), .most = 60000},
    {GROUP_READING, "poll-interval-ms", "MS", "250", "time between two reads of a shard that is caught up",
     check_number, AT(poll_interval_ms), .least = 10, .most = 60000},
    {GROUP_READING, "fan-out", "NAME", NULL,
     "a consumer (1 to 128 letters, digits, '_', '.', '-') to which the stream pushes, registered if need "
     "be; if "
     "not given, shards are polled",
     check_fan_out, AT(fan_out)},
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
    {GROUP_ANSWERS, "caught-up-ms", "MS", NULL,
     "age up to which the view counts as caught up; if not given, 10000, with --fan-out 30000", check_number,
     AT(caught_up_ms), .least = 100, .most = 86400000},
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
const size_t options_count = sizeof options_table / sizeof *options_table;

const char *options_of_kind(const char *spec, const char *kind) {
    size_t length = strlen(kind);
    return spec && strncmp(spec, kind, length) == 0 && spec[length] == ':' ? spec + length + 1 : NULL;
}
