/*
 * waker: lets a thread sleep until a given time, and other threads end that sleep. One thread waits, any
 * thread wakes. A wake before the wait is not lost: the next wait returns at once.
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

/* Returns when woken, at `boot_ms` (CLOCK_BOOTTIME), or when `other_fd` (-1: none) is readable. */
void waker_wait(struct waker *w, int64_t boot_ms, int other_fd);

#endif
