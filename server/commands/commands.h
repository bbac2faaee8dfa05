/*
 * commands: what `winner-view COMMAND` runs: the functions of the table in main.c. Each blocks until its
 * command is done and returns the exit status of the process.
 */
#ifndef SERVER_COMMANDS_COMMANDS_H
#define SERVER_COMMANDS_COMMANDS_H

#include "server/options.h"

/* Serves until SIGTERM, SIGINT or an error. The phases of its life are in serve.c. Call it before any other
 * thread exists, with the signals blocked. */
int serve_run(const struct options *options);

/* Blocks SIGTERM and SIGINT. All threads inherit that: only the main thread takes them, from a signalfd. */
void serve_block_signals(void);

/* Creates the tables or the database of --store where they are missing, and waits until they are usable. */
int create_tables_run(const struct options *options);

/* Compares the scores of --store with its contributions (audit.h): 0: no difference; 3: differences. */
int audit_run(const struct options *options);

/* Prints the provider of the AWS credentials, access key id, expiry, region and profile; or where it searched
 * for credentials. It uses the same chain as the service. Never prints a secret. */
int show_credentials_run(const struct options *options);

/* Removes the consumer that the view of --store has used (--fan-out), and no other. */
int deregister_run(const struct options *options);

/* Asks the server that runs with these options for /livez, for LIMIT_HEALTHCHECK_MS at most (healthcheck.h).
 * 0: it answered 200; 1: it did not; 2: there is no address to ask. One line on stderr says why. */
int healthcheck_run(const struct options *options);

/* The exit status for an error: 2 for a mistake in the options or in what they name, else 1. */
static inline int commands_exit_status(enum status status) {
    return status == STATUS_OK ? 0 : status == STATUS_INVALID ? 2 : 1;
}

#endif
