#include "server/options.h"

#include "tests/unit/support/test.h"

extern char **environ;

/* No option of ours in the environment. */
static int clear_environment(void **state) {
    (void)state;
    for (char **entry = environ; *entry;) {
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*entry, "="), *entry);
        bool ours = strncmp(name, "WINNER_VIEW_", 12) == 0 || strncmp(name, "TABLE_", 6) == 0;
        entry = ours && unsetenv(name) == 0 ? environ : entry + 1;
    }
    return 0;
}

/* The table of main.c in small. */
static const struct command commands[] = {
    {"serve", "serves", NULL, OPTIONS_OF_SERVE},
    {"create-tables", "creates", NULL, OPTIONS_OF_CREATE_TABLES},
    {"audit", "audits", NULL, OPTIONS_OF_AUDIT},
    {"help", "helps", NULL, OPTIONS_OF_HELP},
    {"--help", NULL, NULL, OPTIONS_OF_HELP},
    {"-h", NULL, NULL, OPTIONS_OF_HELP},
    {"--version", NULL, NULL, 0},
    {"-V", NULL, NULL, 0},
    {NULL, NULL, NULL, 0},
};

/* Values for the options that every case needs. */
#define NEEDED "--source", "kinesis:events", "--store", "dynamodb:test"

static enum status parse(struct options *options, struct buffer *mistakes, const char *const arguments[],
                         size_t n) {
    char *argv[32] = {(char[]){"winner-view"}};
    assert_true(n < COUNT(argv));
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    buffer_init(mistakes, 1 << 16);
    return options_parse(options, commands, (int)n + 1, argv, mistakes);
}

#define PARSE(options, mistakes, ...)                                                                        \
    parse((options), (mistakes), (const char *const[]){__VA_ARGS__},                                         \
          COUNT(((const char *const[]){__VA_ARGS__})))

static void assert_right(struct options *options, const char *const arguments[], size_t n) {
    _cleanup_(buffer_deinit) struct buffer mistakes;
    if (parse(options, &mistakes, arguments, n) != STATUS_OK)
        fail_msg("%s", mistakes.data);
}

#define RIGHT(options, ...)                                                                                  \
    assert_right((options), (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})))

static void assert_wrong(const char *expected, const char *const arguments[], size_t n) {
    _cleanup_(buffer_deinit) struct buffer mistakes;
    struct options options;
    assert_int_equal(parse(&options, &mistakes, arguments, n), STATUS_INVALID);
    assert_string_equal(mistakes.data, expected);
}

#define WRONG(expected, ...)                                                                                 \
    assert_wrong((expected), (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})))

static void an_option_that_is_not_given_has_its_default(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, NEEDED);
    assert_string_equal(c.command->name, "serve");
    assert_string_equal(c.listen, "127.0.0.1:8080");
    assert_null(c.ops_listen);
    assert_int_equal(c.start, START_TRIM_HORIZON);
    assert_int_equal(c.batch_size, 1000000);
    assert_int_equal(c.batch_window_ms, 0);
    assert_int_equal(c.poll_interval_ms, 250);
    assert_null(c.worker_id);
    assert_null(c.fan_out);
    assert_null(c.contributions_table);
    assert_null(c.identity_from);
    assert_null(c.scores_table);
    assert_null(c.leases_table);
    assert_int_equal(c.format, FORMAT_TABLE);
    assert_false(c.has_periods);
    assert_int_equal(c.periods, 0);
    assert_int_equal(c.best_sellers, BEST_SELLERS_NOT_GIVEN);
    assert_int_equal(c.board_partitions, 0);
    assert_int_equal(c.failover_ms, 10000);
    assert_int_equal(c.max_leases, 0);
    assert_string_equal(c.dead_letter, "log");
    assert_int_equal(c.identities, IDENTITIES_MASKED);
    assert_int_equal(c.cache_bytes, 64 << 20);
    assert_int_equal(c.api.cache.ttl_ms, 1000);
    assert_int_equal(c.api.cache.stale_ms, 10000);
    assert_int_equal(c.api.cache.stale_if_error_ms, 300000);
    assert_int_equal(c.caught_up_ms, 10000);
    assert_int_equal(c.api.index_allowance_ms, 1000);
    assert_int_equal(c.api.rank_units, 100);
    assert_int_equal(c.connections, 1024);
    assert_int_equal(c.max_live, 256);
    assert_int_equal(c.drain_seconds, 5);
    assert_int_equal(c.log_level, LOG_LEVEL_INFO);
    assert_int_equal(c.log_format, OPTIONS_LOG_AUTO);
    assert_int_equal(c.access_log, HTTP_ACCESS_LOG_ERRORS);
}

static void the_value_of_an_option_follows_a_space_or_an_equals_sign(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, "--source=kinesis:events", "--store", "dynamodb:x", "--batch-size=7", "--identities", "full");
    assert_int_equal(c.batch_size, 7);
    assert_int_equal(c.identities, IDENTITIES_FULL);
}

static void a_flag_precedes_the_environment_and_the_environment_precedes_the_default(void **state) {
    (void)state;
    struct options c;
    setenv("WINNER_VIEW_BATCH_SIZE", "20", 1);
    setenv("WINNER_VIEW_CACHE_STALE_IF_ERROR_MS", "30", 1);
    RIGHT(&c, NEEDED, "--batch-size", "10");
    assert_int_equal(c.batch_size, 10);
    assert_int_equal(c.api.cache.stale_if_error_ms, 30);
    assert_int_equal(c.api.cache.stale_ms, 10000);
}

static void an_empty_variable_of_an_option_is_not_set(void **state) {
    (void)state;
    struct options c;
    setenv("WINNER_VIEW_BATCH_SIZE", "", 1);
    RIGHT(&c, NEEDED);
    assert_int_equal(c.batch_size, 1000000);
}

static void options_may_all_be_in_the_environment(void **state) {
    (void)state;
    struct options c;
    setenv("WINNER_VIEW_SOURCE", "none", 1);
    setenv("WINNER_VIEW_STORE", "dynamodb:stage", 1);
    assert_right(&c, NULL, 0);
    assert_string_equal(c.source, "none");
    assert_string_equal(c.store, "dynamodb:stage");
}

static void the_variables_of_the_old_lambda_also_name_the_tables(void **state) {
    (void)state;
    struct options c;
    setenv("TABLE_SCORES_NAME", "old-scores", 1);
    setenv("TABLE_CONTRIBUTIONS_NAME", "old-contributions", 1);
    setenv("WINNER_VIEW_SCORES_TABLE", "new-scores", 1);
    RIGHT(&c, NEEDED);
    assert_string_equal(c.scores_table, "new-scores");
    assert_string_equal(c.contributions_table, "old-contributions");
    RIGHT(&c, NEEDED, "--contributions-table", "mine");
    assert_string_equal(c.contributions_table, "mine");
}

static void the_last_of_two_equal_flags_is_used(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, NEEDED, "--listen", "127.0.0.1:1", "--listen", "none", "--log-format", "json", "--log-format",
          "auto", "--batch-size", "1", "--batch-size", "2");
    assert_null(c.listen);
    assert_int_equal(c.log_format, OPTIONS_LOG_AUTO);
    assert_int_equal(c.batch_size, 2);
}

static void a_command_is_the_first_argument_or_one_of_the_command_flags(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, "serve", NEEDED);
    assert_string_equal(c.command->name, "serve");
    RIGHT(&c, "create-tables", "--store", "dynamodb:x"); /* which needs no source */
    assert_string_equal(c.command->name, "create-tables");
    RIGHT(&c, "audit", "--store", "sqlite:x");
    assert_string_equal(c.command->name, "audit");
    assert_int_equal(c.format, FORMAT_TABLE);
    RIGHT(&c, "audit", "--format", "json");
    assert_int_equal(c.format, FORMAT_JSON);
    RIGHT(&c, "--help");
    assert_string_equal(c.command->name, "--help");
    RIGHT(&c, "-h");
    assert_string_equal(c.command->name, "-h");
    RIGHT(&c, "--version");
    assert_string_equal(c.command->name, "--version");
}

static void the_start_is_the_trim_horizon_the_latest_record_or_a_time(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, NEEDED, "--start", "latest");
    assert_int_equal(c.start, START_LATEST);
    RIGHT(&c, NEEDED, "--start", "at:2026-11-23T06:36:00+02:00");
    assert_int_equal(c.start, START_AT);
    assert_int_equal(c.start_at_ms, 1795408560000);
    WRONG("--start: 'at:yesterday' is not allowed; allowed: trim-horizon|latest|at:RFC3339\n", NEEDED,
          "--start", "at:yesterday");
}

static void every_allowed_value_of_a_choice_is_read(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, NEEDED, "--log-level", "debug", "--log-format", "json", "--access-log", "none", "--dead-letter",
          "file:/tmp/x", "--listen", "[::]:8080");
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(c.log_format, OPTIONS_LOG_JSON);
    assert_int_equal(c.access_log, HTTP_ACCESS_LOG_NONE);
    assert_string_equal(c.dead_letter, "file:/tmp/x");
    assert_string_equal(c.listen, "[::]:8080");
    RIGHT(&c, NEEDED, "--source", "kinesis:arn:aws:kinesis:eu-west-1:111122223333:stream/events",
          "--log-format", "text", "--access-log", "all", "--log-level", "error");
}

static void the_shape_of_a_view_is_read(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, NEEDED, "--periods", "month,hour", "--best-sellers", "on", "--board-partitions", "64");
    assert_true(c.has_periods);
    assert_int_equal(c.periods, 1U << PERIOD_HOUR | 1U << PERIOD_MONTH);
    assert_int_equal(c.best_sellers, BEST_SELLERS_ON);
    assert_int_equal(c.board_partitions, 64);
    RIGHT(&c, NEEDED, "--periods", "none", "--best-sellers", "off");
    assert_true(c.has_periods);
    assert_int_equal(c.periods, 0);
    assert_int_equal(c.best_sellers, BEST_SELLERS_OFF);
    RIGHT(&c, "--store", "sqlite:x", "--board-partitions", "1");
    WRONG("--board-partitions: '2' is not allowed; allowed with --store sqlite:PATH: 1, for only DynamoDB "
          "divides an index\n",
          "--store", "sqlite:x", "--board-partitions", "2");
}

static void a_numeric_option_must_be_within_its_bounds(void **state) {
    (void)state;
    static const char *const wrong[] = {"0",   "1000001", "-1",   "+5", " 5", "5 ",
                                        "5.0", "1e3",     "0x10", "x",  "",   "99999999999999999999999"};
    struct options c;
    RIGHT(&c, NEEDED, "--batch-size", "1");
    RIGHT(&c, NEEDED, "--batch-size", "1000000");
    assert_int_equal(c.batch_size, 1000000);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char expected[128];
        snprintf(expected, sizeof expected,
                 "--batch-size: '%s' is not allowed; allowed: a number from 1 to 1000000\n", wrong[i]);
        WRONG(expected, NEEDED, "--batch-size", wrong[i]);
    }
}

static void a_mistake_names_the_option_the_value_and_what_is_allowed(void **state) {
    (void)state;
    static const struct {
        const char *option, *value, *allowed;
    } wrong[] = {
        {"listen", "8080", "HOST:PORT|none"},
        {"listen", "host:99999", "HOST:PORT|none"},
        {"listen", "::1:80", "HOST:PORT|none"},
        {"source", "kinesis:", "kinesis:STREAM|file:PATH|none"},
        {"source", "kinesis:a b", "kinesis:STREAM|file:PATH|none"},
        {"source", "sqs:x", "kinesis:STREAM|file:PATH|none"},
        {"source", "file:", "kinesis:STREAM|file:PATH|none"},
        {"store", "dynamodb:", "dynamodb:STAGE|sqlite:PATH"},
        {"store", "dynamodb:a/b", "dynamodb:STAGE|sqlite:PATH"},
        {"store", "sqlite:", "dynamodb:STAGE|sqlite:PATH"},
        {"store", "mysql:x", "dynamodb:STAGE|sqlite:PATH"},
        {"scores-table", "ab", "NAME"},
        {"contributions-table", "a b c", "NAME"},
        {"leases-table", "a/b", "NAME"},
        {"start", "TRIM_HORIZON", "trim-horizon|latest|at:RFC3339"},
        {"periods", "year", "none|hour,day,week,month"},
        {"periods", "day,", "none|hour,day,week,month"},
        {"periods", "day,day", "none|hour,day,week,month"},
        {"best-sellers", "yes", "on|off"},
        {"board-partitions", "0", "a number from 1 to 64"},
        {"board-partitions", "65", "a number from 1 to 64"},
        {"dead-letter", "file:", "file:PATH|sqs:URL|log"},
        {"dead-letter", "stdout", "file:PATH|sqs:URL|log"},
        {"dead-letter", "sqs:letters", "file:PATH|sqs:URL|log"},
        {"identities", "Full", "masked|full"},
        {"worker-id", "", "ID"},
        {"worker-id", "\xff", "ID"},
        {"log-level", "verbose", "error|warn|info|debug"},
        {"log-format", "xml", "auto|text|json"},
        {"access-log", "some", "all|errors|none"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char flag[64], expected[256];
        snprintf(flag, sizeof flag, "--%s", wrong[i].option);
        snprintf(expected, sizeof expected, "--%s: '%s' is not allowed; allowed: %s\n", wrong[i].option,
                 wrong[i].value, wrong[i].allowed);
        print_message("%s %s\n", flag, wrong[i].value);
        WRONG(expected, NEEDED, flag, wrong[i].value);
    }
}

static void a_mistake_in_the_environment_names_the_variable(void **state) {
    (void)state;
    setenv("WINNER_VIEW_BATCH_SIZE", "many", 1);
    WRONG("WINNER_VIEW_BATCH_SIZE: 'many' is not allowed; allowed: a number from 1 to 1000000\n", NEEDED);
    clear_environment(NULL);
    setenv("TABLE_SCORES_NAME", "x", 1);
    WRONG("TABLE_SCORES_NAME: 'x' is not allowed; allowed: NAME\n", NEEDED);
    struct options c;
    RIGHT(&c, NEEDED, "--scores-table", "good"); /* the flag wins, so the variable is not read */
}

static void every_mistake_in_the_options_has_its_own_line(void **state) {
    (void)state;
    setenv("WINNER_VIEW_DRAIN_SECONDS", "99", 1);
    WRONG("--batch-size: '0' is not allowed; allowed: a number from 1 to 1000000\n"
          "--nonsense: there is no such option; see winner-view --help\n"
          "--identities: 'x' is not allowed; allowed: masked|full\n"
          "WINNER_VIEW_DRAIN_SECONDS: '99' is not allowed; allowed: a number from 0 to 15\n",
          NEEDED, "--batch-size", "0", "--nonsense", "--identities=x");
}

static void unknown_options_and_commands_are_refused(void **state) {
    (void)state;
    WRONG("--colour: there is no such option; see winner-view --help\n", NEEDED, "--colour");
    WRONG("-x: there is no such option; see winner-view --help\n", NEEDED, "-x");
    WRONG("run: there is no such command; see winner-view --help\n", "run", NEEDED);
    WRONG("serve: a command is the first argument; see winner-view --help\n", NEEDED, "serve");
    WRONG("dance: there is no such command; see winner-view --help\n", "help", "dance");
}

static void the_nearest_option_or_command_is_suggested(void **state) {
    (void)state;
    WRONG("--sorce: there is no such option; did you mean --source?\n", NEEDED, "--sorce");
    WRONG("--batch-sizes=1: there is no such option; did you mean --batch-size?\n", NEEDED,
          "--batch-sizes=1");
    WRONG("--batch: there is no such option; did you mean --batch-size?\n", NEEDED, "--batch");
    WRONG("--versoin: there is no such option; did you mean --version?\n", "--versoin");
    WRONG("-v: there is no such option; did you mean -V?\n", "-v");
    WRONG("adit: there is no such command; did you mean audit?\n", "adit", NEEDED);
    WRONG("create-table: there is no such command; did you mean create-tables?\n", "create-table");
}

static void the_value_of_an_unknown_option_is_no_mistake_of_its_own(void **state) {
    (void)state;
    WRONG("--sorce: there is no such option; did you mean --source?\n", "--sorce", "file:x", "--store",
          "sqlite:x");
}

static void help_is_of_the_program_or_of_a_command(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, "--help");
    assert_string_equal(c.command->name, "--help");
    assert_null(c.subject);
    RIGHT(&c, "help");
    assert_null(c.subject);
    RIGHT(&c, "help", "audit");
    assert_string_equal(c.command->name, "help");
    assert_string_equal(c.subject->name, "audit");
    RIGHT(&c, "audit", NEEDED, "-h");
    assert_string_equal(c.command->name, "-h");
    assert_string_equal(c.subject->name, "audit");
    RIGHT(&c, NEEDED, "--help");
    assert_null(c.subject);
}

static void help_is_there_whatever_the_environment_says(void **state) {
    (void)state;
    struct options c;
    setenv("WINNER_VIEW_BATCH_SIZE", "many", 1);
    RIGHT(&c, "audit", "--help");
    RIGHT(&c, "--version");
}

static void assert_completed(const char *expected, const char *const words[], size_t n) {
    char text[8192] = "", found[8192] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    options_complete(commands, n, words, out);
    fclose(out);
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1)
        strncat(strncat(found, line, strcspn(line, "\t")), " ", 2);
    assert_string_equal(found, expected);
}

#define COMPLETED(expected, ...)                                                                             \
    assert_completed((expected), (const char *const[]){__VA_ARGS__},                                         \
                     COUNT(((const char *const[]){__VA_ARGS__})))

static void what_may_stand_in_the_place_of_the_last_word_is_completed(void **state) {
    (void)state;
    COMPLETED("serve create-tables audit help ", "");
    COMPLETED("create-tables ", "cr");
    COMPLETED("serve create-tables audit help ", "help", "");
    COMPLETED("", "serve", "");
    COMPLETED("--cache-stale-ms --cache-stale-if-error-ms ", "serve", "--cache-s");
    COMPLETED("--cache-bytes ", "--cache-b");
    COMPLETED("--format ", "audit", "--f");
    COMPLETED("", "audit", "--batch");
    COMPLETED("--help --version ", "help", "--");
    COMPLETED("kinesis: file: none ", "serve", "--source", "");
    COMPLETED("none ", "serve", "--listen", "");
    COMPLETED("trim-horizon latest at: ", "serve", "--start", "");
    COMPLETED("sqlite: ", "--store", "s");
    COMPLETED("", "serve", "--batch-size", "");
    COMPLETED("", "serve", "--nothing", "");
}

static void an_assignment_is_completed_as_one_word_and_as_three(void **state) {
    (void)state;
    COMPLETED("--start=latest ", "serve", "--start=l");
    COMPLETED("latest ", "serve", "--start", "=", "l");
    COMPLETED("trim-horizon latest at: ", "--start", "=");
    COMPLETED("", "serve", "--start=latest", "");
    COMPLETED("", "--nothing=l");
    COMPLETED("", "=");
    assert_completed("", NULL, 0);
}

static void an_option_at_the_end_needs_its_value(void **state) {
    (void)state;
    WRONG("--batch-size: needs a value; allowed: a number from 1 to 1000000\n", NEEDED, "--batch-size");
    WRONG("--store: needs a value; allowed: dynamodb:STAGE|sqlite:PATH\n", "--source", "none", "--store");
}

static void without_options_the_store_is_sqlite_and_the_source_a_file(void **state) {
    (void)state;
    struct options c;
    _cleanup_(buffer_deinit) struct buffer mistakes;
    buffer_init(&mistakes, 4096);
    assert_int_equal(options_parse(&c, commands, 1, (char *const[]){"winner-view", NULL}, &mistakes),
                     STATUS_OK);
    assert_string_equal(c.source, "file:events.jsonl");
    assert_string_equal(c.store, "sqlite:winner-view.db");
}

static void options_that_contradict_each_other_are_refused(void **state) {
    (void)state;
    WRONG("--source and --listen: both are none, so there is nothing to do; give one of them\n", "--source",
          "none", "--store", "dynamodb:x", "--listen", "none");
    WRONG("--start: a file's lines have no time of arrival; allowed with --source file:PATH: trim-horizon\n",
          "--source", "file:x", "--start", "latest");
    WRONG("--max-live: '256' is not allowed; allowed with --connections 256: a number below that\n",
          "--connections", "256");
    WRONG(
        "--caught-up-ms: '1000' is not allowed; allowed with --index-allowance-ms 1000: a number above that, "
        "else no board is ever caught up\n",
        "--store", "dynamodb:x", "--caught-up-ms", "1000");
    WRONG("--fan-out: 'c' is not allowed; allowed with --source kinesis:STREAM\n", "--source", "file:x",
          "--fan-out", "c");
}

/* Its heartbeats are seconds apart. */
static void a_view_that_is_pushed_counts_as_caught_up_for_longer(void **state) {
    (void)state;
    struct options c;
    RIGHT(&c, "--source", "kinesis:s", "--fan-out", "c");
    assert_string_equal(c.fan_out, "c");
    assert_int_equal(c.caught_up_ms, 30000);
    RIGHT(&c, "--source", "kinesis:s", "--fan-out", "c", "--caught-up-ms", "5000");
    assert_int_equal(c.caught_up_ms, 5000);
}

static void a_stage_is_short_enough_for_the_longest_table_name(void **state) {
    (void)state;
    char longest[256] = "dynamodb:";
    size_t prefix = strlen(longest), stage = 255 - strlen("-Contributions");
    struct options c;
    memset(longest + prefix, 's', stage + 1);
    longest[prefix + stage] = '\0';
    RIGHT(&c, NEEDED, "--store", longest);
    longest[prefix + stage] = 's';
    _cleanup_(buffer_deinit) struct buffer mistakes;
    assert_int_equal(PARSE(&c, &mistakes, NEEDED, "--store", longest), STATUS_INVALID);
}

static void a_mistake_of_any_length_is_one_and_is_shown_in_short(void **state) {
    (void)state;
    static char longest[100001];
    memset(longest, 'x', sizeof longest - 1);
    const char *const cases[][2] = {{"--worker-id", longest}, {"--log-level", longest}, {longest, "--help"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        _cleanup_(buffer_deinit) struct buffer mistakes;
        struct options c;
        assert_int_equal(PARSE(&c, &mistakes, NEEDED, cases[i][0], cases[i][1]), STATUS_INVALID);
        assert_contains(mistakes.data, "xxx");
        assert_true(mistakes.length < 400);
    }
}

/* Of the program, or of one command. */
static char *help(const struct command *subject) {
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    options_print_help(commands, subject, out);
    fclose(out);
    return text;
}

static void a_command_shows_the_options_that_it_reads(void **state) {
    (void)state;
    _cleanup_(mem_freep) char *program = help(NULL), *serve = help(&commands[0]), *audit = help(&commands[2]);
    assert_contains(serve, "  --batch-size N\n");
    assert_lacks(serve, "--format ");
    assert_contains(audit, "  --format table|json\n");
    assert_contains(audit, "  --log-level ");
    assert_lacks(audit, "--batch-size");
    assert_contains(program, "  create-tables    creates\n");
    assert_lacks(program, "--batch-size");
}

static void help_names_commands_defaults_and_other_variables(void **state) {
    (void)state;
    _cleanup_(mem_freep) char *text = help(&commands[0]);
    assert_contains(text, "(default: 127.0.0.1:8080)");
    assert_contains(text, "(also TABLE_SCORES_NAME)");
}

static void each_option_in_the_help_is_read_and_refuses_an_empty_value(void **state) {
    (void)state;
    _cleanup_(mem_freep) char *text = help(&commands[0]);
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, "\n  --")); n++) {
        char flag[64], expected[128];
        at += strlen("\n  ");
        snprintf(flag, sizeof flag, "%.*s", (int)strcspn(at, " ,"), at);
        if (strcmp(flag, "--help") == 0)
            continue;
        snprintf(expected, sizeof expected, "%s: '' is not allowed; allowed: ", flag);
        _cleanup_(buffer_deinit) struct buffer mistakes;
        struct options c;
        assert_int_equal(PARSE(&c, &mistakes, NEEDED, flag, ""), STATUS_INVALID);
        assert_contains(mistakes.data, expected);
    }
    assert_true(n > 20);
}

static void the_kind_of_a_source_or_store_is_the_text_before_the_colon(void **state) {
    (void)state;
    assert_string_equal(options_of_kind("kinesis:x:y", "kinesis"), "x:y");
    assert_string_equal(options_of_kind("file:", "file"), "");
    assert_null(options_of_kind("kinesis", "kinesis"));
    assert_null(options_of_kind("kinesisx:y", "kinesis"));
    assert_null(options_of_kind(NULL, "kinesis"));
}

#define TEST(name) cmocka_unit_test_setup(name, clear_environment)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_option_that_is_not_given_has_its_default),
        TEST(the_value_of_an_option_follows_a_space_or_an_equals_sign),
        TEST(a_flag_precedes_the_environment_and_the_environment_precedes_the_default),
        TEST(an_empty_variable_of_an_option_is_not_set),
        TEST(options_may_all_be_in_the_environment),
        TEST(the_variables_of_the_old_lambda_also_name_the_tables),
        TEST(the_last_of_two_equal_flags_is_used),
        TEST(a_command_is_the_first_argument_or_one_of_the_command_flags),
        TEST(the_start_is_the_trim_horizon_the_latest_record_or_a_time),
        TEST(every_allowed_value_of_a_choice_is_read),
        TEST(the_shape_of_a_view_is_read),
        TEST(a_numeric_option_must_be_within_its_bounds),
        TEST(a_mistake_names_the_option_the_value_and_what_is_allowed),
        TEST(a_mistake_in_the_environment_names_the_variable),
        TEST(every_mistake_in_the_options_has_its_own_line),
        TEST(unknown_options_and_commands_are_refused),
        TEST(the_nearest_option_or_command_is_suggested),
        TEST(the_value_of_an_unknown_option_is_no_mistake_of_its_own),
        TEST(help_is_of_the_program_or_of_a_command),
        TEST(help_is_there_whatever_the_environment_says),
        TEST(a_command_shows_the_options_that_it_reads),
        TEST(what_may_stand_in_the_place_of_the_last_word_is_completed),
        TEST(an_assignment_is_completed_as_one_word_and_as_three),
        TEST(an_option_at_the_end_needs_its_value),
        TEST(without_options_the_store_is_sqlite_and_the_source_a_file),
        TEST(options_that_contradict_each_other_are_refused),
        TEST(a_view_that_is_pushed_counts_as_caught_up_for_longer),
        TEST(a_stage_is_short_enough_for_the_longest_table_name),
        TEST(a_mistake_of_any_length_is_one_and_is_shown_in_short),
        TEST(help_names_commands_defaults_and_other_variables),
        TEST(each_option_in_the_help_is_read_and_refuses_an_empty_value),
        TEST(the_kind_of_a_source_or_store_is_the_text_before_the_colon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
