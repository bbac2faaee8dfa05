#include "server/sd_notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A whole number above 0; else 0. */
static int64_t number(const char *text) {
    char *end;
    errno = 0;
    long long value = text ? strtoll(text, &end, 10) : 0;
    return !text || errno || *end || value < 0 ? 0 : value;
}

/* Shells pass WATCHDOG_USEC on: WATCHDOG_PID names the process that it is for. */
static int64_t read_watchdog_ms(void) {
    const char *pid = getenv("WATCHDOG_PID");
    return pid && number(pid) != getpid() ? 0 : number(getenv("WATCHDOG_USEC")) / 1000;
}

static enum status read_address(struct notify *n, const char *name, struct error *e) {
    size_t length = strlen(name), most = sizeof n->address.sun_path;
    if ((*name != '/' && *name != '@') || length < 2 || length >= most)
        return error_set(e, STATUS_INVALID,
                         "NOTIFY_SOCKET: '%s' is not valid; allowed: a path, or an abstract name after '@'",
                         name);
    n->address.sun_family = AF_UNIX;
    memcpy(n->address.sun_path, name, length);
    n->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (*name == '@')
        n->address.sun_path[0] = '\0';
    else
        n->address_length++; /* a path's NUL belongs to it */
    return STATUS_OK;
}

static enum status open_socket(struct notify *n, const char *name, struct error *e) {
    enum status status = read_address(n, name, e);
    if (status)
        return status;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0)
        return error_set(e, STATUS_FAILED, "cannot make a socket for NOTIFY_SOCKET: %s", strerror(errno));
    n->watchdog_ms = read_watchdog_ms();
    return STATUS_OK;
}

enum status notify_open(struct notify *n, struct error *e) {
    *n = (struct notify){.fd = -1};
    const char *name = getenv("NOTIFY_SOCKET");
    enum status status = name && *name ? open_socket(n, name, e) : STATUS_OK;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return status;
}

enum status notify_send(const struct notify *n, const char *message, struct error *e) {
    if (n->fd < 0)
        return STATUS_OK;
    ssize_t sent = sendto(n->fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
                          (const struct sockaddr *)&n->address, n->address_length);
    return sent < 0 ? error_set(e, STATUS_FAILED, "cannot notify the service manager: %s", strerror(errno))
                    : STATUS_OK;
}

void notify_close(struct notify *n) {
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}
