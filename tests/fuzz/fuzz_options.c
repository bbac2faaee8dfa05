/*
 * Options (server/options): a line for each argument. Each mistake names an argument or a variable. What is
 * accepted is complete and within its limits; "--name=value" and the variable WINNER_VIEW_NAME mean the same.
 */
#include "server/options.h"

#include "base/limits.h"
#include "tests/fuzz/fuzz.h"

enum { ARGUMENTS = 24, MISTAKES_BYTES = 1 << 20, SHOWN_BYTES = 200 };

extern char **environ;

static const struct command commands[] = {
    {"serve", "serves", NULL, OPTIONS_OF_SERVE},
    {"audit", "audits", NULL, OPTIONS_OF_AUDIT},
    {"help", "helps", NULL, OPTIONS_OF_HELP},
    {"--help", NULL, NULL, OPTIONS_OF_HELP},
    {"--version", NULL, NULL, 0},
    {NULL, NULL, NULL, 0},
};

struct arguments {
    char *argv[ARGUMENTS + 2];
    char *variables[ARGUMENTS + 1]; /* of the same options; the last argument is the first here */
    int argc;
    bool are_pairs; /* all are "--name=value" */
};

/* "--batch-size=7": "WINNER_VIEW_BATCH_SIZE=7" */
static char *variable_of(const char *argument) {
    char *variable = mem_printf("WINNER_VIEW_%s", argument + 2);
    for (char *c = variable; *c && *c != '='; c++)
        *c = *c == '-' ? '_' : *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    return variable;
}

/* An empty variable is not set, so an empty value is no pair. */
static bool is_pair(const char *argument) {
    const char *equals = strchr(argument, '=');
    return strncmp(argument, "--", 2) == 0 && equals && equals[1];
}

static void read_arguments(struct arguments *a, struct fuzz_input *in) {
    a->argv[a->argc++] = mem_strdup("winner-view");
    a->are_pairs = true;
    while (in->size && a->argc <= ARGUMENTS) {
        size_t length;
        char *argument = fuzz_take_text(in, '\n', &length);
        a->are_pairs &= is_pair(argument);
        a->argv[a->argc++] = argument;
    }
    for (int i = 1; a->are_pairs && i < a->argc; i++)
        a->variables[a->argc - 1 - i] = variable_of(a->argv[i]);
}

static void arguments_deinit(struct arguments *a) {
    for (int i = 0; i < a->argc; i++) {
        free(a->argv[i]);
        free(a->variables[i]);
    }
}

static enum status parse(struct options *options, int argc, char *argv[], char *variables[],
                         struct buffer *mistakes) {
    char **before = environ;
    buffer_init(mistakes, MISTAKES_BYTES);
    environ = variables;
    enum status status = options_parse(options, commands, argc, argv, mistakes);
    environ = before;
    return status;
}

/* A line begins with the argument, which may be anything, as far as it is shown; or the option, or its
 * variable. */
static void check_mistakes(const struct arguments *a, const struct buffer *mistakes) {
    const char *text = mistakes->data;
    bool is_named = strncmp(text, "--", 2) == 0 || strncmp(text, "WINNER_VIEW_", 12) == 0;
    FUZZ_CHECK(mistakes->length && text[mistakes->length - 1] == '\n', "no line");
    for (int i = 1; i < a->argc && !is_named; i++)
        is_named = strncmp(text, a->argv[i], strnlen(a->argv[i], SHOWN_BYTES)) == 0;
    FUZZ_CHECK(is_named, "%s", text);
}

static void check_limits(const struct options *o) {
    FUZZ_CHECK(o->command && o->source && o->store && o->dead_letter, "incomplete");
    FUZZ_CHECK(o->batch_size >= 1 && o->batch_size <= LIMIT_BATCH_RECORDS, "%d", (int)o->batch_size);
    FUZZ_CHECK(o->connections >= 32 && o->connections <= 65536, "%d", (int)o->connections);
    FUZZ_CHECK(o->max_live >= 0 && (o->command != commands || o->max_live < o->connections), "%d",
               (int)o->max_live);
    FUZZ_CHECK(o->drain_seconds >= 0 && o->drain_seconds <= 15, "%d", (int)o->drain_seconds);
    FUZZ_CHECK(o->failover_ms >= 1000 && o->max_leases >= 0, "%d", (int)o->failover_ms);
    FUZZ_CHECK(o->log_level >= 0 && o->log_level <= 3 && o->identities >= 0 && o->identities <= 1, "choice");
}

static void check_text(const char *a, const char *b) {
    FUZZ_CHECK(!a == !b && (!a || strcmp(a, b) == 0), "'%s' '%s'", a ? a : "", b ? b : "");
}

static void check_equal(const struct options *a, const struct options *b) {
    check_text(a->listen, b->listen);
    check_text(a->ops_listen, b->ops_listen);
    check_text(a->source, b->source);
    check_text(a->store, b->store);
    check_text(a->contributions_table, b->contributions_table);
    check_text(a->worker_id, b->worker_id);
    check_text(a->dead_letter, b->dead_letter);
    FUZZ_CHECK(a->command == b->command && a->start == b->start, "command or start");
    FUZZ_CHECK(a->start != START_AT || a->start_at_ms == b->start_at_ms, "start");
    FUZZ_CHECK(a->batch_size == b->batch_size && a->failover_ms == b->failover_ms &&
                   a->max_leases == b->max_leases,
               "numbers of ingest");
    FUZZ_CHECK(a->connections == b->connections && a->max_live == b->max_live &&
                   a->cache_bytes == b->cache_bytes,
               "numbers of HTTP");
    FUZZ_CHECK(a->log_level == b->log_level && a->access_log == b->access_log &&
                   a->identities == b->identities,
               "choices");
}

static void check_as_variables(const struct arguments *a, const struct options *options) {
    _cleanup_(buffer_deinit) struct buffer mistakes;
    struct arguments same = *a;
    struct options again;
    enum status status = parse(&again, 1, same.argv, same.variables, &mistakes);
    FUZZ_CHECK(!status, "%s", mistakes.data);
    check_equal(options, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    _cleanup_(arguments_deinit) struct arguments a = {.argc = 0};
    _cleanup_(buffer_deinit) struct buffer mistakes;
    char *none[] = {NULL};
    struct options options;
    read_arguments(&a, &in);
    if (parse(&options, a.argc, a.argv, none, &mistakes)) {
        check_mistakes(&a, &mistakes);
        return 0;
    }
    if (options.command->options & OPTIONS_OF_ALL)
        check_limits(&options);
    if (a.are_pairs)
        check_as_variables(&a, &options);
    return 0;
}
