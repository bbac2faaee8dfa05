/* For tests whose times are of this machine: a local clock that lasts as long as the program. */
#ifndef TESTS_UNIT_SUPPORT_CLOCK_H
#define TESTS_UNIT_SUPPORT_CLOCK_H

#include "base/service_clock.h"

static inline struct service_clock *support_clock(void) {
    static struct service_clock *clock;
    if (!clock)
        clock = service_clock_new(false);
    return clock;
}

#endif
