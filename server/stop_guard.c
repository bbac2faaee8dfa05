#include "server/stop_guard.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"

static void *guard_main(void *argument) {
    poll(NULL, 0, (int)(intptr_t)argument);
    log_error("ended before the stop was complete, because a thread hangs; no data is lost: the next start "
              "continues from the last checkpoint");
    log_flush();
    _exit(1);
}

void stop_guard_start(int64_t timeout_ms) {
    pthread_t thread;
    struct error e;
    if (thread_start(&thread, "stop guard", guard_main, (void *)(intptr_t)timeout_ms, &e))
        log_warn("%s", e.message);
    else
        pthread_detach(thread);
}
