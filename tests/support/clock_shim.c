/*
 * clock_shim: moves the clocks of one process, and never the machine's.
 *
 *     LD_PRELOAD=build/release/tests/clock_shim.so WINNER_VIEW_CLOCKS=FILE winner-view serve ...
 *
 * clock_gettime, gettimeofday and time add what FILE says, which a test may change while the process runs
 * (clock_shim.py). FILE is mapped at the start and read at each call. Only what reads a clock is moved: a
 * wait with a time-out is the kernel's, also one until a time of CLOCK_REALTIME. Times of files and the
 * clocks of other processes stay as they are.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct moved {
    int64_t offset_ns;
    int64_t ppm;      /* the clock gains this much from `since_ns` on */
    int64_t since_ns; /* CLOCK_MONOTONIC_RAW of the machine */
};

/* clock_shim.py writes it. `turn` is odd while it is being written. */
struct clocks {
    _Atomic uint64_t turn;
    struct moved real, boot, raw;
};

static struct clocks *clocks;

__attribute__((constructor)) static void map_clocks(void) {
    const char *path = getenv("WINNER_VIEW_CLOCKS");
    if (!path)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *clocks, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        abort(); /* a test that moves no clock would prove nothing */
    close(fd);
    clocks = mapped;
}

/* The machine's clock. A system call, so that no other preloaded library (a sanitizer's) is needed. */
static int read_kernel(clockid_t id, struct timespec *t) {
    return (int)syscall(SYS_clock_gettime, id, t);
}

static const struct moved *which(clockid_t id) {
    switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        return &clocks->real;
    case CLOCK_BOOTTIME:
        return &clocks->boot;
    case CLOCK_MONOTONIC_RAW:
        return &clocks->raw;
    default:
        return NULL;
    }
}

static struct moved read_moved(const struct moved *m) {
    for (;;) {
        uint64_t turn = atomic_load(&clocks->turn);
        struct moved copy = *(const volatile struct moved *)m;
        atomic_thread_fence(memory_order_acquire);
        if (turn % 2 == 0 && turn == atomic_load(&clocks->turn))
            return copy;
    }
}

int clock_gettime(clockid_t id, struct timespec *t) {
    int failed = read_kernel(id, t);
    const struct moved *m = failed || !clocks ? NULL : which(id);
    if (!m)
        return failed;
    struct moved moved = read_moved(m);
    int64_t ns = moved.offset_ns;
    if (moved.ppm) {
        struct timespec now;
        read_kernel(CLOCK_MONOTONIC_RAW, &now);
        ns += ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - moved.since_ns) / 1000000 * moved.ppm;
    }
    ns += t->tv_nsec;
    int64_t rest = (ns % 1000000000 + 1000000000) % 1000000000;
    t->tv_sec += (ns - rest) / 1000000000;
    t->tv_nsec = rest;
    return 0;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret_time) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_time)
        *ret_time = now.tv_sec;
    return now.tv_sec;
}
