/*
 * healthcheck: asks the server that runs with the same options and environment whether it is alive (`GET
 * /livez` on --ops-listen, else --listen), for containers whose image has no other client.
 *
 * For an address that means all interfaces it asks on the loopback interface. It never uses a proxy.
 */
#ifndef SERVER_COMMANDS_HEALTHCHECK_H
#define SERVER_COMMANDS_HEALTHCHECK_H

#include "base/error.h"
#include "server/options.h"

/* The URL to ask. INVALID: neither address is given, or its port is 0. */
enum status healthcheck_url(const struct options *options, char *out, size_t size, struct error *e);

#endif
