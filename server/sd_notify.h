/*
 * notify: messages to the service manager (sd_notify(3)): each is one datagram of lines NAME=VALUE, sent to
 * the socket that NOTIFY_SOCKET names, a path or, after a '@', an abstract one (unix(7)).
 *
 * Nothing blocks: a message is lost if the manager has no room for it; the next one repeats its state. For
 * one thread at a time, but notify_send is thread-safe.
 */
#ifndef SERVER_SD_NOTIFY_H
#define SERVER_SD_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

struct notify {
    int fd; /* -1: no service manager, notify_send does nothing */
    struct sockaddr_un address;
    socklen_t address_length;
    int64_t watchdog_ms; /* WATCHDOG=1 is expected this often (sd_watchdog_enabled(3)); 0: not at all */
};

/* Reads the environment and removes the variables from it, so that child processes do not inherit them.
 * Before any other thread exists. Without NOTIFY_SOCKET: OK, and `fd` is -1, as it is after INVALID and
 * FAILED. */
enum status notify_open(struct notify *notify, struct error *e);

enum status notify_send(const struct notify *notify, const char *message, struct error *e);

void notify_close(struct notify *notify);

#endif
