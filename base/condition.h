/*
 * condition: pthread conditions that are waited for with an end, on the monotonic clock (CLOCK_MONOTONIC:
 * nobody sets it, and it stands still while the machine is suspended).
 */
#ifndef BASE_CONDITION_H
#define BASE_CONDITION_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* A condition whose waits end by that clock; pthread_cond_destroy ends it. */
void condition_init(pthread_cond_t *condition);

/* So many milliseconds from now (0 or more), for pthread_cond_timedwait. */
struct timespec condition_end(int64_t ms);

#endif
