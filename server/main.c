#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aws/settings.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/commands/audit.h"
#include "server/commands/credentials.h"
#include "server/commands/healthcheck.h"
#include "server/commands/serve.h"
#include "server/descriptors.h"
#include "server/options.h"
#include "views/store.h"

/* As if nobody had caught it; but a container's first process is spared by every signal that it does not
 * catch (pid_namespaces(7)), so the first line does nothing there. */
static void end_by_signal(int number) {
    raise(number);
    _exit(128 + number);
}

/* Blocked before any thread is made, so that all inherit it: signals are the main thread's, through a
 * signalfd, until serve lets a second one through. Other commands are ended by them as any program is. */
static void set_signals(const struct options *options) {
    const struct sigaction end = {.sa_handler = end_by_signal, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (options->command == COMMAND_SERVE)
        sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* glibc keeps freed memory by the size of the largest block ever freed, unless told a size: after one large
 * reply of the stream it would keep as much for each thread. */
static void give_freed_memory_back(void) {
    mallopt(M_MMAP_THRESHOLD, LIMIT_KEPT_BLOCK_BYTES);
}

static void set_log(const struct options *options) {
    int64_t format = options->log_format;
    if (format == LOG_FORMAT_AUTO)
        format = isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    log_init((enum log_level)options->log_level, (enum log_format)format);
}

static int create_tables(const struct options *options) {
    struct aws_settings *aws = NULL;
    struct store *store = NULL;
    struct error e;
    enum status status = serve_open_store(options, &aws, &store, &e);
    if (aws)
        credentials_warn(aws);
    if (!status)
        status = store_create(store, &e);
    if (status)
        log_error("cannot create tables: %s", e.message);
    else
        log_info("the tables of %s are there and usable", options->store);
    store_free(store);
    if (aws)
        aws_settings_free(aws);
    return serve_exit_status(status);
}

static int run(const struct options *options) {
    switch (options->command) {
    case COMMAND_HELP:
        options_print_help(stdout);
        return 0;
    case COMMAND_VERSION:
        puts("winner-view " WINNER_VIEW_VERSION);
        return 0;
    case COMMAND_CREATE_TABLES:
        return create_tables(options);
    case COMMAND_AUDIT:
        return audit_run(options);
    case COMMAND_CREDENTIALS:
        return credentials_run();
    case COMMAND_HEALTHCHECK:
        return healthcheck_run(options);
    default:
        return serve_run(options);
    }
}

int main(int argc, char *argv[]) {
    struct options options;
    struct buffer mistakes;
    buffer_init(&mistakes, 65536);
    json_set_alloc_funcs(mem_alloc, free);

    if (options_parse(&options, argc, argv, &mistakes)) {
        fputs(mistakes.data, stderr);
        buffer_deinit(&mistakes);
        return 2;
    }
    buffer_deinit(&mistakes);
    set_signals(&options);
    descriptors_raise();
    give_freed_memory_back();
    set_log(&options);
    return run(&options);
}
