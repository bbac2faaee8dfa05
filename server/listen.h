/* listen: addresses to listen on, "HOST:PORT" or "[IPV6]:PORT", and sockets bound to them. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stdbool.h>

#include "base/error.h"

#define LISTEN_HOST_SIZE 256

struct listen_address {
    char host[LISTEN_HOST_SIZE];
    char port[6];
};

/* INVALID if `text` is not of that form. Port 0 is allowed: the system chooses one. */
enum status listen_parse(const char *text, struct listen_address *address, struct error *e);

/* A listening, non-blocking socket, which the caller closes; -1 on failure. "[::]" accepts IPv4 too; where
 * the kernel has no IPv6 it is 0.0.0.0 (listen_is_ipv4). May block on a resolver. */
int listen_open(const char *text, struct error *e);

/* From now on the socket begins no new handshake: the kernel drops the first packet of a client, which sends
 * it again and is refused once the socket is closed. Connections that exist, that are in their handshake or
 * in the queue are not affected. False: the system does not allow it (classic BPF, socket(7)
 * SO_ATTACH_FILTER).
 */
bool listen_refuse(int fd);

/* The port that the socket is bound to; 0 if it has none. */
unsigned listen_port(int fd);

/* Whether it accepts IPv4 alone. */
bool listen_is_ipv4(int fd);

/* Whether the host, as listen_parse returns it, means all addresses of this machine: 0.0.0.0 or ::. */
bool listen_is_any(const char *host);

#endif
