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

/* INVALID if `text` is not of that form; port 0 is one (the system's choice). */
enum status listen_parse(const char *text, struct listen_address *address, struct error *e);

/* A listening, non-blocking socket, the caller's to close; -1 on failure. "[::]" takes IPv4 too. May ask a
 * resolver. */
int listen_open(const char *text, struct error *e);

/* From now on no new connection is begun on a listening TCP socket: what clients ask is dropped unanswered,
 * so they ask again, and are refused once the socket is closed. Connections that exist, are half made, or
 * wait to be accepted go on. False: this system does not let us (classic BPF, socket(7) SO_ATTACH_FILTER). */
bool listen_refuse(int fd);

/* The port that the socket is bound to; 0 if it has none. */
unsigned listen_port(int fd);

#endif
