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

/* Its time now. The wall clock may differ by a millisecond: both are rounded. */
static inline int64_t support_now(void) {
    return service_clock_now(support_clock());
}

#endif
