/*
 * waker: a thread that waits for time to pass, and can be told not to. One thread waits, any thread wakes. A
 * wake that comes before the wait is not lost: the next wait returns at once.
 */
#ifndef BASE_WAKER_H
#define BASE_WAKER_H

#include <stdint.h>

struct waker {
    int fd; /* an eventfd */
};

void waker_init(struct waker *w);
void waker_deinit(struct waker *w);
void waker_wake(struct waker *w);

/* Until woken, until CLOCK_BOOTTIME `boot_ms`, or until `other_fd` (-1: none) has something to read. */
void waker_wait(struct waker *w, int64_t boot_ms, int other_fd);

#endif
