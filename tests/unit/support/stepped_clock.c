#include "tests/unit/support/stepped_clock.h"

#include <poll.h>
#include <stdatomic.h>

#include "base/waker.h"

#define LOOK_AGAIN_MS 5

/* The linker's names for the program's functions, and for those that take their place. */
int64_t __real_clock_boot_ms(void);
int64_t __wrap_clock_boot_ms(void);
void __real_waker_wait(struct waker *w, int64_t boot_ms, int other_fd);
void __wrap_waker_wait(struct waker *w, int64_t boot_ms, int other_fd);

static _Atomic int64_t added_ms, awaited_ms;

void stepped_clock_add(int64_t ms) {
    atomic_fetch_add(&added_ms, ms);
}

void stepped_clock_set(int64_t ms) {
    atomic_store(&added_ms, ms - __real_clock_boot_ms());
}

int64_t stepped_clock_awaited(void) {
    return atomic_load(&awaited_ms);
}

int64_t __wrap_clock_boot_ms(void) {
    return __real_clock_boot_ms() + atomic_load(&added_ms);
}

void __wrap_waker_wait(struct waker *w, int64_t boot_ms, int other_fd) {
    struct pollfd fds[] = {{.fd = w->fd, .events = POLLIN}, {.fd = other_fd, .events = POLLIN}};
    atomic_store(&awaited_ms, boot_ms);
    for (int64_t left; (left = boot_ms - __wrap_clock_boot_ms()) > 0;)
        if (poll(fds, 2, left < LOOK_AGAIN_MS ? (int)left : LOOK_AGAIN_MS) > 0)
            break;
    atomic_store(&awaited_ms, 0);
    __real_waker_wait(w, 0, other_fd); /* takes a wake, and does not wait */
}
