#include "base/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

/* poll does not count the time for which the machine was suspended: look at the clock again after this time.
 */
#define LONGEST_POLL_MS 10000

void waker_init(struct waker *w) {
    w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->fd < 0)
        mem_exhausted(); /* no descriptors or kernel memory left at the start: as out of memory */
}

void waker_deinit(struct waker *w) {
    close(w->fd);
    w->fd = -1;
}

void waker_wake(struct waker *w) {
    uint64_t one = 1;
    ssize_t written = write(w->fd, &one, sizeof one); /* EAGAIN: woken 2^64-1 times already */
    (void)written;
}

void waker_wait(struct waker *w, int64_t boot_ms, int other_fd) {
    struct pollfd fds[] = {{.fd = w->fd, .events = POLLIN}, {.fd = other_fd, .events = POLLIN}};
    for (int64_t left; (left = boot_ms - clock_boot_ms()) > 0;) {
        int n = poll(fds, 2, (int)(left < LONGEST_POLL_MS ? left : LONGEST_POLL_MS));
        if (n > 0)
            break;
    }
    uint64_t count;
    ssize_t got = read(w->fd, &count, sizeof count); /* EAGAIN: there was no wake */
    (void)got;
}
