/*
 * stepped_clock: the clock of a test that does not sleep. clock_boot_ms runs as ever and jumps ahead on
 * request; waker_wait returns as soon as the time that it waits for is reached that way. For the programs
 * that tests/CMakeLists.txt links with --wrap of both.
 */
#ifndef TESTS_UNIT_SUPPORT_STEPPED_CLOCK_H
#define TESTS_UNIT_SUPPORT_STEPPED_CLOCK_H

#include <stdint.h>

void stepped_clock_add(int64_t ms);

#endif
