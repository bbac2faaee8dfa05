/*
 * stop_guard: ends a stop that hangs. A thread in a system call that does not return (a file on a network
 * disk that is gone, a pipe that nobody reads) can be neither cancelled nor joined. Ending the process then
 * is safe, as a crash is at any time.
 */
#ifndef SERVER_STOP_GUARD_H
#define SERVER_STOP_GUARD_H

#include <stdint.h>

/* After `timeout_ms` the process logs that and ends with status 1, if it has not ended before. Cannot be
 * cancelled. Does not block. If no thread can be started, it logs a warning. */
void stop_guard_start(int64_t timeout_ms);

#endif
