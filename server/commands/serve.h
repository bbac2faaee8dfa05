/*
 * serve: the daemon's life: what it is made of, from start to stop.
 *
 * Starting: it listens first, so that it can be asked how it is (`/livez`, `/readyz`) while it waits for its
 * store, then for its source, to be reached; until the store is, what is in the view is `view-not-ready`.
 *
 * Stopping (SIGTERM, SIGINT) has phases; after the first, all of it takes at most LIMIT_STOP_MS:
 *   draining   readiness says 503, requests are served as before, for --drain-seconds
 *   closing    no new connection; answers say `Connection: close`; what is in flight finishes
 *   handing over  batches in hand are applied and checkpointed, leases released (beside closing)
 *   cancelling whatever still waits for a store or a stream is ended
 * Whoever hangs in a system call does not keep it: after LIMIT_STOP_STUCK_MS the process ends anyway, with
 * status 1. A second signal ends the process at once; nothing is lost either way.
 */
#ifndef SERVER_COMMANDS_SERVE_H
#define SERVER_COMMANDS_SERVE_H

#include "server/options.h"

/* Runs until told to stop. Returns the process's exit status. The caller has blocked SIGTERM and SIGINT. */
int serve_run(const struct options *options);

/* --store, opened, and AWS's surroundings if it or --source needs them (else NULL). Shared with the other
 * commands. */
struct aws_settings;
enum status serve_open_store(const struct options *options, struct aws_settings **aws, struct store **store,
                             struct error *e);

/* The exit status that an error means: 2 for a mistake in what was asked for, else 1. */
int serve_exit_status(enum status status);

#endif
