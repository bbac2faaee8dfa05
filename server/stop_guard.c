#include "server/stop_guard.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What hangs may be the log. */
static void say_so(void) {
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&log, 1, 0) == 1 && log.revents & POLLOUT)
        log_error(
            "ended in the midst of stopping, because one of its threads hangs; nothing is lost: the next "
            "start goes on from the last checkpoint");
}

static void *guard_main(void *argument) {
    poll(NULL, 0, (int)(intptr_t)argument);
    say_so();
    _exit(1);
}

void stop_guard_start(int64_t timeout_ms) {
    pthread_t thread;
    int code = pthread_create(&thread, NULL, guard_main, (void *)(intptr_t)timeout_ms);
    if (code)
        log_warn("cannot start a thread: %s", strerror(code));
    else
        pthread_detach(thread);
}
