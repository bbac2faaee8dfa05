/*
 * credentials: what an operator hears of the AWS credentials: the command that shows them, and what a running
 * service says of them in the log and in /healthz. Never a secret.
 */
#ifndef SERVER_COMMANDS_CREDENTIALS_H
#define SERVER_COMMANDS_CREDENTIALS_H

#include "base/error.h"

struct aws_settings; /* aws/settings.h */
struct health;       /* base/health.h */

/* `winner-view credentials`: prints who supplies them, the access key id, until when, region and profile; or
 * where they were looked for. Through the same chain as the service. Returns the exit status. */
int credentials_run(void);

/* One line in the log if AWS_PROFILE is set in vain. */
void credentials_warn(const struct aws_settings *aws);

/*
 * Keeps the credentials fresh until the stop, by a thread of its own. A refresh that fails is a trouble named
 * "aws credentials", and a line in the log at once, when the old ones have expired, and then every
 * LIMIT_CREDENTIALS_LOG_MS; one that succeeds after that ends it. Both are borrowed until the stop.
 */
struct credentials_watch;
struct credentials_watch *credentials_watch_start(const struct aws_settings *aws, struct health *health);

/* Ends a fetch that is under way, too. NULL is fine. */
void credentials_watch_stop(struct credentials_watch *watch);

#endif
