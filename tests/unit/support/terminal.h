/* A pseudo-terminal of a child process: the log's thread runs until the process ends. */
#ifndef TESTS_UNIT_SUPPORT_TERMINAL_H
#define TESTS_UNIT_SUPPORT_TERMINAL_H

#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/support/test.h"

/* What the child writes to a terminal of so many columns, with "\n" for each "\r\n". */
static inline const char *written(unsigned short columns, void (*child)(void)) {
    static char text[1 << 16];
    const struct winsize size = {.ws_row = 24, .ws_col = columns};
    size_t length = 0;
    int terminal;
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);
    assert_true(pid >= 0);
    if (pid == 0) {
        child();
        log_flush();
        _exit(0);
    }
    for (ssize_t n; (n = read(terminal, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    for (char *end; (end = strstr(text, "\r\n"));)
        memmove(end, end + 1, strlen(end));
    waitpid(pid, NULL, 0);
    close(terminal);
    return text;
}

static inline void start(const char *term) {
    term ? setenv("TERM", term, 1) : unsetenv("TERM");
    log_start();
}

#endif
