/*
 * healthcheck: asks the server that runs with the same options and environment whether its process turns
 * (`GET /livez` on --ops-listen, else --listen), for containers whose image has no other client.
 *
 * An address that means all interfaces is asked on the loopback one. No proxy is used, whatever the
 * environment says.
 */
#ifndef SERVER_COMMANDS_HEALTHCHECK_H
#define SERVER_COMMANDS_HEALTHCHECK_H

#include "base/error.h"
#include "server/options.h"

/* The whole URL to ask. INVALID: there is none, because neither address is given, or its port is 0. */
enum status healthcheck_url(const struct options *options, char *out, size_t size, struct error *e);

#endif
