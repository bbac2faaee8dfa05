#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/commands/commands.h"
#include "server/descriptors.h"
#include "server/options.h"

static int print_help(const struct options *options);
static int print_version(const struct options *options);

static const struct command commands[] = {
    {"serve", "run: ingest the source and serve the views (default)", serve_run, OPTIONS_OF_SERVE},
    {"create-tables", "create what --store lacks, and wait until it is usable", create_tables_run,
     OPTIONS_OF_CREATE_TABLES},
    {"audit", "compare every score of --store with what it follows from", audit_run, OPTIONS_OF_AUDIT},
    {"credentials", "show which provider supplies the AWS credentials", show_credentials_run,
     OPTIONS_OF_CREDENTIALS},
    {"healthcheck", "ask the server that runs with these options for /livez", healthcheck_run,
     OPTIONS_OF_HEALTHCHECK},
    {"deregister", "remove the consumer that the view of --store used (--fan-out)", deregister_run,
     OPTIONS_OF_DEREGISTER},
    {"help", "show this, or with the name of a command its options", print_help, OPTIONS_OF_HELP},
    {"--help", NULL, print_help, OPTIONS_OF_HELP},
    {"-h", NULL, print_help, OPTIONS_OF_HELP},
    {"--version", NULL, print_version, 0},
    {"-V", NULL, print_version, 0},
    {NULL, NULL, NULL, 0},
};

static int print_help(const struct options *options) {
    options_print_help(commands, options->subject, stdout);
    return 0;
}

static int print_version(const struct options *options) {
    (void)options;
    puts("winner-view " WINNER_VIEW_VERSION);
    return 0;
}

/* The default action of a signal that ends a process does not apply to the first process of a container
 * (pid_namespaces(7)): there raise() returns. */
static void end_by_signal(int number) {
    log_flush();
    log_leave_status();
    raise(number);
    _exit(128 + number);
}

/* A signal ends any command but serve, where the first one begins the stop (serve.c). So for serve the
 * signals are blocked before the handlers are installed: one that arrives while it starts stays pending. */
static void set_signals(const struct command *command) {
    const struct sigaction end = {.sa_handler = end_by_signal, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    if (command->run == serve_run)
        serve_block_signals();
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error as a full disk is */
}

/* By default glibc raises this threshold to the size of the largest block ever freed: after one large reply
 * of the stream it would keep as much memory for each thread. An arena keeps what is free between its blocks,
 * and by default there are 8 for each processor. */
static void set_memory(void) {
    int processors = get_nprocs();
    mallopt(M_MMAP_THRESHOLD, LIMIT_KEPT_BLOCK_BYTES);
    mallopt(M_ARENA_MAX, processors > LIMIT_ARENAS ? processors : LIMIT_ARENAS);
    json_set_alloc_funcs(mem_alloc, free);
}

static void set_log(const struct options *options) {
    bool is_text = options->log_format == OPTIONS_LOG_AUTO ? isatty(STDERR_FILENO)
                                                           : options->log_format == OPTIONS_LOG_TEXT;
    log_init((enum log_level)options->log_level, is_text ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
}

int main(int argc, char *argv[]) {
    _cleanup_(buffer_deinit) struct buffer mistakes;
    struct options options;

    set_memory();
    buffer_init(&mistakes, 65536);
    if (argc > 1 && strcmp(argv[1], "complete") == 0) { /* for deploy/completion: its words may be anything */
        options_complete(commands, (size_t)argc - 2, (const char *const *)argv + 2, stdout);
        return 0;
    }
    if (options_parse(&options, commands, argc, argv, &mistakes)) {
        fputs(mistakes.data, stderr);
        return 2;
    }
    set_signals(options.command);
    set_log(&options);
    descriptors_raise();
    int status = options.command->run(&options);
    log_flush();
    return status;
}
