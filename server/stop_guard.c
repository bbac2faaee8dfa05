#include "server/stop_guard.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* Does not write to a log that hangs. */
static void log_end(void) {
    struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&log, 1, 0) == 1 && log.revents & POLLOUT)
        log_error(
            "ended before the stop was complete, because a thread hangs; no data is lost: the next start "
            "continues from the last checkpoint");
}

static void *guard_main(void *argument) {
    poll(NULL, 0, (int)(intptr_t)argument);
    log_end();
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
