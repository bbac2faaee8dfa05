/* A service manager for tests: the socket that NOTIFY_SOCKET names, in a folder of its own. */
#ifndef TESTS_UNIT_SUPPORT_SD_NOTIFY_H
#define TESTS_UNIT_SUPPORT_SD_NOTIFY_H

#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/support/test.h"

struct manager {
    char folder[64], name[108]; /* as NOTIFY_SOCKET has it */
    bool abstract;
    int fd;
};

static inline void forget_environment(void) {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static inline int manager_setup(void **state) {
    struct manager *m = mem_zalloc(sizeof *m);
    strcpy(m->folder, "/tmp/winner-view-notify-XXXXXX");
    assert_non_null(mkdtemp(m->folder));
    m->fd = -1;
    forget_environment();
    *state = m;
    return 0;
}

static inline void manager_leave(struct manager *m) {
    if (m->fd < 0)
        return;
    close(m->fd);
    m->fd = -1;
    if (!m->abstract)
        unlink(m->name);
}

static inline int manager_teardown(void **state) {
    struct manager *m = *state;
    manager_leave(m);
    rmdir(m->folder);
    free(m);
    forget_environment();
    return 0;
}

/* Sets the environment as the manager does for a process that it starts. */
static inline void manager_name(const struct manager *m) {
    setenv("NOTIFY_SOCKET", m->name, 1);
}

static inline void manager_listen(struct manager *m, bool abstract) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    m->abstract = abstract;
    snprintf(m->name, sizeof m->name, abstract ? "@%s/abstract" : "%s/socket", m->folder);
    size_t length = strlen(m->name);
    memcpy(address.sun_path, m->name, length);
    if (abstract)
        address.sun_path[0] = '\0';
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    assert_int_equal(bind(m->fd, (const struct sockaddr *)&address, size), 0);
    manager_name(m);
}

/* The next datagram; waits for it. */
static inline void manager_read(struct manager *m, char *out, size_t size) {
    struct pollfd fd = {.fd = m->fd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 60000), 1);
    ssize_t got = recv(m->fd, out, size - 1, 0);
    assert_true(got > 0);
    out[got] = '\0';
}

static inline void manager_assert_next(struct manager *m, const char *expected) {
    char text[1024];
    manager_read(m, text, sizeof text);
    assert_string_equal(text, expected);
}

#endif
