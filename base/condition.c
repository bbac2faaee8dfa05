#include "base/condition.h"

void condition_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec condition_end(int64_t ms) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ns = end.tv_nsec + ms % 1000 * 1000000;
    end.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    end.tv_nsec = (long)(ns % 1000000000);
    return end;
}
