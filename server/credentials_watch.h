/*
 * credentials_watch: keeps the AWS credentials of a running service fresh, and reports in the log and in
 * /healthz when that fails. Never logs a secret.
 */
#ifndef SERVER_CREDENTIALS_WATCH_H
#define SERVER_CREDENTIALS_WATCH_H

struct aws_settings; /* aws/settings.h */
struct health;       /* base/health.h */

struct credentials_watch;

/*
 * Starts the thread that refreshes them. A refresh that fails, or returns expired ones, raises the trouble
 * "aws credentials", and a line in the log: the first time, when the old ones have expired, and then every
 * LIMIT_CREDENTIALS_LOG_MS. The next one that succeeds clears it. Borrows both until the stop. Never NULL.
 */
struct credentials_watch *credentials_watch_start(const struct aws_settings *aws, struct health *health);

/* Also ends a fetch that is in flight. NULL is fine. */
void credentials_watch_stop(struct credentials_watch *watch);

#endif
