/*
 * condition: pthread conditions with a time-out, by CLOCK_MONOTONIC, which cannot be set but stops while
 * the machine is suspended.
 */
#ifndef BASE_CONDITION_H
#define BASE_CONDITION_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* A condition whose time-outs are by that clock. Free it with pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);

/* The time `ms` (0 or more) from now, for pthread_cond_timedwait. */
struct timespec condition_end(int64_t ms);

#endif
