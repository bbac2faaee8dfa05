#include "server/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aws/stream_arn.h"
#include "base/mem.h"
#include "base/spelling.h"
#include "base/variable.h"
#include "server/options_table.h"

enum { VARIABLE_SIZE = 64 };
enum { SHOWN_BYTES = 200 }; /* of a value in a mistake: a mistake that had no room would be none */

static void describe_allowed(struct buffer *out, const struct option *option) {
    if (option->most)
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
static void set_defaults(struct options *options, const bool *given, struct buffer *mistakes) {
    for (size_t i = 0; i < options_count; i++) {
        char name[VARIABLE_SIZE];
        const char *value = given[i] ? NULL : environment_value(&options_table[i], name);
        if (value)
            set(options, &options_table[i], value, name, mistakes);
        else if (!given[i] && options_table[i].default_text)
            set(options, &options_table[i], options_table[i].default_text, options_table[i].name, mistakes);
    }
}

const struct option *options_find(const char *argument, const char **value) {
    for (size_t i = 0; i < options_count; i++) {
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
    for (size_t i = 0; i < options_count; i++)
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
                         char *const argv[], int i, bool *given, struct buffer *mistakes) {
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
    if (options->fan_out && options_of_kind(options->source, "file"))
        buffer_printf(mistakes, "--fan-out: '%s' is not allowed; allowed with --source kinesis:STREAM\n",
                      options->fan_out);
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
    bool *given = mem_zalloc(options_count * sizeof *given);
    *options = (struct options){.command = commands};
    for (int i = 1; i < argc;)
        i += read_argument(options, commands, argc, argv, i, given, mistakes);
    if (options->command->options & OPTIONS_OF_ALL) /* help is there whatever the environment says */
        set_defaults(options, given, mistakes);
    free(given);
    if (!options->caught_up_ms)
        options->caught_up_ms = options->fan_out ? LIMIT_PUSHED_CAUGHT_UP_MS : FRESHNESS_CAUGHT_UP_MS;
    if (options->command == commands && !mistakes->length)
        check_together(options, mistakes);
    return mistakes->length ? STATUS_INVALID : STATUS_OK;
}
