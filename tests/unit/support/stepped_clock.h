/*
 * stepped_clock: the clock of a test that does not sleep. clock_boot_ms runs normally and also jumps ahead on
 * request. A waker_wait ends as soon as such a jump reaches its time. For the programs that
 * tests/CMakeLists.txt links with --wrap of both.
 */
#ifndef TESTS_UNIT_SUPPORT_STEPPED_CLOCK_H
#define TESTS_UNIT_SUPPORT_STEPPED_CLOCK_H

#include <stdint.h>

void stepped_clock_add(int64_t ms);

/* As if the machine had started `ms` ago. */
void stepped_clock_set(int64_t ms);

/* Until when a thread waits that waited last; 0: it does not. */
int64_t stepped_clock_awaited(void);

#endif
