/* announce: the first lines of the log: where the service listens, what it reads and where it keeps that. */
#ifndef SERVER_COMMANDS_ANNOUNCE_H
#define SERVER_COMMANDS_ANNOUNCE_H

#include "server/commands/service.h"

/* It listens, and has its worker id. On a terminal a line for each, with addresses to open; elsewhere one
 * line with fields. */
void announce(const struct service *service);

#endif
