#include "base/status_line.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_WIDTH = 80 };

static bool is_drawn;

bool status_line_is_possible(void) {
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

bool status_line_is_in_front(void) {
    pid_t front = tcgetpgrp(STDERR_FILENO);
    return front < 0 || front == getpgrp();
}

static size_t width(void) {
    struct winsize size;
    bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : USUAL_WIDTH;
}

/* A failure is not reported: the line is drawn again soon. */
static void put(const char *text, size_t length) {
    while (length) {
        ssize_t n = write(STDERR_FILENO, text, length);
        if (n < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return;
        text += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
}

void status_line_erase(void) {
    static const char erase[] = "\r\033[K";
    if (is_drawn && status_line_is_in_front())
        put(erase, strlen(erase));
    is_drawn = false;
}

void status_line_draw(const char *text) {
    if (!*text || !status_line_is_in_front())
        return;
    size_t length = strlen(text), most = width() - 1;
    put(text, length < most ? length : most);
    is_drawn = true;
}

void status_line_leave(void) {
    struct pollfd terminal = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (status_line_is_in_front() && poll(&terminal, 1, 0) > 0 && (terminal.revents & POLLOUT)) {
        ssize_t n = write(STDERR_FILENO, "\n", 1);
        (void)n;
    }
}
