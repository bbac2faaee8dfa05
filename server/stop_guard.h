/*
 * stop_guard: the end of stopping, whatever hangs. A thread in a system call that does not return (a file of
 * a network's disk that is gone, a pipe that nobody reads) can be neither cancelled nor joined; but what it
 * was about is not lost by ending in its midst, as nothing is by any crash.
 */
#ifndef SERVER_STOP_GUARD_H
#define SERVER_STOP_GUARD_H

#include <stdint.h>

/* If the process still runs in so long, it says so and ends with status 1. There is no way to call it off.
 * Does not block; without memory for another thread nobody guards. */
void stop_guard_start(int64_t timeout_ms);

#endif
